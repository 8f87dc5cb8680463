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
class Choice:
    """Some of a foreign package's files, by name: `only` those, or all but `except_`."""

    package: str
    reason: str
    only: frozenset[str] = frozenset()
    except_: frozenset[str] = frozenset()

    def takes(self, name: str) -> bool:
        return name in self.only if self.only else name not in self.except_


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins(Choice):
    """The tools of one foreign package and the rule by which their twins run. `loaded_by`: what has modules in it, for those of
    that package.
    """

    native: str
    rule: str
    loaded_by: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)

    def twin(self, path: str) -> str:
        """Where the twin of a foreign file is in the native root."""
        for ours, theirs in self.paths.items():
            if path.startswith(ours):
                return theirs + path.removeprefix(ours)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts(Choice):
    """The scripts of a foreign package that the twin of `interpreter` may run, by a `rule` of their own where they have one."""

    interpreter: str
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A NUL-terminated text that is another one in the toolbox, found `count` times in each of `files`.

    With `within` it is a piece of one, and `new` as long; `optional`: they may also not have it at all; `operand`: or only in
    code, where a short text may be the operands of instructions. Where it cannot be made they have no twin, or no program of
    `packages` has one. `files` may be patterns (glob(7)).
    """

    files: tuple[str, ...]
    old: str
    new: str
    count: int
    reason: str
    within: bool = False
    optional: bool = False
    operand: bool = False
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The whole of it. `links` are names in the toolbox and the paths in its root that they may lead to, `directories` those of
    libraries below /usr/lib.
    """

    twins: tuple[Twins, ...]
    scripts: tuple[Scripts, ...]
    links: Mapping[str, tuple[str, ...]]
    directories: tuple[str, ...]
    edits: tuple[Edit, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        """The foreign packages that it is about."""
        return tuple(dict.fromkeys(entry.package for entry in (*self.twins, *self.scripts)))

    def modules(self) -> dict[str, tuple[str, ...]]:
        """Give the packages with modules for the programs of others, by those packages."""
        found: dict[str, tuple[str, ...]] = {}
        for entry in self.twins:
            if entry.loaded_by:
                found[entry.loaded_by] = (*found.get(entry.loaded_by, ()), entry.package)
        return found


def load(native: Arch, foreign: Arch, *, gcc: str, go: str, python: str) -> Table:
    """Read the table for a pair of architectures; `gcc`, `go` and `python` are versions of the suite's: 14, 1.24, 3.13."""
    names = {"native": native.name, "foreign": foreign.name, "gnu": foreign.triplet, "own_gnu": native.triplet}
    names |= {"cross": foreign.cross, "host": canonical(foreign), "own_host": canonical(native)}
    names |= {"gcc": gcc, "go": go, "python": python, "cpython": f"cpython-{python.replace('.', '')}"}

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
                **chosen(entry),
                native=entry.get("native", entry["package"]),
                rule=entry["rule"],
                loaded_by=entry.get("loaded_by", ""),
                paths=entry.get("paths", {}),
            )
            for entry in data["twins"]
        ),
        scripts=tuple(
            Scripts(**chosen(entry), interpreter=entry["interpreter"], rule=entry.get("rule", "")) for entry in data["scripts"]
        ),
        links=data["links"],
        directories=data["directories"],
        edits=tuple(Edit(**entry) for entry in data["edits"]),
    )


def chosen(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Give what every choice has."""
    return {
        "package": entry["package"],
        "reason": entry["reason"],
        "only": frozenset(entry.get("only", ())),
        "except_": frozenset(entry.get("except", ())),
    }


def canonical(arch: Arch) -> str:
    """Give the name of an architecture as config.sub makes it of its triplet, with a vendor."""
    cpu, system = arch.triplet.split("-", 1)
    vendor = "pc" if cpu in {"x86_64", "i386"} else "unknown"
    return f"{'i686' if cpu == 'i386' else cpu}-{vendor}-{system}"
