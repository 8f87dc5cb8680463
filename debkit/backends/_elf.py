"""Whether what a build made is of the architecture asked for: each .deb's own field, and the header of every ELF file in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from debkit.model import ARCHES, RUNS_ALSO
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Run

HEADER_BYTES = 20
LITTLE_ENDIAN = 1
EM_BPF = 247  # the kernel's own bytecode, the same for every machine

MACHINES = {(arch.elf_machine, arch.elf_little): arch.name for arch in ARCHES.values()}


def misfits(run: Run, debs: tuple[Path, ...], arch: str, work: Path) -> tuple[str, ...]:
    """Say which packages and files are of another architecture; `work` is a directory for unpacking.

    What is in an `Architecture: all` package is not looked at: firmware and cross toolchains belong there.
    """
    found = []
    for deb in debs:
        field = run(Command(argv=("dpkg-deb", "--field", os.fspath(deb), "Architecture"))).stdout.strip()
        if field not in {arch, "all"}:
            found.append(f"{deb.name}: its Architecture is {field}, not {arch}")
        elif field == arch:
            tree = work / deb.stem
            run(Command(argv=("dpkg-deb", "--extract", os.fspath(deb), os.fspath(tree))))
            found += [f"{deb.name}: {path.relative_to(tree)} is {machine}, not {arch}" for path, machine in foreign(tree, arch)]
    return tuple(found)


def foreign(tree: Path, arch: str) -> Iterator[tuple[Path, str]]:
    """Give the ELF files that `arch` does not run, each with its machine's name."""
    accepted = {arch, *(guest for host, guest in RUNS_ALSO if host == arch)}
    for directory, _, names in os.walk(tree):
        for name in sorted(names):
            path = tree / directory / name
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    machine = elf_machine(file.read(HEADER_BYTES))
                if machine and machine not in accepted:
                    yield path, machine


def elf_machine(header: bytes) -> str:
    """Name the machine of an ELF header's first 20 bytes, empty when it is none or runs anywhere.

    The class (32 or 64 bits) is not compared: an amd64 package may hold x32 libraries.
    """
    if len(header) < HEADER_BYTES or not header.startswith(b"\x7fELF"):
        return ""
    little = header[5] == LITTLE_ENDIAN
    number = int.from_bytes(header[18:20], "little" if little else "big")
    return "" if number == EM_BPF else MACHINES.get((number, little), f"ELF machine {number}")
