"""What publishing an upload would mean for a suite: nothing, all of it, the architectures that are missing, or a conflict."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.errors import ArchiveConflict, ArchiveError
from debkit.keys import unsigned_text

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.reprepro import Entry
    from debkit.model import FileRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A binary package of an upload, as its own control file has it."""

    package: str
    version: str
    arch: str
    file: FileRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What counts of an upload: signatures and .buildinfo files do not. `dsc` is without its signature.

    `distribution` is what its .changes says, `suite` where it is to go; `files` is all that the .changes lists.
    """

    suite: str
    changes: Path
    distribution: str
    files: tuple[FileRef, ...]
    source: str
    version: str
    debs: tuple[Deb, ...]
    dsc_name: str
    dsc: str
    sources: tuple[FileRef, ...]

    @property
    def arches(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(deb.arch for deb in self.debs))

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.changes, *(self.changes.parent / file.name for file in self.files))

    @property
    def names(self) -> frozenset[str]:
        """What its source and its packages are called."""
        return frozenset({self.source, *(deb.package for deb in self.debs)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the archive has: the suite's entries, the pool's checksums by path, and the unsigned .dsc where there is one."""

    entries: tuple[Entry, ...]
    pool: dict[str, str]
    dsc: str | None

    def sha256(self, source: str, name: str) -> str | None:
        """Give the checksum of a file in the pool, whatever component it is in (pool/COMPONENT/PREFIX/SOURCE/NAME)."""
        return next((sha256 for path, sha256 in self.pool.items() if path.endswith(f"/{source}/{name}")), None)


class Stock:
    """What a suite has, sorted so that what concerns one upload is found at once, however much there is."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self._by_package: dict[str, list[Entry]] = {}
        self._by_source: dict[str, list[Entry]] = {}
        for entry in entries:
            self._by_package.setdefault(entry.package, []).append(entry)
            self._by_source.setdefault(entry.source, []).append(entry)

    def of(self, upload: Upload) -> tuple[Entry, ...]:
        """Give the entries of the upload's source and version."""
        return tuple(entry for entry in self._by_source.get(upload.source, ()) if entry.source_version == upload.version)

    def concerning(self, upload: Upload, base: Path) -> Held:
        """Give the entries of its source and of packages called as its own, and what the pool has of its files."""
        entries = [entry for name in sorted(upload.names) for entry in self._by_package.get(name, ())]
        files = (upload.dsc_name, *(deb.file.name for deb in upload.debs), *(file.name for file in upload.sources))
        places = in_pool(base, upload.source)
        there = [place / name for place in places for name in files if (place / name).is_file()]
        dsc = next((path for path in there if path.name == upload.dsc_name), None)
        return Held(
            entries=tuple(dict.fromkeys((*self._by_source.get(upload.source, ()), *entries))),
            pool={os.fspath(path.relative_to(base)): hashlib.sha256(path.read_bytes()).hexdigest() for path in there},
            dsc=unsigned_text(dsc.read_text(encoding="utf-8")) if dsc else None,
        )


def in_pool(base: Path, source: str) -> tuple[Path, ...]:
    """Find the pool's directories of a source, one a component, below a letter, or four of a library's."""
    prefix = source[:4] if source.startswith("lib") and source != "lib" else source[:1]
    directories = (component / prefix / source for component in sorted((base / "pool").glob("*")))
    return tuple(directory for directory in directories if directory.is_dir())


@dataclass(frozen=True, slots=True)
class Include:
    """Take the upload in; `arches` empty means all of it."""

    arches: tuple[str, ...] = ()


def judge(upload: Upload, held: Held) -> Include | None:
    """Decide what is to be done; None when the archive has all of it already.

    Raises ArchiveConflict for the same version with other content, ArchiveError for a version older than what is published.
    """
    _refuse_other_content(upload, held)
    _refuse_older(upload, held)
    source = any(
        entry.type == "dsc" and (entry.package, entry.version) == (upload.source, upload.version) for entry in held.entries
    )
    parts = {arch: _share(tuple(deb for deb in upload.debs if deb.arch == arch), held) for arch in upload.arches}
    if source and all(share == "whole" for share in parts.values()):
        return None
    if not source and all(share == "none" for share in parts.values()):
        return Include()
    missing = tuple(arch for arch, share in parts.items() if share == "none")
    if not source or "some" in parts.values() or "all" in missing:
        raise ArchiveConflict(
            f"{upload.suite} has {upload.source} {upload.version} with other packages",
            cause="; ".join(f"{arch}: {share} of this upload's" for arch, share in parts.items()),
            hint="raise the version: dch --increment",
        )
    return Include(missing)


def _share(debs: tuple[Deb, ...], held: Held) -> str:
    there = {
        (entry.package, entry.version) for entry in held.entries if entry.type != "dsc" and entry.arch in _indices(debs, held)
    }
    found = [deb for deb in debs if (deb.package, deb.version) in there]
    return "whole" if len(found) == len(debs) else "some" if found else "none"


def _indices(debs: tuple[Deb, ...], held: Held) -> set[str]:
    """Which indices list packages of these debs' architecture: an Architecture: all one is in all of them."""
    arch = debs[0].arch
    return {entry.arch for entry in held.entries} if arch == "all" else {arch}


def _refuse_other_content(upload: Upload, held: Held) -> None:
    differing = [
        file.name
        for file in (*(deb.file for deb in upload.debs), *upload.sources)
        if held.sha256(upload.source, file.name) not in {None, file.sha256}
    ]
    if held.dsc is not None and held.dsc != upload.dsc:
        differing.append(upload.dsc_name)
    if differing:
        raise ArchiveConflict(
            f"{upload.source} {upload.version} is in the archive with other content",
            cause=f"these differ: {', '.join(sorted(differing))}; users who have that version would never get this one",
            hint="raise the version: dch --increment",
        )


def _refuse_older(upload: Upload, held: Held) -> None:
    """Refuse what reprepro would skip without an error."""
    ours = {(deb.package, deb.arch): deb.version for deb in upload.debs} | {(upload.source, "source"): upload.version}
    for entry in held.entries:
        version = ours.get((entry.package, entry.arch)) or (entry.type != "dsc" and ours.get((entry.package, "all")))
        if version and Version(entry.version) > Version(version):
            raise ArchiveError(
                f"{upload.suite} has {entry.package} {entry.version}, which is newer than {version}",
                cause="users would not be given the older one",
                hint=f"raise the version above {entry.version}: dch --newversion",
            )
