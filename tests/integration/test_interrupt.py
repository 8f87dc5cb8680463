"""Ctrl-C and SIGTERM at every stage: no process, mount, scratch directory or half-written file is left. After kill -9 the next
run takes away what is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.run.tree import descendants
from tests.command import Project, make_project
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "packing the layer",
    "] build",
    "] lintian",
    "making a root of",
    "making the clean chroot",
    "] piuparts",
    "sign and publish",
    "] publishing",
    "installing on a clean",
    "] running",
)
# What of the cache a stage writes to, and so has for itself; what it only reads are all tests' chroots, tools and layers.
OWN = {
    "making the build chroot": ("chroots", "layers", "debs"),
    "fetching the package lists": ("chroots", "layers", "debs"),
    "resolving build dependencies": ("layers", "debs"),
    "downloading build dependencies": ("layers", "debs"),
    "installing build dependencies": ("layers", "debs"),
    "packing the layer": ("layers", "debs"),
    "making a root of": ("tools",),
    "making the clean chroot": ("chroots",),
}
QUICK = (("] build", signal.SIGINT), ("sign and publish", signal.SIGTERM))


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Where throwaway GnuPG homes are made: in a directory with a short name, which nobody else uses."""
    path = Path(tempfile.mkdtemp(prefix="runtime.", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def project(tmp_path: Path, runtime: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(runtime))
    return make_project(tmp_path / "project", CONFIG)


def lay_out_cache(home: Path, shared: Path, own: tuple[str, ...], *, keep: str = "") -> None:
    """Make a cache some shelves of which are its own; the others, and what matches `keep`, are those of the shared cache."""
    home.mkdir(parents=True)
    for name in {"chroots", "layers", "tools", "toolboxes", "debs"} - {*own}:
        (shared / name).mkdir(parents=True, exist_ok=True)
        (home / name).symlink_to(shared / name)
    if "chroots" in own and keep:
        (home / "chroots").mkdir()
        for path in (shared / "chroots").glob(keep):
            if path.suffix != ".lock":
                (home / "chroots" / path.name).symlink_to(path)


def make_slow(program: Path) -> None:
    """Have --version take seconds: to start the installed program is the last thing a run does, and a quick one ends the run."""
    text = program.read_text()
    assert "puts(VERSION)" in text
    program.write_text("#include <unistd.h>\n" + text.replace("puts(VERSION)", "sleep(8) + puts(VERSION)"))


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


def left(pids: tuple[int, ...], *places: Path) -> list[str]:
    """The command lines of processes that are still there, or that name one of the places, such as an agent's with its home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if words and (int(process.name) in pids or any(os.fspath(place) in words for place in places)):
                found.append(words)
    return found


def await_end(pids: tuple[int, ...], *places: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while running := left(pids, *places):
        assert time.monotonic() < deadline, running
        time.sleep(0.1)


def temporaries(place: Path) -> list[Path]:
    """What is written first and then renamed, wherever it is; locks stay."""
    return [path for path in place.rglob("*") if re.match(r"\.(?!lock$)|.*\.new\b|lockfile$", path.name)]


def check_clean(project: Project, tmp_path: Path, pids: tuple[int, ...]) -> None:
    runtime, scratch = Path(os.environ["XDG_RUNTIME_DIR"]), Path(os.environ["TMPDIR"])
    await_end(pids, tmp_path, runtime, scratch)
    mounts = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()]
    assert not [mount for mount in mounts for place in (tmp_path, runtime, scratch) if mount.is_relative_to(place)]
    assert list(scratch.iterdir()) == []
    assert list(runtime.iterdir()) == []
    for place in (project.path / "dist", project.archive, tmp_path / "state"):
        assert temporaries(place) == []
    for file in filter(Path.is_file, (tmp_path / "cache").rglob("*")):
        told = file.is_symlink() or file.suffix == ".lock" or file.name == "valid-configurations"
        assert told or file.stem == hashlib.sha256(file.read_bytes()).hexdigest()


def moments() -> list[object]:
    """Every stage with both signals; the quick run has Ctrl-C in the middle of a build, and SIGTERM when that is signed."""
    return [
        pytest.param(stage, signum, marks=() if (stage, signum) in QUICK else pytest.mark.slow)
        for stage in STAGES
        for signum in (signal.SIGINT, signal.SIGTERM)
    ]


@pytest.mark.parametrize(("stage", "signum"), moments())
def test_a_signal_at_any_stage_leaves_nothing(
    project: Project, tmp_path: Path, debkit_cache: Path, stage: str, signum: signal.Signals
) -> None:
    keep = "*-build-*" if stage == "making the clean chroot" else ""
    lay_out_cache(tmp_path / "cache/debkit", debkit_cache, OWN.get(stage, ()), keep=keep)
    if STAGES.index(stage) > STAGES.index("] piuparts"):
        (project.path / "config/debkit.toml").write_text(f"{CONFIG}[checks]\nrun = []\n")
    tree = make_tree(tmp_path / "hello")
    make_slow(tree / "hello-debkit.c")
    env = {"XDG_CACHE_HOME": os.fspath(tmp_path / "cache")}
    code, printed, pids = interrupt_at(project, tree, stage, signum, env)
    assert code == 128 + signum, printed
    assert printed.count("error: interrupted") == 1
    check_clean(project, tmp_path, pids)
    if "] publishing" not in printed:
        assert not list(project.archive.rglob("*.deb"))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["] build", "sign and publish"])
def test_the_run_after_a_kill_takes_away_what_that_left(project: Project, tmp_path: Path, debkit_cache: Path, stage: str) -> None:
    (project.path / "config/debkit.toml").write_text(f"{CONFIG}[checks]\nrun = []\n")
    lay_out_cache(tmp_path / "cache/debkit", debkit_cache, ())
    tree = make_tree(tmp_path / "hello")
    env = {"XDG_CACHE_HOME": os.fspath(tmp_path / "cache")}
    code, printed, pids = interrupt_at(project, tree, stage, signal.SIGKILL, env)
    assert code == -signal.SIGKILL, printed
    ended = project.debkit("build", os.fspath(tree), env=env)
    assert ended.code == 0, ended.err
    check_clean(project, tmp_path, pids)
