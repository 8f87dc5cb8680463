"""debian/changelog: read its newest entry, and write it anew for a snapshot, a release or a rebuild.

Owns python-debian's changelog parser. Edits are made to the text, so that older entries stay as they were, byte for byte.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING

from debian.changelog import Changelog, ChangelogParseError

from debkit.errors import SourceError
from debkit.source.place import PACKAGE_NAME

if TYPE_CHECKING:
    from pathlib import Path

UNRELEASED = "UNRELEASED"
WIDTH = 80  # lintian: debian-changelog-line-too-long
VERSION = re.compile(r"(?:\d+:)?\d[A-Za-z0-9.+:~-]*")  # Debian policy 5.6.12
HEADING = re.compile(
    r"^(?P<name>\w[-+0-9A-Za-z.]*) \((?P<version>[^() \t]+)\)(?P<distributions>[^;\n]*);(?P<rest>[^\n]*)$", re.MULTILINE
)
TRAILER = re.compile(r"^ -- (?P<author>[^\n]*>)  ?[^\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A changelog entry. `time` is its date, in seconds since the epoch.

    `released` is the newest version that is not UNRELEASED: this entry's, or that of one below it.
    """

    name: str
    version: str
    distribution: str
    author: str
    time: int
    released: str = ""

    @property
    def unreleased(self) -> bool:
        return self.distribution == UNRELEASED

    @property
    def upstream(self) -> str:
        """The version without epoch and Debian revision."""
        return upstream_of(self.version)

    @property
    def has_revision(self) -> bool:
        return "-" in self.version


def without_epoch(version: str) -> str:
    """Give the version as file names have it."""
    return version.partition(":")[2] or version


def upstream_of(version: str) -> str:
    """Give a version without its epoch and its Debian revision."""
    return without_epoch(version).rpartition("-")[0] or without_epoch(version)


def newest_version(text: str) -> str:
    """Give the version of the newest entry, as far as it has one that can be read."""
    return found["version"] if (found := HEADING.search(text)) else ""


def newest_entry(text: str) -> str:
    """Give the text of the newest entry alone."""
    return text[: found.end()].lstrip() + "\n" if (found := TRAILER.search(text)) else text


def read_changelog(path: Path) -> Entry:
    """Read the newest entry. Raises SourceError naming what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            raise _broken(path, "it is empty")
        blocks = Changelog(text.split("\n"), max_blocks=1, strict=True)
        newest = blocks[0]
        version, date = str(newest.version), parsedate_to_datetime(str(newest.date))
    except UnicodeDecodeError as problem:
        raise _broken(path, f"it is not UTF-8 (byte {problem.start})") from problem
    except (ChangelogParseError, ValueError, TypeError) as problem:
        raise _broken(path, str(problem)) from problem
    if not VERSION.fullmatch(version):
        raise _broken(path, f"{version!r} is not a version: one starts with a digit (Debian policy 5.6.12)")
    name, author = str(newest.package), str(newest.author)
    if not PACKAGE_NAME.fullmatch(name):
        raise _broken(path, f"{name!r} is not a package name: lower-case letters, digits, '+', '-' and '.' (Debian policy 5.6.1)")
    released = next((h["version"] for h in HEADING.finditer(text) if h["distributions"].strip() != UNRELEASED), "")
    return Entry(name, version, str(newest.distributions), author, int(date.timestamp()), released)


def retitled(text: str, *, version: str, distribution: str, time: int) -> str:
    """Give the newest entry another version, distribution and date."""
    text = HEADING.sub(lambda old: f"{old['name']} ({version}) {distribution};{old['rest']}", text, count=1)
    return TRAILER.sub(lambda old: f" -- {old['author']}  {_date(time)}", text, count=1)


def with_entry(text: str, entry: Entry, changes: tuple[str, ...]) -> str:
    """Put an entry on top that lists `changes`."""
    items = "\n".join(
        textwrap.fill(change, WIDTH, initial_indent="  * ", subsequent_indent="    ", break_long_words=False)
        for change in changes
    )
    return (
        f"{entry.name} ({entry.version}) {entry.distribution}; urgency=medium\n\n"
        f"{items}\n\n -- {entry.author}  {_date(entry.time)}\n\n{text.lstrip()}"
    )


def with_rebuild(text: str, entry: Entry, *, version: str, distribution: str, time: int) -> str:
    """Put an entry on top that says what a backporter's does: rebuilt, with no change."""
    return with_entry(text, Entry(entry.name, version, distribution, entry.author, time), (f"Rebuild for {distribution}.",))


def _date(time: int) -> str:
    return format_datetime(datetime.fromtimestamp(time, UTC))


def _broken(path: Path, why: str) -> SourceError:
    return SourceError(f"{path} cannot be read", cause=why, hint=f"dpkg-parsechangelog -l {path}")
