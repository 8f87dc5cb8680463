"""Ctrl-C, SIGTERM and kill -9 at every stage: no process, mount, scratch directory or half-written file is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from debkit.run.tree import descendants
from tests.command import Project, make_project
from tests.trees import make_tree

CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64"]\n'

# Texts that a run prints as it goes on, in their order.
STAGES = (
    "plan",
    "source for trixie",
    "making the build chroot",
    "fetching the package lists",
    "resolving build dependencies",
    "downloading build dependencies",
    "installing build dependencies",
    "] build",
    "] lintian",
    "] piuparts",
    "sign and publish",
    "installing on a clean",
)
OWN_CACHE = ("making the build chroot", "fetching the package lists")
QUICK = ("] build",)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", os.fspath(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch").chmod(0o1777)
    for parent in (tmp_path, *tmp_path.parents):  # a chroot's root is another user, who must pass through
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o111)
    return make_project(tmp_path / "project", CONFIG)


def interrupt_at(project: Project, tree: Path, stage: str, signum: int, env: dict[str, str]) -> tuple[int, str, tuple[int, ...]]:
    """Start a build, send the signal when the stage's text shows; give the exit code, what was printed, and all its processes."""
    child = project.start("build", os.fspath(tree), env=env)
    assert child.stderr
    printed: list[str] = []
    known: set[int] = set()
    sent = False
    for line in child.stderr:
        printed.append(line)
        if not sent and stage in line:
            time.sleep(0.3)
            known |= set(descendants(child.pid))
            child.send_signal(signum)
            sent = True
    assert sent, f"{stage} never came:\n{''.join(printed)}"
    return child.wait(), "".join(printed), tuple(known)


def gone(pids: tuple[int, ...], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
            return True
        time.sleep(0.1)
    return False


def check_clean(project: Project, tmp_path: Path, pids: tuple[int, ...], mounts: int) -> None:
    assert gone(pids)
    assert list((tmp_path / "scratch").glob("*")) == []
    assert not list(project.path.glob("repo/db/lockfile"))
    assert len(Path("/proc/mounts").read_text().splitlines()) == mounts


def moments() -> list[object]:
    """Every stage with both signals; the quick run has Ctrl-C in the middle of a build."""
    quick = {(stage, (signal.SIGINT, signal.SIGTERM)[i % 2]) for i, stage in enumerate(QUICK)}
    return [
        pytest.param(stage, signum, marks=() if (stage, signum) in quick else pytest.mark.slow)
        for stage in STAGES
        for signum in (signal.SIGINT, signal.SIGTERM)
    ]


def unlike_any_other(tree: Path) -> None:
    """Give the tree a set of build dependencies that no other test has a layer of."""
    control = tree / "debian/control"
    control.write_text(control.read_text().replace("debhelper-compat (= 13)", "debhelper-compat (= 13), uthash-dev"))


@pytest.mark.parametrize(("stage", "signum"), moments())
def test_a_signal_at_any_stage_leaves_nothing(
    project: Project, tmp_path: Path, debkit_cache: Path, stage: str, signum: signal.Signals
) -> None:
    env = {"XDG_CACHE_HOME": os.fspath(tmp_path / "cache")} if stage in OWN_CACHE else {}
    tree = make_tree(tmp_path / "hello")
    if "ing build dependencies" in stage:
        unlike_any_other(tree)
    mounts = len(Path("/proc/mounts").read_text().splitlines())
    code, printed, pids = interrupt_at(project, tree, stage, signum, env)
    assert code == 128 + signum, printed
    assert printed.count("error: interrupted") == 1
    check_clean(project, tmp_path, pids, mounts)
