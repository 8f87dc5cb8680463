"""The dispatcher (`dispatch.c`) and `answers.c` as files: what they are made of, and how the first comes to hold an emulator."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from debkit.errors import AccelError

HOME = Path(__file__).parent
INSTALLED = Path("/usr/lib/python3/dist-packages")  # where the Debian package has debkit
PACKAGED = Path("/usr/libexec/debkit")  # where debkit-accel has them
DISPATCHER, ANSWERS = "dispatch", "answers.so"
# By what is made: the source and the file of options for gcc.
MADE_OF = {DISPATCHER: ("dispatch.c", "gcc-options"), ANSWERS: ("answers.c", "answers-options")}
# elf(5), for 64 bit and little endian, which both machines are that it runs on.
SEGMENT = struct.Struct("<IIQQQQQQ")
PT_LOAD, PT_NOTE, PF_R = 1, 4, 4
OWN_QEMU = 0x10000000  # where dispatch.c looks for it in memory
PAGE = 0x10000  # the largest of either machine


def sources() -> str:
    """Hash what both are made of, as debkit-accel's debian/rules does (SHA-256, hex). They have it as a text."""
    files = sorted((*HOME.glob("*.[ch]"), *HOME.glob("*-options")))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def packaged(name: str) -> bytes:
    """Give the compiled one of debkit-accel, for an installed debkit that has the same sources; else nothing."""
    file = PACKAGED / name
    if not HOME.is_relative_to(INSTALLED) or not file.exists():
        return b""
    program = file.read_bytes()
    return program if sources().encode() in program else b""


def argv(directory: str, result: str, *options: str, name: str = DISPATCHER) -> tuple[str, ...]:
    """Build the command that compiles one, by paths as they are where gcc and linux-libc-dev are installed."""
    source, file = MADE_OF[name]
    return ("gcc", f"@{directory}/{file}", f'-DSOURCES="{sources()}"', *options, "-o", result, f"{directory}/{source}")


def with_qemu(dispatcher: bytes, qemu: bytes) -> bytes:
    """Put a static qemu into the dispatcher, as a segment that the kernel maps and that costs nothing until it is read.

    It is for roots that a build makes and enters, which no file of the toolbox can be seen in. The program header that becomes
    the segment's is one that pointed to a note of the dispatcher. Raises AccelError where there is none.
    """
    (headers,), (size, count) = struct.unpack_from("<Q", dispatcher, 32), struct.unpack_from("<HH", dispatcher, 54)
    places = [headers + size * number for number in range(count)]
    place = next((place for place in places if SEGMENT.unpack_from(dispatcher, place)[0] == PT_NOTE), None)
    if place is None:
        raise AccelError(
            "the dispatcher has no room for the emulator",
            cause="the suite's gcc leaves out a note that it used to make",
            hint="DEBKIT_ACCEL=off make deb; and report it",
        )
    whole = bytearray(dispatcher)
    whole += bytes(-len(whole) % PAGE)
    SEGMENT.pack_into(whole, place, PT_LOAD, PF_R, len(whole), OWN_QEMU, OWN_QEMU, len(qemu), len(qemu), PAGE)
    return bytes(whole + qemu)
