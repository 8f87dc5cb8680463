"""Temporary directories: private, gone at the end, and swept when their makers are gone."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from typing import TYPE_CHECKING

import pytest

from debkit.errors import HostError, Interrupted
from debkit.run import sweep, temporary
from debkit.run.temporary import MARK

if TYPE_CHECKING:
    from pathlib import Path

DEAD = "debkit-x.aaaaaaaa"
PRIVATE = 0o700 | MARK


def left(directory: Path, mode: int = PRIVATE) -> Path:
    directory.mkdir()
    (directory / "file").touch()
    directory.chmod(mode)
    return directory


def test_a_directory_is_private_and_goes_with_what_is_in_it(tmp_path: Path) -> None:
    with temporary("debkit-x.", tmp_path) as made:
        (made / "file").touch()
        assert [stat.S_IMODE(path.stat().st_mode) & 0o777 for path in (made, made.parent)] == [0o700, 0o700]
    assert list(tmp_path.iterdir()) == []


def test_what_killed_runs_have_left_goes_but_not_what_is_in_use(tmp_path: Path) -> None:
    with temporary("debkit-x.", tmp_path) as used:
        left(tmp_path / DEAD)
        with temporary("debkit-x.", tmp_path) as made:
            assert sorted(tmp_path.iterdir()) == sorted((used.parent, made.parent))


def test_a_users_own_are_left_alone(tmp_path: Path) -> None:
    mine = {
        left(tmp_path / "debkit-x.bbbbbbbb", 0o700),
        left(tmp_path / "debkit-y.aaaaaaaa"),
        left(tmp_path / "debkit-x.longer-one"),
    }
    (tmp_path / "debkit-x.cccccccc").symlink_to("debkit-y.aaaaaaaa")
    (tmp_path / "debkit-x.dddddddd").touch(PRIVATE)
    removed: list[Path] = []
    sweep("debkit-x.", tmp_path, removed.append)
    assert removed == []
    assert all((path / "file").exists() for path in mine)


def test_a_pattern_in_a_name_is_none(tmp_path: Path) -> None:
    left(tmp_path / "debkit-x.aaaaaaaa")
    with temporary("debkit-?.", tmp_path):
        assert (tmp_path / "debkit-x.aaaaaaaa").exists()


def test_it_is_marked_when_it_is_locked_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock
    before: list[Path] = []

    def swept_before(handle: int, operation: int) -> None:
        if operation & fcntl.LOCK_SH:
            sweep("debkit-x.", tmp_path, before.append)
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", swept_before)
    with temporary("debkit-x.", tmp_path) as made:
        assert made.parent.stat().st_mode & MARK
        handle = os.open(made.parent, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
    assert before == []


def test_where_there_are_no_locks_it_has_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(_handle: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    with temporary("debkit-x.", tmp_path) as made:
        assert not made.parent.stat().st_mode & MARK
    assert list(tmp_path.iterdir()) == []


def test_the_group_that_a_directory_hands_on_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    with temporary("debkit-x.", tmp_path) as made:
        assert made.stat().st_mode & stat.S_ISGID


def test_what_cannot_be_removed_is_no_obstacle_but_an_interrupt_counts(tmp_path: Path) -> None:
    def fails(_path: Path) -> None:
        raise HostError("no namespaces", cause="x", hint="y")

    def interrupted(_path: Path) -> None:
        raise Interrupted(signal.SIGTERM)

    left(tmp_path / DEAD)
    sweep("debkit-x.", tmp_path, fails)
    with pytest.raises(Interrupted):
        sweep("debkit-x.", tmp_path, interrupted)


def test_it_can_be_locked_by_whoever_uses_it(tmp_path: Path) -> None:
    with temporary("debkit-x.", tmp_path) as made:
        handle = os.open(made, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
