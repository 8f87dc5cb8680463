# The same targets serve a developer's machine and CI. `make help` lists them.

SOURCE ?= .
ARCH ?=
SUITE ?=
FLAGS ?=

PYTHON := /usr/bin/python3
DEBKIT := PYTHONPATH="$(CURDIR)" $(PYTHON) -m debkit
PYTEST := $(PYTHON) -m pytest -p no:cacheprovider
VENV := .venv
# What slow tests have foreign chroots of.
TESTED := arm64 riscv64
# SUITE/SOURCE, a line each.
CORPUS := tests/data/accel-corpus

.DEFAULT_GOAL := help
.PHONY: help setup deb doctor test test-all test-accel unit lint check bench bench-archive bench-corpus bench-accel accel-verify docs clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what debkit needs and mend this machine (root or sudo)
	@sh packaging/setup $(ARCH)

deb: setup ## build, check, sign and publish SOURCE for ARCH and SUITE
	@$(DEBKIT) build "$(SOURCE)" $(ARCH:%=--arch %) $(SUITE:%=--suite %) $(FLAGS)

doctor: ## tell what this machine lacks; changes nothing
	@$(DEBKIT) doctor

test: ## set up and run the tests, a real arm64 build included (up to 25 minutes)
	@sh packaging/setup --test
	$(PYTEST) -m "not slow"

test-all: ## also kills, races, the other backend and every bad input
	@sh packaging/setup --test $(TESTED)
	$(PYTEST)

test-accel: ## all tests of acceleration, for which a compiler is built (hours)
	@sh packaging/setup --test $(TESTED)
	$(PYTEST) tests/*/test_accel_*.py

unit: ## the quick tests: no network, no root
	$(PYTEST) -q tests/unit

lint: $(VENV)/stamp ## style, types and layers
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

check: lint unit ## what to run before a commit

bench: ## print debkit's own costs as ratios, those of publishing too
	@sh packaging/setup --test
	$(PYTHON) -m tests.bench
	$(PYTHON) -m tests.bench_archive

bench-archive: ## publish thousands of packages with debkit, reprepro, aptly and apt-ftparchive
	@sh packaging/setup --test
	$(PYTHON) -m tests.bench_archive

bench-corpus: ## build twenty sources of the archive with raw sbuild and with debkit
	@sh packaging/setup --test
	$(PYTHON) -m tests.bench_corpus

bench-accel: ## measure accelerated builds against native and emulated ones (hours)
	@sh packaging/setup --test
	$(PYTHON) -m tests.bench_accel

accel-verify: setup ## prove on the corpus that accelerated builds make the same bytes (hours)
	@failed=; for suite in $(or $(SUITE),$(sort $(shell sed -n 's,^\([a-z]*\)/.*,\1,p' $(CORPUS)))); do \
	  $(DEBKIT) accel build --compiler --suite $$suite $(ARCH:%=--arch %) && \
	  $(DEBKIT) accel verify --suite $$suite $(ARCH:%=--arch %) $(FLAGS) $$(sed -n "s,^$$suite/,,p" $(CORPUS)) || failed=1; \
	done; [ -z "$$failed" ]

docs: ## the manual and the man pages, into build/docs; fails where they do not say what the code says
	@sh packaging/setup --test
	$(PYTHON) -m docs.generate --check
	$(PYTHON) -m sphinx -W -n --keep-going -q -b html docs build/docs/html
	$(PYTHON) -m sphinx -W -n --keep-going -q -b man docs build/docs/man

clean: ## remove what a run leaves in the tree
	rm -rf build $(VENV) debkit.egg-info
	@# Which snapshot was the last one is kept: the next must not be older.
	[ ! -d dist ] || find dist -depth -mindepth 1 ! -name '*.last-snapshot' ! \( -type d ! -empty \) -delete

$(VENV)/stamp: setup.cfg
	$(PYTHON) -m venv --system-site-packages $(VENV)
	$(VENV)/bin/pip install --quiet ruff mypy import-linter types-jsonschema types-pexpect
	touch $@
