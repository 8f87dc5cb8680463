"""ELF by architecture: which machine a file is for, and each one's smallest program.

That exits with `ANSWER` and does nothing else, so running it proves the machine.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from debkit.model import ARCHES

if TYPE_CHECKING:
    from debkit.model import Arch

HEADER_BYTES = 20
LITTLE_ENDIAN = 1
EM_BPF = 247  # the kernel's own bytecode, the same for every machine
MACHINES = {(arch.elf_machine, arch.elf_little): arch.name for arch in ARCHES.values()}

# Pairs (machine, guest) that the kernel runs with no emulator at hand.
RUNS_ALSO = frozenset({("amd64", "i386"), ("arm64", "armhf")})

ANSWER = 42

# exit(42) by Linux's system call table of each architecture.
CODE = {
    "amd64": bytes.fromhex("bf2a000000 b83c000000 0f05"),  # mov edi, 42; mov eax, 60; syscall
    "arm64": bytes.fromhex("400580d2 a80b80d2 010000d4"),  # mov x0, #42; mov x8, #93; svc #0
    "armhf": bytes.fromhex("2a00a0e3 0170a0e3 000000ef"),  # mov r0, #42; mov r7, #1; svc #0
    "i386": bytes.fromhex("bb2a000000 b801000000 cd80"),  # mov ebx, 42; mov eax, 1; int 0x80
    "ppc64el": bytes.fromhex("01000038 2a006038 02000044"),  # li r0, 1; li r3, 42; sc
    "riscv64": bytes.fromhex("1305a002 9308d005 73000000"),  # li a0, 42; li a7, 93; ecall
    "s390x": bytes.fromhex("a729002a 0a01"),  # lghi r2, 42; svc 1
}
# e_flags that the kernel or qemu look at: ARM's EABI 5 with hard floats, PowerPC's ELFv2, RISC-V's compressed double floats.
FLAGS = {"armhf": 0x5000400, "ppc64el": 2, "riscv64": 5}
LOAD_ADDRESS = 0x400000
PAGE = 0x10000  # the largest page size of any of them
WORD = {32: "I", 64: "Q"}


def program(arch: Arch) -> bytes:
    """Make the program: an ELF header, one loaded segment that is the whole file, and the code."""
    code = CODE[arch.name]
    order, wide = "<" if arch.elf_little else ">", arch.elf_bits == 64  # noqa: PLR2004
    header, segment = (64, 56) if wide else (52, 32)
    start = LOAD_ADDRESS + header + segment
    size = header + segment + len(code)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1 if arch.elf_little else 2, 1)) + bytes(9)
    word = WORD[arch.elf_bits]
    return (
        ident
        + struct.pack(
            f"{order}HHI{word * 3}IHHHHHH",
            2, arch.elf_machine, 1, start, header, 0, FLAGS.get(arch.name, 0), header, segment, 1, 0, 0, 0,
        )
        + _segment(order, size, wide=wide)
        + code
    )  # fmt: skip


def _segment(order: str, size: int, *, wide: bool) -> bytes:
    """Make the program header: PT_LOAD, readable and executable. The two classes order its fields differently."""
    load, read_execute = 1, 5
    if wide:
        return struct.pack(f"{order}IIQQQQQQ", load, read_execute, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, PAGE)
    return struct.pack(f"{order}IIIIIIII", load, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, read_execute, PAGE)


def elf_machine(header: bytes) -> str:
    """Name the machine of an ELF header's first 20 bytes, empty when it is none or runs anywhere.

    The class (32 or 64 bits) is not compared: an amd64 package may hold x32 libraries.
    """
    if len(header) < HEADER_BYTES or not header.startswith(b"\x7fELF"):
        return ""
    little = header[5] == LITTLE_ENDIAN
    number = int.from_bytes(header[18:20], "little" if little else "big")
    return "" if number == EM_BPF else MACHINES.get((number, little), f"ELF machine {number}")


def runs_natively(machine: str, arch: str) -> bool:
    """Whether a machine runs programs of an architecture, as `elf_machine` names it, by its kernel alone.

    So these belong into packages for the machine's architecture, too.
    """
    return arch == machine or (machine, arch) in RUNS_ALSO
