"""What an upload says of itself, each package read from its own control file. Owns python-debian's reader of .deb files."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from debian.arfile import ArError
from debian.deb822 import Deb822
from debian.debfile import DebError, DebFile

from debkit.archive.judge import Deb, Upload
from debkit.errors import ArchiveError
from debkit.keys import unsigned_text
from debkit.run import Command
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import FileRef
    from debkit.run import Run


def read_upload(run: Run, path: Path) -> Upload:
    """Read what counts of an upload; its suite is left open. Raises ArchiveError where a part is missing or no package."""
    changes = read_changes(path)
    for file, beside in zip(changes.files, changes.paths, strict=True):
        # reprepro looks at the checksums of what it takes in.
        if not beside.exists() or beside.stat().st_size != file.size:
            raise ArchiveError(
                f"{path.name} lists {file.name}, "
                + ("which is not beside it" if not beside.exists() else "whose size is another"),
                cause="it was copied without all that it lists, or changed after it was signed",
                hint=f"dcmd ls -l {path}",
            )
    debs = [read_deb(run, path.parent, file) for file in changes.files if file.name.endswith((".deb", ".udeb"))]
    dsc = next((file for file in changes.files if file.name.endswith(".dsc")), None)
    if dsc is None or not debs:
        raise ArchiveError(
            f"{path.name} has no {'packages' if dsc else 'source'}",
            cause="a version is published with its source and its packages",
            hint=f"less {path}",
        )
    return Upload(
        suite="",
        changes=path,
        distribution=changes.distribution,
        files=changes.files,
        source=changes.source,
        version=changes.version,
        debs=tuple(debs),
        dsc_name=dsc.name,
        dsc=unsigned_text((path.parent / dsc.name).read_text(encoding="utf-8")),
        sources=tuple(file for file in changes.files if ".tar." in file.name or ".diff." in file.name),
    )


def read_deb(run: Run, directory: Path, file: FileRef) -> Deb:
    """Read what a package says of itself. Raises ArchiveError for a file that is none."""
    path = directory / file.name
    try:
        with DebFile(filename=path) as packed:
            # Ubuntu's default, for which python-debian would start a process, as dpkg-deb does not need to.
            foreign = "control.tar.zst" in packed.getnames()
            fields = Deb822(_fields(run, path)) if foreign else packed.debcontrol()
        return Deb(package=fields["Package"], version=fields["Version"], arch=fields["Architecture"], file=file)
    except (ArError, DebError, tarfile.TarError, EOFError, KeyError) as problem:
        raise ArchiveError(
            f"{path} is not a Debian package", cause=str(problem) or type(problem).__name__, hint=f"dpkg-deb --info {path}"
        ) from problem


def _fields(run: Run, deb: Path) -> str:
    return run(Command(argv=("dpkg-deb", "--field", f"{deb}"))).stdout
