"""One run at a time works on an archive. reprepro's own lock is a file that a killed one leaves behind and that names nobody,
so there is a lock of ours around it, which the kernel releases and which says who holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from debkit.errors import ArchiveError, LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.console import Progress

LOCK = ".lock"
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.2
REMNANT_SECONDS, REMNANT_POLL_SECONDS = 10.0, 0.02


@contextlib.contextmanager
def locked(base: Path, *, what: str, progress: Progress, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the archive. `what` is told to those who wait; `wait` is in seconds. Raises LockedError naming who holds it.

    A database lock that a killed run of ours has left is removed.
    """
    deadline = time.monotonic() + wait
    with opened(base) as file:
        _await(file, base, fcntl.LOCK_EX, deadline=deadline, wait=wait, progress=progress)
        left = _read(file)
        _write(file, f"process {os.getpid()} ({what})")
        try:
            _await_reprepro(base, deadline=deadline, left=bool(left), progress=progress)
            left = ""
            yield
        finally:
            _write(file, left)


@contextlib.contextmanager
def shared(base: Path, *, progress: Progress, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Keep others from changing the archive while it is read. Writes nothing: what nobody works on, a copy, has no lock.

    Raises LockedError naming who holds it for longer than `wait` seconds.
    """
    if not (base / LOCK).exists():
        yield
        return
    deadline = time.monotonic() + wait
    with (base / LOCK).open(encoding="utf-8") as file:
        _await(file, base, fcntl.LOCK_SH, deadline=deadline, wait=wait, progress=progress)
        yield


def _await(file: IO[str], base: Path, how: int, *, deadline: float, wait: float, progress: Progress) -> None:
    while not _take(file, how):
        holder = _read(file) or "another run"
        if time.monotonic() > deadline:
            raise LockedError(
                f"{base} is in use",
                cause=f"{holder} has held it for longer than {wait:.0f} s",
                hint="wait for it to end, then run the same command again",
            )
        progress.phase(f"waiting for {holder}")
        time.sleep(POLL_SECONDS)


def _await_reprepro(base: Path, *, deadline: float, left: bool, progress: Progress) -> None:
    """Wait until no reprepro that was started by hand holds the database. `left`: the last run of ours was killed.

    What that has left may be about to take the lock.
    """
    lockfile = base / "db/lockfile"
    while lockfile.exists() or (left and reprepro_at(base)):
        holder = reprepro_at(base)
        if holder is None and left:
            lockfile.unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            raise LockedError(
                f"{base} is in use",
                cause=f"{holder} holds {lockfile}" if holder else f"a reprepro left {lockfile}, or works where it is not seen",
                hint="wait for it to end, then run the same command again" if holder else f"if no reprepro runs: rm {lockfile}",
            )
        progress.phase(f"waiting for {holder or 'a reprepro'}")
        time.sleep(POLL_SECONDS)


def database_lock(base: Path) -> tuple[int, int] | None:
    """Tell one lock of the database from another; None where nobody has it."""
    try:
        found = (base / "db/lockfile").stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_ctime_ns


def release(base: Path, *, before: tuple[int, int] | None) -> None:
    """Remove the database lock that a reprepro of ours has left which was killed. The archive must be held.

    `before` is the lock that there was when it was started: somebody else's. What ours had just forked, to be gpg, has the
    database open for a moment longer.
    """
    deadline = time.monotonic() + REMNANT_SECONDS
    while database_lock(base) not in {None, before}:
        if not reprepro_at(base):
            (base / "db/lockfile").unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            return
        time.sleep(REMNANT_POLL_SECONDS)


def reprepro_at(base: Path) -> str | None:
    """Name the process that has the archive's database open, or is a reprepro of ours that is about to; or None."""
    database, ours = os.fspath((base / "db").resolve()), f"\0--basedir\0{base}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if ours in (process / "cmdline").read_bytes():
                return f"reprepro (process {process.name})"
            if (process / "comm").read_text().strip() != "reprepro":
                continue
            try:
                files = [os.fspath(handle.readlink()) for handle in (process / "fd").iterdir()]
            except PermissionError:  # another user's: it may be on this archive
                return f"reprepro (process {process.name})"
            if any(file.startswith(database + "/") for file in files):
                return f"reprepro (process {process.name})"
    return None


def opened(base: Path) -> IO[str]:
    """Open the archive's lock file, which who may not write to the archive cannot. Raises ArchiveError."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        return (base / LOCK).open("a+", encoding="utf-8")
    except PermissionError as problem:
        raise ArchiveError(
            f"{base} cannot be written to",
            cause="it belongs to somebody else",
            hint=f"ls -ld {base}, then chown it, or name another one in [archive] path of config/debkit.toml",
        ) from problem


def _take(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip()


def _write(file: IO[str], text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()
