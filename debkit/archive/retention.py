"""What old states are kept for, and their end.

A snapshot stays while it is one of the newest few, and in any case for some time after it was replaced: a client that has read
the old InRelease may still be about to fetch what it lists. Whatever a kept snapshot lists stays too, indices by their hash and
files of the pool. Nothing else decides: there are no timers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from debkit.archive import snapshots, transaction
from debkit.archive.change import change
from debkit.archive.index import sha256_of
from debkit.console import counted
from debkit.errors import ArchiveError, DiskError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.archive.reprepro import Reprepro
    from debkit.archive.snapshots import Snapshot

# All indices are read to know what may go: a publish does that once for so many snapshots.
SEVERAL = 10
# By the index's name, the form of it in which debkit reads it.
READ = {"Packages": "Packages", "Sources": "Sources.gz"}
# NAME_VERSION.dsc, .tar.xz, .orig.tar.xz and the like, or NAME_VERSION_ARCH.deb (deb-version(7) has no underscore).
FILE = re.compile(r"[^_]+_(?P<version>.+?)(_[^_]+\.\w+|(\.orig(-[\w-]+)?|\.debian)?\.(dsc|(tar|diff)\.\w+)(\.asc)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was, or would be, removed: snapshots as SUITE/NAME, paths under the base, bytes of the pool."""

    snapshots: tuple[str, ...] = ()
    indices: tuple[str, ...] = ()
    pool: tuple[str, ...] = ()
    size: int = 0


def expired(found: tuple[Snapshot, ...], *, keep: int, grace: float, now: datetime | None = None) -> tuple[Snapshot, ...]:
    """Choose which of a suite's snapshots may go: not those replaced within `grace` seconds, nor the newest `keep` that differ.

    Of several with the same members, such as one that was only signed anew, the newest stands for all.
    """
    replaced_before = (now or datetime.now(UTC)) - timedelta(seconds=grace)
    newest: dict[frozenset[str], Snapshot] = {}
    for one in reversed(found):
        newest.setdefault(snapshots.contents(one.path), one)
    kept = tuple(newest.values())[: max(keep, 1)]
    return tuple(one for one, next_one in pairwise(found) if one not in kept and next_one.made < replaced_before)


def is_due(base: Path, *, keep: int, grace: float) -> bool:
    """Whether so much has expired that a publish sees to it."""
    return (
        sum(len(expired(snapshots.snapshots(base, suite), keep=keep, grace=grace)) for suite in snapshots.suites(base)) >= SEVERAL
    )


def prune(archive: Reprepro, *, keep: int, grace: float, dry_run: bool = False) -> Pruned:
    """Remove the expired snapshots, and what only they list. One cut short is completed by the next. Seconds for `grace`.

    Raises ArchiveError where it cannot be told what a kept one lists; then nothing is removed.
    Raises DiskError where there is no room for the second copy of the database that any change needs.
    """
    base = archive.base
    gone: list[Snapshot] = []
    kept: list[Path] = []
    for suite in snapshots.suites(base):
        if not dry_run:
            snapshots.sweep(base, suite)
        found = snapshots.snapshots(base, suite)
        # The newest need not be what is published: an undone change may have left it.
        leaving = tuple(one for one in expired(found, keep=keep, grace=grace) if not snapshots.is_published(base, one))
        gone += leaving
        kept += [one.path for one in found if one not in leaving]
        if (base / "dists" / suite / "Release").exists():
            kept.append(base / "dists" / suite)
    _demand_read(kept)
    indices = _unlisted_indices(base, kept)
    pool = _unlisted_files(archive, kept)
    size = sum((base / name).stat().st_size for name in pool if (base / name).exists())
    if not dry_run:
        try:
            _remove(archive, gone, indices, pool)
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
            needed = sum(file.stat().st_size for file in (base / "db").glob("*"))
            raise DiskError(
                f"there is no room in {base} to remove what is old",
                cause=f"the disk is full, and a change needs a second copy of the database meanwhile, of {needed / 1e6:.1f} MB",
                hint=f"free as much elsewhere on that disk: df -h {shlex.quote(os.fspath(base))}",
            ) from problem
    return Pruned(snapshots=tuple(f"{one.suite}/{one.name}" for one in gone), indices=indices, pool=pool, size=size)


