"""systemd-nspawn, which the machine's own root can use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debkit.boot import Guest


def argv(guest: Guest) -> tuple[str, ...]:
    """Build the command. Nothing of it is registered with the machine's own systemd, if there is one."""
    return (
        "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
        "systemd-nspawn", f"--directory={guest.root}", "--boot", "--register=no", "--keep-unit", "--private-network",
        "--console=read-only", "--quiet", "--bind", f"{guest.share}:/run/debkit",
        *(f"--bind-ro={unit}:/run/systemd/system/{unit.name}" for unit in sorted((guest.share / "units").iterdir())),
    )  # fmt: skip
