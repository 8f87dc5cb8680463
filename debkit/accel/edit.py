"""Edits of native programs, so that they find their loader, libraries and the chroot's own files: of texts, never of code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from debkit.errors import AccelError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from debkit.accel.table import Edit
    from debkit.model import Arch

NATIVE = "/.native"
MAGIC = b"\x7fELF"


def loader(interpreter: str) -> str:
    """Name the loader in the toolbox: as long as the machine's own name for it, since it replaces that in each program."""
    return f"{NATIVE}/{interpreter.rpartition('/')[2]}"[: len(interpreter)].ljust(len(interpreter), "_")


def relocations(native: Arch, interpreter: str) -> tuple[tuple[bytes, bytes], ...]:
    """Give what is replaced in every native program and library: pairs of texts of equal length, wherever they stand."""
    libraries = f"/usr/lib/{native.triplet}"
    pairs = ((libraries, f"{NATIVE}/{native.triplet}"), (interpreter, loader(interpreter)))
    if any(len(old) != len(new) for old, new in pairs):
        raise AccelError(
            f"programs of {native} cannot be moved to {NATIVE}",
            cause=f"their loader {interpreter} or {libraries} is too short a path for that",
            hint="DEBKIT_ACCEL=off make deb",
        )
    return tuple((os.fsencode(old), os.fsencode(new)) for old, new in pairs)


def relocate(root: Path, pairs: Iterable[tuple[bytes, bytes]]) -> int:
    """Replace them in every ELF file of the root; say in how many."""
    changed = 0
    for directory, _, names in os.walk(root / "usr"):
        for name in names:
            path = root / directory / name
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as file:
                if file.read(4) != MAGIC:
                    continue
            before = after = path.read_bytes()
            for old, new in pairs:
                after = after.replace(old, new)
            if after != before:
                path.write_bytes(after)
                changed += 1
    return changed


def apply(root: Path, edits: Iterable[Edit]) -> frozenset[str]:
    """Make the table's edits; give the paths, as seen from the root, of programs whose new text has no room.

    Raises AccelError where a text is not found as often as it should be.
    """
    unfit = set()
    for edit in edits:
        old, new = edit.old.encode() + b"\0", edit.new.encode() + b"\0"
        for file in edit.files:
            path = root / file
            if not path.exists():
                continue
            if len(new) > len(old):
                unfit.add(f"/{file}")
                continue
            data = path.read_bytes()
            starts = b"\0" + old
            found = data.count(starts)
            if found != edit.count:
                raise AccelError(
                    f"{file} has the text {edit.old} {found} times and not {edit.count}",
                    cause="the suite's package is another one than the table of twins was made for",
                    hint="DEBKIT_ACCEL=off make deb; and report it",
                )
            path.write_bytes(data.replace(starts, b"\0" + new.ljust(len(old), b"\0")))
    return frozenset(unfit)
