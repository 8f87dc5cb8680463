from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from debkit import paths

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_with_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        paths.put(tmp_path / "open", b"1")
        paths.put(tmp_path / "closed", b"2", mode=0o600)
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("open", "closed")] == [0o644, 0o600]


def test_what_a_killed_run_left_half_written_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / ".file.new").write_bytes(b"half of")
    paths.put(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


def test_a_file_system_without_hard_links_has_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, also = tmp_path / "file", tmp_path / "also"
    file.write_bytes(b"text")
    os.utime(file, (1, 1))
    paths.link(file, also)
    assert also.samefile(file)
    with pytest.raises(FileExistsError):
        paths.link(file, also)

    def refuse(code: int) -> None:
        def none(_: Path, __: Path) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("pathlib.Path.hardlink_to", none)

    for code in (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK):
        also.unlink()
        refuse(code)
        paths.link(file, also)
        assert (also.read_bytes(), also.stat().st_mtime, also.samefile(file)) == (b"text", 1, False)
        assert {path.name for path in tmp_path.iterdir()} == {"file", "also"}
    refuse(errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        paths.link(file, also)


def test_a_file_that_cannot_be_written_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        paths.put(tmp_path / "file", b"new")
    assert caught.value.filename == os.fspath(tmp_path / "file")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}
