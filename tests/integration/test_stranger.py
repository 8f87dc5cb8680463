"""A project that debkit never saw, from its packaging alone to packages, by what `debkit init` wrote for it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.chroot import store
from debkit.run import Command, Processes
from tests.command import CHECKOUT, Project
from tests.conftest import SUITE
from tests.trees import commit, git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.model import Chroot


@pytest.fixture
def project(tmp_path: Path, run: Processes, build_chroot: Callable[[str, str], Chroot]) -> Path:
    """What a job of GitHub's Actions checks out: a clone of Debian's libyaml at its tag, with no upstream tarball beside it."""
    dsc = apt.source(run, store.apt_root(build_chroot(SUITE, "amd64")), "libyaml", tmp_path / "theirs")
    tree = tmp_path / "theirs/tree"
    run(Command(argv=("dpkg-source", "--skip-patches", "--extract", dsc.name, tree.name), cwd=dsc.parent))
    commit(tree)
    git(tree, "remote", "add", "origin", "https://github.com/someone/libyaml")
    told = Project(tree).debkit("init")
    assert told.code == 0, told.err
    commit(tree, "Release with debkit")
    tag = next(line.split()[2] for line in told.err.splitlines() if line.startswith("  git tag "))
    git(tree, "tag", tag)
    clone = tmp_path / "job/project"
    git(tmp_path, "clone", "-q", "--branch", tag, f"{tree}", f"{clone}")
    return clone


def make(run: Processes, project: Path, *words: str) -> str:
    env = (("PYTHONPATH", os.fspath(CHECKOUT)),)
    return run(
        Command(argv=("make", "-f", "debkit.mk", f"DEBKIT={sys.executable} -m debkit", *words), cwd=project, env=env)
    ).stdout


@pytest.mark.slow
def test_a_tag_becomes_packages(run: Processes, project: Path) -> None:
    told = make(run, project, "build", "ARCH=amd64")
    assert "nothing is signed or published" in told
    report = json.loads((project / "dist/report.json").read_text())
    assert [(source["name"], source["version"]) for source in report["sources"]] == [("libyaml", "0.2.5-2")]
    assert {check["outcome"] for check in report["checks"]} == {"pass", "not-run"}, report["checks"]
    made = {path.name.partition("_")[0] for path in (project / f"dist/{SUITE}/amd64").glob("*.deb")}
    assert made >= {"libyaml-0-2", "libyaml-dev", "libyaml-doc"}
    assert git(project, "status", "--porcelain") == ""
