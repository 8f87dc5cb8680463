"""What `debkit doctor` tells of a machine: facts, and the steps that mend the bad ones."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


SCHEMA = 1  # of the JSON; a field that is added does not change it
ANY_CODE = frozenset(range(-64, 256))  # for commands whose failing is an answer


class State(StrEnum):
    """A build works with what is OK, may come to grief over a WARN, and cannot work with what is BAD."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command that mends something, run as root. Its standard input is the text `writes`, or the file `reads`, or empty."""

    argv: tuple[str, ...]
    writes: str = ""
    reads: Path | None = None

    def shell(self, *, root: bool) -> str:
        """Write it as somebody would type it: plain by root, through sudo by others."""
        line = shlex.join(self.argv if root else ("sudo", *self.argv))
        if self.writes:
            return f"echo {shlex.quote(self.writes)} | {line}"
        return f"{line} < {shlex.quote(str(self.reads))}" if self.reads else line


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that is so. `mend` is what `--fix` does; `by_hand` a command that only a person should decide on."""

    name: str
    state: State
    text: str
    mend: tuple[Step, ...] = ()
    by_hand: str = ""

    def remedy(self, *, root: bool) -> str:
        """Give the exact commands on one line, the narrower remedy first; empty where there is nothing to mend."""
        steps = " && ".join(step.shell(root=root) for step in self.mend)
        return f"{steps}; if that does not help: {self.by_hand}" if steps and self.by_hand else steps or self.by_hand


def write(path: Path, value: str) -> Step:
    """Make the step that writes a value into a file of the kernel's."""
    return Step(argv=("tee", str(path)), writes=value)


def install(*packages: str) -> tuple[Step, ...]:
    """Make the steps that install packages, each given as a dependency (with alternatives and versions)."""
    apt_get = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get")
    return (
        Step(argv=(*apt_get, "update")),
        Step(argv=(*apt_get, "satisfy", "--yes", "--no-install-recommends", ", ".join(packages))),
    )


def as_line(fact: Fact, *, root: bool) -> str:
    """Write a fact on one line, with the exact command that mends it."""
    remedy = fact.remedy(root=root)
    return f"{fact.state:<5}{fact.name:<24}{fact.text}" + (f"; to mend it: {remedy}" if remedy else "")


def as_json(facts: tuple[Fact, ...], *, root: bool) -> dict[str, object]:
    """Make what `doctor --json` prints. `ready` is whether a build can work."""
    return {
        "schema": SCHEMA,
        "ready": not any(fact.state is State.BAD for fact in facts),
        "facts": [
            {
                "name": fact.name,
                "state": str(fact.state),
                "text": fact.text,
                "mend": [step.shell(root=root) for step in fact.mend],
                "by_hand": fact.by_hand,
            }
            for fact in facts
        ],
    }
