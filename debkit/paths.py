"""Where debkit keeps its state, after the XDG base directory specification, and how a file of it is written."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

# That a file system has no hard links, or none between these two (link(2); FUSE says ENOSYS), or no more of this file.
NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK})


def cache_home() -> Path:
    """Say where chroot tarballs, dependency layers and downloads are: all can be made again."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "debkit"


def state_home() -> Path:
    """Say where the development keys are: they cannot be made again."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "debkit"


def scratch_home() -> Path:
    """Say where build trees are unpacked: TMPDIR, else /var/tmp, since /tmp is often in memory and a build tree is large."""
    return Path(os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108


def put(file: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole, on disk for good, or not at all; its permissions are `mode` whatever the umask.

    Only one process at a time may write it: its lock is the caller's. Raises the OSError of `file`, not of what stands in for it.
    """
    new = file.with_name(f".{file.name}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            new.unlink()
        if isinstance(problem, OSError):
            raise OSError(problem.errno, problem.strerror, os.fspath(file)) from problem
        raise


def link(file: Path, also: Path) -> None:
    """Have a file under another name, too: by a hard link, or where there can be none as a copy, whole or not at all."""
    try:
        also.hardlink_to(file)
    except OSError as problem:
        if problem.errno not in NO_LINK:
            raise
        new = also.with_name(f".{also.name}.new")
        shutil.copy2(file, new)
        new.replace(also)


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default
