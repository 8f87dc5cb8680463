"""Take packages from one suite into another of the same base: from a stream such as trixie-unstable into trixie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.archive import client, conf
from debkit.archive.change import change, keep_current
from debkit.archive.index import files
from debkit.archive.whole import demand_files, demand_sound
from debkit.config import base_suite
from debkit.errors import ArchiveError, ConfigError

if TYPE_CHECKING:
    from debkit.archive.reprepro import Entry, Reprepro
    from debkit.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What a promotion came to: the sources that were taken, with their versions, and those that were there already."""

    taken: tuple[str, ...]
    unchanged: tuple[str, ...]


def promote(archive: Reprepro, config: Config, stream: str, suite: str, sources: tuple[str, ...] = ()) -> Promoted:
    """Take these sources, or all of a stream's, with all that was built of them into a suite: all of them or none.

    The keyring package is each suite's own and stays there. Raises ConfigError for names that the archive has not, and for suites
    of different bases, ArchiveError for a version older than what the suite has; then nothing is changed.
    """
    _demand_same_base(config, stream, suite)
    own = client.keyring_package(config)
    offered = archive.listing(stream)
    _demand_known(stream, offered, sources, own)
    if not {entry.source for entry in offered} - {own}:
        raise ConfigError(
            f"{stream} is empty",
            cause="nothing was ever published into it, or all of it was taken back",
            hint=f"debkit build --stream {stream.removeprefix(f'{base_suite(stream)}-')}; or: debkit repo history {stream}",
        )
    names = sources or tuple(sorted({entry.source for entry in offered} - {own}))
    chosen = tuple(entry for entry in offered if entry.source in names)
    conf.demand(config, suite, tuple(sorted({entry.arch for entry in chosen} - {"source"})))
    before = archive.listing(suite)
    refuse_older(suite, chosen, before)
    known = {entry.member for entry in before}
    taken = sorted({entry.source for entry in chosen if entry.member not in known})
    if taken:
        places = {entry.file.rpartition("/")[0] for entry in chosen if entry.source in taken}
        demand_sound(archive.base / "dists" / stream)
        listed = files(archive.base / "dists" / stream)
        demand_files(archive.base, suite, (file for file in listed if file.name.rpartition("/")[0] in places))
        with change(archive) as made:
            archive.copy(stream, suite, tuple(taken))
            after = archive.listing(suite)
            _demand_taken(archive, suite, [entry for entry in chosen if entry.source in taken], after)
            archive.export(suite)
            made.tell(suite, "promote", f"{', '.join(_versions(chosen, taken))} from {stream}", before=before, after=after)
    else:
        keep_current(archive, suite)
    return Promoted(taken=_versions(chosen, taken), unchanged=_versions(chosen, sorted(set(names) - set(taken))))


def refuse_older(suite: str, chosen: tuple[Entry, ...], there: tuple[Entry, ...]) -> None:
    """Refuse to give a suite what is older than what it has: clients would keep that. Raises ArchiveError naming all."""
    have = {(entry.type, entry.arch, entry.package): entry.version for entry in there}
    older: dict[str, None] = {}
    for entry in chosen:
        version = have.get((entry.type, entry.arch, entry.package))
        if version and Version(version) > Version(entry.version):
            older[f"{entry.package} {version}, which is newer than {entry.version}"] = None
    if older:
        raise ArchiveError(
            f"{suite} has {next(iter(older))}" if len(older) == 1 else f"{suite} has newer versions of {len(older)} packages",
            cause="\n".join(("users would not be given the older ones", *(older if len(older) > 1 else ()))),
            hint=f"name the packages that are to be promoted; or go back first: debkit repo rollback {suite}",
        )


def _demand_same_base(config: Config, stream: str, suite: str) -> None:
    for name in (stream, suite):
        conf.demand(config, name, ())
    if stream == suite or base_suite(stream) != base_suite(suite):
        raise ConfigError(
            f"nothing can be promoted from {stream} to {suite}",
            cause="they are the same" if stream == suite else f"what was built for {base_suite(stream)} is for no other suite",
            hint=f"debkit build --suite {base_suite(suite)}",
        )


def _demand_known(stream: str, offered: tuple[Entry, ...], sources: tuple[str, ...], own: str) -> None:
    built = {entry.package: entry.source for entry in offered}
    for name in sources:
        if name == own:
            raise ConfigError(
                f"{name} is not to be promoted",
                cause="it names the suite that it is for: clients of the other would be moved",
                hint="debkit repo onboard",
            )
        if name not in built.values():
            source = built.get(name)
            raise ConfigError(
                f"{stream} has no source package {name}",
                cause=f"the package {name} is built from {source}"
                if source
                else f"it has {', '.join(sorted(set(built.values()))[:20]) or 'none at all'}",
                hint=f"debkit repo promote {stream} {base_suite(stream)} {source}" if source else f"debkit repo history {stream}",
            )


def _demand_taken(archive: Reprepro, suite: str, chosen: list[Entry], after: tuple[Entry, ...]) -> None:
    there = {entry.member for entry in after}
    lacking = sorted({entry.package for entry in chosen if entry.member not in there})
    if lacking:
        raise ArchiveError(
            f"reprepro left out {', '.join(lacking)}",
            cause="it did not say why",
            hint=f"reprepro --basedir {archive.base} list {suite}",
        )


def _versions(chosen: tuple[Entry, ...], sources: list[str]) -> tuple[str, ...]:
    versions: dict[str, str] = {}
    for entry in chosen:
        versions[entry.source] = max(versions.get(entry.source, entry.source_version), entry.source_version, key=Version)
    return tuple(f"{source} {versions[source]}" for source in sources)
