"""The dispatcher (`dispatch.c`) as a file: what it is made of, and how it comes to hold an emulator."""

from __future__ import annotations

import struct
from pathlib import Path

HOME = Path(__file__).parent
# elf(5), for 64 bit and little endian, which both machines are that it runs on.
SEGMENT = struct.Struct("<IIQQQQQQ")
PT_LOAD, PT_NOTE, PF_R = 1, 4, 4
OWN_QEMU = 0x10000000  # where dispatch.c looks for it in memory
PAGE = 0x10000  # the largest of either machine


def argv(sources: str, result: str) -> tuple[str, ...]:
    """Build the command that compiles it, by paths as they are where gcc and linux-libc-dev are installed."""
    return ("gcc", f"@{sources}/gcc-options", "-o", result, f"{sources}/dispatch.c")


def with_qemu(dispatcher: bytes, qemu: bytes) -> bytes:
    """Put a static qemu into the dispatcher, as a segment that the kernel maps and that costs nothing until it is read.

    It is for roots that a build makes and enters, which no file of the toolbox can be seen in. The program header that becomes
    the segment's is the one that pointed to the dispatcher's own build-id. ValueError: there is none.
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
