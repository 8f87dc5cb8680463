"""Whether an archive is as it was published: all problems told together, nothing changed, no secret key needed.

A copy of an archive, such as a deployed one, has no database, no journal and no snapshots: of it is judged what it has.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from debkit.archive import client, conf, journal, snapshots, transaction
from debkit.archive.database import read_database
from debkit.archive.index import entries, files, sha256_of, sound
from debkit.archive.keyring import outdated
from debkit.archive.lock import WAIT_SECONDS, shared
from debkit.archive.whole import REFRESH, field, unlike, unsigned, unvouched
from debkit.console import Quiet
from debkit.errors import ArchiveError, ConfigError, SigningError
from debkit.keys.check import DAYS, Problem, judge
from debkit.keys.public import read_keys
from debkit.run import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from debkit.archive.database import Database
    from debkit.archive.reprepro import Member
    from debkit.archive.snapshots import Snapshot
    from debkit.config import Config, KeysConfig
    from debkit.console import Progress
    from debkit.keys.public import PublicKey
    from debkit.model import FileRef
    from debkit.run import Run

QUIET = Quiet()
DAY = 86400
# What is told to renew a Release file: the last third of its life, or the last week of a longer one.
SHARE, LAST_DAYS = 3, 7
TOLD, NAMED = 40, 5
REBUILD = "debkit repo rebuild"
PRUNE = "debkit repo prune"
LOST = f"put it back from a copy of the archive; or, from the files of a release: {REBUILD} --from DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found in order. `size` is in bytes, `until` the earliest Valid-Until, empty where there is none."""

    suites: tuple[str, ...]
    states: int
    files: int
    size: int
    signers: tuple[str, ...]
    until: str
    database: bool


def verify(
    run: Run, config: Config, base: Path, *, days: int = DAYS, progress: Progress = QUIET, wait: float = WAIT_SECONDS
) -> Verified:
    """Look at everything in the archive `base`, the project's own or a copy. Raises ArchiveError naming all problems.

    Keys are to last `days` more. `wait` is in seconds, for another run to let go of the archive.
    """
    own = base.resolve() == config.repo.resolve()
    config = replace(config, archive=replace(config.archive, path=base))
    _demand_archive(config, own=own)
    with shared(base, progress=progress, wait=wait):
        look = _Look(run, config, days=days, own=own)
        found = dict.fromkeys(look.problems(progress))
    if found:
        _complain(base, tuple(found))
    return look.verified()


