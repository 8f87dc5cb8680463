"""Directories that a run has for a while; those that killed runs have left go when a later run makes one."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import stat
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.run.command import CommandFailed
from debkit.run.lasting import lasting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A user's own directory may well be called debkit-x, but mktemp(1) does not make it sticky.
MARK = stat.S_ISVTX
RANDOM = "[a-z0-9_]" * 8  # how tempfile ends a name

_remove_tree = partial(shutil.rmtree, ignore_errors=True)


@contextlib.contextmanager
def temporary(
    prefix: str, parent: Path | None = None, *, mode: int = 0o700, remove: Callable[[Path], object] = _remove_tree
) -> Iterator[Path]:
    """Have a directory until the end, by default where tempfile(3) makes them.

    It is in one of its own, which `remove` takes. A lock on that one, which nothing else locks, tells the living from the dead,
    of which those with the same `prefix` are removed first.
    """
    parent = parent or Path(tempfile.gettempdir())
    sweep(glob.escape(prefix), parent, remove)
    with lasting(partial(_locked, prefix, parent, mode), partial(_remove_locked, remove)) as (path, _):
        room = path / path.name[-8:]
        room.mkdir()
        room.chmod(mode)
        yield room


def sweep(prefix: str, parent: Path, remove: Callable[[Path], object]) -> None:
    """Remove this user's temporary directories whose makers are gone. `prefix`: of their names, a pattern as glob(7) has it."""
    for path in parent.glob(f"{prefix}{RANDOM}"):
        with contextlib.suppress(OSError, CommandFailed):
            about = path.lstat()
            if not stat.S_ISDIR(about.st_mode) or not about.st_mode & MARK or about.st_uid != os.getuid():
                continue
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
            finally:
                os.close(handle)


def _locked(prefix: str, parent: Path, mode: int) -> tuple[Path, int]:
    """Make a directory and lock it. Another run's sweep may take it before the lock is on: then make another.

    The lock is a shared one, since NFS has no exclusive ones on directories; there, nothing is swept.
    """
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            path.chmod(mode | MARK)
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):
            os.close(handle)
            continue
        except OSError:  # a file system without locks
            return path, handle
        if path.exists():
            return path, handle
        os.close(handle)


def _remove_locked(remove: Callable[[Path], object], made: tuple[Path, int]) -> None:
    path, handle = made
    try:
        remove(path)
    finally:
        os.close(handle)
