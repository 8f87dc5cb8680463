"""What packages need on a clean system beside themselves: resolved and downloaded once for all checks of a target."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debkit import apt
from debkit.checks import _staged
from debkit.chroot import cache, store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from debkit.checks._debs import Deb
    from debkit.console import Progress
    from debkit.model import Chroot
    from debkit.run import Run

WHERE = "/srv/debkit-needed"


@dataclass(frozen=True, slots=True)
class Supplies:
    """What was found, by the packages that it was asked for; one for all checks of a target."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    found: dict[tuple[Path, ...], dict[str, Path]] = field(default_factory=dict)


@contextmanager
def needed(
    run: Run, clean: Chroot, *groups: tuple[Deb, ...], supplies: Supplies, progress: Progress
) -> Iterator[dict[str, Path]]:
    """Give the packages that each group needs on the clean system, by the names of their files in a repository.

    They are the cache's own, held meanwhile: to be copied. Raises DependencyError for what cannot be installed, NetworkError.
    """
    shelf = cache.shelf("debs")
    with cache.held(shelf):
        found: dict[str, Path] = {}
        for debs in filter(None, groups):
            key = tuple(deb.path for deb in debs)
            with supplies.lock:
                if key not in supplies.found:
                    supplies.found[key] = _fetched(run, clean, key, shelf, progress)
                found |= supplies.found[key]
        yield found


def stock(run: Run, root: Path, packages: Mapping[str, Path]) -> None:
    """Make these packages all that a root's apt knows. They need no signature: apt has verified them."""
    shelf = root / WHERE.lstrip("/")
    shelf.mkdir(parents=True)
    _staged.fill(run, shelf, packages)
    _staged.add(root, WHERE, name="debkit-needed", text=_staged.TRUSTED, alone=True)


def _fetched(run: Run, clean: Chroot, debs: tuple[Path, ...], shelf: Path, progress: Progress) -> dict[str, Path]:
    root = store.apt_root(clean)

    def once() -> dict[str, Path]:
        pins = tuple(pin for pin in apt.solve_install(run, root, debs=debs).install if not pin.uri.startswith("copy:"))
        paths = apt.download(run, root, pins, shelf, progress=progress)
        for path in paths:
            os.utime(path)
        return {pin.deb: path for pin, path in zip(pins, paths, strict=True)}

    try:
        return once()
    except apt.Superseded:  # the lists are new now
        return once()
