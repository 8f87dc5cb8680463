"""Upstream's tarball out of git, git-buildpackage and pristine-tar, and upstream's files against it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit.errors import NetworkError, SourceError
from debkit.run import Command
from tests.sources import Opener, edit, state, sums
from tests.trees import commit, git, make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.run import Processes


def upstream_repository(path: Path, gbp: str) -> Path:
    """A quilt tree in git with upstream's files tagged v1.0, and no tarball beside it."""
    tree = make_tree(path, native=False, distribution="unstable")
    debian = tree / "debian"
    debian.rename(path.parent / "debian-aside")
    commit(tree, "upstream")
    git(tree, "tag", "v1.0")
    (path.parent / "debian-aside").rename(debian)
    (debian / "gbp.conf").write_text(f"[DEFAULT]\nupstream-tag = v%(version)s\n{gbp}")
    commit(tree, "packaging")
    return tree


def test_the_upstream_tarball_is_made_from_a_tag(tmp_path: Path, project: Config) -> None:
    tree = upstream_repository(tmp_path / "in/tree", "")
    (tree / "../hello-debkit_1.0.orig.tar.gz").unlink()
    before = state(tmp_path / "in")
    made = [sums(Opener(replace(project, project=tmp_path / name))(tree)) for name in ("one", "two")]
    assert "hello-debkit_1.0.orig.tar.gz" in made[0]
    assert made[0] == made[1]
    assert state(tmp_path / "in") == before


def commit_tarball(run: Processes, tree: Path, orig: Path) -> str:
    """Have pristine-tar keep a tarball in the tree's repository; give its SHA-256."""
    who = tuple((f"GIT_{role}_{part}", "x@example.org") for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL"))
    run(Command(argv=("pristine-tar", "commit", f"{orig}", "v1.0"), cwd=tree, env=who))
    return hashlib.sha256(orig.read_bytes()).hexdigest()


def test_the_upstream_tarball_comes_out_of_pristine_tar_unchanged(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = upstream_repository(tmp_path / "in/tree", "pristine-tar = True\n")
    orig = tmp_path / "in/hello-debkit_1.0.orig.tar.gz"
    wanted = commit_tarball(run, tree, orig)
    orig.unlink()
    assert opened.orig(tree) == f"{orig.name} from git, by pristine-tar"
    assert sums(opened(tree))[orig.name] == wanted
    assert opened.orig(tree).startswith(f"{orig.name} from the same source package, which is made already: {opened.config.dist}")


def test_the_upstream_tarball_comes_out_of_a_remotes_pristine_tar(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = upstream_repository(tmp_path / "in/tree", "pristine-tar = True\n")
    orig = tmp_path / "in/hello-debkit_1.0.orig.tar.gz"
    wanted = commit_tarball(run, tree, orig)
    git(tmp_path, "clone", "-q", f"{tree}", "clone/tree")
    assert opened.orig(tmp_path / "clone/tree") == f"{orig.name} from git, by pristine-tar"
    assert sums(opened(tmp_path / "clone/tree"))[orig.name] == wanted


def test_the_upstream_tarball_comes_from_the_suites_archive(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "fetched").mkdir()
    tree = make_tree(tmp_path / "in/tree", native=False)
    orig = (tree / "../hello-debkit_1.0.orig.tar.gz").resolve().rename(tmp_path / "fetched/hello-debkit_1.0.orig.tar.gz")
    assert (
        sums(opened(tree, fetch=lambda name: orig.parent / f"{name}_1.0-7.dsc"))[orig.name]
        == hashlib.sha256(orig.read_bytes()).hexdigest()
    )


def test_an_archive_that_has_not_the_upstream_tarball(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False)
    (tree / "../hello-debkit_1.0.orig.tar.gz").rename(tmp_path / "hello-debkit_2.0.orig.tar.gz")

    def offline(name: str) -> Path:
        raise NetworkError(f"{name} cannot be downloaded", cause="no network", hint="ip link")

    for fetch, said in (
        (lambda name: tmp_path / f"{name}_2.0-1.dsc", "it has hello-debkit_2.0-1"),
        (offline, "cannot be downloaded"),
    ):
        with pytest.raises(SourceError, match=r"hello-debkit_1\.0\.orig\.tar\.\* is missing") as error:
            opened(tree, fetch=fetch)
        assert said in error.value.cause
        assert "debian/gbp.conf" in error.value.cause


def test_a_missing_upstream_tarball_is_told(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False)
    (tree / "../hello-debkit_1.0.orig.tar.gz").unlink()
    with pytest.raises(SourceError, match=r"hello-debkit_1\.0\.orig\.tar\.\* is missing") as error:
        opened(tree)
    assert f"{tmp_path / 'in'}" in error.value.cause
    tagged = upstream_repository(tmp_path / "other/tree", "")
    (tagged / "../hello-debkit_1.0.orig.tar.gz").unlink()
    git(tagged, "tag", "-d", "v1.0")
    with pytest.raises(SourceError, match="is missing") as error:
        opened(tagged)
    assert "v1.0 is not a valid treeish" in error.value.cause


def test_changed_upstream_files_are_told(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, git=True)
    edit(tree / "hello-debkit.c")
    with pytest.raises(SourceError, match=r"changes upstream files: hello-debkit\.c") as error:
        opened(tree)
    assert "+/* edited */" in error.value.excerpt
    assert list((opened.config.dist / "source").glob("hello-debkit_*")) == []


def test_patches_may_stand_unapplied_or_applied(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, distribution="unstable")
    edit(tree / "hello-debkit.c")
    run(Command(argv=("dpkg-source", "--commit", ".", "edit.patch"), cwd=tree, env=(("EDITOR", "true"),)))
    applied = opened(tree)
    run(Command(argv=("dpkg-source", "--after-build", "--unapply-patches", "."), cwd=tree))
    assert "edited" not in (tree / "hello-debkit.c").read_text()
    shutil.rmtree(tree / ".pc", ignore_errors=True)
    assert sums(opened(tree)) == sums(applied)
