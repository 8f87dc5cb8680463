"""Bring an archive back from a deployed copy of it, where this project's own `repo/` has nothing but its configuration.

The copy may come from anywhere, so nothing of it is believed: what the archive's own keys have signed is taken, what that names
by its checksum, and, of the kept .changes and .buildinfo, what the upload's or the archive's key has signed. Everything is judged
before anything is copied. The copy lacks database, journal and older states; the first two are made anew, as `rebuild` does.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from debkit.archive import conf, front, journal, snapshots, transaction
from debkit.archive.change import DATABASE, recover
from debkit.archive.index import entries, files, listed, release_text, sha256_of
from debkit.archive.rebuild import rebuild
from debkit.archive.serving.site import SIGNATURES
from debkit.archive.whole import demand_whole, field, unlike, unsigned
from debkit.console import Quiet
from debkit.errors import ArchiveError, SigningError
from debkit.keys import is_clearsigned, signed_text
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.archive.reprepro import Reprepro
    from debkit.config import Config
    from debkit.console import Progress
    from debkit.keys import Keys
    from debkit.model import FileRef

QUIET = Quiet()
TOLD = 20
IGNORED = frozenset({".git"})
ANOTHER = "restore from another copy; or, from the files of a release: debkit repo rebuild --from DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back: the suites, and how many files their indices name; `unchanged` where all of it was there already.

    `warnings` tell what a person should know of the copy.
    """

    suites: tuple[str, ...]
    files: int
    unchanged: bool
    warnings: tuple[str, ...]


def has_something(directory: Path) -> bool:
    """Whether a directory exists and has anything in it; a checkout of an empty branch has .git alone."""
    return directory.is_dir() and any(path.name not in IGNORED for path in directory.iterdir())


def restore(archive: Reprepro, config: Config, directory: Path, *, progress: Progress = QUIET) -> Restored:
    """Restore the archive, which is held, from a copy, and finish what a killed restore has begun.

    Where the archive has the copy's state already nothing is done. Raises ArchiveError for a copy that is not whole or not of
    this archive, for one that is older than the journal tells, and for an archive that has another state; ConfigError for suites
    that conf/ does not have. Then nothing is changed.
    """
    base = archive.base
    if transaction.pending(base):
        recover(archive, progress)
    progress.phase("verifying the copy's signatures")
    suites = _demand_signed(archive, config, directory)
    progress.phase("verifying the copy's files")
    wanted = _demand_files(directory, suites)
    warnings = tuple(_expired(directory, suites))
    if _is_there(base):
        _demand_same(base, directory, suites)
        _finish(archive, config, progress)
        return Restored(suites=suites, files=len(wanted), unchanged=True, warnings=warnings)
    _demand_free(base, directory, suites, wanted)
    _demand_newer(base, directory, suites)
    kept, doubtful = _kept(archive.keys, directory, wanted)
    progress.phase("copying")
    for name in (
        *sorted(file.name for file in wanted),
        *kept,
        *(name for suite in suites for name in _indices(directory, suite)),
    ):
        _copy(directory / name, base / name)
    rebuild(archive, config, progress=progress)
    _finish(archive, config, progress)
    return Restored(suites=suites, files=len(wanted), unchanged=False, warnings=(*warnings, *doubtful))


def _finish(archive: Reprepro, config: Config, progress: Progress) -> None:
    front.write(config, archive.keys)
    progress.phase("looking whether the archive is whole")
    demand_whole(archive.run, config)


def _demand_signed(archive: Reprepro, config: Config, directory: Path) -> tuple[str, ...]:
    """Give the copy's suites, each signed by the archive's keys and by no name but its own."""
    suites = snapshots.suites(directory)
    if not suites:
        raise ArchiveError(
            f"there is no archive in {directory}",
            cause="it has no dists/",
            hint="debkit repo restore DIR, of what debkit repo deploy has made",
        )
    keyring = archive.conf / conf.TRUSTED
    wrong: list[str] = []
    for suite in suites:
        there = directory / "dists" / suite
        found = [problem.what for problem in unsigned(archive.run, there, keyring)]
        if not found and field(there / "Release", "Codename") != suite:
            found = [f"{there / 'Release'} is that of {field(there / 'Release', 'Codename') or 'no suite'}"]
        wrong += found or [problem.what for problem in unlike(there)]
    if wrong:
        fingerprints = ", ".join(dict.fromkeys(key.fingerprint for key in archive.keys.signers))
        raise ArchiveError(
            f"{directory} is not a whole copy of this archive",
            cause="\n".join(wrong[:TOLD]),
            hint=f"it must be signed by {fingerprints}, which is what signs here; where that is right, {ANOTHER}",
        )
    for suite in suites:
        conf.demand(config, suite, tuple(field(directory / "dists" / suite / "Release", "Architectures").split()))
    return suites


def _demand_files(directory: Path, suites: tuple[str, ...]) -> frozenset[FileRef]:
    """Give the pool's files that the signed indices name, once each is what they say."""
    wanted = frozenset(file for suite in suites for file in files(directory / "dists" / suite))
    wrong = []
    for file in sorted(wanted, key=lambda file: file.name):
        path = directory / file.name
        if not path.is_file():
            wrong.append(f"{file.name} is missing")
        elif path.stat().st_size != file.size or sha256_of(path) != file.sha256:
            wrong.append(f"{file.name} is not what the signed index says")
    if wrong:
        more = [f"and {len(wrong) - TOLD} more"] if len(wrong) > TOLD else []
        raise ArchiveError(
            f"{directory} is not a whole copy of this archive", cause="\n".join((*wrong[:TOLD], *more)), hint=ANOTHER
        )
    return wanted


