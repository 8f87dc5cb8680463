"""What lies in the cache: contents (tarballs, unpacked roots), each with a small record that makes it count.

A content is written under a name of its own and never changed; the record, `NAME.json`, is replaced in one step and says which
content is NAME's now. So a kill at any moment leaves the old entry or the new one, and what is left over is swept by whoever
makes NAME next. `NAME.lock` is held while NAME is made; a content that is in use has a shared lock on itself.
"""

from __future__ import annotations

import calendar
import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from debkit.chroot.namespace import remove_tree
from debkit.errors import DebkitError, DiskError, LockedError
from debkit.paths import cache_home, put
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.console import Progress
    from debkit.run import Run


STAMP = "%Y%m%dT%H%M%S"  # in UTC
NAMED_WITHIN_SECONDS = 1.0  # from taking a lock to writing down who has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What `NAME.json` holds. `created` is in whole seconds since the epoch, `size` in bytes; `package_count` counts what is
    installed. Of a layer, `base` is the generation it stands on and `source` the source it was first made for.
    """

    content: str
    created: int
    kind: str
    suite: str
    arch: str
    size: int
    package_count: int
    made_with: str
    mirror: str = ""
    components: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    base: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A content that counts. `used` is when it was last used, in seconds since the epoch."""

    shelf: Path
    name: str
    record: Record
    used: float

    @property
    def content(self) -> Path:
        return self.shelf / self.record.content

    @property
    def generation(self) -> str:
        """NAME with the time it was made: what tells this content from NAME's others."""
        return generation(self.name, self.record.created)


def generation(name: str, created: float) -> str:
    return f"{name}.{time.strftime(STAMP, time.gmtime(created))}"


def created_at(generation: str) -> int:
    """Read back when a generation was made."""
    return calendar.timegm(time.strptime(generation.rpartition(".")[2], STAMP))


def shelf(name: str) -> Path:
    """Give the directory of one kind of entry, made where it is not there. Raises DiskError when it cannot be."""
    path = cache_home() / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DiskError(
            f"{path} cannot be used as a cache: {problem.strerror}",
            cause="the directory belongs to another user, or its disk is full or read-only",
            hint=f"ls -ld {path.parent}; or set XDG_CACHE_HOME to a directory of yours",
        ) from problem
    return path


def find(where: Path, name: str) -> Entry | None:
    """Give the entry, or None where there is none or its content is gone."""
    path = where / f"{name}.json"
    try:
        known = {field.name for field in fields(Record)}
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known}
        record = Record(**told)
        used = path.stat().st_mtime
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return Entry(shelf=where, name=name, record=record, used=used) if (where / record.content).exists() else None


def entries(where: Path) -> tuple[Entry, ...]:
    found = (find(where, path.stem) for path in sorted(where.glob("*.json")))
    return tuple(entry for entry in found if entry)


def touch(entry: Entry) -> None:
    """Note that the entry was used now."""
    with contextlib.suppress(OSError):
        os.utime(entry.shelf / f"{entry.name}.json")


def commit(run: Run, where: Path, name: str, record: Record) -> Entry:
    """Make the content that the record names count, on disk for good; sweep what NAME had before. NAME's lock is held."""
    content = where / record.content
    run(Command(argv=("sync", *(("--file-system",) if content.is_dir() else ()), os.fspath(content))))
    put(where / f"{name}.json", json.dumps(asdict(record), indent=1).encode())
    _sync(where)
    sweep(run, where, name)
    return Entry(shelf=where, name=name, record=record, used=time.time())


def sweep(run: Run, where: Path, name: str) -> None:
    """Remove all of NAME's but what counts and what is in use. NAME's lock is held, so nothing of it is being made."""
    entry = find(where, name)
    found = (*where.glob(f"{name}.*"), *where.glob(f".{name}.*"))  # the apt room's own lock begins with a dot
    left = [path for path in found if path.name not in {f"{name}.json", f"{name}.lock", f"{name}.log"}]
    keep = {_stamp(name, path) for path in left if in_use(path)}
    if entry:
        keep.add(_stamp(name, entry.content))
    for path in left:
        if _stamp(name, path) not in keep:
            _remove(run, path)


