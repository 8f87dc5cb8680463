"""A machine that cannot build, made for real in namespaces of the tests' own: one error of three parts, and nothing left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.command import Project, make_project, refused
from tests.disks import AS_ROOT, IDS, on_another_disk
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64"]\n[checks]\nrun = []\n'


@pytest.fixture
def project(tmp_path: Path, debkit_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    return make_project(tmp_path / "project", CONFIG)


# In a namespace the limit counts for those made inside. What the run leaves there is written to `left`.
NO_NAMESPACES = """
echo 0 >/proc/sys/user/max_user_namespaces
"$@" || code=$?
cat /proc/[0-9]*/comm | grep -x unshare >"$0/left" || true
exit ${code-0}
"""


def test_namespaces_that_are_off(project: Project, tmp_path: Path) -> None:
    prefix = (*AS_ROOT, "--pid", "--fork", "--mount-proc", "sh", "-ec", NO_NAMESPACES, os.fspath(project.path))
    ended = refused(project, 4, "user.max_user_namespaces is 0", os.fspath(make_tree(tmp_path / "hello")), prefix=prefix)
    assert "debkit doctor --fix" in ended.err
    assert (project.path / "left").read_text() == ""


def test_an_emulator_that_is_off(project: Project) -> None:
    hidden = 'mount -t tmpfs tmpfs /proc/sys/fs/binfmt_misc; exec "$@"'
    prefix = (*AS_ROOT, "sh", "-ec", f"{IDS}{hidden}", os.fspath(project.path))
    ended = refused(project, 4, "binfmt_misc is not mounted", "bzip2", "--arch", "arm64", prefix=prefix)
    assert "debkit doctor --fix --arch arm64" in ended.err
    refused(project, 4, "binfmt_misc is not mounted", "bzip2", "--arch", "arm64", "--via", "cross", prefix=prefix)


# What mount(8) says where Linux is older than 6.7; of all else the machine's own is asked.
OLD_MOUNT = """#!/bin/sh
case " $* " in
*" binfmt_misc binfmt_misc "*) echo "mount: $4: permission denied." >&2; exit 32 ;;
esac
PATH=${PATH#*:} exec mount "$@"
"""


def test_a_kernel_whose_namespaces_have_no_handlers(project: Project, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mount").write_text(OLD_MOUNT)
    (tmp_path / "bin/mount").chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    plan = ("build", os.fspath(make_tree(tmp_path / "hello")), "--arch", "arm64", "--dry-run")
    ended = project.debkit(*plan, env=env)
    assert ended.code == 0, ended.err
    said = " ".join((ended.out + ended.err).split())
    assert "trixie/arm64 emulated with sbuild: " in said
    assert "not accelerated: user namespaces have no binfmt_misc of their own here (from Linux 6.7 on they do, this is " in said
    assert f"this is {os.uname().release}): mount: /proc/sys/fs/binfmt_misc: permission denied." in said
    refused(project, 4, "arm64 cannot be accelerated here", *plan[1:], "--via", "accelerated", env=env)


def test_a_place_for_build_trees_that_is_not_there(project: Project, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "hello")
    ended = refused(project, 4, "there is no directory", os.fspath(tree), env={"TMPDIR": os.fspath(tmp_path / "none")})
    assert f"mkdir -p {tmp_path}/none" in ended.err
    assert not list((project.path / "dist").rglob("*.dsc"))


def test_no_room_for_the_build(project: Project, tmp_path: Path, scratch: Path) -> None:
    prefix = on_another_disk(project, scratch, "20M")
    ended = refused(project, 17, "the disk is full", os.fspath(make_tree(tmp_path / "hello")), prefix=prefix)
    assert f"df -h {scratch}" in ended.err
    assert list((project.path / "after").iterdir()) == []


def test_an_upload_that_the_archive_would_refuse_is_told_before_the_build(project: Project, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "hello", distribution="noble")
    refused(project, 3, "does not take uploads for noble", os.fspath(tree))
    assert not list((project.path / "dist").rglob("*.build"))
