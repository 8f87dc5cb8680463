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

from debkit.errors import DebkitError, Interrupted
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
        _change_mode(room, mode)
        yield room


def sweep(prefix: str, parent: Path, remove: Callable[[Path], object]) -> None:
    """Remove this user's temporary directories whose makers are gone. `prefix`: of their names, a pattern as glob(7) has it."""
    for path in parent.glob(f"{prefix}{RANDOM}"):
        with _no_obstacle():
            about = path.lstat()
            if not about.st_mode & MARK or about.st_uid != os.getuid():
                continue
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
            finally:
                os.close(handle)


def _locked(prefix: str, parent: Path, mode: int) -> tuple[Path, int]:
    """Make a directory, lock it, and only then mark it; where there are no locks it has no mark either, and nobody sweeps it.

    On a network file system the lock is this machine's own (flock(2)): two machines are not to build one project at once.
    """
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        _change_mode(path, mode)
    else:
        _change_mode(path, mode | MARK)
    return path, handle


def _change_mode(path: Path, mode: int) -> None:
    """Set what a mode says, and leave what a parent directory has handed on."""
    path.chmod(mode | path.stat().st_mode & stat.S_ISGID)


@contextlib.contextmanager
def _no_obstacle() -> Iterator[None]:
    """Let what cannot be removed lie."""
    try:
        yield
    except Interrupted:
        raise
    except (OSError, DebkitError):
        pass


def _remove_locked(remove: Callable[[Path], object], made: tuple[Path, int]) -> None:
    path, handle = made
    try:
        remove(path)
    finally:
        os.close(handle)
