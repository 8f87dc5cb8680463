"""How packages that were built twice differ: which they are, in which files, and what diffoscope says of it."""

from __future__ import annotations

import filecmp
import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from debian.debfile import DebFile

from debkit.chroot import namespace
from debkit.run import Command

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.chroot.roots import ToolRoot
    from debkit.run import Run

# Of diffoscope's many helpers those that packages of compiled programs need.
DIFFOSCOPE = ("binutils-multiarch", "diffoscope-minimal", "python3-debian", "xz-utils", "zstd")
LARGEST_TEXT = 1_000_000  # bytes
DERIVED = frozenset({"DEBIAN/md5sums"})  # tells nothing new


class Likeness(StrEnum):
    """What became of one package in two builds; only the first is as it should be."""

    IDENTICAL = "identical"
    DIFFERENT = "differs"
    MISSING = "is made by the first build alone"
    SURPLUS = "is made by the second build alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A file of a package that is not the same in both, with its bytes, which are empty where it is none or is not there."""

    name: str
    first: bytes
    second: bytes


def compare(first: tuple[Path, ...], second: tuple[Path, ...]) -> dict[str, Likeness]:
    """Say of each package, by its file's name, what it came to."""
    ours, theirs = ({deb.name: deb for deb in debs} for debs in (second, first))
    return {
        name: Likeness.SURPLUS if name not in theirs
        else Likeness.MISSING if name not in ours
        else Likeness.IDENTICAL if filecmp.cmp(theirs[name], ours[name], shallow=False)
        else Likeness.DIFFERENT
        for name in sorted({*ours, *theirs})
    }  # fmt: skip


def differences(first: Path, second: Path) -> tuple[Difference, ...]:
    """Find what differs inside two packages: contents, modes, owners, times, links; none where only their packing does."""
    old, new = dict(_members(first)), dict(_members(second))
    wanted = frozenset(name for name in {*old, *new} - DERIVED if old.get(name) != new.get(name))
    before, after = _contents(first, wanted), _contents(second, wanted)
    return tuple(Difference(name=name, first=before.get(name, b""), second=after.get(name, b"")) for name in sorted(wanted))


def explain(run: Run, root: ToolRoot, first: Path, second: Path, *, timeout: float) -> str:
    """Have diffoscope, from a root that has DIFFOSCOPE, tell how two packages in different directories differ."""
    with namespace.scratch(run, "diffoscope") as work:
        argv = root.argv(
            ("env", "TMPDIR=/mnt/work", "diffoscope", f"--max-text-report-size={LARGEST_TEXT}", "--text=-",
             f"/mnt/first/{first.name}", f"/mnt/second/{second.name}"),
            binds=((work, "/mnt/work"),),
            read_only=((first.parent, "/mnt/first"), (second.parent, "/mnt/second")),
        )  # fmt: skip
        return run(Command(argv=argv, name="diffoscope", ok=frozenset({0, 1}), timeout=timeout)).stdout


def side(explanation: str, sign: str) -> bytes:
    """Give the lines of one side (- or +) of diffoscope's text, without the frames that it draws about them."""
    lines = (line.lstrip("│ ") for line in explanation.splitlines())
    return "\n".join(line[1:] for line in lines if line.startswith(sign)).encode()


def _opened(deb: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, str]]:
    """Go through the members of a package; those of its control.tar are named as dpkg-deb --raw-extract does."""
    with DebFile(os.fspath(deb)) as file:
        for part, prefix in ((file.control, "DEBIAN/"), (file.data, "")):
            with part.tgz() as tar:
                for member in tar:
                    yield tar, member, prefix + member.name.removeprefix("./")


def _members(deb: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Give all that a member is, its contents by their sum."""
    for tar, member, name in _opened(deb):
        content = tar.extractfile(member) if member.isreg() else None
        digest = hashlib.file_digest(content, "sha256").hexdigest() if content else ""  # type: ignore[arg-type]  # it is buffered
        about = (member.type, member.mode, member.uid, member.gid, member.uname, member.gname, member.mtime, member.linkname)
        yield name, (*about, digest)


def _contents(deb: Path, wanted: frozenset[str]) -> dict[str, bytes]:
    return {
        name: content.read()
        for tar, member, name in _opened(deb)
        if name in wanted and member.isreg() and (content := tar.extractfile(member))
    }