class _Look:
    """One look at an archive, the project's `own` or a copy, and what was seen on the way."""

    def __init__(self, run: Run, config: Config, *, days: int, own: bool) -> None:
        base = config.repo
        self.run, self.config, self.base, self.days, self.own = run, config, base, days, own
        self.keys: tuple[PublicKey, ...] = ()
        self.suites = tuple(suite for suite in snapshots.suites(base) if (base / "dists" / suite / "Release").exists())
        self.held = tuple(one for suite in snapshots.suites(base) for one in snapshots.snapshots(base, suite))
        self.wanted: set[FileRef] = set()
        self.whole: set[str] = set()  # the suites whose indices can all be read

    def problems(self, progress: Progress) -> Iterator[Problem]:
        """Tell what is wrong, the worst first."""
        pending = transaction.pending(self.base)
        if pending:
            yield Problem(
                "a run that changed it was killed, and what it has begun is neither done nor undone", "debkit repo recover"
            )
        elif not self.suites:
            yield Problem("no suite is published", f"debkit build; or, where something was: {REBUILD}")
        progress.phase("looking at keys and signatures")
        yield from self._keys()
        progress.phase("looking at the indices")
        yield from self._indices()
        yield from self._keyring_packages()
        progress.phase(f"looking at {len(self.wanted)} files of the pool")
        yield from self._pool()
        if not pending and self.own and self.suites:
            yield from lost(self.base)
        if not pending and (self.base / "db/packages.db").exists():
            progress.phase("looking at the database")
            yield from self._database()
        if not pending:
            yield from self._journal()

    def verified(self) -> Verified:
        until = [value for suite in self.suites if (value := field(self.base / "dists" / suite / "Release", "Valid-Until"))]
        return Verified(
            suites=self.suites,
            states=len(self.held),
            files=len(self.wanted),
            size=sum(file.size for file in self.wanted),
            signers=tuple(key.fingerprint for key in self.keys),
            until=min(until, key=parsedate_to_datetime, default=""),
            database=(self.base / "db").exists(),
        )

    def _keys(self) -> Iterator[Problem]:
        """Judge the keyring that clients have: it is fit to verify, and has just those keys by which each suite is signed."""
        keyrings = sorted(self.base.glob("*-archive-keyring.pgp"))
        if len(keyrings) != 1:
            what = (
                f"it has {len(keyrings)} keyrings, {', '.join(path.name for path in keyrings)}"
                if keyrings
                else "it has no keyring"
            )
            yield Problem(f"{what} (NAME-archive-keyring.pgp)", REFRESH)
            return
        (keyring,) = keyrings
        try:
            self.keys = read_keys(self.run, keyring.read_bytes(), what=str(keyring))
        except SigningError as problem:
            yield Problem(f"{problem.what}: {problem.cause}", REFRESH)
            return
        yield from key_problems(self.keys, self.config.keys, now=time.time(), days=self.days)
        wanted = frozenset(key.fingerprint for key in self.keys)
        for suite in self.suites:
            yield from unsigned(self.run, self.base / "dists" / suite, keyring, wanted)
            yield from validity(self.base / "dists" / suite / "Release", now=time.time())
        yield from self._states((keyring, *client.former_keyrings(self.base)))

    def _states(self, keyrings: tuple[Path, ...]) -> Iterator[Problem]:
        """Judge the signatures of each kept state, by the keys of today and of before."""
        for one in filter(_is_whole, self.held):
            for problem in unvouched(self.run, one.path, keyrings):
                yield Problem(f"the snapshot {one.suite}/{one.name}: {problem.what}", problem.remedy)

    def _indices(self) -> Iterator[Problem]:
        """Judge the indices of what is published and of each kept state, by name and by hash."""
        for suite in self.suites:
            found = tuple(unlike(self.base / "dists" / suite))
            yield from found
            if not found:
                self.whole.add(suite)
            self.wanted |= self._listed(self.base / "dists" / suite)
        for one in self.held:
            if not _is_whole(one):
                yield Problem(f"the snapshot {one.suite}/{one.name} is half there", PRUNE)
                continue
            for problem in unlike(one.path, self.base / "dists" / one.suite):
                yield Problem(
                    f"the snapshot {one.suite}/{one.name}: {problem.what}", f"{REFRESH}; if that does not help: rm -r {one.path}"
                )
            self.wanted |= self._listed(one.path)
        for suite in self.suites if (self.base / "db").exists() else ():
            if not any(snapshots.is_published(self.base, one) for one in self.held if one.suite == suite):
                yield Problem(f"{suite}: what is published is in no snapshot, so that nothing could go back to it", REFRESH)

    def _keyring_packages(self) -> Iterator[Problem]:
        """Judge whether an upgrade brings the keys that sign now."""
        keyring = client.keyring_file(self.config)
        for suite in outdated(self.config, keyring.read_bytes(), sorted(self.whole)) if keyring.exists() else ():
            yield Problem(f"{suite}: the keyring package has other keys than {keyring.name}", "debkit repo onboard")

    def _listed(self, directory: Path) -> frozenset[FileRef]:
        return files(directory, among=sound(directory))

    def _pool(self) -> Iterator[Problem]:
        """Judge every file that a client may fetch."""
        for file in sorted(self.wanted, key=lambda file: file.name):
            path = self.base / file.name
            if not path.exists():
                yield Problem(f"{file.name} is missing", LOST)
            elif path.stat().st_size != file.size or sha256_of(path) != file.sha256:
                yield Problem(f"{file.name} is not what its index says", LOST)

    def _database(self) -> Iterator[Problem]:
        """Hold the database to what is published, and the pool to the database."""
        try:
            suites = tuple(conf.read_suites(self.config))
            database = read_database(self.run, self.base, suites)
        except ConfigError as problem:
            yield Problem(f"the database cannot be read: {problem.cause}", f"put {self.base}/conf back: it belongs into git")
            return
        except CommandFailed as failed:
            yield _unreadable(self.base, failed)
            return
        remedy = f"where the database is right: {REFRESH}\nwhere it is not: {REBUILD}"
        for suite, members in database.members.items():
            if suite in self.suites and suite not in self.whole:
                continue
            has = {entry.member for entry in members}
            yield from _differences(suite, "database", has, published(self.base / "dists" / suite), remedy)
        yield from self._files(database)

    def _files(self, database: Database) -> Iterator[Problem]:
        listed = {file.name for file in self.wanted}
        for name in sorted({file.name for suite in database.members for file in self._listed(self.base / "dists" / suite)}):
            if name not in database.checksums:
                yield Problem(f"the database does not know {name}", REBUILD)
        for name, sha256 in sorted(database.checksums.items()):
            if name in listed:
                continue
            path = self.base / name
            if not path.exists():
                yield Problem(f"{name}, which the database knows, is missing", LOST)
            elif sha256_of(path) != sha256:
                yield Problem(f"{name} is not what the database says", LOST)
        known = listed | database.checksums.keys()
        for path in sorted((self.base / "pool").rglob("*")):
            name = path.relative_to(self.base).as_posix()
            if path.is_file() and not {name, snapshots.source_of(name)} & known:
                yield Problem(f"{name} belongs to nothing", PRUNE)

    def _journal(self) -> Iterator[Problem]:
        """Hold the journal to what is published: by it an archive is remade whose database and indices are lost."""
        try:
            acts = journal.read(self.base)
        except ArchiveError as problem:
            yield Problem(f"{problem.what}: {problem.cause}", problem.hint)
            return
        for suite in dict.fromkeys(act.suite for act in acts):
            if suite in self.suites and suite not in self.whole:
                continue
            told = journal.members(act for act in acts if act.suite == suite)
            has = {entry.member for entry in told}
            yield from _differences(suite, "journal", has, published(self.base / "dists" / suite), REFRESH)


