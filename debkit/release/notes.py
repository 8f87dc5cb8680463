"""Release notes in Markdown, grouped from commits. Pure.

What a commit says is shown as it stands: a forge that reads it finds no mention of a user, no reference to an issue, no markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debkit.source import Change

# The Conventional Commits specification 1.0.0, and the types that its users add; any other prefix is a part of the project.
FIRST = {"feat": "Features", "fix": "Fixes", "perf": "Performance"}
LAST = {
    "refactor": "Internals",
    "docs": "Documentation",
    "doc": "Documentation",
    "test": "Tests",
    "tests": "Tests",
    "build": "Build",
    "ci": "Build",
    "chore": "Chores",
    "style": "Chores",
    "revert": "Reverts",
}
BREAKING, OTHER = "Breaking changes", "Other changes"
SUBJECT = re.compile(r"(?P<type>[A-Za-z0-9][\w./+-]*)(?:\((?P<scope>[^()]+)\))?(?P<breaking>!)?: +(?P<text>\S.*)")
BREAKS = re.compile(r"^BREAKING[ -]CHANGE: ", re.MULTILINE)
MARKUP = re.compile(r"[\\`*_\[\]<>|~&$]")
# A forge links these wherever they stand; a space without width comes between.
LINKED = re.compile(r"@(?=\w)|#(?=\d)|(?<=\bGH-)(?=\d)")
STARTS_BLOCK = re.compile(r"(?P<number>\d+)?(?P<sign>[.)](?= |$)|[-+=#])")


def written(changes: tuple[Change, ...]) -> str:
    """Write the notes: a heading a kind or part, the breaking changes first; commits marked Gbp-Dch: Ignore are left out."""
    groups: dict[str, list[str]] = {}
    for change in changes:
        if not change.ignored:
            title, line = _sorted_out(change)
            groups.setdefault(title, []).append(line)
    if not groups:
        return "No changes.\n"
    titles = sorted(groups, key=_rank)
    if titles == [OTHER]:
        return _list(groups[OTHER])
    return "\n".join(f"### {title}\n\n{_list(groups[title])}" for title in titles)


def escaped(text: str) -> str:
    """Escape what Markdown, or a forge that reads it, would take for more than text."""
    plain = LINKED.sub(lambda sign: f"{sign[0]}&#8203;", MARKUP.sub(r"\\\g<0>", text))
    return STARTS_BLOCK.sub(r"\g<number>\\\g<sign>", plain, count=1) if STARTS_BLOCK.match(plain) else plain


def _sorted_out(change: Change) -> tuple[str, str]:
    """Say under which heading a change comes, and how it reads there."""
    found = SUBJECT.fullmatch(change.subject)
    text = escaped(found["text"] if found else change.subject)
    if found and found["scope"]:
        text = f"{escaped(found['scope'])}: {text}"
    if "full" in change.dch and change.body:
        text = "\n".join((text, "", *(f"  {escaped(line.strip())}".rstrip() for line in change.body.splitlines())))
    if BREAKS.search(change.body) or (found and found["breaking"]):
        return BREAKING, text
    if not found:
        return OTHER, text
    kind = found["type"].lower()
    return FIRST.get(kind) or LAST.get(kind) or escaped(found["type"]), text


def _rank(title: str) -> tuple[int, int, str]:
    """Order the headings: what users look for, then the project's parts by name, then what only developers look for."""
    for place, known in enumerate(((BREAKING, *FIRST.values()), (), (*LAST.values(), OTHER))):
        if title in known:
            return place, known.index(title), ""
    return 1, 0, title


def _list(lines: list[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)
