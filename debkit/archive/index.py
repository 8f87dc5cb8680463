"""What the exported index of a suite says, and whether that is what the database has, under the archive's signature."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.archive.reprepro import Entry
from debkit.errors import SigningError
from debkit.keys import signed_text
from debkit.model import FileRef

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
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
        arches = {entry.arch for entry in entries}
        return all(
            sorted((line.package, line.version) for line in read_index(base, suite, arch))
            == sorted((entry.package, entry.version) for entry in entries if entry.arch == arch)
            for arch in arches | _exported_arches(directory)
        )
    except (OSError, EOFError, SigningError):
        return False


def read_index(base: Path, suite: str, arch: str) -> tuple[Line, ...]:
    """Read a suite's Packages (or Sources, for the architecture "source") of all components."""
    return read_indices(base / "dists" / suite, arch)


def read_indices(directory: Path, arch: str, *, among: Container[Path] | None = None) -> tuple[Line, ...]:
    """Read the same of a directory, a suite's or a snapshot's; of the indices `among` these where not all are to be trusted."""
    pattern = "*/source/Sources.gz" if arch == "source" else f"*/binary-{arch}/Packages"
    lines: list[Line] = []
    for file in sorted(file for file in directory.glob(pattern) if among is None or file in among):
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        lines += _parse(data.decode())
    return tuple(lines)


def entries(directory: Path, *, among: Container[Path] | None = None) -> frozenset[Entry]:
    """Give all members that the indices in a directory list, as reprepro would. `among` is as `read_indices` has it."""
    return frozenset(
        Entry(
            type="dsc" if arch == "source" else "deb",
            arch=arch,
            package=line.package,
            version=line.version,
            source=line.source,
            source_version=line.source_version,
            file=line.file,
        )
        for arch in _exported_arches(directory)
        for line in read_indices(directory, arch, among=among)
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

    `among` is as `read_indices` has it.
    """
    found: set[FileRef] = set()
    indices = (index for index in directory.glob("*/binary-*/Packages") if among is None or index in among)
    sources = (index for index in directory.glob("*/source/Sources.gz") if among is None or index in among)
    for index in indices:
        for stanza in index.read_text(encoding="utf-8").split("\n\n"):
            fields: dict[str, str] = dict(re.findall(r"^(Filename|Size|SHA256): (.*)$", stanza, flags=re.MULTILINE))
            if fields:
                found.add(FileRef(fields["Filename"], int(fields["Size"]), fields["SHA256"]))
    for index in sources:
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


def _exported_arches(directory: Path) -> set[str]:
    return {path.name.removeprefix("binary-") for path in directory.glob("*/binary-*")} | {
        "source" for _ in directory.glob("*/source")
    }
