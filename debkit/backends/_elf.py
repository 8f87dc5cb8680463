"""Whether what a build made is of the architecture asked for: each .deb's own field, and the header of every ELF file in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from debkit.host.elf import HEADER_BYTES, elf_machine, runs_natively
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Run


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
    for directory, _, names in os.walk(tree):
        for name in sorted(names):
            path = tree / directory / name
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    machine = elf_machine(file.read(HEADER_BYTES))
                if machine and not runs_natively(arch, machine):
                    yield path, machine
