"""Read what builds leave behind, .changes and .buildinfo. Owns python-debian's parsers of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from debian.deb822 import BuildInfo, Changes

from debkit.errors import SourceError
from debkit.model import FileRef

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesFile:
    """A .changes. `source` has no binNMU version behind it; the files stand in its own directory.

    `date` is the changelog's, as that writes it.
    """

    path: Path
    source: str
    version: str
    distribution: str
    architectures: tuple[str, ...]
    binaries: tuple[str, ...]
    files: tuple[FileRef, ...]
    date: str = ""

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.path.parent / file.name for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildinfoFile:
    """A .buildinfo. `installed` is Installed-Build-Depends: "name (= version)" each, with ":arch" for a foreign one."""

    path: Path
    source: str
    version: str
    architectures: tuple[str, ...]
    build_architecture: str
    installed: tuple[str, ...]
    files: tuple[FileRef, ...]


def read_changes(path: Path) -> ChangesFile:
    """Read a .changes, signed or not; the signature is not looked at. Raises SourceError when it cannot be."""
    fields = Changes(_text(path).splitlines())
    return ChangesFile(
        path=path,
        source=_field(fields, "Source", path).partition(" ")[0],
        version=_field(fields, "Version", path),
        distribution=_field(fields, "Distribution", path),
        architectures=tuple(_field(fields, "Architecture", path).split()),
        binaries=tuple(str(fields.get("Binary", "")).split()),
        files=listed_files(fields, path),
        date=str(fields.get("Date", "")),
    )


def read_buildinfo(path: Path) -> BuildinfoFile:
    """Read a .buildinfo, signed or not. Raises SourceError when it cannot be."""
    fields = BuildInfo(_text(path).splitlines())
    installed = _field(fields, "Installed-Build-Depends", path)
    return BuildinfoFile(
        path=path,
        source=_field(fields, "Source", path).partition(" ")[0],
        version=_field(fields, "Version", path),
        architectures=tuple(_field(fields, "Architecture", path).split()),
        build_architecture=_field(fields, "Build-Architecture", path),
        installed=tuple(part.strip() for part in installed.split(",") if part.strip()),
        files=listed_files(fields, path),
    )


def listed_files(fields: Any, path: Path) -> tuple[FileRef, ...]:
    """Read what Checksums-Sha256 lists. Raises SourceError where it is missing, or names what is not in the same directory."""
    try:
        entries = tuple(FileRef(str(f["name"]), int(f["size"]), str(f["sha256"]).lower()) for f in fields["Checksums-Sha256"])
    except (KeyError, TypeError, ValueError) as problem:
        raise unreadable(path, "it has no Checksums-Sha256 that can be read") from problem
    for entry in entries:
        if "/" in entry.name or entry.name in {"", ".", ".."}:
            raise unreadable(path, f"it lists {entry.name!r}, which is no plain file name")
    return entries


def unreadable(path: Path, why: str) -> SourceError:
    return SourceError(f"{path} cannot be used", cause=why, hint=f"less {path}")


def _field(fields: Any, name: str, path: Path) -> str:
    value = str(fields.get(name, "")).strip()
    if not value:
        raise unreadable(path, f"it has no {name} field")
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as problem:
        raise unreadable(path, "it does not exist") from problem
    except UnicodeDecodeError as problem:
        raise unreadable(path, f"it is not UTF-8 (byte {problem.start})") from problem
