"""Versions of unreleased trees, in dpkg's own order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from debian.debian_support import Version

from debkit.source.draft import suffixed
from debkit.source.git import Commit
from debkit.source.snapshot import Snapshot, alone, choose, recall, remember

if TYPE_CHECKING:
    from pathlib import Path

MOMENT = 1704164645  # 2024-01-02 03:04:05 UTC
NOW = MOMENT + 10**6
ONE, TWO = "1" * 64, "2" * 64
COMMIT = Commit("abcdef0123456789", MOMENT, clean=True)
EDITED = Commit("abcdef0123456789", MOMENT, clean=False)


def test_a_clean_tree_has_the_version_of_its_commit() -> None:
    taken = choose("1.0-1", commit=COMMIT, content=ONE, newest=NOW, now=NOW, last=None)
    assert taken.version == "1.0-1~20240102030405.gabcdef0"


def test_commits_of_one_second_come_one_after_another() -> None:
    made = [replace(COMMIT, id=each, number=number) for each, number in (("f" * 40, 9), ("0" * 40, 10), ("a" * 40, 11))]
    taken = [choose("1.0-1", commit=commit, content=ONE, newest=NOW, now=NOW, last=None).version for commit in made]
    assert taken == [f"1.0-1~20240102030405.{end}" for end in ("n9.gfffffff", "n10.g0000000", "n11.gaaaaaaa")]
    assert sorted(taken, key=Version) == taken


def test_a_number_comes_after_the_form_without_one() -> None:
    for one in ("a", "f", "0", "9"):
        old, new = (replace(COMMIT, id=one * 40, number=number) for number in (0, 1))
        assert Version(Snapshot("1.0", MOMENT, ONE, old.id).version) < Version(
            Snapshot("1.0", MOMENT, ONE, new.id, number=1).version
        )


def test_a_machine_with_a_memory_agrees_with_one_that_has_none() -> None:
    first, second = replace(COMMIT, number=5), replace(COMMIT, id="0" * 40, number=6)
    last = choose("1.0", commit=first, content=ONE, newest=NOW, now=NOW, last=None)
    fresh, own = (choose("1.0", commit=second, content=TWO, newest=NOW, now=NOW, last=memory) for memory in (None, last))
    assert own == fresh


def test_an_edited_tree_has_the_time_of_the_edit_and_the_hash_of_its_content() -> None:
    taken = choose("1.0", commit=EDITED, content=ONE, newest=MOMENT + 60, now=NOW, last=None)
    assert taken.version == "1.0~20240102030505.g1111111"


def test_an_edited_tree_comes_after_its_commit_whatever_the_files_say() -> None:
    taken = choose("1.0", commit=EDITED, content=ONE, newest=MOMENT - 10**6, now=NOW, last=None)
    assert taken.time == MOMENT + 1


def test_a_time_to_come_is_not_believed() -> None:
    assert choose("1.0", commit=None, content=ONE, newest=NOW + 10**8, now=NOW, last=None).time == NOW


def test_equal_content_keeps_its_version() -> None:
    first = choose("1.0", commit=None, content=ONE, newest=MOMENT, now=NOW, last=None)
    assert choose("1.0", commit=None, content=ONE, newest=MOMENT + 5, now=NOW, last=first) == first


def test_other_content_comes_later_even_with_older_files() -> None:
    first = choose("1.0", commit=None, content=ONE, newest=MOMENT, now=NOW, last=None)
    second = choose("1.0", commit=None, content=TWO, newest=MOMENT - 100, now=NOW, last=first)
    back = choose("1.0", commit=None, content=ONE, newest=MOMENT - 100, now=NOW, last=second)
    assert Version(first.version) < Version(second.version) < Version(back.version)


def test_an_edit_taken_back_comes_after_the_edit() -> None:
    first = choose("1.0", commit=COMMIT, content=ONE, newest=MOMENT, now=NOW, last=None)
    edited = choose("1.0", commit=EDITED, content=TWO, newest=MOMENT + 60, now=NOW, last=first)
    back = choose("1.0", commit=COMMIT, content=ONE, newest=MOMENT + 90, now=NOW, last=edited)
    assert Version(first.version) < Version(edited.version) < Version(back.version)
    assert choose("1.0", commit=COMMIT, content=ONE, newest=MOMENT + 90, now=NOW, last=back) == back


def test_equal_content_on_a_later_commit_is_a_later_version() -> None:
    before = choose("1.0", commit=EDITED, content=ONE, newest=MOMENT + 5, now=NOW, last=None)
    later = Commit("f" * 40, MOMENT + 60, clean=False)
    assert choose("1.0", commit=later, content=ONE, newest=MOMENT + 5, now=NOW, last=before).time == MOMENT + 61


def test_another_base_version_starts_anew() -> None:
    first = choose("1.0", commit=None, content=ONE, newest=MOMENT, now=NOW, last=None)
    assert choose("1.1", commit=None, content=ONE, newest=MOMENT - 9, now=NOW, last=first).time == MOMENT - 9


@pytest.mark.parametrize("base", ["1.0", "1.0-1", "1:1.0-1", "1.0~rc1-1", "1.0+ds-1.1"])
def test_versions_sort_as_apt_must_see_them(base: str) -> None:
    snapshots = [Snapshot(base, MOMENT + later, ONE, ONE) for later in (0, 1, 86400, 400 * 86400)]
    released = [f"{base}~~before", *(s.version for s in snapshots), base]
    assert sorted(released, key=Version) == released
    for version in released[1:]:
        assert Version(suffixed(version, "bookworm")) < Version(version)
    assert Version(snapshots[0].version) < Version(suffixed(snapshots[1].version, "bookworm"))


def test_a_suites_hyphen_does_not_become_a_revision() -> None:
    assert suffixed("1.0", "trixie-backports") == "1.0~trixiebackports1"


def test_a_snapshot_is_remembered(tmp_path: Path) -> None:
    taken = Snapshot("1.0", MOMENT, ONE, ONE)
    with alone(tmp_path / "staging"):
        assert recall(tmp_path / "staging", "hello") is None
        remember(tmp_path / "staging", "hello", taken)
    assert recall(tmp_path / "staging", "hello") == taken
    assert recall(tmp_path / "staging", "other") is None


def test_a_broken_memory_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "hello.last-snapshot").write_text('{"base": "1.0"')
    assert recall(tmp_path, "hello") is None
