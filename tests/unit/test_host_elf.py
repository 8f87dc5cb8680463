from __future__ import annotations

import struct

import pytest

from debkit.host.elf import CODE, elf_machine, program
from debkit.model import ARCHES, Arch
from tests.elfs import elf


@pytest.mark.parametrize("arch", ARCHES.values(), ids=str)
def test_the_program_is_an_executable_of_its_architecture(arch: Arch) -> None:
    data = program(arch)
    order = "<" if arch.elf_little else ">"
    kind, machine, version = struct.unpack_from(f"{order}HHI", data, 16)
    assert data[:7] == b"\x7fELF" + bytes((arch.elf_bits // 32, 1 if arch.elf_little else 2, 1))
    assert (kind, machine, version) == (2, arch.elf_machine, 1)


@pytest.mark.parametrize("arch", ARCHES.values(), ids=str)
def test_it_starts_at_its_code_and_is_loaded_whole(arch: Arch) -> None:
    data = program(arch)
    order, word = ("<" if arch.elf_little else ">"), ("I" if arch.elf_bits == 32 else "Q")
    (entry,) = struct.unpack_from(f"{order}{word}", data, 24)
    fields = struct.unpack_from(
        f"{order}IIIIII" if arch.elf_bits == 32 else f"{order}IIQQQQ", data, 52 if arch.elf_bits == 32 else 64
    )
    address, size = (fields[2], fields[4]) if arch.elf_bits == 32 else (fields[3], fields[5])
    assert data[entry - address :] == CODE[arch.name]
    assert size == len(data)


def test_there_is_one_for_every_architecture() -> None:
    assert CODE.keys() == ARCHES.keys()


@pytest.mark.parametrize(
    ("header", "machine_name"),
    [
        (elf("amd64"), "amd64"),
        (elf("arm64"), "arm64"),
        (elf("s390x"), "s390x"),
        (elf("amd64", bits=32), "amd64"),  # x32
        (elf("amd64", machine=247), ""),  # bytecode of the kernel's
        (elf("amd64", machine=9999), "ELF machine 9999"),
        (elf("amd64")[:19], ""),
        (b"#!/bin/sh\necho hello there\n", ""),
        (b"", ""),
    ],
)
def test_the_machine_of_an_elf_header(header: bytes, machine_name: str) -> None:
    assert elf_machine(header) == machine_name
