from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from debkit.errors import DiskError, disk_error

if TYPE_CHECKING:
    from pathlib import Path


def test_of_a_copy_the_target_is_named() -> None:
    told = disk_error(OSError(errno.ENOSPC, "No space left on device", "/etc/passwd", None, "/dev/full"))  # as shutil has it
    assert isinstance(told, DiskError)
    assert told.what == "/dev/full cannot be written: No space left on device"
    assert told.hint == "df -h /dev/full"


def test_the_disk_of_what_is_not_there_is_its_directory(tmp_path: Path) -> None:
    told = disk_error(OSError(errno.EROFS, "Read-only file system", f"{tmp_path}/a b/c"))
    assert told is not None
    assert told.hint == f"findmnt -o TARGET,OPTIONS --target {tmp_path}"


def test_a_file_without_a_name_has_a_message_too() -> None:
    told = disk_error(OSError(errno.ENOSPC, "No space left on device"))
    assert told is not None
    assert (told.what, told.hint) == ("a file cannot be written: No space left on device", "df -h")


@pytest.mark.parametrize(("lacking", "deed"), [(os.R_OK, "read"), (os.W_OK, "written"), (os.X_OK, "written")])
def test_what_may_not_be_read_is_not_called_unwritable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: int, deed: str
) -> None:
    (tmp_path / "a").touch()
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != lacking)
    told = disk_error(PermissionError(errno.EACCES, "Permission denied", f"{tmp_path}/a"))
    assert told is not None
    assert told.what == f"{tmp_path}/a cannot be {deed}: Permission denied"
    assert told.hint == f"namei -l {tmp_path}/a"


def test_what_cannot_be_reached_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path == tmp_path and mode == os.F_OK)
    told = disk_error(PermissionError(errno.EACCES, "Permission denied", f"{tmp_path}/a/b"))
    assert told is not None
    assert "a/b cannot be read" in told.what


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EPERM, errno.EACCES])
def test_what_names_no_file_is_no_trouble_of_a_disk(number: int) -> None:
    assert disk_error(OSError(number, "refused")) is None
