"""What packages need on a clean system beside themselves: resolved and downloaded once for all checks of a target.

A check that gives apt nothing else stocks a root with it. One whose apt is to have the whole suite within reach is lent what the
cache has of the suite, and what apt downloads besides is the cache's afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debkit import apt
from debkit.checks import _staged
from debkit.chroot import cache, layers, namespace, store
from debkit.errors import DependencyError, NetworkError
from debkit.run import temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from debkit.apt import AptRoot
    from debkit.checks._debs import Deb
    from debkit.console import Progress
    from debkit.model import Chroot
    from debkit.run import Run

WHERE = "/srv/debkit-needed"
# What apt calls them, and where the cache is seen that the names in ARCHIVES lead to.
ARCHIVES, LISTS, SHELF = "/var/cache/apt/archives", "/var/lib/apt/lists", "/srv/debkit-cache"
# What apt installs it writes down, beside the links: what is read by a read-only mount has no time of access.
USED = "debkit-used"
NOTES_USE = f'DPkg::Pre-Install-Pkgs:: "cat >>{ARCHIVES}/{USED} || true";\n'
MOST_USED = 1 << 20  # bytes read of it


@dataclass(frozen=True, slots=True)
class Group:
    """What is installed together: packages of the build, others by name; with `upgrade`, on an upgraded system."""

    debs: tuple[Path, ...]
    names: tuple[str, ...] = ()
    upgrade: bool = False


@dataclass(frozen=True, slots=True)
class Supplies:
    """What was found, by the groups that it was asked for, or why there is nothing; and `there`, what the cache has of a root's
    suite: digests by the names that apt has for the files. One for all checks of a target.

    The lists of `fresh` roots were looked at. For `complete` roots nothing has come into the cache since it was looked through.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    found: dict[Group, dict[str, Path] | DependencyError] = field(default_factory=dict)
    there: dict[AptRoot, dict[str, str]] = field(default_factory=dict)
    fresh: set[AptRoot] = field(default_factory=set)
    complete: set[AptRoot] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Loan:
    """Directories to bind in a clean system, as (outer path, inner path), for its apt alone, and what goes into its settings."""

    binds: tuple[tuple[Path, str], ...]
    read_only: tuple[tuple[Path, str], ...]
    settings: str = NOTES_USE


def group(debs: Iterable[Deb], *names: str, upgrade: bool = False) -> Group:
    return Group(tuple(deb.path for deb in debs), names, upgrade)


@contextlib.contextmanager
def needed(run: Run, clean: Chroot, *groups: Group, supplies: Supplies, progress: Progress) -> Iterator[dict[str, Path]]:
    """Give the packages that each group needs on the clean system, by the names of their files in a repository.

    They are the cache's own, held meanwhile: to be copied. Raises DependencyError for what cannot be installed, and NetworkError,
    which Untrusted is.
    """
    root, shelf = store.apt_root(clean), cache.shelf("debs")
    with cache.held(shelf):
        packages: dict[str, Path] = {}
        for each in (each for each in groups if each.debs):
            with supplies.lock:
                if each not in supplies.found:
                    _refresh(run, root, supplies, progress)
                    supplies.found[each] = _fetched(run, root, each, shelf, progress)
                    supplies.complete.discard(root)
                found = supplies.found[each]
            if isinstance(found, DependencyError):
                raise found
            packages |= found
        yield packages


def stock(run: Run, root: Path, packages: Mapping[str, Path]) -> None:
    """Make these packages all that a root's apt knows. They need no signature: apt has verified them."""
    shelf = root / WHERE.lstrip("/")
    shelf.mkdir(parents=True)
    _staged.fill(run, shelf, packages)
    _staged.add(root, WHERE, name="debkit-needed", text=_staged.TRUSTED, alone=True)


