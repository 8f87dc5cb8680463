"""The jobs of a build matrix, each in a project of its own, and one that publishes what they have built."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from debkit.archive.index import read_index
from debkit.pipeline.parts import SUMS
from debkit.run import Command, Processes
from debkit.sign import file_ref
from debkit.source import read_changes
from tests.command import make_project
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64", "arm64"]\n[checks]\nrun = ["lintian"]\n'


@pytest.mark.slow
def test_two_jobs_build_and_a_third_publishes(
    tmp_path: Path, debkit_cache: Path, run: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    tree = make_tree(tmp_path / "hello", kind="both", distribution="unstable")
    parts = []
    for arch in ("amd64", "arm64"):
        job = make_project(tmp_path / arch, CONFIG)
        ended = job.debkit("build", os.fspath(tree), "--no-publish", "--arch", arch)
        assert ended.code == 0, ended.err
        dist = job.path / "dist"
        run(Command(argv=("sha256sum", "--strict", "--check", SUMS), cwd=dist))
        assert list(dist.glob(f"trixie/{arch}/hello-debkit-data_1.0_all.deb"))
        parts.append(dist.rename(tmp_path / f"packages-trixie-{arch}"))
    project = make_project(tmp_path / "project", CONFIG)
    ended = project.debkit("publish", *map(os.fspath, reversed(parts)))
    assert ended.code == 0, ended.err
    assert [(seen["target"]["arch"], seen["installed"]) for seen in project.report["sightings"]] == [
        ("amd64", True),
        ("arm64", True),
    ]
    (data,) = project.archive.rglob("hello-debkit-data_1.0_all.deb")
    assert file_ref(data) == file_ref(parts[0] / "trixie/amd64" / data.name)
    for arch in ("amd64", "arm64"):
        packages = {line.package for line in read_index(project.archive, "trixie", arch)}
        assert packages == {"hello-debkit", "hello-debkit-data", "hello-debkit-dbgsym"}
    (changes,) = project.path.glob("dist/trixie/upload/*.changes")
    assert {*read_changes(changes).architectures} == {"source", "all", "amd64", "arm64"}
    assert {path.name for path in project.archive.rglob("*.buildinfo")} == {
        f"hello-debkit_1.0_{arch}.buildinfo" for arch in ("amd64", "arm64")
    }
    ended = project.debkit("publish", *map(os.fspath, parts))
    assert ended.code == 0, ended.err
    assert project.report["published"][0]["unchanged"]
