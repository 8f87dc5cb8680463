"""Whether a suite has newer packages than a cached chroot has been made of, such as a security update."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit import apt
from debkit.chroot import cache, upkeep
from debkit.model import ChrootKind
from debkit.run import temporary

if TYPE_CHECKING:
    from debkit.chroot.upkeep import Cached
    from debkit.run import Run

SYSTEMS = frozenset({ChrootKind.BUILD, ChrootKind.CLEAN, ChrootKind.EMULATED, upkeep.LAYER})


def newer(run: Run, item: Cached) -> tuple[str, ...]:
    """Give what an upgrade of a chroot or a layer would install now, a "NAME VERSION" each; of what is no system, nothing.

    Package lists are fetched for this alone: what builds resolve with stays as it is. Raises NetworkError, and LockedError
    where it has just been removed.
    """
    if item.kind not in SYSTEMS:
        return ()
    with cache.held(item.path), temporary("debkit-outdated.") as work:
        root = apt.prepare(run, item.path, work / "root", item.arch)
        apt.update(run, root)
        return tuple(f"{pin.name} {pin.version}" for pin in apt.solve_install(run, root, upgrade=True).install)
