"""The toolboxes that are cached, and what each of them holds; the compilers that were built for them."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from debkit.chroot import cache
from debkit.chroot.upkeep import COMPILERS, TOOLBOX, TOOLBOXES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOTE = "note.json"
COMPILER = re.compile(r"(gcc|g\+\+|cpp)-\d+[-: ]")  # where a line about versions is about its packages
NAMED = 3  # packages, where a library that has another version leaves many without twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Stocked:
    """A toolbox: `count` twins, the packages that have none because their versions `differ`, and those, and programs by their
    paths, that are `unfit` since the table's edits expect others. `in_use` is it just now.

    `compiler` tells its native compiler, empty where it has none. Or, by its `kind`, a compiler of `count` programs, on its own.

    Times are in seconds since the epoch, `size` in bytes.
    """

    name: str
    kind: str
    suite: str
    arch: str
    path: Path
    created: float
    used: float
    size: int
    count: int
    differing: tuple[str, ...]
    unfit: tuple[str, ...]
    compiler: str
    in_use: bool


def note(toolbox: Path, differing: tuple[str, ...], compiler: str, unfit: Iterable[str] = ()) -> None:
    """Leave in a new toolbox what `listing` tells of it, and the empty file that a build's trace is bound over.

    With a native `compiler` it does not matter that the versions of its packages differ, nor that a program does not fit which it
    replaced or whose file it made superfluous.
    """
    left = [line for line in differing if not (compiler and COMPILER.match(line))]
    missed = {name for name in unfit if not name.startswith("/") or os.path.lexists(f"{toolbox}/root{name}")} - twins(toolbox)
    noted = {"compiler": compiler, "differing": left, "unfit": sorted(missed)}
    (toolbox / NOTE).write_text(json.dumps(noted), encoding="utf-8")
    (toolbox / "trace").touch()


def listing() -> tuple[Stocked, ...]:
    """Tell all toolboxes that are cached, then the compilers."""
    return tuple(
        Stocked(
            name=entry.name,
            kind=entry.record.kind,
            suite=entry.record.suite,
            arch=entry.record.arch,
            path=entry.content,
            created=entry.record.created,
            used=entry.used,
            size=entry.record.size,
            count=len(twins(entry.content)) if entry.record.kind == TOOLBOX else len(files(entry.content)),
            differing=differing(entry.content),
            unfit=unfit(entry.content),
            compiler=compiler(entry.content) if entry.record.kind == TOOLBOX else entry.record.made_with,
            in_use=cache.in_use(entry.content),
        )
        for shelf in (TOOLBOXES, COMPILERS)
        for entry in cache.entries(cache.shelf(shelf))
    )


def differing(toolbox: Path) -> tuple[str, ...]:
    """Give the packages that have no twins because of their versions."""
    return tuple(_noted(toolbox).get("differing", ()))


def unfit(toolbox: Path) -> tuple[str, ...]:
    """Give the packages, and paths of programs, that have no twins because they are not as the table's edits expect them."""
    return tuple(_noted(toolbox).get("unfit", ()))


def library_differs(differing: tuple[str, ...]) -> bool:
    """Whether a compiler has no twin because of a library: one that is built here would load the same."""
    return any(COMPILER.match(line) and ": " in line for line in differing)


def shortened(differing: tuple[str, ...]) -> tuple[str, ...]:
    """Tell them by what is the reason, since many packages load the same library, and each reason once."""
    packages: dict[str, list[str]] = {}
    for line in dict.fromkeys(differing):
        package, is_library, why = line.partition(": ")
        packages.setdefault(why or line, []).extend((package,) if is_library else ())
    return tuple(f"{_counted(names)}: {why}" if names else why for why, names in packages.items())


def _counted(names: list[str]) -> str:
    rest = len(names) - NAMED
    return f"{', '.join(names[:NAMED])} and {rest} more" if rest > 0 else ", ".join(names)


def compiler(toolbox: Path) -> str:
    """Tell the toolbox's native compiler; nothing where the foreign one is emulated."""
    return str(_noted(toolbox).get("compiler", ""))


def _noted(toolbox: Path) -> dict[str, Any]:
    note = toolbox / NOTE
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(note.read_text(encoding="utf-8")))
    return {}


def twins(toolbox: Path) -> frozenset[str]:
    """Give the paths of the foreign programs that have a twin, whichever their build-id."""
    home = toolbox / "map"
    return frozenset(path.rpartition(".")[0] for path in files(home))


def files(home: Path) -> tuple[str, ...]:
    """Give the paths of the files in a tree as they are where it is the root."""
    return tuple(sorted(f"/{path.relative_to(home)}" for path in home.rglob("*") if path.is_file()))
