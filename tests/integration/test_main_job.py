"""The whole way on this machine's own architecture: from a tree to a package that a clean client installs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from debian.debfile import DebFile
from debian.debian_support import version_compare
from jsonschema import Draft202012Validator

from debkit.archive.index import read_index
from debkit.config import ChecksConfig
from debkit.report import SCHEMA
from debkit.run import Command, Processes
from tests.command import CHECKOUT, Project, make_project
from tests.trees import make_tree

PACKAGES = ("hello-debkit", "hello-debkit-data", "hello-debkit-dbgsym")
CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64"]\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, debkit_cache: Path) -> Project:
    home = tmp_path_factory.mktemp("main")
    os.environ["XDG_STATE_HOME"] = os.fspath(home / "state")
    return make_project(home / "project", CONFIG)


@pytest.fixture(scope="module")
def tree(project: Project) -> Path:
    return make_tree(project.path.parent / "hello", kind="both", git=True)


def test_a_tree_becomes_a_package_that_a_clean_client_installs(project: Project, tree: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    ended = project.debkit("build", os.fspath(tree))
    assert ended.code == 0, ended.err
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before
    report = project.report
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(report)
    outcomes = {check["check"]: check["outcome"] for check in report["checks"]}
    assert outcomes.keys() == set(ChecksConfig().run)
    assert outcomes["lintian"] == outcomes["piuparts"] == "pass"
    assert set(outcomes.values()) == {"pass", "not-run"}
    assert report["uploads"][0]["development"]
    assert report["sightings"][0]["installed"]
    assert report["sources"][0]["snapshot"]
    assert ended.err.index("plan") < ended.err.index("source for")
    assert "development key" in ended.err
    assert re.search(r"^  sudo apt-get .*install hello-debkit hello-debkit-data$", ended.err, re.MULTILINE)


def test_the_same_again_changes_nothing_and_installs_no_dependency(project: Project, tree: Path) -> None:
    version = project.report["sources"][0]["version"]
    ended = project.debkit("build", os.fspath(tree))
    assert ended.code == 0, ended.err
    assert project.report["sources"][0]["version"] == version
    assert project.report["published"][0]["unchanged"]
    assert project.report["builds"][0]["layer"]
    log = (project.path / project.report["builds"][0]["log"]).read_text()
    assert not re.search(r"^The following NEW packages will be installed:\n(?!  sbuild-build-depends)", log, re.MULTILINE)


def test_an_edit_gives_a_version_that_upgrades(project: Project, tree: Path) -> None:
    before = project.report["sources"][0]["version"]
    source = next(tree.glob("*.c"))
    source.write_text(source.read_text() + "\n/* an edit */\n")
    ended = project.debkit("build", os.fspath(tree))
    assert ended.code == 0, ended.err
    after = project.report["sources"][0]["version"]
    assert version_compare(after, before) > 0
    assert version_compare(after, "1.0") < 0
    assert project.report["sightings"][0]["version"] == after


def test_a_dry_run_prints_the_plan_and_touches_nothing(project: Project, tree: Path, tmp_path: Path) -> None:
    fresh = make_project(tmp_path / "fresh", CONFIG)
    ended = fresh.debkit("build", os.fspath(tree), "--dry-run", "--arch", "amd64")
    assert ended.code == 0, ended.err
    assert "trixie/amd64  native with sbuild" in ended.err
    assert not list(fresh.path.glob("dist/**/*.deb"))
    assert sorted(path.name for path in fresh.archive.iterdir()) == ["conf"]


@pytest.mark.slow
def test_a_second_suite_gets_a_suffix_and_both_are_published(project: Project, tree: Path, run: Processes) -> None:
    ended = project.debkit("build", os.fspath(tree), "--suite", "trixie", "--suite", "bookworm")
    assert ended.code == 0, ended.err
    versions = {source["suite"]: source["version"] for source in project.report["sources"]}
    assert versions["bookworm"] == versions["trixie"] + "~bookworm1"
    assert {sighting["target"]["suite"]: sighting["version"] for sighting in project.report["sightings"]} == versions
    keyring = os.fspath(project.archive / "debkit-archive-keyring.pgp")
    for suite, version in versions.items():
        run(Command(argv=("gpgv", "--keyring", keyring, os.fspath(project.archive / "dists" / suite / "InRelease"))))
        index = read_index(project.archive, suite, "amd64")
        assert {(line.package, line.version) for line in index} == {(package, version) for package in PACKAGES}
        for line in index:
            deb = DebFile(os.fspath(project.archive / line.file)).debcontrol()
            assert (deb["Package"], deb["Version"]) == (line.package, version)
        (source,) = read_index(project.archive, suite, "source")
        assert (source.package, source.version) == ("hello-debkit", version)
    sources = {path.name: path.read_text() for path in project.archive.glob("*.sources")}
    assert "\nSuites: trixie\n" in sources["debkit.sources"]
    assert "\nSuites: bookworm\n" in sources["debkit-bookworm.sources"]


@pytest.mark.slow
def test_a_source_is_built_by_its_name(project: Project, tmp_path: Path) -> None:
    other = make_project(tmp_path / "project", f"{CONFIG}[checks]\nrun = []\n")
    ended = other.debkit("build", "bzip2", "--no-publish")
    assert ended.code == 0, ended.err
    report = other.report
    assert report["plan"]["source"]["name"] == report["sources"][0]["name"] == "bzip2"
    assert report["plan"]["source"]["version"] == report["sources"][0]["version"]
    assert {Path(deb).name.partition("_")[0] for deb in report["builds"][0]["debs"]} >= {"bzip2", "libbz2-1.0", "libbz2-dev"}


@pytest.mark.slow
def test_make_deb_makes_the_package_of_the_tree_it_is_typed_in(debkit_cache: Path, tmp_path: Path, run: Processes) -> None:
    checkout = tmp_path / "a checkout"
    run(
        Command(
            argv=("git", "-c", f"safe.directory={CHECKOUT}/.git", "clone", "--quiet", os.fspath(CHECKOUT), os.fspath(checkout))
        )
    )
    state = (("XDG_STATE_HOME", os.fspath(tmp_path / "state")),)
    done = run(Command(argv=("make", "deb", "ARCH=amd64"), cwd=checkout, env=state))
    assert re.search(r"^  sudo apt-get .*install debkit debkit-accel debkit-doc$", done.stdout, re.MULTILINE)
    packages = {path.name.partition("_")[0] for path in (checkout / "repo/pool").rglob("*.deb")}
    assert packages == {"debkit", "debkit-accel", "debkit-accel-dbgsym", "debkit-doc"}