@contextlib.contextmanager
def lent(run: Run, clean: Chroot, *groups: Group, supplies: Supplies, progress: Progress) -> Iterator[Loan]:
    """Give apt in one clean system the package lists, and all that the cache has of them, what the groups need among it.

    apt still chooses by itself, and asks whether the lists are the newest. What cannot be installed it is to say by itself.
    Raises NetworkError.
    """
    root, shelf = store.apt_root(clean), cache.shelf("debs")
    with cache.held(shelf), namespace.scratch(run, "supply") as work:
        for each in groups:
            with contextlib.suppress(DependencyError), needed(run, clean, each, supplies=supplies, progress=progress):
                pass
        archives, lists = work / "archives", work / "lists"
        for directory in (archives, lists):
            directory.mkdir()
            directory.chmod(0o755)
        with supplies.lock:
            there = supplies.there.setdefault(root, {})
            if root not in supplies.complete:
                there |= {pin.deb: pin.sha256 for pin in apt.shelved(run, root, shelf, known=there.values())}
                supplies.complete.add(root)
            links = {name: f"{digest}.deb" for name, digest in there.items() if (shelf / f"{digest}.deb").exists()}
        for name, file in links.items():
            (archives / name).symlink_to(f"{SHELF}/{file}")
        apt.copy_lists(root, lists)
        try:
            yield Loan(binds=((archives, ARCHIVES), (lists, LISTS)), read_only=((shelf, SHELF),))
        finally:
            touch(archives, {name: shelf / file for name, file in links.items()})
            if keep(archives, shelf):
                with supplies.lock:
                    supplies.complete.discard(root)


def touch(archives: Path, there: Mapping[str, Path]) -> None:
    """Note that what apt has installed of what is `there`, by name, was used now. Whoever was root there wrote it."""
    used = archives / USED
    with contextlib.suppress(OSError):
        if stat.S_ISREG(used.lstat().st_mode):
            with used.open(encoding="utf-8", errors="replace") as file:
                names = {line.rpartition("/")[2] for line in file.read(MOST_USED).splitlines()}
            for name in names & there.keys():
                os.utime(there[name])


def keep(archives: Path, shelf: Path) -> bool:
    """Keep what apt has downloaded into its archives, as far as it can be read and the disk takes it; say whether there was any.

    Whoever was root there may have written these files. Each is named by its content, so that one which no signed list tells
    of is never taken for a package.
    """
    new: list[Path] = []
    with contextlib.suppress(OSError):
        new += [path for path in archives.glob("*.deb") if stat.S_ISREG(path.lstat().st_mode)]
        if new:
            with temporary(".kept.", shelf) as inbox:
                for path in new:
                    with contextlib.suppress(OSError):
                        _keep(path, inbox / path.name, shelf)
    return bool(new)


def _keep(path: Path, copy: Path, shelf: Path) -> None:
    try:
        shutil.copyfile(path, copy)
        with copy.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        copy.replace(shelf / f"{digest}.deb")
    finally:
        copy.unlink(missing_ok=True)  # a full disk takes smaller ones


def _fetched(run: Run, root: AptRoot, wanted: Group, shelf: Path, progress: Progress) -> dict[str, Path] | DependencyError:
    def once() -> dict[str, Path]:
        solution = apt.solve_install(run, root, wanted.names, debs=wanted.debs, upgrade=wanted.upgrade)
        pins = tuple(pin for pin in solution.install if not pin.uri.startswith("copy:"))
        paths = apt.download(run, root, pins, shelf, progress=progress)
        for path in paths:
            os.utime(path)
        return {pin.deb: path for pin, path in zip(pins, paths, strict=True)}

    try:
        try:
            return once()
        except apt.Superseded:  # the lists are new now
            return once()
    except DependencyError as problem:
        return problem


def _refresh(run: Run, root: AptRoot, supplies: Supplies, progress: Progress) -> None:
    """Have the root's lists be as new as those that apt in a clean system fetches. Without a mirror old ones serve.

    Raises Untrusted, each time: no check is to pass over a mirror whose signature does not hold.
    """
    if root not in supplies.fresh:
        if time.time() - (apt.updated(root) or 0) >= layers.YOUNG_SECONDS:
            try:
                apt.update(run, root, progress=progress)
            except apt.Untrusted:
                raise
            except NetworkError:
                pass
        supplies.fresh.add(root)
