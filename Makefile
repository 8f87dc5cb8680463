# The same targets serve a developer's machine and CI. `make help` lists them. Those from deb to pages are for any project:
# make -f PATH/OF/debkit/Makefile build

SOURCE ?= .
ARCH ?=
SUITE ?=
FLAGS ?=
PARTS ?= parts/*
PART ?= parts/here
SITE ?= site

# What is chosen reaches recipes by the environment, and unread: make would run a $(shell …) in it, and a shell what follows a ";".
$(foreach name,SOURCE ARCH SUITE FLAGS PARTS PART SITE,$(eval override $(name) := $$(value $(name)))$(eval export $(name)))
# ARCH and SUITE as options, and FLAGS, word for word.
OPTIONS := set -f; set --; for one in $$ARCH; do set -- "$$@" --arch "$$one"; done; \
  for one in $$SUITE; do set -- "$$@" --suite "$$one"; done; set -- "$$@" $$FLAGS;

PYTHON := /usr/bin/python3
CHECKOUT := $(shell dirname "$$(readlink -f "$(lastword $(MAKEFILE_LIST))")")
# With -P, for Python would look for modules in the project first.
DEBKIT := PYTHONPATH="$(CHECKOUT)" $(PYTHON) -P -m debkit
PYTEST := $(PYTHON) -m pytest -p no:cacheprovider
VENV := .venv
# What slow tests have foreign chroots of.
TESTED := arm64 riscv64
# SUITE/SOURCE, a line each.
CORPUS := tests/data/accel-corpus

.DEFAULT_GOAL := help
.PHONY: help setup setup-action deb build part deployed restore verify-parts publish onboard release pages outdated doctor ci \
  test test-all test-accel unit lint check bench bench-archive bench-corpus bench-accel accel-verify docs clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what debkit needs and mend this machine (root or sudo)
	@set -f; sh "$(CHECKOUT)/packaging/setup" $$ARCH

setup-action: setup # for action.yml: debkit on PATH, and the week as an output
	@echo "$(CHECKOUT)/packaging/bin" >>"$$GITHUB_PATH"
	@date --utc +week=%G-W%V >>"$$GITHUB_OUTPUT"

deb: setup ## build, check, sign and publish SOURCE for ARCH and SUITE
	@$(OPTIONS) $(DEBKIT) build "$$@" -- "$$SOURCE"

build: ## build and check SOURCE for ARCH and SUITE, and leave it in dist/ for publish
	@$(OPTIONS) $(DEBKIT) build --no-publish "$$@" -- "$$SOURCE"

part: ## keep what is in dist/ as PART, one of PARTS, and fail if its build has failed
	@[ ! -d dist ] || { mkdir -p -- "$$(dirname -- "$$PART")" && mkdir -- "$$PART" && cp -a dist/. "$$PART"; }
	@$(DEBKIT) ci part -- "$$PART"

deployed: ## in GitHub's Actions, bring the branch gh-pages to SITE
	@$(DEBKIT) ci pages fetch "$$SITE"

restore: ## have the archive back from its last deployment, SITE, and verify it
	@$(DEBKIT) repo restore "$$SITE"

verify-parts: ## in GitHub's Actions, verify that a build of this very commit has attested each of PARTS
	@$(DEBKIT) ci verify-parts $$PARTS

publish: ## sign PARTS, each the dist/ of a build, and publish them into repo/
	@set -f; set -- $$FLAGS; set +f; $(DEBKIT) publish "$$@" $$PARTS

onboard: ## publish the keyring package, and write the lines for users, where they are not as they should be
	@set -f; $(DEBKIT) repo onboard $$FLAGS

release: ## make the GitHub release of the tag from what was published of SOURCE
	@set -f; $(DEBKIT) release github $$FLAGS -- "$$SOURCE"

pages: ## copy the archive to SITE; in GitHub's Actions, push it as the branch gh-pages
	@$(DEBKIT) repo deploy --preset pages "$$SITE"
	@$(DEBKIT) ci pages push "$$SITE"

outdated: ## list the cached chroots and layers that lack updates of their suites
	@found=$$($(DEBKIT) chroot list --outdated --json) && echo "$$found" && \
	  if [ "$$found" != "[]" ]; then echo outdated=true >>"$${GITHUB_OUTPUT:-/dev/null}"; fi

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

ci: ## do here what the workflows do for a change and for a tag, on what is committed (SOURCE: examples/local-rag)
	@sh packaging/setup --test
	@[ "$$SOURCE" != . ] || SOURCE=examples/local-rag; $(OPTIONS) $(PYTHON) -m tests.ci "$$@" --source "$$SOURCE"

lint: $(VENV)/stamp ## style, types, layers and workflows
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/actionlint
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(VENV)/bin/zizmor --quiet --offline .

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
	@set -f; set --; for one in $$ARCH; do set -- "$$@" --arch "$$one"; done; \
	failed=; for suite in $${SUITE:-$$(sed -n 's,^\([a-z]*\)/.*,\1,p' $(CORPUS) | sort -u)}; do \
	  $(DEBKIT) accel build --compiler --suite "$$suite" "$$@" && \
	  $(DEBKIT) accel verify --suite "$$suite" "$$@" $$FLAGS $$(awk -F / -v suite="$$suite" '$$1 == suite {print substr($$0, length(suite) + 2)}' \
	    $(CORPUS)) || failed=1; \
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

$(VENV)/stamp: packaging/lint/requirements.txt
	@sh packaging/setup --test
	$(PYTHON) -m venv --system-site-packages $(VENV)
	$(VENV)/bin/pip install --quiet --requirement packaging/lint/requirements.txt
	touch $@
