"""debian/changelog: read its newest entry, and write it anew for a snapshot or a rebuild.

Owns python-debian's changelog parser. Edits are made to the text, so that older entries stay as they were, byte for byte.
"""

from __future__ import annotations

import re
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
VERSION = re.compile(r"(?:\d+:)?\d[A-Za-z0-9.+:~-]*")  # Debian policy 5.6.12
HEADING = re.compile(r"^(?P<name>\w[-+0-9A-Za-z.]*) \([^() \t]+\)[^;\n]*;(?P<rest>[^\n]*)$", re.MULTILINE)
TRAILER = re.compile(r"^ -- (?P<author>[^\n]*>)  ?[^\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A changelog entry. `time` is its date, in seconds since the epoch."""

    name: str
    version: str
    distribution: str
    author: str
    time: int

    @property
    def unreleased(self) -> bool:
        return self.distribution == UNRELEASED

    @property
    def upstream(self) -> str:
        """The version without epoch and Debian revision."""
        return without_epoch(self.version).rpartition("-")[0] or without_epoch(self.version)

    @property
    def has_revision(self) -> bool:
        return "-" in self.version


def without_epoch(version: str) -> str:
    """Give the version as file names have it."""
    return version.partition(":")[2] or version


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
    return Entry(name, version, str(newest.distributions), author, int(date.timestamp()))


def retitled(text: str, *, version: str, distribution: str, time: int) -> str:
    """Give the newest entry another version, distribution and date."""
    text = HEADING.sub(lambda old: f"{old['name']} ({version}) {distribution};{old['rest']}", text, count=1)
    return TRAILER.sub(lambda old: f" -- {old['author']}  {_date(time)}", text, count=1)


def with_rebuild(text: str, entry: Entry, *, version: str, distribution: str, time: int) -> str:
    """Put an entry on top that says what a backporter's does: rebuilt, with no change."""
    return (
        f"{entry.name} ({version}) {distribution}; urgency=medium\n\n"
        f"  * Rebuild for {distribution}.\n\n"
        f" -- {entry.author}  {_date(time)}\n\n{text.lstrip()}"
    )


def _date(time: int) -> str:
    return format_datetime(datetime.fromtimestamp(time, UTC))


def _broken(path: Path, why: str) -> SourceError:
    return SourceError(f"{path} cannot be read", cause=why, hint=f"dpkg-parsechangelog -l {path}")
