from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from debkit.archive import snapshots
from debkit.archive.retention import by_version

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = """\
Package: a
Directory: pool/main/a/a
Checksums-Sha256:
 {sum} 1 a_1.dsc
 {sum} 1 a_1.tar.gz
"""


@pytest.fixture
def states(tmp_path: Path) -> tuple[Path, ...]:
    """Three states; the two newest have their sources in common."""
    directories = tuple(tmp_path / name for name in ("one", "two", "three"))
    for number, directory in enumerate(directories, 1):
        (directory / "main/binary-amd64").mkdir(parents=True)
        (directory / "main/source").mkdir()
        (directory / "main/binary-amd64/Packages").write_text(f"Package: a\nFilename: pool/main/a/a/a_{number}_amd64.deb\n\n")
    (directories[0] / "main/source/Sources.gz").write_bytes(gzip.compress(b""))
    (directories[1] / "main/source/Sources.gz").write_bytes(gzip.compress(SOURCES.format(sum="0" * 64).encode()))
    os.link(directories[1] / "main/source/Sources.gz", directories[2] / "main/source/Sources.gz")
    return directories


def test_what_a_state_lists(states: tuple[Path, ...]) -> None:
    names = ("a_1_amd64.deb", "a_2_amd64.deb", "a_3_amd64.deb", "a_1.dsc", "a_1.tar.gz")
    asked = frozenset(f"pool/main/a/a/{name}" for name in names)
    assert snapshots.listed(states[:1], asked) == {"pool/main/a/a/a_1_amd64.deb"}
    assert snapshots.listed(states[2:], asked) == {f"pool/main/a/a/{name}" for name in names[2:]}


def test_of_many_states_only_what_is_asked_for_is_kept_in_mind(states: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[bytes] = []
    unpack = gzip.decompress

    def count(data: bytes) -> bytes:
        unpacked.append(data)
        return unpack(data)

    monkeypatch.setattr(gzip, "decompress", count)
    asked = {f"pool/main/a/a/{name}" for name in ("a_1.dsc", "a_2_amd64.deb", "a_9_amd64.deb")}
    assert snapshots.listed(states, frozenset(asked)) == asked - {"pool/main/a/a/a_9_amd64.deb"}
    assert len(unpacked) == 2


def test_names_follow_one_another_though_the_clock_is_put_back(tmp_path: Path) -> None:
    assert snapshots.new_name(tmp_path) < datetime.now(UTC).strftime(snapshots.FORM)
    for suite, name in (("trixie", "20991231T235959.999999Z"), ("sid", "20260101T000000.000000Z")):
        (tmp_path / "dists" / suite / "snapshots" / name).mkdir(parents=True)
    assert snapshots.new_name(tmp_path) == "21000101T000000.000000Z"


def test_an_undone_state_that_no_client_has_seen_is_removed(tmp_path: Path) -> None:
    suite = tmp_path / "dists/trixie"
    names = [f"20260101T00000{second}.000000Z" for second in range(4)]
    for name in names:
        (suite / "snapshots" / name).mkdir(parents=True)
        (suite / "snapshots" / name / "InRelease").write_text(name)
    (suite / "InRelease").write_text("of another time")
    snapshots.remove_unseen(tmp_path, "trixie", ())
    assert len(snapshots.snapshots(tmp_path, "trixie")) == 4
    (suite / "InRelease").write_text(names[1])
    snapshots.remove_unseen(tmp_path, "trixie", {names[2]})
    assert [one.name for one in snapshots.snapshots(tmp_path, "trixie")] == names[:3]


def test_prune_tells_files_by_source_and_version() -> None:
    pool = (
        "pool/main/t/tiny/tiny_1.0-1.dsc", "pool/main/t/tiny/tiny_1.0-1.debian.tar.xz", "pool/main/t/tiny/tiny_1.0-1_amd64.deb",
        "pool/main/t/tiny/libtiny_1.0-1_all.deb", "pool/main/t/tiny/tiny_1.0-1_source+amd64.changes",
        "pool/main/t/tiny/tiny_1.0.orig.tar.xz", "pool/main/t/tiny/tiny_1.1~rc.1_amd64.deb", "pool/stray",
    )  # fmt: skip
    assert by_version(pool) == ("pool/stray", "tiny 1.0: 1 file", "tiny 1.0-1: 5 files", "tiny 1.1~rc.1: 1 file")
