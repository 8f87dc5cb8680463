"""The journal: a line of JSON for every act that changed what the archive publishes, in `journal.jsonl` of its base.

It is only ever appended to; what a killed run has appended is cut off with all else that it did (transaction). With it the
members of every suite can be told although the database and the indices are lost: `members` follows it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from debkit.archive.reprepro import Entry
from debkit.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What was done to a suite. `time` is UTC (ISO 8601), `snapshot` the state that it led to, `key` who signed that.

    `act` is publish, rollback, promote, prune, refresh, recover or rebuild; `detail` says of what. `added` and `removed` are the
    members by which the state differs from the one before.
    """

    time: str
    suite: str
    act: str
    detail: str
    snapshot: str
    key: str
    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()


def path(base: Path) -> Path:
    return base / JOURNAL


def append(base: Path, acts: Sequence[Act]) -> None:
    """Write acts at the end, on disk for good."""
    if not acts:
        return
    text = "".join(json.dumps(asdict(act), separators=(",", ":")) + "\n" for act in acts)
    mend(base)
    with path(base).open("a", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def mend(base: Path) -> None:
    """Take away a last line that a full disk or a kill has torn, and end one that lacks its end only."""
    lines, torn = _lines(base)
    if torn:
        os.truncate(path(base), sum(map(len, lines)))
    elif lines and not lines[-1].endswith(b"\n"):
        with path(base).open("ab") as stream:
            stream.write(b"\n")


def size(base: Path) -> int:
    """Give its length in bytes, 0 where there is none."""
    return path(base).stat().st_size if path(base).exists() else 0


def cut(base: Path, length: int) -> None:
    """Take away what was appended after it was `length` bytes long."""
    if size(base) > length:
        os.truncate(path(base), length)


def read(base: Path, suite: str = "") -> tuple[Act, ...]:
    """Read what was done, the oldest first, to a suite or to all. Raises ArchiveError for a damaged journal.

    A last line that is torn is no damage: what it told of was undone.
    """
    acts = []
    for number, line in enumerate(_lines(base)[0], 1):
        try:
            acts.append(_act(json.loads(line)))
        except (ValueError, TypeError, KeyError) as problem:
            raise ArchiveError(
                f"{path(base)} is damaged",
                cause=f"line {number} is not a line of a journal: {problem}",
                hint=f"sed -n {number}p {path(base)}; put it back from a backup, or remove the line",
            ) from problem
    return tuple(act for act in acts if suite in {"", act.suite})


def members(acts: Iterable[Act]) -> frozenset[Entry]:
    """Follow one suite's acts: what it had after the last of them."""
    there: set[Entry] = set()
    for act in acts:
        there -= set(act.removed)
        there |= set(act.added)
    return frozenset(there)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _lines(base: Path) -> tuple[list[bytes], bool]:
    """Give the lines but for a torn one at the end, and whether there is one. One without a newline may have been edited so."""
    lines = path(base).read_bytes().splitlines(keepends=True) if path(base).exists() else []
    if not lines or lines[-1].endswith(b"\n"):
        return lines, False
    try:
        json.loads(lines[-1])
    except ValueError:
        return lines[:-1], True
    return lines, False


def _act(data: dict[str, object]) -> Act:
    parts: dict[str, tuple[Entry, ...]] = {}
    for name in ("added", "removed"):
        found = data.pop(name)
        if not isinstance(found, list):
            raise TypeError(name)
        parts[name] = tuple(Entry(**entry) for entry in found)
    told: dict[str, Any] = {name: str(value) for name, value in data.items()}
    return replace(Act(**told), added=parts["added"], removed=parts["removed"])
