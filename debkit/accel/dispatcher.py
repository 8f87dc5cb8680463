"""The dispatcher (`dispatch.c`) as a file: what it is made of, and how it comes to hold an emulator."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

HOME = Path(__file__).parent
INSTALLED = Path("/usr/lib/python3/dist-packages")  # where the Debian package has debkit
PACKAGED = Path("/usr/libexec/debkit/dispatch")  # what debkit-accel has
# elf(5), for 64 bit and little endian, which both machines are that it runs on.
SEGMENT = struct.Struct("<IIQQQQQQ")
PT_LOAD, PT_NOTE, PF_R = 1, 4, 4
OWN_QEMU = 0x10000000  # where dispatch.c looks for it in memory
PAGE = 0x10000  # the largest of either machine


def sources() -> str:
    """Hash what the dispatcher is made of, as debkit-accel's debian/rules does (SHA-256, hex). The program has it as a text."""
    files = sorted((*HOME.glob("*.[ch]"), HOME / "gcc-options"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def packaged() -> bytes:
    """Give the compiled dispatcher of debkit-accel, for an installed debkit that has the same sources; else nothing."""
    if not HOME.is_relative_to(INSTALLED) or not PACKAGED.exists():
        return b""
    program = PACKAGED.read_bytes()
    return program if sources().encode() in program else b""


def argv(directory: str, result: str, *options: str) -> tuple[str, ...]:
    """Build the command that compiles it, by paths as they are where gcc and linux-libc-dev are installed."""
    known_by = f'-DSOURCES="{sources()}"'
    return ("gcc", f"@{directory}/gcc-options", known_by, *options, "-o", result, f"{directory}/dispatch.c")


def with_qemu(dispatcher: bytes, qemu: bytes) -> bytes:
    """Put a static qemu into the dispatcher, as a segment that the kernel maps and that costs nothing until it is read.

    It is for roots that a build makes and enters, which no file of the toolbox can be seen in. The program header that becomes
    the segment's is one that pointed to a note of the dispatcher. ValueError: there is none.
    """
    (headers,), (size, count) = struct.unpack_from("<Q", dispatcher, 32), struct.unpack_from("<HH", dispatcher, 54)
    places = [headers + size * number for number in range(count)]
    place = next((place for place in places if SEGMENT.unpack_from(dispatcher, place)[0] == PT_NOTE), None)
    if place is None:
        raise ValueError("the dispatcher has no note")
    whole = bytearray(dispatcher)
    whole += bytes(-len(whole) % PAGE)
    SEGMENT.pack_into(whole, place, PT_LOAD, PF_R, len(whole), OWN_QEMU, OWN_QEMU, len(qemu), len(qemu), PAGE)
    return bytes(whole + qemu)
