"""All or nothing: the archive's database is copied before it is changed, and put back where a change was cut short.

reprepro changes its database package by package and then renames the new indices one by one, so that a kill in between leaves
some of an upload. The pool is safe: files are added before anything refers to them, and removed after. The journal is as it was
when it is as long as it was.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from debkit.archive import journal, snapshots

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = ".db-before"
UNDONE = ".db-undone"
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
        (new / LENGTH).write_text(str(journal.size(base)), encoding="ascii")
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
    (base / UNDONE).rmdir()


def sweep(base: Path) -> None:
    for name in GARBAGE:
        shutil.rmtree(base / name, ignore_errors=True)


def forget_strays(base: Path, known: frozenset[str]) -> None:
    """Remove from the pool what the database does not know: an undone change may have put it there.

    What a snapshot lists stays: a client may have seen it, and the suite may go back to it.
    """
    listed = {
        file
        for suite in snapshots.suites(base)
        for snapshot in snapshots.snapshots(base, suite)
        for file in snapshots.files(snapshot.path)
    }
    for file in (base / "pool").rglob("*"):
        name = file.relative_to(base).as_posix()
        if file.is_file() and name not in known and not {name, snapshots.source_of(name)} & listed:
            file.unlink()
