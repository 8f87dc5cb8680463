"""The first real error of a build log: not the last `make: *** Error 2`, but what made make give up.

A line that is known to end a build ("verdict") is looked for; of the lines before it that look like a cause ("clue"), the first
of the last group is taken. Clues that are far apart are different groups, so that what a configure script or a passing test
printed long before is not blamed. Without a clue the verdict itself is shown, with what stands above it.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from debkit.model import Excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

BEFORE, AFTER = 3, 6
VERDICT_BEFORE, VERDICT_AFTER = 10, 1  # the cause is then unknown, and most often just above
LONGEST_BLOCK = 40  # of a traceback, or of a list of unmet dependencies
BLOCKS = ("Traceback ", "The following packages have unmet")
GROUP_LINES = 200

CLUES = tuple(
    re.compile(pattern)
    for pattern in (
        r"^[^\s:][^:]*:\d+(:\d+)?: (fatal |internal compiler )?error\b",  # gcc, clang, many others
        r"^[^\s:][^:]*: (fatal )?error: \S",  # a tool's own: as, ld, cc1, dpkg-source, dh_*
        r"undefined reference to |: undefined symbol: |^\S*ld(\.\w+)?: cannot find ",
        r"No space left on device|Cannot allocate memory|Killed signal terminated program",
        r"^CMake Error\b",
        r"^configure: error:|^\S*meson\.build:\d+:\d+: ERROR:|^ERROR: (Dependency|Program|Problem)",
        r"^Traceback \(most recent call last\):",
        r"^error(\[E\d+\])?: \S",  # rust, setuptools
        r"^\S+\.go:\d+:\d+: ",
        r"^(# )?not ok \d+|^FAIL(ED)?:? |^--- FAIL: |\*\*\*(Failed|Exception|Timeout|Not Run)\b|^\S+ \.* *FAILED\b",
        r"^(E|FAILED) +\S+(::\S+| - )|^=+ FAILURES =+$|^(ERROR|FAIL): \w+ \(",  # pytest, unittest
        r"^\S*sh: (line )?\d+: ",
        r"^(/usr/bin/)?env: .*No such file or directory",
        r"^Can't locate \S+\.pm in @INC|^syntax error at \S+ line \d+|^\S+: \d+: .*: not found$",
        r"^make(\[\d+\])?: \*\*\* (No rule to make target|No targets)|^make(\[\d+\])?: \S+: (Command not found|No such file)",
        r"^Makefile\S*:\d+: \*\*\* |^\S+\.mk:\d+: \*\*\* |^debian/rules:\d+: \*\*\* ",
        r"^dh(_\w+)?: .*(error|missing|[Cc]annot|unknown)|^dh_install: warning: Cannot find|^dh_missing: error",
        r"^dpkg-\w+: (error|failure): |^dpkg: error\b",
        r"^E: (?!Unable to correct problems)\S",  # apt, sbuild, pbuilder; that one may come before what explains it
        r"^The following packages have unmet dependencies:|^ .* but it is not (installable|going to be installed)",
        r"^dpkg-checkbuilddeps: error|^(Hunk #\d+ FAILED|patching file .* FAILED|\d+ out of \d+ hunks? FAILED)",
        r"Segmentation fault|Assertion .* failed|\bcore dumped\b|^Aborted$|terminate called after throwing",
        r"^\[ERROR\] |^npm ERR! |^error TS\d+|^Error: |^FATAL: |^fatal: ",
    )
)

VERDICTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(make|gmake|ninja)(\[\d+\])?: \*\*\* \[.*\] (Error \d+|Segmentation fault|Killed|Terminated)",
        r"^ninja: build stopped:",
        r"^dh_\w+: error: ",
        r"^dpkg-(buildpackage|source|deb|gencontrol|shlibdeps|checkbuilddeps|genchanges): (error|failure): ",
        r"^(E: )?FAILED \[dpkg-source died\]",
        r"^E: (Build failure|Package (build dependencies|installation) |pbuilder-satisfydepends failed|Failed autobuilding)",
        r"^E: (pbuilder: Failed extracting|Error creating chroot)",
        r"^apt-get (failed|.* failed)|^E: apt-get ",
        r"^E: Build killed with signal",
        r"^Build killed with signal",
    )
)

# What make goes on after: its clues were no error.
IGNORED = re.compile(r"^make(\[\d+\])?: \[.*\] Error \d+ \(ignored\)")


def first_error(lines: Iterable[str]) -> Excerpt | None:
    """Find the first real error of a build log, with the lines around it; None when nothing in it looks like one."""
    search = FirstError()
    for line in lines:
        search.feed(line)
    return search.found()


class FirstError:
    """The search, fed line by line so that a log need not be held in memory."""

    def __init__(self) -> None:
        self._count = 0
        self._above: deque[str] = deque(maxlen=VERDICT_BEFORE)
        self._clue: _Collecting | None = None
        self._last_clue = 0
        self._verdict: _Collecting | None = None

    def feed(self, line: str) -> None:
        self._count += 1
        if self._clue:
            self._clue.add(line)
        if self._verdict:
            self._verdict.add(line)
        elif IGNORED.match(line):
            self._clue = None
        elif any(pattern.match(line) for pattern in VERDICTS):
            self._verdict = _Collecting(self._count, tuple(self._above), line, VERDICT_AFTER)
            if self._clue:
                self._clue.limit(VERDICT_AFTER)
        elif any(pattern.search(line) for pattern in CLUES):
            self._note_clue(line)
        self._above.append(line)

    def found(self) -> Excerpt | None:
        best = self._clue or self._verdict
        return best.excerpt() if best else None

    def _note_clue(self, line: str) -> None:
        if self._clue is None or self._count - self._last_clue > GROUP_LINES:
            block = line.startswith(BLOCKS)
            self._clue = _Collecting(
                self._count, tuple(self._above)[-BEFORE:], line, LONGEST_BLOCK if block else AFTER, block=block
            )
        self._last_clue = self._count


class _Collecting:
    """A line, those above it, and those below it as they come: `left` of them, or the whole block that it begins."""

    def __init__(self, number: int, above: tuple[str, ...], line: str, left: int, *, block: bool = False) -> None:
        self._number = number
        self._lines = [*above, line]
        self._left = left
        self._block = block

    def add(self, line: str) -> None:
        if self._left:
            self._lines.append(line)
            self._left -= 1
            if self._block and not line.startswith(" "):  # the line after a block ends it: the exception, apt's verdict
                self._left = 0

    def limit(self, left: int) -> None:
        self._left = min(self._left, left)

    def excerpt(self) -> Excerpt:
        return Excerpt(self._number, tuple(self._lines))
