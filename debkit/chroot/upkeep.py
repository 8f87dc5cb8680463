"""The cache as a whole: list it, renew what is in it, remove from it, keep it under its limit."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from debkit.chroot import cache, roots, store
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Toolbox
    from debkit.run import Run

LAYER, TOOLBOX, COMPILER = "layer", "toolbox", "compiler"
TOOLBOXES, COMPILERS = "toolboxes", "compilers"
SHELVES = ("chroots", "layers", "tools", TOOLBOXES, COMPILERS)
RECENT_SECONDS = 3600  # a run under way may be about to use it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """One thing in the cache. Times are in seconds since the epoch, `size` in bytes.

    `kind` is one of ChrootKind, "layer", or what the accel room makes, "toolbox" or "compiler"; a layer's `base` is the
    generation of the chroot it stands on, `source` what it was first made for. `fresh` is False where the next use makes it anew.
    """

    name: str
    kind: str
    suite: str
    arch: str
    path: Path
    created: float
    used: float
    size: int
    package_count: int
    packages: tuple[str, ...]
    mirror: str
    base: str
    source: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """The names of what is gone, and of what stays because it is in use."""

    gone: tuple[str, ...]
    kept: tuple[str, ...]


def listing(config: ChrootConfig) -> tuple[Cached, ...]:
    """Tell all that lies in the cache: base chroots, layers, tool roots, toolboxes."""
    everything = _entries()
    bases = {entry.generation for entry in everything}
    return tuple(
        Cached(
            name=entry.name,
            kind=entry.record.kind,
            suite=entry.record.suite,
            arch=entry.record.arch,
            path=entry.content,
            created=entry.record.created,
            used=entry.used,
            size=entry.record.size,
            package_count=entry.record.package_count,
            packages=entry.record.packages,
            mirror=entry.record.mirror,
            base=entry.record.base,
            source=entry.record.source,
            fresh=_is_fresh(entry, bases, config),
        )
        for entry in everything
    )


def _is_fresh(entry: cache.Entry, bases: set[str], config: ChrootConfig) -> bool:
    """Whether the next use takes it as it is. What is named after all that it is made of never grows old."""
    if entry.record.base:
        return entry.record.base in bases
    return entry.record.kind in {TOOLBOX, COMPILER} or not store.is_old(entry, config)


def find(name: str) -> Chroot | None:
    """Give the base chroot or the layer of that name."""
    for shelf in ("chroots", "layers"):
        if entry := cache.find(cache.shelf(shelf), name):
            created = cache.created_at(entry.record.base) if entry.record.base else entry.record.created
            layer = name.rpartition("-")[2] if entry.record.base else ""
            return Chroot(spec=_spec(entry), tarball=entry.content, created=created, layer=layer)
    return None


def emulated(_target: Target) -> AbstractContextManager[None]:
    """Have no toolbox."""
    return contextlib.nullcontext()


def renew(
    run: Run,
    name: str,
    *,
    config: ChrootConfig,
    progress: Progress,
    warn: Callable[[str], None] | None = None,
    toolboxes: Callable[[Target], AbstractContextManager[Toolbox | None]] = emulated,
) -> bool:
    """Make a base chroot or a tool root anew, of what it was made of before; say whether it now is newer.

    `toolboxes` gives what a foreign chroot is made with. Raises what `store.ensure` does; that the mirror cannot be reached is
    told to `warn`, and the old one stays.
    """
    for shelf in ("chroots", "tools"):
        if entry := cache.find(cache.shelf(shelf), name):
            spec = _spec(entry)
            lent = emulated if spec.kind is ChrootKind.EMULATED else toolboxes
            base = partial(store.make_base, toolboxes=partial(lent, spec.target))
            maker = base if shelf == "chroots" else roots.make_tools
            kept = store.kept(run, shelf, spec, maker, config=config, refresh=True, progress=progress, warn=warn)
            return kept.record.created > entry.record.created
    return False


def remove(run: Run, names: Iterable[str]) -> Removal:
    """Remove entries by name, base chroots with the layers that stand on them."""
    wanted = frozenset(names)
    everything = _entries()
    bases = {entry.generation for entry in everything if entry.name in wanted}
    doomed = [entry for entry in everything if entry.name in wanted or entry.record.base in bases]
    gone = [entry.name for entry in doomed if cache.drop(run, entry)]
    return Removal(tuple(gone), tuple(entry.name for entry in doomed if entry.name not in gone))


def remove_downloads() -> int:
    """Remove the downloaded packages unless they are in use; give the bytes that are free now."""
    downloads = _downloads()
    with cache.alone(cache.shelf("debs")) as unused:
        if not unused:
            return 0
        for _, _, path in downloads:
            path.unlink(missing_ok=True)
    return sum(size for _, size, _ in downloads)


def prune(run: Run, config: ChrootConfig) -> tuple[str, ...]:
    """Bring the cache under `config.cache_limit`: first layers whose base was renewed, then what was used least lately.

    What is in use, or was within the hour, stays. Downloads that would go but for their being in use count as gone: the next call
    takes them, and nothing else has to go in their place. Gives the names of what is gone.
    """
    everything = _entries()
    bases = {entry.generation for entry in everything}
    orphans = [entry for entry in everything if entry.record.base and entry.record.base not in bases]
    gone = [entry for entry in orphans if cache.drop(run, entry)]
    debs = _downloads()
    left = sorted((entry for entry in everything if entry not in gone), key=lambda entry: entry.used)
    total = sum(entry.record.size for entry in left) + sum(size for _, size, _ in debs)
    with cache.alone(cache.shelf("debs")) as unused:
        for used, size, path in debs:
            if total > config.cache_limit and _is_idle(used):
                if unused:
                    path.unlink(missing_ok=True)
                total -= size
    for entry in left:
        if total > config.cache_limit and _is_idle(entry.used) and cache.drop(run, entry):
            total -= entry.record.size
            gone.append(entry)
    return tuple(entry.name for entry in gone)


def _entries() -> tuple[cache.Entry, ...]:
    return tuple(entry for name in SHELVES for entry in cache.entries(cache.shelf(name)))


def _downloads() -> list[tuple[float, int, Path]]:
    """Give when each downloaded package was last used, its size, and its path; what was used least lately first."""
    found = []
    for path in cache.shelf("debs").glob("*.deb"):
        stat = path.stat()
        found.append((stat.st_mtime, stat.st_size, path))
    return sorted(found)


def _is_idle(used: float) -> bool:
    return time.time() - used > RECENT_SECONDS


def _spec(entry: cache.Entry) -> ChrootSpec:
    record = entry.record
    return ChrootSpec(
        kind=ChrootKind.BUILD if record.kind == LAYER else ChrootKind(record.kind),
        target=Target(record.suite, record.arch),
        mirror=record.mirror,
        components=record.components,
        packages=record.packages,
    )
