"""The table of twins, `twins.toml`, with the names of two architectures filled in."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debkit.model import Arch

TWINS = Path(__file__).with_name("twins.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """The tools of one foreign package and the rule by which their twins run. `only` and `except_` are file names."""

    package: str
    native: str
    rule: str
    reason: str
    only: frozenset[str] = frozenset()
    except_: frozenset[str] = frozenset()
    paths: Mapping[str, str] = field(default_factory=dict)

    def takes(self, name: str) -> bool:
        return name in self.only if self.only else name not in self.except_

    def twin(self, path: str) -> str:
        """Where the twin of a foreign file is in the native root."""
        for ours, theirs in self.paths.items():
            if path.startswith(ours):
                return theirs + path.removeprefix(ours)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A NUL-terminated text that is another one in the toolbox, found `count` times in each of `files`."""

    files: tuple[str, ...]
    old: str
    new: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """The twins, and the edits of those that need more than to be found."""

    twins: tuple[Twins, ...]
    edits: tuple[Edit, ...]


def load(native: Arch, foreign: Arch, gcc: str) -> Table:
    """Read the table for a pair of architectures; `gcc` is the major version of the suite's compiler."""
    names = {"native": native.name, "foreign": foreign.name, "gnu": foreign.triplet, "gcc": gcc}

    def filled(value: Any) -> Any:
        match value:
            case str():
                return value.format_map(names)
            case list():
                return tuple(map(filled, value))
            case dict():
                return {filled(key): filled(item) for key, item in value.items()}
            case _:
                return value

    data = filled(tomllib.loads(TWINS.read_text(encoding="utf-8")))
    return Table(
        twins=tuple(
            Twins(
                package=entry["package"],
                native=entry.get("native", entry["package"]),
                rule=entry["rule"],
                reason=entry["reason"],
                only=frozenset(entry.get("only", ())),
                except_=frozenset(entry.get("except", ())),
                paths=entry.get("paths", {}),
            )
            for entry in data["twins"]
        ),
        edits=tuple(Edit(**entry) for entry in data["edits"]),
    )
