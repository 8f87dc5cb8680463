"""A version as the archive has it: its files in all suites, as the signed indices and the uploads' own lists say they are."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from debkit.archive import conf, lock
from debkit.archive.change import demand_settled
from debkit.archive.index import entries, files, read_index, sha256_of
from debkit.archive.whole import demand_sound
from debkit.config import base_suite
from debkit.console import Quiet
from debkit.errors import ArchiveError
from debkit.model import FileRef
from debkit.source.draft import suffixed
from debkit.source.dsc import read_dsc
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.console import Progress

QUIET = Quiet()


class NotReleased(ArchiveError):
    """No suite of the archive has the version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A version of a source: by suite what it is called there, and the pool's files of it (paths under the base) there.

    `time` is the newest date of its changelogs, in seconds since the epoch.
    """

    source: str
    version: str
    time: int
    versions: dict[str, str]
    files: dict[str, tuple[FileRef, ...]]

    @property
    def all_files(self) -> tuple[FileRef, ...]:
        """Every file once, whatever number of suites and architectures share it."""
        return tuple(sorted({file for of_suite in self.files.values() for file in of_suite}, key=lambda file: file.name))


@contextlib.contextmanager
def reading(config: Config, *, progress: Progress = QUIET) -> Iterator[None]:
    """Keep others from changing the archive, which must not be in the middle of a change. Raises ArchiveError, LockedError."""
    with lock.shared(config.repo, progress=progress):
        demand_settled(config.repo)
        yield


def read_released(config: Config, source: str, version: str) -> Released:
    """Find a version in every suite, also under the name that it has in a suite after the first: VERSION~SUITE1.

    The archive must be held by `reading`. Nothing is believed that is not as the index or the .changes says. Raises ArchiveError,
    of a version that no suite has NotReleased.
    """
    versions: dict[str, str] = {}
    found: dict[str, tuple[FileRef, ...]] = {}
    others: set[str] = set()
    for suite in conf.exported_suites(config):
        demand_sound(config.repo / "dists" / suite)
        held = {line.source_version for line in read_index(config.repo, suite, "source") if line.source == source}
        fitting = held & names_of(version, suite)
        others |= held - fitting
        if fitting:
            versions[suite] = min(fitting, key=len)
            found[suite] = _files(config, suite, source, versions[suite])
    if not found:
        raise NotReleased(
            f"the archive has no {source} {version}",
            cause=f"{config.repo} has {', '.join(sorted(others)) or 'no version of it at all'}",
            hint="publish it first: debkit build",
        )
    uploads = {file.name for of_suite in found.values() for file in of_suite if file.name.endswith(".changes")}
    time = max((_date(config.repo / name) for name in uploads), default=0)
    return Released(source=source, version=version, time=time, versions=versions, files=found)


def names_of(version: str, suite: str) -> frozenset[str]:
    """Give what a version may be called in a suite (`debkit.source.draft` names it)."""
    return frozenset((version, *(suffixed(version, name) for name in (suite, base_suite(suite)))))


def _files(config: Config, suite: str, source: str, version: str) -> tuple[FileRef, ...]:
    base = config.repo
    members = entries(base / "dists" / suite)
    lines = {entry.file for entry in members if (entry.source, entry.source_version) == (source, version)}
    listed = {file.name: file for file in files(base / "dists" / suite)}
    found = {name: listed[name] for name in lines}
    for name in [name for name in lines if name.endswith(".dsc")]:
        for file in read_dsc(base / name).files:
            beside = f"{PurePosixPath(name).parent}/{file.name}"
            found[beside] = FileRef(beside, file.size, file.sha256)
    for directory in sorted({f"{PurePosixPath(name).parent}" for name in lines}):
        found |= _uploads(config, directory, source, version)
    for file in found.values():
        _demand(config, file)
    return tuple(found.values())


def _uploads(config: Config, directory: str, source: str, version: str) -> dict[str, FileRef]:
    """Find the .changes of a version that reprepro keeps (Tracking in reprepro(1)), and the .buildinfo files that they list."""
    found = {}
    for path in sorted((config.repo / directory).glob(f"{source}_*.changes")):
        changes = read_changes(path)
        if (changes.source, changes.version) != (source, version):
            continue
        name = f"{directory}/{path.name}"
        found[name] = FileRef(name, path.stat().st_size, sha256_of(path))
        for file in changes.files:
            if file.name.endswith(".buildinfo") and (path.parent / file.name).exists():
                found[f"{directory}/{file.name}"] = FileRef(f"{directory}/{file.name}", file.size, file.sha256)
    return found


def _date(changes: Path) -> int:
    try:
        return int(parsedate_to_datetime(read_changes(changes).date).timestamp())
    except ValueError:  # it has none: 0
        return 0


def _demand(config: Config, file: FileRef) -> None:
    path = config.repo / file.name
    if not path.is_file() or (path.stat().st_size, sha256_of(path)) != (file.size, file.sha256):
        raise ArchiveError(
            f"{path} is {'not what the archive says of it' if path.exists() else 'missing'}",
            cause="it was damaged, changed or removed since it was published",
            hint="debkit repo verify; put it back from a copy",
        )
