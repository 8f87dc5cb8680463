"""What an ELF file is: the machine it is for, and what a shared library offers. Owns pyelftools here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from debian.arfile import ArError, ArFile
from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from debkit.host.elf import HEADER_BYTES, LITTLE_ENDIAN, elf_machine

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"\x7fELF"
ARCHIVE = b"!<arch>\n"
LINKED = (2, 3)  # ET_EXEC and ET_DYN: what a linker has finished

# What linkers add of their own, by the scripts of each architecture.
OF_THE_LINKER = frozenset(
    ("_init", "_fini", "_edata", "edata", "_end", "end", "__end__", "_etext", "etext", "__bss_start", "__bss_start__",
     "__bss_end__", "_bss_end__")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Interface:
    """What programs find in a shared library. Weak symbols are left out: of C++ templates each compiler emits what it needs."""

    soname: str
    symbols: frozenset[str]


def linked(head: bytes) -> bool:
    """Whether a file's first bytes are those of a program or a shared library, of any architecture."""
    if len(head) < HEADER_BYTES or not head.startswith(MAGIC):
        return False
    return int.from_bytes(head[16:18], "little" if head[5] == LITTLE_ENDIAN else "big") in LINKED


def members(archive: BinaryIO) -> dict[str, str]:
    """Give the machine of each object in a static library, empty where the file only begins like one."""
    try:
        return {
            member.name: machine
            for member in ArFile(fileobj=archive).getmembers()
            if (machine := elf_machine(member.read(HEADER_BYTES)))
        }
    except (ArError, ValueError):
        return {}


def interface(path: Path) -> Interface | None:
    """Read what a shared library offers; None for what is none, or what cannot be read."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            dynamic = next((each for each in elf.iter_sections() if isinstance(each, DynamicSection)), None)
            sonames = [tag.soname for tag in dynamic.iter_tags("DT_SONAME")] if dynamic else []
            table = elf.get_section_by_name(".dynsym")
            if not sonames or not table:
                return None
            symbols = {
                symbol.name
                for symbol in table.iter_symbols()
                if symbol["st_shndx"] != "SHN_UNDEF"
                and symbol["st_info"]["bind"] == "STB_GLOBAL"
                and symbol["st_other"]["visibility"] in {"STV_DEFAULT", "STV_PROTECTED"}
            }
            return Interface(sonames[0], frozenset(symbols) - OF_THE_LINKER)
    except (ELFError, ValueError):
        return None
