"""Remake an archive whose database, indices or files are lost, from what is left of it or from the files of releases.

Everything is found before anything is changed. The new database is made beside the old one and takes its place as one that is
put back does: a kill before that leaves the archive as it was, and after it the next run completes what was begun.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.archive import client, conf, journal, transaction
from debkit.archive.assets import Assets
from debkit.archive.change import change, recover
from debkit.archive.index import sha256_of
from debkit.archive.lost import lost, put_back
from debkit.archive.publish import demand, take_in
from debkit.archive.remains import as_snapshot, remains, wanted
from debkit.archive.reprepro import Filing
from debkit.archive.upload import read_upload
from debkit.console import Quiet, counted
from debkit.errors import ArchiveError
from debkit.run import temporary

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.judge import Upload
    from debkit.archive.lost import Lost
    from debkit.archive.remains import Remains
    from debkit.archive.reprepro import Reprepro
    from debkit.config import Config
    from debkit.console import Progress

QUIET = Quiet()
SOURCE = Filing("main", "misc", "optional")  # of a source whose .changes is lost, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was remade: of each suite what told its members; what was put back into the pool.

    `left_out` are the .changes of older versions, `unusable` those that cannot be used, and why.
    """

    origins: dict[str, str]
    put_back: tuple[str, ...]
    left_out: tuple[str, ...]
    unusable: dict[str, str]


def rebuild(
    archive: Reprepro, config: Config, *, directory: Path | None = None, suite: str = "", progress: Progress = QUIET
) -> Rebuilt:
    """Remake database, indices and signatures; snapshots and journal stay. `archive` is held, in whatever state it is.

    Files that the pool lacks are taken from `directory`, of release assets. Where no suite, or not `suite`, has left anything,
    what is newest there, or without it in the pool, is published, into `suite` or the one that its distribution means. Raises
    ArchiveError naming all that cannot be had, ConfigError or SourceError: then nothing is changed.
    """
    base = archive.base
    if transaction.pending(base):
        transaction.undo(base)
    progress.phase("looking at what is left")
    keyrings = tuple(path for path in (archive.conf / conf.TRUSTED, client.keyring_file(config)) if path.exists())
    known = tuple(found for name in archive.suites if (found := remains(archive.run, base, name, keyrings)))
    if not directory and not known and not any((base / "dists").glob("*/Release")) and any(transaction.pool(base)):
        directory = base / "pool"  # all that is left
    assets = Assets(archive.run, directory) if directory else None
    with temporary("debkit-assets.") as place:
        anew = not known or (suite and suite not in {found.suite for found in known})
        uploads = _uploads(archive, config, assets, place, suite) if assets and anew else ()
        _demand_remains(base, known, uploads)
        copies = _missing(base, known, assets)
        for name, source in copies.items():
            _put(source, base / name)
        progress.phase("remaking the database")
        states = {found.suite: lost(base, found, config.archive) for found in known}
        _remake(archive, known, keyrings, states)
        progress.phase("signing the indices")
        with change(archive) as made:
            for found in known:
                archive.export(found.suite)
                told = journal.members(journal.read(base, found.suite))
                made.tell(found.suite, "rebuild", f"from {found.origin}", before=told, after=archive.listing(found.suite))
        if uploads:
            progress.phase(f"publishing {len(uploads)} uploads")
            take_in(archive, uploads)
    taken = {upload.changes.name for upload in uploads}
    return Rebuilt(
        origins={
            found.suite: found.origin
            + (f", with {counted(len(states[found.suite]), 'older state')}" if states[found.suite] else "")
            for found in known
        }
        | {upload.suite: f"the files in {directory}" for upload in uploads},
        put_back=tuple(sorted(copies)),
        left_out=tuple(name for name in assets.names if name not in taken | assets.unusable.keys()) if assets and uploads else (),
        unusable=assets.unusable if assets else {},
    )


def _uploads(archive: Reprepro, config: Config, assets: Assets, place: Path, suite: str) -> tuple[Upload, ...]:
    """Read the newest uploads of each source, laid out under their right names in a place of their own."""
    suites: dict[Path, str] = {}
    for path, changes in assets.changes.items():
        if {".deb", ".dsc"} <= {file.name[-4:].replace("udeb", ".deb") for file in changes.files}:
            suites[path] = conf.choose_suite(config, suite, changes.distribution)
        else:  # such as one of a source alone, which a release may have beside that of the build
            assets.unusable[path.name] = "it does not list a source and its packages"
    newest: dict[tuple[str, str], str] = {}
    for path, into in suites.items():
        changes = assets.changes[path]
        key = (into, changes.source)
        newest[key] = max(newest.get(key, changes.version), changes.version, key=Version)
    versions = {path: newest[suites[path], assets.changes[path].source] for path in suites}
    chosen = tuple(path for path in suites if assets.changes[path].version == versions[path])
    laid_out = zip(chosen, assets.lay_out(place, chosen), strict=True)
    uploads = tuple(replace(read_upload(archive.run, link), suite=suites[path]) for path, link in laid_out)
    demand(config, uploads)
    return uploads