def _demand_archive(config: Config, *, own: bool) -> None:
    """Say at once that there is nothing to look at. Raises ArchiveError, and ConfigError for a project without an archive."""
    base = config.repo
    if any((base / name).exists() for name in ("dists", "pool", "db", journal.JOURNAL)):
        return
    if own:
        conf.read_suites(config)
    raise ArchiveError(
        f"{base} is empty" if own else f"there is no archive in {base}",
        cause="nothing was ever published into it" if own else "it has neither dists/ nor pool/",
        hint="debkit build, or: debkit repo onboard" if own else "debkit repo verify DIR, of what debkit repo deploy has made",
    )


def _is_whole(one: Snapshot) -> bool:
    return all((one.path / name).exists() for name in ("InRelease", "Release"))


def lost(base: Path) -> Iterator[Problem]:
    """Tell what the project's own archive lacks. Copies have neither."""
    if not (base / "db/packages.db").exists():
        yield Problem(f"the database is lost: there is no {base}/db/packages.db", REBUILD)
    if not journal.path(base).exists():
        yield Problem(
            f"the journal is lost: there is no {journal.path(base)}", f"put it back from a backup; or begin anew: {REFRESH}"
        )


def published(directory: Path) -> set[Member]:
    """Give the members that the sound indices in a directory, a suite's or a snapshot's, list."""
    found = entries(directory, among=sound(directory))
    return {entry.member for entry in found}


def _unreadable(base: Path, failed: CommandFailed) -> Problem:
    """Say why reprepro does not read a database."""
    said = [line for line in failed.done.tail if line.strip() and "There have been errors" not in line]
    for line in said:
        if gone := re.search(r"database contains unused '(.*)' database", line):
            what = f"the database has {gone[1]}, which conf/distributions has no more"
            return Problem(what, f"put it back there; or, where it is to be gone: reprepro --basedir {base} clearvanished")
    return Problem(f"the database is damaged: {said[-1] if said else failed.cause}", REBUILD)


def _differences(suite: str, name: str, known: set[Member], there: set[Member], remedy: str) -> Iterator[Problem]:
    """Tell what the database or the journal (`name`) knows otherwise than it is published."""
    if surplus := known - there:
        yield Problem(f"{suite}: the {name} has what is not published: {_told(surplus)}", remedy)
    if lacking := there - known:
        yield Problem(f"{suite}: the {name} lacks what is published: {_told(lacking)}", remedy)


def _told(members: set[Member]) -> str:
    named = [f"{package} {version} ({arch})" for _, arch, package, version in sorted(members)[:NAMED]]
    return ", ".join(named) + (f" and {len(members) - NAMED} more" if len(members) > NAMED else "")


def key_problems(keys: Iterable[PublicKey], config: KeysConfig, *, now: float, days: int) -> Iterator[Problem]:
    """Judge the keys that clients have, as `debkit key check` does, and hold them to the configuration."""
    keys = tuple(keys)
    for key in keys:
        yield from judge(key, config, now=now, days=days)
    parts = {part.fingerprint for key in keys for part in (key.primary, *key.subkeys)}
    for fingerprint in filter(None, (config.archive, *config.also)):
        if fingerprint not in parts:
            yield Problem(f"the keyring lacks {fingerprint}, which [keys] in config/debkit.toml names", REFRESH)
    named = {*filter(None, (config.archive or config.upload, *config.also))}
    for key in keys if named else ():
        if not named & {part.fingerprint for part in (key.primary, *key.subkeys)}:
            yield Problem(f"the keyring still has {key.fingerprint}, which [keys] in config/debkit.toml does not name", REFRESH)


def validity(release: Path, *, now: float) -> Iterator[Problem]:
    """Tell of a Release file that clients refuse, or soon will (Valid-Until, apt-get(8))."""
    text = field(release, "Valid-Until")
    if not text:
        return
    try:
        made, until = (parsedate_to_datetime(field(release, name)).timestamp() for name in ("Date", "Valid-Until"))
    except ValueError:
        yield Problem(f"{release} has no dates that can be read", REFRESH)
        return
    if until <= now:
        yield Problem(f"{release} has expired on {text}: clients refuse it", REFRESH)
    elif until - now < min((until - made) / SHARE, LAST_DAYS * DAY):
        yield Problem(f"{release} expires on {text}", REFRESH)


def _complain(base: Path, found: tuple[Problem, ...]) -> None:
    told = [problem.what for problem in found[:TOLD]]
    if len(found) > TOLD:
        told.append(f"and {len(found) - TOLD} more")
    raise ArchiveError(
        f"{base} has {f'{len(found)} problems' if len(found) > 1 else 'a problem'}",
        cause="\n".join(told),
        hint="\n".join(dict.fromkeys(problem.remedy for problem in found)),
    )
