"""What old states are kept for, and their end.

A snapshot stays while it is one of the newest few, and in any case for some time after it was replaced: a client that has read
the old InRelease may still be about to fetch what it lists. Whatever a kept snapshot lists stays too, indices by their hash and
files of the pool. Nothing else decides: there are no timers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from debkit.archive import snapshots, transaction
from debkit.archive.change import change
from debkit.console import counted

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.reprepro import Reprepro
    from debkit.archive.snapshots import Snapshot

# All indices are read to know what may go: a publish does that once for so many snapshots.
SEVERAL = 10


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
    """Remove the expired snapshots, and what only they list. One cut short is completed by the next. Seconds for `grace`."""
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
    indices = _unlisted_indices(base, kept)
    pool = _unlisted_files(archive, kept)
    size = sum((base / name).stat().st_size for name in pool if (base / name).exists())
    if not dry_run:
        _remove(archive, gone, indices, pool)
    return Pruned(snapshots=tuple(f"{one.suite}/{one.name}" for one in gone), indices=indices, pool=pool, size=size)


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
        for name in indices:
            (archive.base / name).unlink()
        for name in pool:
            if name not in known:
                (archive.base / name).unlink()
        archive.delete(tuple(name for name in pool if name in known))
        for suite, count in Counter(snapshot.suite for snapshot in gone).items():
            made.tell(suite, "prune", counted(count, "state"))
