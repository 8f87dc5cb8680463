"""ELF files: the beginning of one, for what looks no further, and a real program with something wrong put into it."""

from __future__ import annotations

import struct

from debkit.model import ARCHES

# Of the 64-bit classes that amd64 and arm64 have: an entry of the section table, and one of the dynamic section.
SECTION, DYNAMIC = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<QQ")
SHT_SYMTAB, SHT_DYNAMIC, DT_DEBUG, DT_RUNPATH = 2, 6, 21, 29
WHERE_TABLE, HOW_MANY = 0x28, 0x3C  # e_shoff and e_shnum
UNUSED = b"\0__libc_start_main\0"  # a name to write over in a program that nobody starts


def elf(arch: str, *, bits: int = 64, machine: int | None = None) -> bytes:
    """The first bytes of an ELF file."""
    known = ARCHES[arch]
    number = known.elf_machine if machine is None else machine
    order = "little" if known.elf_little else "big"
    return b"\x7fELF" + bytes([bits // 32, 1 if known.elf_little else 2]) + bytes(12) + number.to_bytes(2, order)  # type: ignore[arg-type]


def as_for(arch: str, program: bytes) -> bytes:
    """Say in a program's header that it is for an architecture."""
    return program[:18] + ARCHES[arch].elf_machine.to_bytes(2, "little") + program[20:]


def with_symbols(program: bytes) -> bytes:
    """Add a table of symbols: a new section table at the end, with one entry more."""
    table = sections(program)
    table.append((0, SHT_SYMTAB, 0, 0, len(program), 24, 0, 1, 8, 24))
    content = bytearray(program + bytes(24))
    struct.pack_into("<Q", content, WHERE_TABLE, len(content))
    struct.pack_into("<H", content, HOW_MANY, len(table))
    return bytes(content) + b"".join(SECTION.pack(*section) for section in table)


def with_runpath(program: bytes, path: str) -> bytes:
    """Have a program look for its libraries in a directory, in place of what tells a debugger of them."""
    content = bytearray(program)
    table = sections(program)
    _, _, _, _, start, size, link, *_ = next(section for section in table if section[1] == SHT_DYNAMIC)
    at = program.index(UNUSED) + 1
    content[at : at + len(path) + 1] = path.encode() + b"\0"
    for offset in range(start, start + size, DYNAMIC.size):
        if DYNAMIC.unpack_from(program, offset)[0] == DT_DEBUG:
            DYNAMIC.pack_into(content, offset, DT_RUNPATH, at - table[link][4])
            return bytes(content)
    raise AssertionError("the program has no DT_DEBUG")


def sections(program: bytes) -> list[tuple[int, ...]]:
    """Read the section table."""
    (start,), (count,) = struct.unpack_from("<Q", program, WHERE_TABLE), struct.unpack_from("<H", program, HOW_MANY)
    return [SECTION.unpack_from(program, start + number * SECTION.size) for number in range(count)]
