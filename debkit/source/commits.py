"""The commits that a release or a snapshot is made of, as git tells them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.source.git import git, toplevel

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run

TRAILER = re.compile(r"^(?:Gbp|Git)-Dch:[ \t]*(?P<word>\S+)[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """A commit that is no merge. `dch` are the words of its Gbp-Dch trailers, which its `body` is without."""

    id: str
    subject: str
    body: str = ""
    dch: frozenset[str] = frozenset()

    @property
    def ignored(self) -> bool:
        return "ignore" in self.dch


def read_changes_since(run: Run, tree: Path, since: str) -> tuple[Change, ...]:
    """List the commits after `since`, or all where it is empty, the oldest first; of a part of a repository only its own."""
    # rev-list, since log obeys the user's configuration.
    told = git(
        run, tree, "rev-list", "--no-merges", "--reverse", "--topo-order", "--encoding=UTF-8", "--no-commit-header",
        "--format=%H%x00%s%x00%b%x00", f"{since}..HEAD" if since else "HEAD", *paths(tree),
    )  # fmt: skip
    parts = told.split("\0")
    return tuple(_change(*each) for each in zip(parts[0::3], parts[1::3], parts[2::3], strict=False) if each[1].strip())


def paths(tree: Path) -> tuple[str, ...]:
    """Give the arguments that keep git to the tree, where that is a part of its repository."""
    return ("--", ".") if toplevel(tree) != tree.resolve() else ()


def _change(commit: str, subject: str, body: str) -> Change:
    words = frozenset(found["word"].lower() for found in TRAILER.finditer(body))
    return Change(commit.strip(), subject.strip(), TRAILER.sub("", body).strip(), words)
