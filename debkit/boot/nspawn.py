"""systemd-nspawn, in the user namespace that every root has, so that files have the owners they are to have."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from debkit.boot.direct import NODE
from debkit.chroot import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.boot import Guest
    from debkit.run import Run

# It keeps what it propagates into the container in /run, and wants that in memory.
RUN = ("sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh")


@contextlib.contextmanager
def ready(_run: Run, guest: Guest) -> Iterator[tuple[str, ...]]:
    """Have the command. Nothing of it is registered with the machine's own systemd, if there is one."""
    nspawn = (
        "systemd-nspawn", f"--directory={guest.root}", "--boot", "--register=no", "--keep-unit", "--private-network",
        "--console=read-only", "--quiet", f"--bind={guest.share}:/run/debkit",
        *(f"--bind-ro={unit}:/run/systemd/system/{unit.name}" for unit in sorted((guest.share / "units").iterdir())),
    )  # fmt: skip
    entered = namespace.as_root((*RUN, "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", *nspawn), toolbox=guest.toolbox)
    yield (str(NODE), *entered)
