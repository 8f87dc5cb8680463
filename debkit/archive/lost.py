"""The states of a suite whose snapshots are lost: made anew, under the names that they had, of the journal and the pool."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from debkit.archive import journal, snapshots
from debkit.archive.index import sha256_of
from debkit.archive.remains import wanted
from debkit.archive.whole import mend
from debkit.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.remains import Remains
    from debkit.archive.reprepro import Entry
    from debkit.config import ArchiveConfig


@dataclass(frozen=True, slots=True)
class Lost:
    """A state that is kept no more although it should be: what its snapshot was called, and its members."""

    name: str
    members: frozenset[Entry]


def lost(base: Path, found: Remains, config: ArchiveConfig) -> tuple[Lost, ...]:
    """Find the states that `prune` would keep, whose snapshots are gone and whose files are all there; the oldest first.

    There are none where snapshots are left: what these lack was pruned, unless a killed run was putting them back. Raises
    ArchiveError for a damaged journal.
    """
    if found.state or (snapshots.snapshots(base, found.suite) and not _begun(base, found.suite).exists()):
        return ()
    names: dict[frozenset[Entry], str] = {}
    replaced: dict[str, str] = {}
    there: frozenset[Entry] = frozenset()
    name = ""
    for act in journal.read(base, found.suite):
        replaced[name] = act.time
        there, name = there - frozenset(act.removed) | frozenset(act.added), act.snapshot
        names.pop(there, None)  # the newest stands for all that have the same members
        names[there] = name
    names.pop(there, None)
    newest = [Lost(name, members) for members, name in names.items() if members]
    now = datetime.now(UTC)
    kept = [
        one
        for age, one in enumerate(reversed(newest), 2)
        if age <= config.keep or (now - datetime.fromisoformat(replaced[one.name])).total_seconds() < config.grace
    ]
    return tuple(one for one in reversed(kept) if _is_whole(base, replace(found, members=one.members)))


def put_back(place: Path, base: Path, suite: str) -> None:
    """Take the snapshots that were made under `place` into the archive, with their indices by hash: all, or the next run does."""
    directory = base / "dists" / suite
    paths = sorted((place / suite / "snapshots").glob("*"))
    if not paths:
        return
    snapshots.sweep(base, suite)
    begun = _begun(base, suite)
    begun.parent.mkdir(parents=True, exist_ok=True)
    begun.touch()
    for path in paths:
        made, unfinished = directory / "snapshots" / path.name, directory / "snapshots" / f".{path.name}.gone"
        if not made.exists():
            shutil.copytree(path, unfinished)
            unfinished.rename(made)
        mend(made, directory)
    begun.unlink()


def _begun(base: Path, suite: str) -> Path:
    return base / "dists" / suite / "snapshots/.lost"


def _is_whole(base: Path, state: Remains) -> bool:
    try:
        files = tuple(wanted(base, state, None))
    except SourceError:
        return False
    paths = {base / file.name: file.sha256 for file in files}
    return all(path.exists() and (not sha256 or sha256_of(path) == sha256) for path, sha256 in paths.items())
