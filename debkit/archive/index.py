"""What the exported index of a suite says, and whether that is what the database has, under the archive's signature."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.archive import snapshots
from debkit.archive.reprepro import Entry
from debkit.errors import SigningError
from debkit.keys import signed_text
from debkit.model import FileRef

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from debkit.keys import Keys


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A package of an index: the source it was built from, and the path under the base of its .deb or .dsc."""

    package: str
    version: str
    source: str
    source_version: str
    file: str = ""


def is_current(base: Path, suite: str, entries: tuple[Entry, ...], keys: Keys) -> bool:
    """Whether a suite's index is there whole, by name and by hash, lists exactly `entries`, and is signed by all signers."""
    directory = base / "dists" / suite
    if not directory.exists():
        return not entries
    try:
        signed = [signed_text(key, directory / "InRelease") for key in keys.signers]
        release = (directory / "Release").read_text(encoding="utf-8")
        if any(text.split() != release.split() for text in signed) or not (directory / "Release.gpg").exists():
            return False
        for sha256, _, name in listed(release):
            file = directory / name
            if any(sha256_of(path) != sha256 for path in (file, file.parent / "by-hash/SHA256" / sha256)):
                return False
        return {entry.member for entry in _entries(snapshots.indices(directory))} == {entry.member for entry in entries}
    except (OSError, EOFError, SigningError):
        return False


def read_index(base: Path, suite: str, arch: str) -> tuple[Line, ...]:
    """Read a suite's Packages (or Sources, for the architecture "source") of all components, without .udebs."""
    pattern = "*/source/Sources.gz" if arch == "source" else f"*/binary-{arch}/Packages"
    return tuple(line for index in sorted((base / "dists" / suite).glob(pattern)) for line in _read(index))


def _read(index: Path) -> Iterator[Line]:
    data = index.read_bytes()
    return _parse((gzip.decompress(data) if index.suffix == ".gz" else data).decode())


def entries(directory: Path, *, among: Container[Path] | None = None) -> frozenset[Entry]:
    """Give all members that the indices in a directory, a suite's or a snapshot's, list, as reprepro would.

    Of the indices `among` these alone where not all are to be trusted.
    """
    return frozenset(_entries(index for index in snapshots.indices(directory) if among is None or index in among))


def _entries(indices: Iterable[Path]) -> Iterator[Entry]:
    for index in indices:
        place = index.parent
        kind = "dsc" if place.name == "source" else "udeb" if place.parent.name == "debian-installer" else "deb"
        for line in _read(index):
            yield Entry(
                type=kind,
                arch=place.name.removeprefix("binary-"),
                package=line.package,
                version=line.version,
                source=line.source,
                source_version=line.source_version,
                file=line.file,
            )


def previous_debs(base: Path, suite: str, arch: str, source: str, version: str) -> tuple[Path, ...]:
    """Give the .debs for an architecture of the newest version of a source that a suite has and that is older than `version`."""
    older = [
        line
        for line in read_index(base, suite, arch)
        if line.source == source and Version(line.source_version) < Version(version)
    ]
    newest = max((Version(line.source_version) for line in older), default=None)
    return tuple(base / line.file for line in older if Version(line.source_version) == newest)


def has_package(base: Path, suite: str, package: str) -> bool:
    """Whether a suite's indices list a package for any architecture. Quick, whatever the size of the archive."""
    field = f"Package: {package}\n".encode()
    for file in (base / "dists" / suite).glob("*/binary-*/Packages"):
        data = file.read_bytes()
        if data.startswith(field) or b"\n" + field in data:
            return True
    return False


def _parse(text: str) -> Iterator[Line]:
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = dict(re.findall(r"^(Package|Version|Source|Filename): *(.*)$", stanza, flags=re.MULTILINE))
        if "Package" in fields:
            name, _, version = fields.get("Source", fields["Package"]).partition(" ")
            source_version = version.strip("()") or fields["Version"]
            yield Line(fields["Package"], fields["Version"], name, source_version, fields.get("Filename") or _dsc(stanza))


def _dsc(stanza: str) -> str:
    """Give the path of a source's .dsc, empty for what is no source."""
    place = re.search(r"^Directory: (.*)$", stanza, flags=re.MULTILINE)
    dsc = re.search(r"^ [0-9a-f]{64} \d+ (\S+\.dsc)$", stanza, flags=re.MULTILINE)
    return f"{place[1]}/{dsc[1]}" if place and dsc else ""


def listed(release: str) -> list[tuple[str, int, str]]:
    """Give the SHA-256, the size in bytes and the name of each index that a Release file lists and that is written.

    reprepro lists the uncompressed Sources, too, and writes Sources.gz alone (DscIndices in reprepro(1)).
    """
    section = re.search(r"^SHA256:\n((?: .*\n?)*)", release, flags=re.MULTILINE)
    found = re.findall(r"^ (\w{64}) +(\d+) (\S+)$", section[1] if section else "", flags=re.MULTILINE)
    return [(sha256, int(size), name) for sha256, size, name in found if not name.endswith("/Sources")]


def sound(directory: Path) -> frozenset[Path]:
    """Give the indices in a directory that are what its Release file says: what is damaged cannot be read."""
    named = listed(release_text(directory / "Release")) if (directory / "Release").exists() else []
    paths = ((directory / name, sha256) for sha256, _, name in named)
    return frozenset(path for path, sha256 in paths if path.is_file() and sha256_of(path) == sha256)


def release_text(release: Path) -> str:
    """Read a Release file that may be damaged."""
    return release.read_text(encoding="utf-8", errors="replace")


def files(directory: Path, *, among: Container[Path] | None = None) -> frozenset[FileRef]:
    """Give the pool's files, by their paths under the base, that the indices in a directory list, as they are to be.

    `among` is as `entries` has it.
    """
    found: set[FileRef] = set()
    indices = [index for index in snapshots.indices(directory) if among is None or index in among]
    for index in (index for index in indices if index.name == "Packages"):
        for stanza in index.read_text(encoding="utf-8").split("\n\n"):
            fields: dict[str, str] = dict(re.findall(r"^(Filename|Size|SHA256): (.*)$", stanza, flags=re.MULTILINE))
            if fields:
                found.add(FileRef(fields["Filename"], int(fields["Size"]), fields["SHA256"]))
    for index in (index for index in indices if index.name == "Sources.gz"):
        for stanza in gzip.decompress(index.read_bytes()).decode().split("\n\n"):
            place = re.search(r"^Directory: (.*)$", stanza, flags=re.MULTILINE)
            names = re.search(r"^Checksums-Sha256:[ \t]*\n((?: .*\n?)*)", stanza, flags=re.MULTILINE)
            for line in names[1].splitlines() if place and names else ():
                sha256, size, name = line.split()
                found.add(FileRef(f"{place[1]}/{name}" if place else name, int(size), sha256))
    return frozenset(found)


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
