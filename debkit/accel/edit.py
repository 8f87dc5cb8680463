"""Edits of native programs, so that they find their loader, libraries and the chroot's own files: of texts, one in code."""

from __future__ import annotations

import io
import os
import re
import struct
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from debkit.errors import AccelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from elftools.elf.segments import Segment

    from debkit.accel.table import Edit
    from debkit.model import Arch

NATIVE = "/.native"
MAGIC = b"\x7fELF"
GCONV_CACHE = "gconv-modules.cache"  # iconvconfig(8): names the directory of the C library's own libraries
ALIGNMENT, LONG_TEXT = 8, 32
OPERAND = 4  # bytes that an instruction moves to memory at once, of those that have them all in a row (amd64's)
PAGE = 4096  # the smallest
ADDEND, FILE_SIZE, MEMORY_SIZE, WORD = 16, 32, 40, 8  # r_addend, p_filesz and p_memsz of 64 bit, little endian (elf(5))


def loader(interpreter: str) -> str:
    """Name the loader in the toolbox: as long as the machine's own name for it, since it replaces that in each program."""
    return f"{NATIVE}/{interpreter.rpartition('/')[2]}"[: len(interpreter)].ljust(len(interpreter), "_")


def relocations(native: Arch, interpreter: str, directories: Iterable[str] = ()) -> tuple[tuple[bytes, bytes], ...]:
    """Give what is replaced in every native program and library: pairs of texts of equal length, wherever they stand.

    `directories` are those below /usr/lib that hold the libraries of one package.
    """
    names = (native.triplet, *directories)
    libraries = f"/usr/lib/{native.triplet}"
    pairs = (*((f"/usr/lib/{name}", f"{NATIVE}/{name}") for name in names), (interpreter, loader(interpreter)))
    if any(len(old) != len(new) for old, new in pairs):
        raise AccelError(
            f"programs of {native} cannot be moved to {NATIVE}",
            cause=f"their loader {interpreter} or {libraries} is too short a path for that",
            hint="DEBKIT_ACCEL=off make deb",
        )
    return tuple((os.fsencode(old), os.fsencode(new)) for old, new in pairs)


def relocate(root: Path, pairs: Iterable[tuple[bytes, bytes]]) -> int:
    """Replace them in every ELF file of the root, and where iconv(3) looks for its own; say in how many."""
    changed = 0
    for directory, _, names in os.walk(root / "usr"):
        for name in names:
            path = root / directory / name
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as file:
                if file.read(4) != MAGIC and name != GCONV_CACHE:
                    continue
            before = after = path.read_bytes()
            for old, new in pairs:
                after = after.replace(old, new)
            if after != before:
                path.write_bytes(after)
                changed += 1
    return changed


def apply(root: Path, edits: Iterable[Edit]) -> frozenset[str]:
    """Make the table's edits; give the paths of programs, and the packages of libraries, that are not as the table expects them.

    They are to have no twin.
    """
    unfit: set[str] = set()
    for edit in edits:
        for pattern in edit.files:
            found = sorted(root.glob(pattern))
            unfit |= frozenset(edit.packages if not found and not edit.optional else ())
            for path in found:
                before = b"" if path.is_symlink() else path.read_bytes()
                if not before.startswith(MAGIC):
                    continue
                data = replaced(before, edit)
                if data is None:
                    unfit |= frozenset(edit.packages or (f"/{path.relative_to(root)}",))
                else:
                    path.write_bytes(data)
    return frozenset(unfit)


def replaced(data: bytes, edit: Edit) -> bytes | None:
    """Give a file's content with the text replaced; None where it is not there as often as it should be, or has no room."""
    old, new = edit.old.encode(), edit.new.encode()
    if edit.optional and old not in data:
        return data
    if edit.within:
        return data.replace(old, new) if data.count(old) == edit.count and len(old) == len(new) else None
    old, new = old + b"\0", new + b"\0"
    places = [match.start() for match in re.finditer(re.escape(old), data) if begins(data, match.start())]
    if edit.operand and not places:
        return operand_replaced(data, edit)
    if len(places) != edit.count:
        return None
    changed = bytearray(data)
    for place in places:
        if len(new) <= room(data, place, len(old)):
            changed[place : place + max(len(old), len(new))] = new.ljust(len(old), b"\0")
        elif not move(changed, place, new):
            return None
    return bytes(changed)


