"""What is in the packages of one build: control files, every file with its mode and owner, and the ELF files, laid out for tools.

Owns the reading of .debs as tar archives: an unpacked package would no longer tell owners to somebody who is not root.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import re
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from debian.arfile import ArError
from debian.deb822 import Deb822
from debian.debfile import DebError, DebFile

from debkit.checks import _elf_facts
from debkit.errors import EnvironmentFailure
from debkit.host.elf import HEADER_BYTES, elf_machine
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from debkit.model import BuildResult, Target
    from debkit.run import Run

UNREADABLE = (ArError, DebError, tarfile.TarError, EOFError, KeyError, ValueError, lzma.LZMAError, zlib.error)
KINDS = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "named pipe",
}
UNITS = re.compile(r"(usr/)?lib/(systemd|sysusers\.d|tmpfiles\.d)/")
# Named after what is in them, which differs by nature; debug packages that debhelper makes are left out as a whole.
BUILD_IDS = "usr/lib/debug/.build-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of a package. `kind` is a word for people; of hard links each is a file. `owner` is USER:GROUP."""

    kind: str
    mode: int
    owner: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """An ELF file by its path in the package, an object of a static library as PATH(OBJECT). `copy` is there for linked ones."""

    path: str
    machine: str
    copy: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A package. Paths have no leading slash; `control` are its control files, `texts` its conffiles and unit files.

    Of one with `debug` symbols that debhelper made only the ELF files are read.
    """

    target: Target
    name: str
    debug: bool
    fields: Deb822
    control: Mapping[str, bytes]
    conffiles: tuple[str, ...] = ()
    entries: Mapping[str, Entry]
    texts: Mapping[str, bytes]
    elfs: tuple[Elf, ...] = ()

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(path for path in self.texts if UNITS.match(path))


def read(run: Run, result: BuildResult, work: Path) -> tuple[Contents, ...]:
    """Read the packages of a build, but for `Architecture: all` ones, which are made once. `work` takes copies of ELF files.

    Raises EnvironmentFailure for a package that cannot be read.
    """
    found = []
    for deb in result.debs:
        if deb.stem.endswith("_all"):
            continue
        room = work / deb.stem
        room.mkdir(parents=True)
        try:
            with DebFile(os.fspath(deb)) as packed:
                found.append(_contents(run, packed, result.target, room))
        except UNREADABLE as problem:
            raise EnvironmentFailure(
                f"{deb} cannot be read", cause=str(problem) or type(problem).__name__, hint=f"dpkg-deb --contents {deb}"
            ) from problem
    return tuple(found)


def _contents(run: Run, packed: DebFile, target: Target, room: Path) -> Contents:
    with _part(run, packed, "control.tar", room) as tar:
        control = {_name(member): _bytes(tar, member) for member in tar if member.isfile()}
    fields = Deb822(control["control"])
    listed = control.get("conffiles", b"").decode(errors="replace").split("\n")
    conffiles = tuple(line.split()[-1].lstrip("/") for line in listed if line.strip())
    debug = fields.get("Auto-Built-Package") == "debug-symbols"
    entries: dict[str, Entry] = {}
    texts: dict[str, bytes] = {}
    elfs: list[Elf] = []
    with _part(run, packed, "data.tar", room) as tar:
        for member in tar:
            name = _name(member)
            if not name.startswith(BUILD_IDS):
                entries[name] = _entry(member)
            stream = tar.extractfile(member) if member.isreg() else None
            head = stream.read(HEADER_BYTES) if stream else b""
            if stream and head.startswith((_elf_facts.MAGIC, _elf_facts.ARCHIVE)):
                elfs += _elfs(name, head, stream, room / f"{len(elfs):04}", keep=not debug)
            elif stream and (name in conffiles or UNITS.match(name)):
                texts[name] = head + stream.read()
    return Contents(
        target=target,
        name=fields["Package"],
        debug=debug,
        fields=fields,
        control=control,
        conffiles=conffiles,
        entries=entries,
        texts=texts,
        elfs=tuple(elfs),
    )


def _elfs(name: str, head: bytes, rest: IO[bytes], copy: Path, *, keep: bool) -> Iterator[Elf]:
    """Say what ELF there is in a file, and copy a program or a shared library. The copy's name is none of the package's."""
    with copy.open("wb") as file:
        file.write(head)
        shutil.copyfileobj(rest, file)
    if head.startswith(_elf_facts.ARCHIVE):
        with copy.open("rb") as archive:
            yield from (Elf(path=f"{name}({each})", machine=of) for each, of in _elf_facts.members(archive).items())
        keep = False
    else:
        keep = keep and _elf_facts.linked(head)
        yield Elf(path=name, machine=elf_machine(head), copy=copy if keep else None)
    if not keep:
        copy.unlink()


@contextlib.contextmanager
def _part(run: Run, packed: DebFile, part: str, room: Path) -> Iterator[tarfile.TarFile]:
    """Open one of the two archives in a package to be read once, from its beginning to its end."""
    name = next((each for each in packed.getnames() if each.startswith(part)), part)
    member = packed.getmember(name)
    if not name.endswith(".zst"):  # Ubuntu's default, for which python-debian would start a process
        with tarfile.open(fileobj=cast("BinaryIO", member), mode="r|*", encoding="utf-8") as tar:
            yield tar
        return
    compressed, plain = room / name, room / part
    with compressed.open("wb") as file:
        shutil.copyfileobj(member, file)
    run(Command(argv=("zstd", "--decompress", "--quiet", "--rm", os.fspath(compressed), "-o", os.fspath(plain)), minor=True))
    with tarfile.open(plain, encoding="utf-8") as tar:
        yield tar
    plain.unlink()


def _entry(member: tarfile.TarInfo) -> Entry:
    return Entry(
        kind=KINDS.get(member.type, "file"),
        mode=member.mode & 0o7777,
        owner=f"{member.uname or member.uid}:{member.gname or member.gid}",
        link=_printable(member.linkname) if member.issym() else "",
    )


def _name(member: tarfile.TarInfo) -> str:
    return _printable(member.name.removeprefix("./"))


def _printable(name: str) -> str:
    """Write a name so that a report can hold it: a file may be called anything, such as what is no UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream else b""
