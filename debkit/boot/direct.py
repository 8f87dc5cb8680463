"""systemd as the first process of namespaces of our own: needs util-linux alone, and a control group that may be written to."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.chroot import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.boot import Guest
    from debkit.run import Run

NODE, DIRECT = (Path(__file__).with_name(name) for name in ("node", "direct"))


@contextlib.contextmanager
def ready(_run: Run, guest: Guest) -> Iterator[tuple[str, ...]]:
    """Have the command: a control group, a user namespace as every root's, and in it the system."""
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
    yield (os.fspath(NODE), *entered)
