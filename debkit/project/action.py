"""The debkit that a project's workflow releases with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import debkit
from debkit.errors import ConfigError
from debkit.project.facts import repository
from debkit.source.git import git

if TYPE_CHECKING:
    from debkit.run import Run

HOME = "debkit/debkit"
WORKFLOW = ".github/workflows/release.yml"
FORM = re.compile(r"(?P<name>[A-Za-z0-9-]+/[A-Za-z0-9._-]+)@(?P<ref>[A-Za-z0-9._/-]+)")
COMMIT = re.compile(r"[0-9a-f]{40}")
RELEASED = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Action:
    """A debkit on GitHub: the OWNER/NAME of its repository, and a commit, tag or branch there."""

    name: str
    ref: str

    def __str__(self) -> str:
        return f"{self.name}@{self.ref}"

    @property
    def workflow(self) -> str:
        """Give what a job `uses`."""
        return f"{self.name}/{WORKFLOW}@{self.ref}"

    @property
    def pinned(self) -> bool:
        return COMMIT.fullmatch(self.ref) is not None


def parsed(text: str) -> Action | None:
    """Read OWNER/NAME@REF; None for what is none."""
    found = FORM.fullmatch(text)
    return Action(found["name"], found["ref"]) if found else None


def own(run: Run, checkout: Path = Path(debkit.__file__).parents[1], version: str = debkit.__version__) -> Action:
    """Name the debkit that runs: by its checkout's commit and origin, else by the tag of its version.

    Raises ConfigError for one that is neither a checkout nor released.
    """
    if (checkout / ".git").exists():
        origin = repository(git(run, checkout, "remote", "get-url", "origin", ok=frozenset({0, 2})))
        return Action(origin or HOME, git(run, checkout, "rev-parse", "--verify", "HEAD").strip())
    if not RELEASED.fullmatch(version):
        raise ConfigError(
            "which debkit is to release this project is not known",
            cause=f"this one is {version}, which is no release, and no checkout, whose commit could be named",
            hint="debkit init --action OWNER/NAME@COMMIT",
        )
    return Action(HOME, f"v{version}")
