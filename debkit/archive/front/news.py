"""What a source's changelog says last, read from what the pool has of it. Owns python-debian's DebFile."""

from __future__ import annotations

import gzip
import lzma
import re
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.arfile import ArError
from debian.changelog import Changelog, ChangelogParseError
from debian.deb822 import Dsc
from debian.debfile import DebError, DebFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[[Path, tuple[Path, ...]], tuple["News", ...]]

ENTRIES = 3
LINES = 24  # of one entry
# Unpacking takes a second for each 100 MB or so, and a publish waits for it.
LARGEST = 20_000_000
CHANGELOG = re.compile(r"(?:\./)?(?:[^/]+/)?debian/changelog")
UNREADABLE = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, tarfile.TarError, ArError, DebError, ChangelogParseError)


@dataclass(frozen=True, slots=True)
class News:
    """A changelog entry: its version, its date as the entry has it ("Tue, 02 Jan 2024 03:04:05 +0000"), and what changed."""

    version: str
    date: str
    lines: tuple[str, ...]


def read_news(dsc: Path, debs: tuple[Path, ...]) -> tuple[News, ...]:
    """Read the newest entries of a source's changelog; none where there is none that can be read, which is no error.

    The source has it in a small file, unless it is native (`LARGEST` is in bytes); then it is taken from one of its packages.
    """
    for read, file in ((_of_source, dsc), *((_of_deb, deb) for deb in sorted(debs, key=_size))):
        try:
            if news := parse(read(file)):
                return news
        except UNREADABLE:
            continue
    return ()


def parse(text: str) -> tuple[News, ...]:
    """Take the newest entries of a changelog. Raises ChangelogParseError."""
    if not text.strip():
        return ()
    blocks = Changelog(text.split("\n"), max_blocks=ENTRIES, strict=True, allow_empty_author=True)
    return tuple(News(str(block.version), str(block.date or ""), _lines(block.changes())) for block in blocks)


def _lines(changes: list[str]) -> tuple[str, ...]:
    lines = [line.removeprefix("  ").rstrip() for line in "\n".join(map(str, changes)).strip("\n").split("\n")]
    return (*lines[:LINES], "…") if len(lines) > LINES else tuple(lines)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _of_source(dsc: Path) -> str:
    """Read debian/changelog from a source package of any format that dpkg-source(1) knows."""
    names = [str(file["name"]) for file in Dsc(dsc.read_text(encoding="utf-8"))["Files"]]
    for name in sorted(names, key=lambda name: ".debian.tar." not in name):
        file = dsc.with_name(name)
        if name.endswith(".diff.gz"):
            return from_diff(gzip.decompress(file.read_bytes()).decode(errors="replace"))
        if ".debian.tar." in name or (".tar." in name and ".orig" not in name and _size(file) <= LARGEST):
            return _from_tarball(file)
    return ""


def _from_tarball(file: Path) -> str:
    with tarfile.open(file, "r|*") as tar:
        for member in tar:
            if member.isfile() and CHANGELOG.fullmatch(member.name) and (stream := tar.extractfile(member)):
                return stream.read().decode(errors="replace")
    return ""


def from_diff(diff: str) -> str:
    """Take debian/changelog out of a source's .diff.gz, where it is a file that the diff adds."""
    found = re.search(r"^\+\+\+ [^/\n]+/debian/changelog\b.*\n@@ -0,0 .*\n((?:\+.*\n)+)", diff, flags=re.MULTILINE)
    return re.sub(r"^\+", "", found[1], flags=re.MULTILINE) if found else ""


def _of_deb(deb: Path) -> str:
    if _size(deb) > LARGEST:
        return ""
    with DebFile(str(deb)) as package:
        name = package.debcontrol()["Package"]
        for path in (f"usr/share/doc/{name}/changelog.Debian.gz", f"usr/share/doc/{name}/changelog.gz"):
            if package.data.has_file(path):
                return gzip.decompress(package.data.get_content(path) or b"").decode(errors="replace")
    return ""
