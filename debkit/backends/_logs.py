"""Reading a build log: live, for the phases and their times, and afterwards, for how it ended."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debkit.model import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from debkit.console import Progress

# What a log tells of the machine, or of sbuild's own doing, whatever its verdict.
SIGNS = {
    "disk": re.compile(r"No space left on device|Disk space is probably not sufficient|Disk quota exceeded"),
    "memory": re.compile(r"Killed signal terminated program|virtual memory exhausted|Cannot allocate memory"),
    "fetch": re.compile(r"^E: (Failed to fetch|Unable to fetch|Some index files failed to download)|Temporary failure resolving"),
    "stalled": re.compile(r"Build killed with signal \w+ after \d+ minutes of inactivity"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a finished log says: sbuild's `Status:` and `Fail-Stage:` (empty in other logs), and the signs found in it.

    `disk_bytes` is the build tree at the build's end, which both builders print.
    """

    status: str
    stage: str
    disk_bytes: int
    signs: frozenset[str]


def read(log: Path, signs: Mapping[str, re.Pattern[str]] = SIGNS) -> Reading:
    """Read a log line by line, as logs of a hundred megabytes are no rarity; of a field that comes again the last one counts."""
    fields = {"Status": "", "Fail-Stage": "", "Space": ""}
    found = set()
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, colon, value = line.rstrip("\n").partition(": ")
            if colon and name in fields:
                fields[name] = value
            found |= {sign for sign, pattern in signs.items() if sign not in found and pattern.search(line)}
    return Reading(
        status=fields["Status"],
        stage=fields["Fail-Stage"],
        disk_bytes=int(fields["Space"]) * 1024 if fields["Space"].isdecimal() else 0,
        signs=frozenset(found),
    )


@dataclass(slots=True)
class Watch:
    """Follows a build's output and times its phases. `heading` gives the phase that a line begins, or None."""

    progress: Progress
    heading: Callable[[str], str | None]
    phase: str
    clock: Callable[[], float] = time.monotonic
    _since: float = 0.0
    _spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._since = self.clock()
        self.progress.phase(self.phase)

    def line(self, text: str) -> None:
        name = self.heading(text)
        if name is not None:
            self.enter(name)
        self.progress.line(text)

    def enter(self, phase: str) -> None:
        if phase != self.phase:
            self._book()
            self.phase = phase
            self.progress.phase(phase)

    def phases(self) -> tuple[Phase, ...]:
        """Give the phases so far, in the order in which they were first entered."""
        self._book()
        return tuple(Phase(name, round(seconds, 3)) for name, seconds in self._spent.items())

    def _book(self) -> None:
        now = self.clock()
        self._spent[self.phase] = self._spent.get(self.phase, 0.0) + now - self._since
        self._since = now
