"""How two architectures say the same: their names in file names, dependencies and texts are mapped to one placeholder."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from debkit.model import ARCHES

if TYPE_CHECKING:
    from collections.abc import Iterable

# Here the other's name is a mistake even where both packages have it: a multiarch directory, and a dependency's architecture.
OWN_NAME_ONLY = re.compile(r"(^|/)lib/[^/ ]+-linux-gnu|^[^/ ]+:(?!any\b|native\b|all\b)[a-z]")
SHOWN = 120


@cache
def _spellings(arch: str) -> re.Pattern[str]:
    """Match what an architecture is called: amd64 is x86_64-linux-gnu, x86-64-linux-gnu, x86_64 and x86-64 too.

    arm is no name of armhf: it is a word of its own in too many names.
    """
    known = ARCHES[arch]
    cpu = known.triplet.partition("-")[0]
    words = {known.triplet, known.cross, arch, *({cpu, cpu.replace("_", "-")} - {"arm"})}
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"(?<![A-Za-z0-9])({'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")


def mapped(text: str, arch: str) -> str:
    """Put {arch} for every name of an architecture, and {triplet} for its triplets."""
    return _spellings(arch).sub(lambda found: "{triplet}" if "-linux-" in found[0] else "{arch}", text)


@dataclass(frozen=True, slots=True)
class Match:
    """Names that are the same but for the architecture, in pairs of ours and theirs, and what is left on either side."""

    pairs: list[tuple[str, str]]
    ours: list[str]
    theirs: list[str]


def match(ours: Iterable[str], theirs: Iterable[str], arches: tuple[str, str]) -> Match:
    """Pair names by what they are when the architectures' names are mapped.

    What is the same as it stands goes first, because data for several architectures may be in a package of each.
    """
    mine, yours = set(ours), set(theirs)
    same = {name for name in mine & yours if not OWN_NAME_ONLY.search(name)}
    pairs = [(name, name) for name in same]
    left: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, (names, arch) in enumerate(zip((mine - same, yours - same), arches, strict=True)):
        for name in sorted(names):
            left[mapped(name, arch)][side].append(name)
    only: tuple[list[str], list[str]] = ([], [])
    for own, other in left.values():
        pairs += zip(own, other, strict=False)
        only[0].extend(own[len(other) :])
        only[1].extend(other[len(own) :])
    return Match(sorted(pairs), sorted(only[0]), sorted(only[1]))


def first_difference(ours: str, theirs: str, arches: tuple[str, str]) -> tuple[int, str, str] | None:
    """Give the first line that differs by more than the architecture's name: its number, ours and theirs. None: there is none."""
    lines = zip_longest(ours.splitlines(), theirs.splitlines())
    for number, (own, other) in enumerate(lines, start=1):
        if own is None or other is None or (own != other and mapped(own, arches[0]) != mapped(other, arches[1])):
            return number, shown(own), shown(other)
    return None


def shown(line: str | None) -> str:
    """Quote a line for a finding, cut where it is long."""
    if line is None:
        return "not there"
    return f"“{line if len(line) <= SHOWN else line[: SHOWN - 1] + '…'}”"