def _demand_read(kept: list[Path]) -> None:
    """Refuse to remove anything while it cannot be told what a kept state lists."""
    seen: dict[tuple[int, int], str] = {}
    problems = [problem for directory in kept for problem in _unread(directory, seen)]
    if problems:
        raise ArchiveError(
            "what the kept states list cannot be told",
            cause="\n".join(problems[:9]),
            hint="debkit repo refresh; an old state that this does not mend: rm -r dists/SUITE/snapshots/STATE of the archive",
        )


def _unread(directory: Path, seen: dict[tuple[int, int], str]) -> Iterator[str]:
    """Tell which indices of a state its Release file names otherwise than they are there. `seen` are checksums by inode."""
    named = re.findall(r"^ (\w{64}) +\d+ (\S+)$", (directory / "Release").read_text(encoding="utf-8"), flags=re.MULTILINE)
    sums = {name: sha256 for sha256, name in named}
    readable = frozenset(snapshots.indices(directory))
    for place, kind in sorted({(name.rpartition("/")[0], name.rpartition("/")[2].partition(".")[0]) for name in sums}):
        if kind not in READ:
            continue
        file = directory / place / READ[kind]
        if file not in readable:
            yield f"{directory / place} has no {READ[kind]} that debkit reads"
            continue
        status = file.stat()
        inode = (status.st_dev, status.st_ino)
        if inode not in seen:
            seen[inode] = sha256_of(file)
        if seen[inode] != sums.get(f"{place}/{READ[kind]}"):
            yield f"{file} is not what the Release file says"


def _unlisted_indices(base: Path, kept: list[Path]) -> tuple[str, ...]:
    """Find the by-hash files that no kept state of their suite lists."""
    found = []
    for suite in snapshots.suites(base):
        directory = base / "dists" / suite
        listed = frozenset().union(*(snapshots.hashes(path) for path in kept if directory in {path, path.parent.parent}))
        found += [file.relative_to(base).as_posix() for file in directory.rglob("by-hash/SHA256/*") if file.name not in listed]
    return tuple(sorted(found))


def _unlisted_files(archive: Reprepro, kept: list[Path]) -> tuple[str, ...]:
    """Find the pool's files that no kept state lists and no suite has. What came with a kept source stays with it."""
    candidates = set(archive.unreferenced()) | strays(archive)
    if not candidates:
        return ()
    listed = snapshots.listed(kept, frozenset(candidates | set(map(snapshots.source_of, candidates))))
    return tuple(sorted(name for name in candidates if name not in listed and snapshots.source_of(name) not in listed))


def strays(archive: Reprepro) -> set[str]:
    """Find the pool's files that the database does not know."""
    known = archive.checksums()
    return {name for name in transaction.pool(archive.base) if name not in known}


def _remove(archive: Reprepro, gone: list[Snapshot], indices: tuple[str, ...], pool: tuple[str, ...]) -> None:
    known = archive.checksums() if pool else {}
    with change(archive) as made:
        for snapshot in gone:
            snapshots.remove(snapshot)
        for name in (*indices, *pool):
            (archive.base / name).unlink(missing_ok=True)
        # reprepro's deleteifunreferenced does both, in forty times the time.
        archive.forget(tuple(name for name in pool if name in known))
        for directory in sorted({(archive.base / name).parent for name in pool}):
            _remove_empty(directory, archive.base / "pool")
        for suite, count in Counter(snapshot.suite for snapshot in gone).items():
            made.tell(suite, "prune", counted(count, "state"))


def _remove_empty(directory: Path, top: Path) -> None:
    with contextlib.suppress(OSError):  # it is not empty, or gone with another one
        while directory != top:
            directory.rmdir()
            directory = directory.parent


def by_version(files: tuple[str, ...]) -> tuple[str, ...]:
    """Tell files of the pool by the directory, which is called as their source is, and the version, with how many those are."""
    count: Counter[tuple[str, str]] = Counter()
    for file in files:
        directory, _, name = file.rpartition("/")
        found = FILE.fullmatch(name)
        count[(directory.rpartition("/")[2], found["version"]) if found else (file, "")] += 1
    return tuple(
        f"{source} {version}: {counted(number, 'file')}" if version else source
        for (source, version), number in sorted(count.items())
    )
