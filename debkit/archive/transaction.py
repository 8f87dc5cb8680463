"""All or nothing: the archive's database is copied before it is changed, and put back where a change was cut short.

reprepro changes its database package by package and then renames the new indices one by one, so that a kill in between leaves
some of an upload. The pool is safe: files are added before anything refers to them, and removed after; the names that it had
before are noted. The journal is as it was when it is as long as it was.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from debkit.archive import journal, snapshots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEFORE = ".db-before"
UNDONE = ".db-undone"
POOL = ".pool-before"
LENGTH = "journal-length"
REBUILT = ".db-rebuilt"
GARBAGE = (".db-before.new", ".db-done", REBUILT)


def begin(base: Path) -> None:
    """Copy the database; from now on `pending` is true. Raises OSError where the disk has no room for it, and leaves nothing."""
    sweep(base)
    new = base / ".db-before.new"
    try:
        new.mkdir()
        # One by one: copytree's error is one of many files, and does not tell a full disk from a defect.
        for file in (base / "db").glob("*"):
            if file.name != "lockfile":
                shutil.copy2(file, new / file.name)
        journal.mend(base)
        (new / LENGTH).write_text(str(journal.size(base)), encoding="ascii")
        (base / POOL).write_bytes(b"".join(os.fsencode(f"{name}\n") for name in pool(base)))
        new.rename(base / BEFORE)
    except BaseException:
        sweep(base)
        raise


def pending(base: Path) -> bool:
    """Whether a change was begun and neither committed nor wholly undone."""
    return (base / BEFORE).exists() or (base / UNDONE).exists()


def install(base: Path) -> None:
    """Let the database that was made as REBUILT be the one that is put back by an undoing, which is now pending."""
    (base / REBUILT / LENGTH).write_text(str(journal.size(base)), encoding="ascii")
    (base / REBUILT).rename(base / BEFORE)


def commit(base: Path) -> None:
    """Make the change count."""
    (base / BEFORE).rename(base / ".db-done")
    sweep(base)


def undo(base: Path) -> None:
    """Put database and journal back, and take away half-written indices; `settle` ends it. May be cut short, and begun again."""
    if (base / BEFORE).exists():
        length = base / BEFORE / LENGTH
        if length.exists():
            journal.cut(base, int(length.read_text(encoding="ascii")))
            length.unlink()
        if (base / "db").exists():
            shutil.rmtree(base / UNDONE, ignore_errors=True)
            (base / "db").rename(base / UNDONE)
        (base / UNDONE).mkdir(exist_ok=True)
        (base / BEFORE).rename(base / "db")
    for file in (base / UNDONE).iterdir():  # the disk may be full
        file.unlink()
    sweep(base)
    for index in (base / "dists").rglob("*.new"):
        index.unlink()
    for suite in snapshots.suites(base):
        snapshots.sweep(base, suite)


def settle(base: Path) -> None:
    """End an undoing, once the indices too are what the database says."""
    (base / POOL).unlink(missing_ok=True)
    (base / UNDONE).rmdir()


def sweep(base: Path) -> None:
    for name in GARBAGE:
        shutil.rmtree(base / name, ignore_errors=True)
    if not pending(base):
        (base / POOL).unlink(missing_ok=True)


def pool(base: Path) -> Iterator[str]:
    """Name the files of the pool, by their paths under the base. Quick: ten thousand packages take a quarter of a second."""
    for directory, _, names in os.walk(base / "pool"):
        where = os.path.relpath(directory, base)
        yield from (f"{where}/{name}" for name in names)


def forget_strays(base: Path, known: frozenset[str]) -> None:
    """Remove from the pool what came there since `begin` and the database does not know: an undone change has put it there.

    What was there before is not touched, whatever the database says: it may be lost. What a snapshot lists stays: a client may
    have seen it, and the suite may go back to it.
    """
    if not (base / POOL).exists():
        return
    before = frozenset(os.fsdecode((base / POOL).read_bytes()).split("\n"))
    strays = [name for name in pool(base) if name not in before and name not in known]
    if not strays:
        return
    listed = snapshots.listed(
        (snapshot.path for suite in snapshots.suites(base) for snapshot in snapshots.snapshots(base, suite)),
        frozenset(strays) | frozenset(map(snapshots.source_of, strays)),
    )
    for name in strays:
        if not {name, snapshots.source_of(name)} & listed:
            (base / name).unlink()
