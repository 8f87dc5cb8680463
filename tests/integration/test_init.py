"""`debkit init` in real projects: what it writes works, and makes no other source package of the tree."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.chroot import store
from debkit.run import Command, Processes
from debkit.source.ours import NAMES
from tests.command import Ended, Project, is_three_parts
from tests.conftest import SUITE
from tests.disks import on_another_disk
from tests.sources import Opener, state, sums
from tests.trees import commit, git, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import Chroot

ORIGIN = "git@github.com:Someone/project.git"
ACTION = ("--action", f"debkit/debkit@{'0' * 40}")  # else the tests' own, which may be neither a checkout nor a release


def initialised(tree: Path, *options: str) -> None:
    ended = Project(tree).debkit("init", *(() if "--action" in options else ACTION), *options)
    assert ended.code == 0, ended.err


@pytest.fixture
def libyaml(tmp_path: Path, run: Processes, build_chroot: Callable[[str, str], Chroot]) -> Path:
    """Debian's libyaml as a stranger has it: its tree in a new git repository, the upstream tarball beside it."""
    dsc = apt.source(run, store.apt_root(build_chroot(SUITE, "amd64")), "libyaml", tmp_path / "theirs")
    tree = tmp_path / "theirs/libyaml"
    run(Command(argv=("dpkg-source", "--skip-patches", "--extract", dsc.name, tree.name), cwd=dsc.parent))
    shutil.rmtree(tree / ".pc", ignore_errors=True)
    commit(tree)
    git(tree, "remote", "add", "origin", ORIGIN)
    return tree


def test_an_autotools_project_in_quilt_format(tmp_path: Path, project: Config, libyaml: Path) -> None:
    before = sums(Opener(replace(project, project=tmp_path / "one"))(libyaml))
    initialised(libyaml)
    untracked = sums(Opener(replace(project, project=tmp_path / "two"))(libyaml))
    commit(libyaml, "Release with debkit")
    tracked = sums(Opener(replace(project, project=tmp_path / "three"))(libyaml))
    assert before == untracked == tracked
    assert {name.rpartition(".tar")[0] for name in before} >= {"libyaml_0.2.5.orig", "libyaml_0.2.5-2.debian"}
    # Upstream's .gitignore has config/, Makefile and GNUmakefile.
    assert set(NAMES) <= set(git(libyaml, "ls-files").splitlines())
    assert not {"Makefile", "GNUmakefile"} & {path.name for path in libyaml.iterdir()}
    plan = Project(libyaml).debkit("build", "--dry-run")
    assert plan.code == 0, plan.err
    assert "libyaml 0.2.5-2" in plan.err


def test_dpkg_source_by_hand_still_works(libyaml: Path, run: Processes) -> None:
    initialised(libyaml)
    (libyaml / "dist").mkdir()
    (libyaml / "dist/libyaml.deb").write_bytes(bytes(range(256)))
    run(Command(argv=("dpkg-source", "--build", libyaml.name), cwd=libyaml.parent))
    (made,) = libyaml.parent.glob("*.debian.tar.*")
    inside = run(Command(argv=("tar", "tf", os.fspath(made)))).stdout
    assert "debian/source/format" in inside
    assert "local-options" not in inside


@pytest.mark.parametrize("under_git", [False, True])
@pytest.mark.parametrize("packaging", [False, True])
def test_a_native_project(tmp_path: Path, project: Config, *, packaging: bool, under_git: bool) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", packaging=packaging, git=under_git)
    before = sums(Opener(replace(project, project=tmp_path / "one"))(tree))
    initialised(tree)
    assert sums(Opener(replace(project, project=tmp_path / "two"))(tree)) == before


