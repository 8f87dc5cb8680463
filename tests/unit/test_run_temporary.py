"""Temporary directories: private, gone at the end, and swept when their makers are gone."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.run import temporary
from debkit.run.temporary import MARK

if TYPE_CHECKING:
    import pytest

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
        left(tmp_path / "debkit-x.longer-than-that"),
    }
    (tmp_path / "debkit-x.cccccccc").symlink_to("debkit-y.aaaaaaaa")
    (tmp_path / "debkit-x.dddddddd").touch(PRIVATE)
    with temporary("debkit-x.", tmp_path):
        assert all((path / "file").exists() for path in mine)
        assert (tmp_path / "debkit-x.cccccccc").is_symlink()
        assert (tmp_path / "debkit-x.dddddddd").exists()


def test_a_pattern_in_a_name_is_none(tmp_path: Path) -> None:
    left(tmp_path / "debkit-x.aaaaaaaa")
    with temporary("debkit-?.", tmp_path):
        assert (tmp_path / "debkit-x.aaaaaaaa").exists()


def test_what_a_sweep_takes_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[Path] = []
    chmod = Path.chmod

    def swept(path: Path, mode: int) -> None:
        if not removed:
            removed.append(path)
            path.rmdir()
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", swept)
    with temporary("debkit-x.", tmp_path) as made:
        assert made.exists()
    assert removed
    assert removed != [made.parent]


def test_it_can_be_locked_by_whoever_uses_it(tmp_path: Path) -> None:
    with temporary("debkit-x.", tmp_path) as made:
        handle = os.open(made, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
