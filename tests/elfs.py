"""The beginning of an ELF file, for what looks no further."""

from __future__ import annotations

from debkit.model import ARCHES


def elf(arch: str, *, bits: int = 64, machine: int | None = None) -> bytes:
    """The first bytes of an ELF file."""
    known = ARCHES[arch]
    number = known.elf_machine if machine is None else machine
    order = "little" if known.elf_little else "big"
    return b"\x7fELF" + bytes([bits // 32, 1 if known.elf_little else 2]) + bytes(12) + number.to_bytes(2, order)  # type: ignore[arg-type]
