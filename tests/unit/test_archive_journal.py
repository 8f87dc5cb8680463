from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from debkit.archive import journal, transaction
from debkit.archive.journal import Act
from debkit.archive.reprepro import Entry
from debkit.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

DEB = Entry(
    type="deb", arch="amd64", package="a", version="1", source="a", source_version="1", file="pool/main/a/a/a_1_amd64.deb"
)
FIRST = Act(time="2026-01-01T00:00:00+00:00", suite="trixie", act="publish", detail="a 1", snapshot="s1", key="K", added=(DEB,))
SECOND = Act(time="2026-01-02T00:00:00+00:00", suite="sid", act="publish", detail="b 1", snapshot="s2", key="K", removed=(DEB,))


def test_what_is_told_is_read_again(tmp_path: Path) -> None:
    assert journal.read(tmp_path) == ()
    journal.append(tmp_path, [FIRST])
    journal.append(tmp_path, [])
    journal.append(tmp_path, [SECOND])
    assert journal.read(tmp_path) == (FIRST, SECOND)
    assert journal.read(tmp_path, "sid") == (SECOND,)
    assert journal.members([FIRST]) == {DEB}
    assert journal.members([FIRST, SECOND]) == frozenset()


@pytest.mark.parametrize("length", [1, 40, -2])
def test_a_last_line_that_is_torn_never_counted(tmp_path: Path, length: int) -> None:
    journal.append(tmp_path, [FIRST])
    line = journal.path(tmp_path).read_bytes()
    journal.path(tmp_path).write_bytes(line + line[:length])
    assert journal.read(tmp_path) == (FIRST,)
    journal.append(tmp_path, [SECOND])
    assert journal.read(tmp_path) == (FIRST, SECOND)
    journal.path(tmp_path).write_bytes(line[:length])
    journal.append(tmp_path, [SECOND])
    assert journal.read(tmp_path) == (SECOND,)


def test_what_follows_a_torn_line_is_undone_like_any_other(tmp_path: Path) -> None:
    journal.append(tmp_path, [FIRST])
    line = journal.path(tmp_path).read_bytes()
    journal.path(tmp_path).write_bytes(line + line.replace(b"publish", b"a" * 999)[:-9])
    transaction.begin(tmp_path)
    journal.append(tmp_path, [SECOND])
    transaction.undo(tmp_path)
    assert journal.path(tmp_path).read_bytes() == line


def test_a_last_line_that_is_whole_but_for_its_end_counts(tmp_path: Path) -> None:
    journal.append(tmp_path, [FIRST])
    os.truncate(journal.path(tmp_path), journal.size(tmp_path) - 1)
    assert journal.read(tmp_path) == (FIRST,)
    journal.append(tmp_path, [SECOND])
    assert journal.read(tmp_path) == (FIRST, SECOND)


def test_damage_in_between_is_told(tmp_path: Path) -> None:
    journal.append(tmp_path, [FIRST])
    with journal.path(tmp_path).open("a") as stream:
        stream.write('{"time":\n')
    with pytest.raises(ArchiveError, match="is damaged") as caught:
        journal.read(tmp_path)
    assert caught.value.cause.startswith("line 2 is not a line of a journal")
