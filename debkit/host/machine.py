"""What planning and a report must know of this machine: a cheap, frozen value."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.host.binfmt import obstacle, own_handlers_trouble
from debkit.host.elf import runs_natively
from debkit.host.namespaces import LIMIT, find_trouble, read
from debkit.model import ARCHES
from debkit.run import Command

if TYPE_CHECKING:
    from debkit.host.namespaces import Trouble
    from debkit.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """This machine. `arch` is dpkg's; `obstacles` says of each foreign architecture why it cannot run here, empty when it can.

    `namespaces` says why user namespaces cannot be made, empty when they can; `unaccelerated` why these have no handlers of their
    own for foreign programs, empty when they do. `direct` is whether the caller is root of a machine
    where these are switched off, so that builds run as root itself; `memory` is in bytes, `cpus` what we may use.
    """

    arch: str
    obstacles: tuple[tuple[str, str], ...]
    namespaces: str
    system: str
    version: str
    kernel: str
    unaccelerated: str
    direct: bool
    cpus: int
    memory: int

    def obstacle(self, arch: str) -> str:
        """Say why programs of `arch` cannot run here; empty when they can."""
        return "" if runs_natively(self.arch, arch) else dict(self.obstacles).get(arch, "nobody looked")

    def __str__(self) -> str:
        return (
            f"{self.system} {self.version} {self.arch}, Linux {self.kernel}, {self.cpus} processors, "
            f"{self.memory / 2**30:.1f} GiB of memory"
        )


def facts(run: Run, *, arches: tuple[str, ...] = tuple(ARCHES), root: Path = Path("/")) -> Host:
    """Look at this machine, and try the foreign ones of `arches`. Changes nothing; takes a fraction of a second."""
    machine = native_arch(run)
    trouble = find_trouble(run, root)
    release = read_release(root)
    foreign = tuple(ARCHES[name] for name in arches if not runs_natively(machine, name))
    return Host(
        arch=machine,
        obstacles=tuple(
            (arch.name, obstacle(run, arch, machine=machine, isolated=trouble is None, root=root)) for arch in foreign
        ),
        namespaces=trouble.reason if trouble else "",
        system=release.get("ID", "linux"),
        version=release.get("VERSION_ID") or release.get("VERSION_CODENAME", ""),
        kernel=platform.release(),
        unaccelerated=why_unaccelerated(run, trouble) if foreign else "",
        direct=os.geteuid() == 0 and read(root / LIMIT) == "0",
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def why_unaccelerated(run: Run, trouble: Trouble | None) -> str:
    """Say why namespaces have no handlers of their own for foreign programs, the `trouble` with any namespace first."""
    return trouble.reason if trouble else own_handlers_trouble(run)


def native_arch(run: Run) -> str:
    return run(Command(argv=("dpkg", "--print-architecture"))).stdout.strip()


def read_release(root: Path) -> dict[str, str]:
    """Read os-release(5)."""
    pairs = (line.partition("=")[::2] for line in read(root / "etc/os-release").splitlines())
    return {key: value.strip("\"'") for key, value in pairs}
