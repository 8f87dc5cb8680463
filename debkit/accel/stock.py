"""The toolboxes that are cached, and what each of them holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.chroot import cache
from debkit.chroot.upkeep import TOOLBOXES

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.accel.assemble import Mapped

NOTE = "differing.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stocked:
    """A toolbox: `count` twins, and the packages that have none because their versions `differ`. `in_use` is it just now.

    Times are in seconds since the epoch, `size` in bytes.
    """

    name: str
    suite: str
    arch: str
    path: Path
    created: float
    used: float
    size: int
    count: int
    differing: tuple[str, ...]
    in_use: bool


def note(toolbox: Path, mapped: Mapped) -> None:
    """Leave in a new toolbox what `listing` tells of it, and the empty file that a build's trace is bound over."""
    (toolbox / NOTE).write_text(json.dumps(mapped.differing), encoding="utf-8")
    (toolbox / "trace").touch()


def listing() -> tuple[Stocked, ...]:
    """Tell all toolboxes that are cached."""
    return tuple(
        Stocked(
            name=entry.name,
            suite=entry.record.suite,
            arch=entry.record.arch,
            path=entry.content,
            created=entry.record.created,
            used=entry.used,
            size=entry.record.size,
            count=len(twins(entry.content)),
            differing=differing(entry.content),
            in_use=cache.in_use(entry.content),
        )
        for entry in cache.entries(cache.shelf(TOOLBOXES))
    )


def differing(toolbox: Path) -> tuple[str, ...]:
    """Give the packages that have no twins because of their versions."""
    note = toolbox / NOTE
    return tuple(json.loads(note.read_text(encoding="utf-8"))) if note.exists() else ()


def twins(toolbox: Path) -> frozenset[str]:
    """Give the paths of the foreign programs that have a twin, whichever their build-id."""
    home = toolbox / "map"
    return frozenset(f"/{file.relative_to(home).with_suffix('')}" for file in home.rglob("*") if file.is_file())
