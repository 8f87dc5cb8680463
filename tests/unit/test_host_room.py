from __future__ import annotations

import os
from calendar import timegm
from typing import TYPE_CHECKING

import pytest

from debkit.host.fact import State
from debkit.host.room import clock_fact, nearest, room_fact

if TYPE_CHECKING:
    from pathlib import Path

GIGABYTE = 10**9


def with_free(monkeypatch: pytest.MonkeyPatch, free: int, *, flags: int = 0) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 0, 0, free // 4096, 0, 0, 0, flags, 255)))


@pytest.mark.parametrize(("gigabytes", "state"), [(5.1, State.OK), (3, State.WARN), (1.9, State.BAD)])
def test_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gigabytes: float, state: State) -> None:
    with_free(monkeypatch, int(gigabytes * GIGABYTE))
    fact = room_fact("cache room", tmp_path / "not/made/yet", "XDG_CACHE_HOME")
    assert fact.state is state
    assert fact.text.startswith(f"{gigabytes:.1f} GB free in {tmp_path}/not/made/yet")
    assert bool(fact.by_hand) == (state is not State.OK)


def test_a_read_only_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_free(monkeypatch, 9 * GIGABYTE, flags=os.ST_RDONLY)
    fact = room_fact("scratch room", tmp_path, "TMPDIR")
    assert (fact.state, fact.by_hand) == (State.BAD, "export TMPDIR=/a/directory/on/a/larger/disk")
    assert "read-only" in fact.text


def test_a_directory_that_is_not_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert room_fact("cache room", tmp_path, "XDG_CACHE_HOME").text == f"{tmp_path} is not ours to write to"


def test_the_nearest_directory_that_exists(tmp_path: Path) -> None:
    assert nearest(tmp_path) == tmp_path
    assert nearest(tmp_path / "a/b") == tmp_path


def keyring_made(root: Path, year: int) -> None:
    keyring = root / "usr/share/keyrings/debian-archive-keyring.gpg"
    keyring.parent.mkdir(parents=True)
    keyring.touch()
    os.utime(keyring, (timegm((year, 6, 1, 0, 0, 0)),) * 2)


def test_a_clock_that_can_be_right(tmp_path: Path) -> None:
    keyring_made(tmp_path, 2025)
    assert clock_fact(tmp_path, timegm((2026, 1, 2, 3, 4, 5))).text == "2026-01-02 03:04 UTC"


def test_a_clock_before_the_systems_own_files(tmp_path: Path) -> None:
    keyring_made(tmp_path, 2025)
    fact = clock_fact(tmp_path, timegm((1970, 1, 1, 0, 5, 0)))
    assert fact.state is State.BAD
    assert fact.text == "1970-01-01 00:05 UTC is before 2025-06-01, when files of this system were made"
    assert "date --utc --set" in fact.by_hand


def test_a_clock_far_ahead_and_systemd_to_set_it(tmp_path: Path) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    fact = clock_fact(tmp_path, timegm((2107, 1, 1, 0, 0, 0)))
    assert fact.state is State.BAD
    assert fact.by_hand.endswith("timedatectl set-ntp true")
