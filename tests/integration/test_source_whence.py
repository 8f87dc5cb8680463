"""Telling where an upstream tarball will be taken from, before anything is made or fetched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.config import Config
from debkit.errors import MissingTool, SourceError
from debkit.source import Whence, foresee, orig
from tests.trees import commit, git, make_tree

if TYPE_CHECKING:
    from debkit.run import Processes

NAME = "hello-debkit_1.0.orig.tar"
NOT_BESIDE = f"{NAME}.* is not beside the tree, and "


def foreseen(run: Processes, tree: Path) -> Whence | None:
    config = Config(project=tree.parent / "project")
    staging = config.dist / "source"
    draft, found = foresee(run, f"{tree}", suite="trixie", first_suite=True, config=config, staging=staging)
    assert draft
    assert not config.dist.exists()
    return found


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(orig, "require_tool", Path)
    return make_tree(tmp_path / "in/tree", native=False)


def without(tree: Path, gbp: str = "") -> Path:
    """Take the tarball away and put the tree into git, with a gbp.conf where there is something to say."""
    (tree / f"../{NAME}.gz").unlink()
    if gbp:
        (tree / "debian/gbp.conf").write_text(f"[DEFAULT]\n{gbp}\n")
    commit(tree)
    return tree


def test_a_native_source_has_none_and_a_name_is_not_asked_about(run: Processes, tmp_path: Path) -> None:
    assert foreseen(run, make_tree(tmp_path / "in/tree")) is None
    config = Config(project=tmp_path)
    assert foresee(run, "bzip2", suite="sid", first_suite=True, config=config, staging=tmp_path) == (None, None)


def test_what_is_beside_the_tree_is_named(run: Processes, tree: Path) -> None:
    assert foreseen(run, tree) == Whence(f"{NAME}.gz from {tree.parent}")
    shutil.copy(tree / f"../{NAME}.gz", tree / f"../{NAME}.xz")
    with pytest.raises(SourceError, match="twice"):
        foreseen(run, tree)


def test_what_only_the_archive_may_have_is_told_with_the_reason(run: Processes, tree: Path) -> None:
    assert foreseen(run, without(tree)) == Whence(f"{NOT_BESIDE}no debian/gbp.conf says how to make it from git", archive=True)


@pytest.mark.parametrize(
    ("gbp", "tag", "told"),
    [
        ("upstream-tag = v%(version)s", "v1.0", f"{NAME}.* from git, of the tag v1.0"),
        ("upstream-branch = up", "upstream/1.0", f"{NAME}.* from git, of the tag upstream/1.0"),
        ("upstream-tree = up", "", f"{NAME}.* from git, as debian/gbp.conf says"),
        ("upstream-tag = v%(version)s", "upstream/1.0", f"{NOT_BESIDE}git has no tag v%(version)s of 1.0"),
        ("debian-branch = main", "v1.0", f"{NOT_BESIDE}git has no tag upstream/%(version)s of 1.0"),
        ("pristine-tar = True", "upstream/1.0", f"{NOT_BESIDE}no branch pristine-tar has it"),
    ],
)
def test_what_git_has_is_told(run: Processes, tree: Path, gbp: str, tag: str, told: str) -> None:
    without(tree, gbp)
    if tag:
        git(tree, "tag", tag)
    assert foreseen(run, tree) == Whence(told, archive=told.startswith(NOT_BESIDE))


@pytest.mark.parametrize("remote", [False, True])
def test_what_pristine_tar_has_is_named(run: Processes, tree: Path, *, remote: bool) -> None:
    without(tree, "pristine-tar = True")
    main = git(tree, "rev-parse", "--abbrev-ref", "HEAD").strip()
    git(tree, "checkout", "-q", "--orphan", "pristine-tar")
    for name in (f"{NAME}.xz", "hello-debkit_0.9.orig.tar.gz"):
        for end in ("delta", "id"):
            (tree / f"{name}.{end}").touch()
    commit(tree)
    git(tree, "checkout", "-q", main)
    if remote:
        git(tree, "update-ref", "refs/remotes/origin/pristine-tar", "pristine-tar")
        git(tree, "branch", "-q", "-D", "pristine-tar")
    assert foreseen(run, tree) == Whence(f"{NAME}.xz from git, by pristine-tar")


def test_what_makes_it_from_git_is_asked_for_at_once(run: Processes, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> None:
        raise MissingTool(f"{name} is not installed", cause="why", hint="next")

    without(tree, "upstream-tag = v%(version)s")
    monkeypatch.setattr(orig, "require_tool", lacking)
    with pytest.raises(MissingTool, match="gbp"):
        foreseen(run, tree)
