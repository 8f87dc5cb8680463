"""A .dsc and the files it lists: read it, and hold them against each other. Owns python-debian's Dsc."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.deb822 import Dsc

from debkit.errors import SourceError
from debkit.source.changelog import VERSION
from debkit.source.place import PACKAGE_NAME
from debkit.source.results import listed_files

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import FileRef

REQUIRED = ("Source", "Version", "Format", "Architecture")


@dataclass(frozen=True, slots=True, kw_only=True)
class DscFile:
    """What a .dsc says."""

    path: Path
    name: str
    version: str
    format: str
    architectures: tuple[str, ...]
    binaries: tuple[str, ...]
    files: tuple[FileRef, ...]


def read_dsc(path: Path) -> DscFile:
    """Read a .dsc, signed or not. Raises SourceError when a field lacks."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise _broken(path, f"it is not UTF-8 (byte {problem.start})") from problem
    fields = Dsc(text.splitlines())
    lacking = [name for name in REQUIRED if not str(fields.get(name, "")).strip()]
    if lacking:
        raise _broken(path, f"it has no {' and no '.join(lacking)} field")
    if not VERSION.fullmatch(str(fields["Version"])):
        raise _broken(path, f"{fields['Version']!r} is not a version")
    if not PACKAGE_NAME.fullmatch(str(fields["Source"])):
        raise _broken(path, f"{fields['Source']!r} is not a package name")
    try:
        files = listed_files(fields, path)
    except SourceError as problem:
        raise _broken(path, problem.cause) from problem
    return DscFile(
        path=path,
        name=str(fields["Source"]),
        version=str(fields["Version"]),
        format=str(fields["Format"]),
        architectures=tuple(str(fields["Architecture"]).split()),
        binaries=tuple(name.strip() for name in str(fields.get("Binary", "")).replace("\n", " ").split(",") if name.strip()),
        files=files,
    )


def verify_files(dsc: DscFile) -> None:
    """Raise SourceError unless every listed file stands beside the .dsc with the listed size and SHA-256."""
    for listed in dsc.files:
        path = dsc.path.parent / listed.name
        if not path.is_file():
            raise SourceError(
                f"{listed.name} is missing beside {dsc.path.name}",
                cause=f"the .dsc lists it, and {dsc.path.parent} does not have it",
                hint=f"apt-get source --download-only {dsc.name}={dsc.version}",
            )
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
        if (size, found) != (listed.size, listed.sha256):
            raise SourceError(
                f"{path} is not the file that {dsc.path.name} lists",
                cause=f"its SHA-256 is {found} ({size} bytes), the listed one {listed.sha256} ({listed.size} bytes):"
                " the download was cut off, or one of the two was changed",
                hint=f"rm {path}, then get the source again",
            )


def _broken(path: Path, why: str) -> SourceError:
    return SourceError(f"{path} is not a usable .dsc", cause=why, hint=f"less {path}")