def _demand_remains(base: Path, known: tuple[Remains, ...], uploads: tuple[Upload, ...]) -> None:
    """Refuse where an export would publish an empty suite instead of one that is there, and where there is nothing at all."""
    suites = {found.suite for found in known} | {upload.suite for upload in uploads}
    for release in sorted((base / "dists").glob("*/Release")):
        if release.parent.name not in suites:
            raise ArchiveError(
                f"what was in {release.parent.name} cannot be told",
                cause="its indices are damaged, or signed by none of the archive's keys, and the journal tells nothing of it",
                hint=f"put back {release.parent} or {journal.path(base)} from a copy; or take its files away: "
                f"mv {release.parent} {release.parent.name}.lost",
            )
    if not suites:
        raise ArchiveError(
            f"nothing is left of {base}",
            cause="it has neither signed indices nor a journal, and no .changes in its pool",
            hint="from the files of a release: debkit repo rebuild --from DIR",
        )


def _missing(base: Path, known: tuple[Remains, ...], assets: Assets | None) -> dict[str, Path]:
    """Give what the pool lacks, and where it is to be had. Raises ArchiveError naming all that is not."""
    copies: dict[str, Path] = {}
    lacking: dict[str, None] = {}
    for file in dict.fromkeys(file for found in known for file in wanted(base, found, assets)):
        path = base / file.name
        if path.exists() and (not file.sha256 or sha256_of(path) == file.sha256):
            continue
        source = assets.find(path.name, file.sha256) if assets else None
        if source:
            copies[file.name] = source
        else:
            lacking[f"{file.name} is {'damaged' if path.exists() else 'missing'}"] = None
    if lacking:
        raise ArchiveError(
            f"{base} cannot be rebuilt: {len(lacking)} files are not to be had",
            cause="\n".join(lacking),
            hint="put them back from a copy of the archive; or, from the files of a release: debkit repo rebuild --from DIR",
        )
    return copies


def _put(source: Path, file: Path) -> None:
    new = file.with_name(f".{file.name}.new")
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, new)
    new.replace(file)


def _remake(
    archive: Reprepro, known: tuple[Remains, ...], keyrings: tuple[Path, ...], states: dict[str, tuple[Lost, ...]]
) -> None:
    """Make a database of what is known, with the states that were lost on the way, and put it into its place."""
    base = archive.base
    new = base / transaction.REBUILT
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    beside = replace(archive, db=new)
    if pool := tuple(sorted(transaction.pool(base))):
        beside.detect(pool)
    with temporary("debkit-states.") as place:
        for found in known:
            if snapshot := as_snapshot(archive.run, base, found, keyrings) if found.members else None:
                beside.restore_all(found.suite, snapshot.name)
                _demand_equal(beside, found)
                continue
            for state in states[found.suite]:
                _bring(beside, replace(found, members=state.members))
                replace(beside, dists=place, snapshot=state.name).export(found.suite)
            _bring(beside, found)
        for found in known:
            put_back(place, base, found.suite)
    transaction.install(base)
    length = journal.size(base)
    recover(archive, QUIET)
    journal.cut(base, length)  # no killed run was undone


def _bring(archive: Reprepro, found: Remains) -> None:
    """Give a suite the members that the journal tells of, whatever it has."""
    there = frozenset(archive.listing(found.suite))
    gone: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in there - found.members:
        gone[entry.type, entry.arch].append(entry.package)
    for (kind, arch), packages in gone.items():
        archive.remove(found.suite, kind, arch, tuple(packages))
    _include(archive, replace(found, members=found.members - there))
    _demand_equal(archive, found)


def _include(archive: Reprepro, found: Remains) -> None:
    """Take in what the journal tells, filed as the .changes of the pool say."""
    arches: dict[str, set[str]] = defaultdict(set)
    for entry in found.members:
        arches[entry.file].add(entry.arch)
    filings: dict[str, dict[str, Filing]] = {}
    groups: dict[tuple[tuple[str, ...], Filing], list[str]] = defaultdict(list)
    for file in sorted(arches):
        directory, _, name = file.rpartition("/")
        if directory not in filings:
            filings[directory] = read_filings(archive.base / directory)
        component = file.split("/")[1]
        filing = filings[directory].get(name, SOURCE if name.endswith(".dsc") else Filing(component))
        groups[tuple(sorted(arches[file])), replace(filing, component=component)].append(file)
    for (into, filing), some in groups.items():
        if into == ("source",):
            for file in some:
                archive.include_dsc(found.suite, file, filing)
        else:
            archive.include_debs(found.suite, tuple(some), into, filing)


def read_filings(directory: Path) -> dict[str, Filing]:
    """Read from the .changes in a directory of the pool where the files that they list belong."""
    found: dict[str, Filing] = {}
    for changes in sorted(directory.glob("*.changes")):
        text = changes.read_text(encoding="utf-8")
        for section, priority, name in re.findall(r"^ [0-9a-f]{32} \d+ (\S+) (\S+) (\S+)$", text, flags=re.MULTILINE):
            found[name] = Filing("", section, priority)
    return found


def _demand_equal(archive: Reprepro, found: Remains) -> None:
    ours, theirs = ({entry.member for entry in entries} for entries in (archive.listing(found.suite), found.members))
    if ours != theirs:
        raise ArchiveError(
            f"{found.suite} could not be remade from {found.origin}",
            cause=f"these would differ: {', '.join(sorted({package for _, _, package, _ in ours ^ theirs})[:10])}",
            hint=f"reprepro --basedir {archive.base} --dbdir {archive.db} list {found.suite}",
        )
