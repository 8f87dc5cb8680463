"""Give a suite the members that it had before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.archive import journal, snapshots
from debkit.archive.change import change
from debkit.archive.index import entries, files
from debkit.archive.whole import demand_files, demand_sound
from debkit.errors import ArchiveError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from debkit.archive.journal import Act
    from debkit.archive.reprepro import Entry, Reprepro
    from debkit.archive.snapshots import Snapshot

# The versions of what a suite has, by type, architecture (source for sources) and package.
Versions = dict[tuple[str, str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What a rollback came to. Of the packages in `lowered` clients may have a newer version: apt does not go back by itself."""

    suite: str
    snapshot: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    lowered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A state that a suite can go back to, and what led to it."""

    act: Act
    snapshot: Snapshot


def states(base: Path, suite: str = "") -> tuple[State, ...]:
    """List what the journal tells and a snapshot still holds, the oldest first."""
    acts = journal.read(base, suite)
    held = {(one.suite, one.name): one for name in {act.suite for act in acts} for one in snapshots.snapshots(base, name)}
    return tuple(State(act, held[act.suite, act.snapshot]) for act in acts if (act.suite, act.snapshot) in held)


def choose(base: Path, suite: str, name: str = "") -> State:
    """Find a state by the name of its snapshot; without one, the newest that has other members than the suite has now.

    Raises ConfigError where there is none.
    """
    found = states(base, suite)
    if name:
        chosen = next((state for state in found if state.snapshot.name == name), None)
        if chosen is None:
            raise ConfigError(
                f"{suite} has no snapshot {name}",
                cause="it was never made, or has been pruned",
                hint=f"debkit repo history {suite}",
            )
        return chosen
    now = snapshots.contents(base / "dists" / suite)
    other = next((state for state in reversed(found) if snapshots.contents(state.snapshot.path) != now), None)
    if other is None:
        raise ConfigError(
            f"there is nothing that {suite} could go back to",
            cause="no other state of it is kept" if found else "nothing was published there",
            hint=f"debkit repo history {suite}",
        )
    return other


def roll_back(archive: Reprepro, suite: str, state: State) -> RolledBack:
    """Give a suite the members of a state; all of them and no others, or nothing is changed. Raises ArchiveError.

    Where it has just these nothing is done.
    """
    demand_sound(state.snapshot.path, archive.base / "dists" / suite)
    demand_files(archive.base, suite, files(state.snapshot.path))
    before = archive.listing(suite)
    wanted = members(state.snapshot)
    have = _versions(before)
    restored = sorted(
        {package for (kind, arch, package), version in wanted.items() if have.get((kind, arch, package)) != version}
    )
    if have == wanted:
        return RolledBack(suite=suite, snapshot=state.snapshot.name, added=(), removed=(), lowered=())
    gone: dict[tuple[str, str], list[str]] = {}
    for kind, arch, package in sorted(set(have) - set(wanted)):
        gone.setdefault((kind, arch), []).append(package)
    with change(archive) as made:
        for (kind, arch), packages in gone.items():
            archive.remove(suite, kind, arch, tuple(packages))
        archive.restore(suite, state.snapshot.name, tuple(restored))
        after = archive.listing(suite)
        _demand_equal(archive, state, after, wanted)
        archive.export(suite)
        made.tell(suite, "rollback", f"to {state.snapshot.name}", before=before, after=after)
    old, new = frozenset(before), frozenset(after)
    return RolledBack(
        suite=suite,
        snapshot=state.snapshot.name,
        added=_told(new - old),
        removed=_told(old - new),
        lowered=tuple(sorted(_lowered(have, wanted))),
    )


def members(snapshot: Snapshot) -> Versions:
    """Give the versions that a snapshot lists."""
    return _versions(entries(snapshot.path))


def _versions(entries: Iterable[Entry]) -> Versions:
    return {(entry.type, entry.arch, entry.package): entry.version for entry in entries}


def _lowered(old: Versions, new: Versions) -> set[str]:
    """Say which packages clients may have in a version that is newer than the one they are offered, if any."""
    return {
        member[2]
        for member, version in old.items()
        if member[0] == "deb" and (member not in new or Version(new[member]) < Version(version))
    }


def _demand_equal(archive: Reprepro, state: State, after: tuple[Entry, ...], wanted: Versions) -> None:
    there = _versions(after)
    if there == wanted:
        return
    differing = sorted({package for (_, _, package), _ in there.items() ^ wanted.items()})
    raise ArchiveError(
        f"{state.snapshot.suite} could not be given the members of {state.snapshot.name}",
        cause=f"these would differ: {', '.join(differing[:10])}; files of theirs may be missing from the pool",
        hint=f"debkit repo verify, or: reprepro --basedir {archive.base} checkpool",
    )


def _told(entries: frozenset[Entry]) -> tuple[str, ...]:
    return tuple(sorted(f"{entry.package} {entry.version} ({entry.arch})" for entry in entries))