@contextlib.contextmanager
def making(run: Run, where: Path, name: str) -> Iterator[Path]:
    """Sweep before NAME is made, and after it could not be. Gives its log, which stays only where an error points to it."""
    log = where / f"{name}.log"
    sweep(run, where, name)
    try:
        yield log
    except BaseException as problem:
        sweep(run, where, name)
        if not (isinstance(problem, DebkitError) and problem.log == log):
            log.unlink(missing_ok=True)
        raise
    log.unlink(missing_ok=True)


def drop(run: Run, entry: Entry) -> bool:
    """Remove an entry unless its content is in use; say whether it is gone."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(run, entry.shelf, entry.name, "removing it", wait=False))
        except LockedError:
            return False
        if in_use(entry.content):
            return False
        (entry.shelf / f"{entry.name}.json").unlink(missing_ok=True)
        sweep(run, entry.shelf, entry.name)
        for rest in ("log", "lock"):
            (entry.shelf / f"{entry.name}.{rest}").unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def held(content: Path) -> Iterator[None]:
    """Keep a content from being removed meanwhile. Raises LockedError when it is being, or was just, removed."""
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(content, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            gone = not _same_file(content, descriptor)
        except FileNotFoundError:
            gone = True
        if gone:
            raise LockedError(
                f"{content.name} has been removed from the cache just now",
                cause="another debkit was told to remove or to renew it",
                hint="run the same command again",
            )
        yield


@contextlib.contextmanager
def alone(content: Path) -> Iterator[bool]:
    """Say whether nobody uses a content, and keep it so meanwhile."""
    descriptor = os.open(content, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(
    run: Run, where: Path, name: str, doing: str, *, progress: Progress | None = None, wait: bool = True
) -> Iterator[None]:
    """Hold NAME's lock. Waits for another holder, telling `progress` who it is, or raises LockedError without `wait`."""
    path = where / f"{name}.lock"
    descriptor = _lock(run, path, progress, wait=wait)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {doing}".encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


def _lock(run: Run, path: Path, progress: Progress | None, *, wait: bool) -> int:
    """Open and lock the file; again when its holder has removed it meanwhile."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _wait(run, path, descriptor, progress, wait=wait)
            if _same_file(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait(run: Run, path: Path, descriptor: int, progress: Progress | None, *, wait: bool) -> None:
    """Wait for the lock in flock(1), which locks the open file that we share with it: the runner makes that interruptible."""
    holder = _holder(descriptor)
    if not wait:
        raise LockedError(
            f"{path.stem} is locked", cause=f"{holder} has it", hint="wait for it to end, then run the same command again"
        )
    if progress:
        progress.phase(f"waiting for {holder}")
    run(Command(argv=("flock", "--exclusive", str(descriptor)), pass_fds=(descriptor,)))


def _holder(descriptor: int) -> str:
    """Who has the lock, from the file; its holder writes that a moment after it took the lock."""
    deadline = time.monotonic() + NAMED_WITHIN_SECONDS
    while True:
        if holder := os.pread(descriptor, 200, 0).decode(errors="replace"):
            return holder
        if time.monotonic() > deadline:
            return "another debkit"
        time.sleep(0.01)


def _same_file(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def in_use(content: Path) -> bool:
    """Whether somebody uses a content just now."""
    with contextlib.suppress(OSError), alone(content) as unused:
        return not unused
    return False


def _stamp(name: str, path: Path) -> str:
    """When the generation that a path belongs to was made."""
    return path.name.removeprefix(".").removeprefix(f"{name}.").split(".")[0]


def _remove(run: Run, path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(run, path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
