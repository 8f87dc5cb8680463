"""The version that a source gets, and when it is made anew."""

from __future__ import annotations

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from debian.debian_support import Version

from debkit.source import read_changes
from tests.sources import Opener, edit, sums
from tests.trees import git, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import Source


def rewrite_in_the_past(path: Path) -> None:
    path.write_text("int y;\n")
    os.utime(path, (1, 1))


def test_every_edit_is_a_later_version_and_no_edit_is_the_same(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    versions = [opened(tree).version]
    assert versions[0].startswith("1.0~20240102030405.n")
    steps: tuple[Callable[[], object], ...] = (
        lambda: edit(tree / "hello-debkit.c"),
        lambda: edit(tree / "hello-debkit.c"),
        (tree / "Makefile").unlink,
        lambda: shutil.copy2(tree / "hello-debkit.c", tree / "older.c"),
        lambda: rewrite_in_the_past(tree / "older.c"),
    )
    for step in steps:
        step()
        source = opened(tree)
        assert source.snapshot
        versions.append(source.version)
        packed = opened.packed()
        os.utime(tree)
        again = opened(tree)
        assert (again, opened.packed()) == (source, packed)
    assert sorted(set(versions), key=Version) == versions
    assert Version(versions[-1]) < Version("1.0")


def test_a_commit_gives_every_clone_the_same_source(tmp_path: Path, project: Config) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    git(tmp_path, "clone", "-q", f"{tree}", "clone")
    made = [
        sums(Opener(replace(project, project=tmp_path / name))(tmp_path / where))
        for name, where in (("one", "tree"), ("two", "clone"))
    ]
    assert made[0] == made[1]


def test_a_released_tree_keeps_its_version_and_distribution(tmp_path: Path, opened: Opener) -> None:
    source = opened(make_tree(tmp_path / "tree", distribution="unstable"))
    changes = read_changes(source.changes)
    assert (source.version, source.suite, source.snapshot) == ("1.0", "trixie", False)
    assert (changes.version, changes.distribution, changes.architectures) == ("1.0", "unstable", ("source",))
    assert {file.name for file in changes.files} == {source.dsc.name, *(file.name for file in source.files)}


def test_a_released_tree_that_changed_is_another_source_package(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable")
    first = opened(tree)
    edit(tree / "hello-debkit.c")
    second = opened(tree)
    assert second.version == first.version
    assert sums(second) != sums(first)


@pytest.mark.parametrize("distribution", ["UNRELEASED", "unstable"])
def test_a_later_suite_gets_a_rebuilt_source(
    tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path], distribution: str
) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, distribution=distribution)
    first, second = opened(tree), opened(tree, suite="bookworm", first=False)
    assert second.version == f"{first.version}~bookworm1"
    assert second.suite == read_changes(second.changes).distribution == "bookworm"
    assert sums(first)["hello-debkit_1.0.orig.tar.gz"] == sums(second)["hello-debkit_1.0.orig.tar.gz"]
    text = (extracted(second) / "debian/changelog").read_text()
    assert text.startswith(f"hello-debkit ({second.version}) bookworm;")
    assert ("Rebuild for bookworm" in text) is (distribution == "unstable")


def test_a_source_is_made_once_by_runs_beside_each_other(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree")
    start = threading.Barrier(4)

    def race(_: int) -> Source:
        start.wait()
        return opened(tree)

    with ThreadPoolExecutor(4) as pool:
        sources = set(pool.map(race, range(4)))
    assert len(sources) == 1
    assert [path.name for path in (opened.config.dist / "source").glob(".making-*")] == []


def test_half_a_source_is_made_again(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree")
    first = opened(tree)
    (first.dsc.parent / first.files[0].name).write_bytes(b"")
    assert opened(tree) == first
    assert opened.packed() == 2
