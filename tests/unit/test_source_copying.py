"""Names, links, modes and times of what goes into a source package."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.source.copying import copy, digest, moved, newest, normalise, relinked, take

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("packaging/debian/a.service", "../../config/a.service", "../config/a.service"),
        ("packaging/debian/a", "b", "b"),
        ("packaging/debian/x/a", "../b", "../b"),
        ("packaging/debian/null.service", "/dev/null", "/dev/null"),
        ("docs/changelog", "../packaging/debian/changelog", "../debian/changelog"),
        ("docs/a", "../README", "../README"),
        ("packaging/debian/out", "../../../out", "../../../out"),
        ("packaging/notes", "debian/changelog", "../debian/changelog"),
    ],
)
def test_links_still_reach_their_file(name: str, target: str, expected: str) -> None:
    assert relinked(name, target, "packaging/debian") == expected
    assert relinked(name, target, "debian") == target


def test_only_the_packaging_moves() -> None:
    assert moved("packaging/debian/rules", "packaging/debian") == "debian/rules"
    assert moved("packaging/debian-old/rules", "packaging/debian") == "packaging/debian-old/rules"
    assert moved("src/a.c", "packaging/debian") == "src/a.c"


def test_a_link_to_the_packaging_gives_way_to_it(tmp_path: Path) -> None:
    (tmp_path / "packaging/debian").mkdir(parents=True)
    (tmp_path / "packaging/debian/rules").touch()
    (tmp_path / "debian").symlink_to("packaging/debian")
    taken = take(tmp_path, ("debian", "packaging/debian/rules"), packaging="packaging/debian")
    assert [file.name for file in taken] == ["debian/rules"]


def filled(root: Path) -> tuple[str, ...]:
    (root / "sub").mkdir(parents=True)
    (root / "sub/a").write_text("a")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o700)
    (root / "link").symlink_to("./sub/a")
    (root / "caf\u00e9").write_text("caf\u00e9")
    return ("sub/a", "run", "link", "caf\u00e9")


def test_a_copy_has_the_same_digest_but_plain_modes_and_times(tmp_path: Path) -> None:
    names = filled(tmp_path / "a")
    copy(take(tmp_path / "a", names), tmp_path / "b")
    normalise(tmp_path / "b", 1000)
    assert digest(take(tmp_path / "b", names)) == digest(take(tmp_path / "a", names))
    assert os.readlink(tmp_path / "b/link") == "./sub/a"  # noqa: PTH115
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (tmp_path / "b").rglob("*") if not path.is_symlink()}
    assert modes == {"sub": 0o755, "a": 0o644, "run": 0o755, "caf\u00e9": 0o644}
    assert {path.lstat().st_mtime for path in (tmp_path / "b").rglob("*")} == {1000.0}


@pytest.mark.parametrize("change", ["content", "mode", "link", "name"])
def test_the_digest_tells_every_change(tmp_path: Path, change: str) -> None:
    names = filled(tmp_path)
    before = digest(take(tmp_path, names))
    match change:
        case "content":
            (tmp_path / "sub/a").write_text("b")
        case "mode":
            (tmp_path / "sub/a").chmod(0o755)
        case "link":
            (tmp_path / "link").unlink()
            (tmp_path / "link").symlink_to("run")
        case _:
            (tmp_path / "run").rename(tmp_path / "ran")
            names = ("sub/a", "ran", "link", "caf\u00e9")
    assert digest(take(tmp_path, names)) != before


def test_the_digest_does_not_tell_umask_or_time(tmp_path: Path) -> None:
    names = filled(tmp_path)
    before = digest(take(tmp_path, names))
    (tmp_path / "sub/a").chmod(0o600)
    os.utime(tmp_path / "sub/a", (5, 5))
    assert digest(take(tmp_path, names)) == before


def test_a_deleted_file_shows_in_the_time_of_its_directory(tmp_path: Path) -> None:
    names = filled(tmp_path)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.utime(path, (1000, 1000), follow_symlinks=False)
    assert newest(tmp_path, take(tmp_path, names)) == 1000
    os.utime(tmp_path / "sub", (2000, 2000))
    assert newest(tmp_path, take(tmp_path, names)) == 2000
    os.utime(tmp_path, (3000, 3000))
    assert newest(tmp_path, take(tmp_path, names)) == 3000


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{tmp_path}/socket")
    with pytest.raises(SourceError, match="neither a file, a directory nor a link"):
        digest(take(tmp_path, ("socket",)))


def test_a_file_that_vanishes_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="changed while it was being copied"):
        digest(take(tmp_path, ("gone",)))