def operand_replaced(data: bytes, edit: Edit) -> bytes | None:
    """Give a file's content with the text replaced where it is in code: its first letters fill the operand of an instruction, and
    the rest, which stays, is another's. None where they are not there as often as they should be, or the rest is not the same.
    """
    first, rest = (slice(OPERAND), slice(OPERAND, None))
    old, new = edit.old.encode(), edit.new.encode()
    if len(old) <= OPERAND or old in data or old[rest] != new[rest] or data.count(old[first]) != edit.count:
        return None
    return data.replace(old[first], new[first])


def begins(data: bytes, place: int) -> bool:
    """Whether a text begins at `place`: another ends before it, or a pointer leads there, since numbers may lie before it.

    A pointer may lead into the end of a longer text, too.
    """
    before = data[place - 1 : place]
    if before == b"\0":
        return True
    if before.isascii() and before.decode("ascii").isprintable():
        return False
    try:
        elf = ELFFile(io.BytesIO(data))
        _, segment = next(holding(elf, place))
        return bool(pointers_to(segment["p_vaddr"] + place - segment["p_offset"], elf))
    except (ELFError, StopIteration):
        return False


def holding(elf: ELFFile, place: int) -> Iterator[tuple[int, Segment]]:
    """Give the segment that has the file's byte at `place`, with its number."""
    for number, segment in enumerate(elf.iter_segments()):
        if segment["p_type"] == "PT_LOAD" and segment["p_offset"] <= place < segment["p_offset"] + segment["p_filesz"]:
            yield number, segment


def room(data: bytes, place: int, size: int) -> int:
    """Give the bytes that a text of `size` bytes may have: gcc has longer ones start at a multiple of eight (DATA_ALIGNMENT)."""
    end = place + size
    if size <= LONG_TEXT or place % ALIGNMENT:
        return size
    padding = data[end : end + -end % ALIGNMENT]
    return size if padding.strip(b"\0") else size + len(padding)


def move(program: bytearray, place: int, text: bytes) -> bool:
    """Put a new text for that at `place` behind the last of its segment, and have the pointers in data lead there instead.

    The kernel maps whole pages, so a segment may grow to the end of its last. False: it cannot, or no pointer leads to the text:
    the program's code does, which is not edited for that.
    """
    try:
        elf = ELFFile(io.BytesIO(program))
        number, segment = next(holding(elf, place))
        others = [other["p_offset"] for other in elf.iter_segments("PT_LOAD") if other["p_offset"] > place]
        pointers = pointers_to(segment["p_vaddr"] + place - segment["p_offset"], elf)
    except (ELFError, StopIteration):
        return False
    size, header = segment["p_filesz"], elf["e_phoff"] + number * elf["e_phentsize"]
    end = segment["p_offset"] + size
    fits = segment["p_memsz"] == size and len(text) <= min(
        (-(segment["p_vaddr"] + size) % PAGE, *(start - end for start in others))
    )
    if not pointers or not fits or program[end : end + len(text)] != bytes(len(text)) or elf.elfclass != WORD * 8:
        return False
    program[end : end + len(text)] = text
    for offset in pointers:
        program[offset : offset + WORD] = (segment["p_vaddr"] + size).to_bytes(WORD, "little")
    for offset in (header + FILE_SIZE, header + MEMORY_SIZE):
        program[offset : offset + WORD] = (size + len(text)).to_bytes(WORD, "little")
    return True


def pointers_to(address: int, elf: ELFFile) -> list[int]:
    """Find the pointers in data that lead to an address, by their offsets in the file.

    In a program that may lie anywhere they are relocations; in one that lies where it says (ET_EXEC) words of its data.
    """
    if elf["e_type"] == "ET_EXEC":
        sections = [section for name in (".rodata", ".data.rel.ro", ".data") if (section := elf.get_section_by_name(name))]
        return [
            section["sh_offset"] + WORD * number
            for section in sections
            for number, (word,) in enumerate(struct.iter_unpack("<Q", section.data()[: section["sh_size"] // WORD * WORD]))
            if word == address
        ]
    return [
        section["sh_offset"] + index * section["sh_entsize"] + ADDEND
        for section in elf.iter_sections("SHT_RELA")
        for index, relocation in enumerate(section.iter_relocations())
        if relocation["r_addend"] == address and not relocation["r_info_sym"]
    ]
