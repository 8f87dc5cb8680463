"""`debkit release version`, `changelog` and `notes`, as a user runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.command import is_three_parts, make_project
from tests.sources import edit, state
from tests.trees import commit, git, make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


@pytest.fixture(params=[False, True], ids=["debian", "packaging"])
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A tree of version 1.0, with two commits after its tag."""
    tree = make_tree(tmp_path / "in/tree", distribution="unstable", packaging=request.param, git=True)
    git(tree, "tag", "v1.0")
    for message in ("feat: greet *loudly*", "archive: no more @someone\n\nfixes #7", "tidy\n\nGbp-Dch: Ignore"):
        edit(tree / "hello-debkit.c")
        commit(tree, message, date="01 Mar 2024 10:00:00 +0000")
    return tree


def test_nothing_is_touched_and_all_is_told(project: Project, tree: Path) -> None:
    before = state(tree.parent)
    version = project.debkit("release", "version", f"{tree}")
    assert version.out.startswith("1.0+git20240301100000.n4.g")
    assert version.err == "note: 3 commits after tag v1.0\n"
    entry = project.debkit("release", "changelog", f"{tree}")
    assert entry.out.startswith(f"hello-debkit ({version.out.strip()}) trixie; urgency=medium\n\n")
    assert "  * feat: greet *loudly*\n" in entry.out
    assert "tidy" not in entry.out
    assert entry.out.endswith("\n -- Test Writer <test@example.org>  Fri, 01 Mar 2024 10:00:00 +0000\n")
    notes = project.debkit("release", "notes", f"{tree}")
    assert notes.out == ("### Features\n\n- greet \\*loudly\\*\n\n### archive\n\n- no more @&#8203;someone\n")
    assert state(tree.parent) == before
    assert not list(project.path.glob("dist/*"))


def test_a_releases_entry_is_written_where_it_is_asked_for(project: Project, tree: Path) -> None:
    git(tree, "tag", "v1.1")
    before = state(tree.parent)
    printed = project.debkit("release", "changelog", f"{tree}")
    assert printed.out.startswith("hello-debkit (1.1) trixie; urgency=medium\n\n  * feat: greet *loudly*\n")
    assert state(tree.parent) == before
    (changelog,) = tree.glob("**/debian/changelog")
    old = changelog.read_text()
    written = project.debkit("release", "changelog", "--write", f"{tree}")
    assert (written.code, written.out) == (0, printed.out)
    assert changelog.read_text() == f"{printed.out}\n{old}"
    after = state(tree.parent)
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert touched == {f"{changelog}", f"{changelog.parent}"}
    assert git(tree, "status", "--porcelain").split() == ["M", f"{changelog.relative_to(tree)}"]
    commit(tree, "changelog of 1.1")
    git(tree, "tag", "-f", "v1.1")
    again = project.debkit("release", "changelog", "--write", f"{tree}")
    assert again.out == printed.out
    assert f"{changelog} has it" in again.err
    assert changelog.read_text() == f"{printed.out}\n{old}"


def test_a_build_plans_for_the_tags_version(project: Project, tree: Path) -> None:
    for tag, line in (("", "+git20240301100000."), ("v1.1", "1.1 (tag v1.1)")):
        if tag:
            git(tree, "tag", tag)
        ended = project.debkit("build", "--dry-run", "--arch", "amd64", f"{tree}")
        assert ended.code == 0, ended.err
        assert line in next(text for text in ended.err.splitlines() if text.startswith("  source   hello-debkit "))


def test_a_snapshots_entry_is_not_written(project: Project, tree: Path) -> None:
    before = state(tree.parent)
    refused = project.debkit("release", "changelog", "--write", f"{tree}")
    assert refused.code == 5
    assert is_three_parts(refused)
    assert "is a snapshot" in refused.err
    assert state(tree.parent) == before


def test_notes_of_a_first_release_tell_all(project: Project, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    git(tree, "tag", "v1.0")
    assert project.debkit("release", "notes", f"{tree}").out == "- Say hello\n"


def test_what_has_no_history_is_told(project: Project, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    for argv, code in (
        (("notes", f"{tree}"), 5),
        (("notes", "hello"), 5),
        (("changelog", "hello"), 5),
        (("version", "hello"), 5),
    ):
        ended = project.debkit("release", *argv)
        assert ended.code == code
        assert is_three_parts(ended), ended.err
    assert project.debkit("release", "version", f"{tree}").out.startswith("1.0~")