def test_a_second_time_and_a_dry_run_write_nothing(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    before = state(tree)
    dry = Project(tree).debkit("init", *ACTION, "--dry-run")
    assert dry.code == 0, dry.err
    assert dry.out.count("would write ") == len(NAMES)
    assert state(tree) == before
    initialised(tree)
    after = state(tree)
    again = Project(tree).debkit("init", *ACTION, "--suite", "sid")
    assert again.code == 0
    assert again.out.count("keep ") == len(NAMES)
    assert "stays as it is" in again.err
    assert state(tree) == after


def test_the_targets_are_debkits(tmp_path: Path, run: Processes) -> None:
    tree = make_tree(tmp_path / "tree")
    initialised(tree)
    (tree / "parts/one").mkdir(parents=True)

    def made(*words: str) -> list[str]:
        return run(Command(argv=("make", "-f", "debkit.mk", "DEBKIT=echo", *words), cwd=tree)).stdout.splitlines()

    assert made("build", "ARCH=amd64 arm64", "SUITE=sid", "FLAGS=--strict") == [
        "build --no-publish --arch amd64 --arch arm64 --suite sid --strict -- ."
    ]
    assert made("deb", "SOURCE=../else where", "ARCH=arm64") == [
        "doctor --fix --quiet --arch arm64", "build --arch arm64 -- ../else where"
    ]  # fmt: skip
    assert made("deployed", "restore", "publish", "release") == [
        "ci pages fetch site", "repo restore site", "publish parts/one", "release github -- ."
    ]  # fmt: skip
    assert made("verify-parts") == ["ci verify-parts parts/one"]
    assert made("pages", "SITE=out") == ["repo deploy --preset pages out", "ci pages push out"]
    assert made("ci") == ["build --no-publish -- ."]
    assert {line.partition(" ")[0] for line in made()} >= {"setup", "build", "restore", "publish", "release", "ci"}
    assert Project(tree).debkit("ci", "verify-parts", "parts/one", env={"GITHUB_ACTIONS": ""}).code == 0


def test_the_branch_that_pages_serves_has_no_history(tmp_path: Path, run: Processes) -> None:
    repository = tmp_path / "server/a/b.git"
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "--bare")
    job = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": f"file://{tmp_path}/server", "GITHUB_REPOSITORY": "a/b"}

    def pages(verb: str, site: str) -> Ended:
        return Project(tmp_path).debkit("ci", "pages", verb, site, env=job)

    first = pages("fetch", "first")
    assert first.code == 0, first.err
    assert "nothing is deployed yet" in first.err
    (tmp_path / "first").mkdir()
    (tmp_path / "first/one").write_text("1\n")
    assert pages("push", "first").code == 0
    for site in ("second", "stale"):
        assert pages("fetch", site).code == 0
        (tmp_path / site / site).write_text("2\n")
    assert pages("push", "second").code == 0
    assert git(repository, "ls-tree", "--name-only", "gh-pages").split() == ["one", "second"]
    assert git(repository, "rev-list", "--count", "gh-pages").strip() == "1"
    refused = pages("push", "stale")
    assert refused.code == 14
    assert is_three_parts(refused), refused.err
    assert "another job has deployed meanwhile" in refused.err
    assert git(repository, "ls-tree", "--name-only", "gh-pages").split() == ["one", "second"]


@pytest.mark.parametrize(
    ("harm", "code", "said"),
    [
        (lambda tree: shutil.rmtree(tree / "debian"), 5, "is not a source tree"),
        (lambda tree: (tree / "debian/control").unlink(), 5, "control is missing"),
        (lambda tree: (tree / "debian/changelog").unlink(), 5, "has no debian/changelog"),
        (lambda tree: (tree / "repo").touch(), 5, "is in its way"),
        (lambda tree: (tree / "debkit.mk").mkdir(), 5, "debkit.mk is in its way: it is a directory"),
        (lambda tree: (tree / ".gitignore").mkdir(), 5, ".gitignore is in its way: it is a directory"),
        (lambda tree: (tree / "debkit.mk").symlink_to("gone"), 5, "it is a symbolic link to gone, which is not there"),
        (lambda tree: (tree / "config/debkit.toml").mkdir(parents=True), 3, "debkit.toml cannot be read: Is a directory"),
        (lambda tree: (tree / "config").symlink_to("gone"), 5, "it is a symbolic link to gone, which is not there"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_what_is_no_project(
    tmp_path: Path, harm: Callable[[Path], object], code: int, said: str, options: tuple[str, ...]
) -> None:  # fmt: skip
    tree = make_tree(tmp_path / "tree")
    harm(tree)
    before = state(tree)
    ended = Project(tree).debkit("init", *ACTION, *options)
    assert ended.code == code
    assert is_three_parts(ended), ended.err
    assert said in ended.err
    assert state(tree) == before


@pytest.mark.parametrize("disk", ["ro64k", "36k"])
def test_a_disk_that_takes_nothing_or_only_a_part(tmp_path: Path, disk: str) -> None:
    tree = make_tree(tmp_path / "tree")
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.path.mkdir()
    ended = elsewhere.debkit("-C", os.fspath(tree), "init", *ACTION, prefix=on_another_disk(elsewhere, tree, disk))
    assert ended.code == 17, ended.err
    assert is_three_parts(ended), ended.err
    assert state(elsewhere.path / "after").keys() == {
        os.fspath(elsewhere.path / "after" / p.relative_to(tree)) for p in (tree, *tree.rglob("*"))
    }


@pytest.mark.parametrize("option", [("--action", "debkit"), ("--name", "Our Tools")])
def test_a_wrong_command_line(tmp_path: Path, option: tuple[str, str]) -> None:
    tree = make_tree(tmp_path / "tree")
    assert Project(tree).debkit("init", *option).code == 2
    assert not (tree / "debkit.mk").exists()


def test_it_releases_with_the_debkit_that_is_named(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    initialised(tree, "--action", "them/fork@v2")
    assert "uses: them/fork/.github/workflows/release.yml@v2\n" in (tree / ".github/workflows/release.yml").read_text()
