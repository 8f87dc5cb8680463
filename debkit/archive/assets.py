"""Files that were released, in a directory and below it, whose names may have changed on the way: GitHub turns `~` into `.`.

By right a file is called what a .changes or a .dsc that lists its checksum calls it, or what it says of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.archive.index import sha256_of
from debkit.archive.upload import read_deb
from debkit.errors import ArchiveError, SourceError
from debkit.model import FileRef
from debkit.source.dsc import read_dsc
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run
    from debkit.source.results import ChangesFile


class Assets:
    """The files below a directory by what they are; `unusable` are the .changes that are none, and why.

    Raises SourceError, ArchiveError for a .dsc or a package that is not what it is called.
    """

    def __init__(self, run: Run, directory: Path) -> None:
        paths = sorted(path for path in directory.rglob("*") if path.is_file())
        self.directory = directory
        self._sha256 = {path: sha256_of(path) for path in paths}
        self._by_sha256 = {sha256: path for path, sha256 in self._sha256.items()}
        self.changes: dict[Path, ChangesFile] = {}
        self.unusable: dict[str, str] = {}
        for path in (path for path in paths if path.suffix == ".changes"):
            try:
                self.changes[path] = read_changes(path)
            except SourceError as problem:
                self.unusable[path.name] = problem.cause
        sources = {path: read_dsc(path) for path in paths if path.suffix == ".dsc"}
        listed = (*(one.files for one in self.changes.values()), *(one.files for one in sources.values()))
        names = {file.sha256: file.name for files in listed for file in files}
        self._by_name = {name: self._by_sha256[sha256] for sha256, name in names.items() if sha256 in self._by_sha256}
        for path, changes in self.changes.items():
            self._by_name[f"{changes.source}_{_file_version(changes.version)}_{path.name.rpartition('_')[2]}"] = path
        for path, dsc in sources.items():
            self._by_name[f"{dsc.name}_{_file_version(dsc.version)}.dsc"] = path
        for path in paths:
            if path.suffix in {".deb", ".udeb"} and self._sha256[path] not in names:
                deb = read_deb(run, path.parent, FileRef(path.name, path.stat().st_size, self._sha256[path]))
                self._by_name[f"{deb.package}_{_file_version(deb.version)}_{deb.arch}{path.suffix}"] = path

    @property
    def names(self) -> tuple[str, ...]:
        """Give what the .changes are called by right."""
        return tuple(sorted(name for name, path in self._by_name.items() if path in self.changes))

    def find(self, name: str, sha256: str = "") -> Path | None:
        """Find a file by its checksum or, where that is not known, by its right name."""
        return self._by_sha256.get(sha256) if sha256 else self._by_name.get(name)

    def lay_out(self, into: Path, chosen: tuple[Path, ...]) -> tuple[Path, ...]:
        """Link these .changes, and all that they list, under their right names; give the links. Raises ArchiveError."""
        files = {file: path for path in chosen for file in self.changes[path].files}
        lacking = [f"{file.name}, which {path.name} lists" for file, path in files.items() if file.sha256 not in self._by_sha256]
        if lacking:
            raise ArchiveError(
                f"{self.directory} lacks files",
                cause="\n".join(lacking),
                hint=f"put them into {self.directory}, or take away the .changes that list them",
            )
        names = {path: name for name, path in self._by_name.items()}
        for path in chosen:
            (into / names[path]).symlink_to(path.absolute())
        for file in files:
            if not (into / file.name).is_symlink():
                (into / file.name).symlink_to(self._by_sha256[file.sha256].absolute())
        return tuple(into / names[path] for path in chosen)


def _file_version(version: str) -> str:
    return version.partition(":")[2] or version
