"""A root shell in a copy of a chroot that is thrown away afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from debkit.chroot import namespace, roots
from debkit.model import ARCHES
from debkit.run import Command, interact

if TYPE_CHECKING:
    from debkit.model import Chroot
    from debkit.run import Run


def shell(run: Run, chroot: Chroot, argv: tuple[str, ...] = ()) -> int:
    """Run `argv`, or a login shell, on the caller's terminal as root of a fresh copy, with the network. Gives its exit code.

    Only from the main thread.
    """
    names = ((roots.RESOLVER, os.fspath(roots.RESOLVER)),) if roots.RESOLVER.exists() else ()
    with roots.opened(run, chroot) as root:
        return interact(
            Command(
                argv=namespace.inside(root, argv or ("bash", "-l"), read_only=names, toolbox=chroot.toolbox),
                env=(("debian_chroot", str(chroot.spec.target)), *ARCHES[chroot.spec.target.arch].qemu_env),
            )
        )