def _expired(directory: Path, suites: tuple[str, ...]) -> Iterator[str]:
    for suite in suites:
        until = field(directory / "dists" / suite / "Release", "Valid-Until")
        if until and parsedate_to_datetime(until).timestamp() <= time.time():
            yield f"{suite} of {directory} has expired on {until}: a newer copy may exist; it is signed anew"


def _is_there(base: Path) -> bool:
    """Whether there is an archive, whole or not: a killed restore has left no journal, and a lost database is to be replaced."""
    return (base / DATABASE).exists() and bool(journal.size(base))


def _demand_same(base: Path, directory: Path, suites: tuple[str, ...]) -> None:
    ours = tuple(suite for suite in snapshots.suites(base) if (base / "dists" / suite / "Release").exists())
    unlike_ours = [
        suite
        for suite in dict.fromkeys((*ours, *suites))
        if snapshots.contents(base / "dists" / suite) != snapshots.contents(directory / "dists" / suite)
    ]
    if unlike_ours:
        raise ArchiveError(
            f"{base} has an archive already",
            cause=f"and {directory} has another state of {', '.join(unlike_ours)}",
            hint=f"debkit repo history; where the copy is to replace it, first put it aside: everything in {base} but conf/",
        )


def _demand_free(base: Path, directory: Path, suites: tuple[str, ...], wanted: frozenset[FileRef]) -> None:
    """Refuse where anything is lost by it: what a killed restore has left is part of the copy."""
    pool = {file.name for file in wanted}
    named = frozenset({*pool, *map(snapshots.source_of, pool)})
    strange = [
        f"dists/{suite}"
        for suite in snapshots.suites(base)
        if (base / "dists" / suite / "Release").exists()
        and (suite not in suites or snapshots.contents(base / "dists" / suite) != snapshots.contents(directory / "dists" / suite))
    ]
    strange += [name for name in transaction.pool(base) if "/." not in name and not {name, snapshots.source_of(name)} & named]
    if strange:
        raise ArchiveError(
            f"{base} has what {directory} does not have",
            cause=", ".join(sorted(strange)[:TOLD]),
            hint=f"debkit repo rebuild; or, where the copy is to replace it, first put it aside: everything in {base} but conf/",
        )


def _demand_newer(base: Path, directory: Path, suites: tuple[str, ...]) -> None:
    """Refuse a copy from before the last act that a journal tells of, where one is left: updates would be taken back."""
    for suite in suites:
        acts = journal.read(base, suite)
        made = parsedate_to_datetime(field(directory / "dists" / suite / "Release", "Date"))
        if not acts or made >= datetime.fromisoformat(acts[-1].time):
            continue
        if journal.members(acts) != entries(directory / "dists" / suite):
            raise ArchiveError(
                f"{directory} is older than what was published last",
                cause=f"its {suite} is of {made:%Y-%m-%d %H:%M} UTC, and {journal.path(base)} tells of {acts[-1].time}",
                hint=f"restore from a newer copy; or, to take this one all the same: mv {journal.path(base)} {base}/journal.old",
            )


def _kept(keys: Keys, directory: Path, wanted: frozenset[FileRef]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the .changes of what is wanted, and the .buildinfo files that they list; and why others are left out.

    No index names them, so each .changes must be signed by a key that signs here, and list nothing otherwise than the indices do.
    """
    sums = {file.name: file.sha256 for file in wanted}
    kept: list[str] = []
    doubtful: list[str] = []
    for place in sorted({name.rpartition("/")[0] for name in sums}):
        for path in sorted((directory / place).glob("*.changes")):
            if snapshots.source_of(f"{place}/{path.name}") not in sums:
                continue  # of an older version, which waits for its end in the copy
            if not _is_ours(keys, path):
                doubtful.append(f"{path.name} is left out: it is signed by none of the keys that sign here")
                continue
            for file in read_changes(path).files:
                name = f"{place}/{file.name}"
                if sums.get(name, file.sha256) != file.sha256:
                    doubtful.append(f"{path.name} is left out: it is of another {file.name}")
                    break
                if name.endswith(".buildinfo") and _is(directory / name, file.sha256):
                    kept.append(name)
            else:
                kept.append(f"{place}/{path.name}")
    return tuple(dict.fromkeys(kept)), tuple(doubtful)


def _is_ours(keys: Keys, path: Path) -> bool:
    """Whether all of a file is signed by a key that signs uploads or the archive here."""
    if not is_clearsigned(path.read_text(encoding="utf-8", errors="replace")):
        return False
    for key in dict.fromkeys((keys.upload, *keys.signers)):
        with contextlib.suppress(SigningError):
            signed_text(key, path)
            return True
    return False


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _indices(directory: Path, suite: str) -> Iterator[str]:
    """Name the files that a suite's signed Release file lists, by name and by hash, and last the signatures."""
    for sha256, _, name in listed(release_text(directory / "dists" / suite / "Release")):
        yield f"dists/{suite}/{name}"
        yield f"dists/{suite}/{name.rpartition('/')[0]}/by-hash/SHA256/{sha256}"
    yield from (f"dists/{suite}/{name}" for name in reversed(SIGNATURES))


def _copy(source: Path, file: Path) -> None:
    """Copy a file whole or not at all, unless it is there."""
    if _is(file, sha256_of(source)):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    shutil.copyfile(source, new)
    new.replace(file)
