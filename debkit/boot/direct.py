"""systemd as the first process of namespaces of our own: needs util-linux alone, and a control group that may be written to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.chroot import namespace

if TYPE_CHECKING:
    from debkit.boot import Guest

NODE, DIRECT = (Path(__file__).with_name(name) for name in ("node", "direct"))


def argv(guest: Guest) -> tuple[str, ...]:
    """Build the command: a control group, a user namespace as every root's, and in it the system."""
    inner: tuple[str, ...] = (os.fspath(DIRECT), os.fspath(guest.root), os.fspath(guest.share))
    if guest.toolbox:
        (guest.root / namespace.NATIVE.lstrip("/")).mkdir(exist_ok=True)
        inner = (
            *inner,
            os.fspath(guest.toolbox.path),
            namespace.NATIVE,
            *((os.fspath(guest.emulator),) if guest.emulator else ()),
        )
    entered = namespace.as_root(inner, network=False, cgroup=True)
    if guest.toolbox:
        entered = namespace.as_root(entered, toolbox=guest.toolbox)
    return (os.fspath(NODE), *entered)
