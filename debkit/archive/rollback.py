"""Give a suite the members that it had before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.archive import client, journal, snapshots
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
    from debkit.config import Config

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


def choose(config: Config, suite: str, name: str = "") -> State:
    """Find a state by the name of its snapshot; without one, the newest that has other members than the suite has now.

    Other ones than the keyring package, which no rollback changes. Raises ConfigError where there is none.
    """
    found = states(config.repo, suite)
    if name:
        chosen = next((state for state in found if state.snapshot.name == name), None)
        if chosen is None:
            raise ConfigError(
                f"{suite} has no snapshot {name}",
                cause="it was never made, or has been pruned",
                hint=f"debkit repo history {suite}",
            )
        return chosen
    other = _before(config, suite, found)
    if other is None:
        raise ConfigError(
            f"there is nothing that {suite} could go back to",
            cause="no state of it is kept that has other packages" if found else "nothing was published there",
            hint=f"debkit repo history {suite}",
        )
    return other


def _before(config: Config, suite: str, found: tuple[State, ...]) -> State | None:
    own, now = client.keyring_package(config), snapshots.contents(config.repo / "dists" / suite)
    held = {state.snapshot.name: state for state in found}
    told = bool(found) and snapshots.contents(found[-1].snapshot.path) == now  # otherwise the journal does not know of all
    since: set[Entry] = set()  # by which the suite differs from what it had after an act
    for act in reversed(journal.read(config.repo, suite)):
        state = held.get(act.snapshot)
        if state and (since or not told) and snapshots.contents(state.snapshot.path) != now:
            return state
        since ^= {entry for entry in (*act.added, *act.removed) if entry.source != own}
    return None


def roll_back(archive: Reprepro, config: Config, suite: str, state: State) -> RolledBack:
    """Give a suite the members of a state; all of them and no others, or nothing is changed. Raises ArchiveError.

    The keyring package stays as it is: it tells clients which keys they are to trust from now on. Where the suite has just these
    members nothing is done.
    """
    own = client.keyring_package(config)
    demand_sound(state.snapshot.path, archive.base / "dists" / suite)
    demand_files(archive.base, suite, (file for file in files(state.snapshot.path) if f"/{own}/" not in file.name))
    before = archive.listing(suite)
    have = _versions(before)
    wanted = _versions(
        (
            *(entry for entry in entries(state.snapshot.path) if entry.source != own),
            *(entry for entry in before if entry.source == own),
        )
    )
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
