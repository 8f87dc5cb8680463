"""What reprepro's database says, read from a copy of it: nothing of the archive is locked or written, and no key is needed."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.archive import programs
from debkit.archive.reprepro import FORMAT, parse_checksums, parse_listing
from debkit.run import Command, temporary

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.reprepro import Entry
    from debkit.run import Run


@dataclass(frozen=True, slots=True)
class Database:
    """The members of each suite, and the SHA-256 of each file that the pool is known to hold, by its path under the base."""

    members: dict[str, frozenset[Entry]]
    checksums: dict[str, str]


def read_database(run: Run, base: Path, suites: tuple[str, ...]) -> Database:
    """Read what the database has of suites. Raises CommandFailed for one that reprepro finds damaged, ConfigError."""
    if (distributions := base / "conf/distributions").is_file():
        programs.refuse(base / "conf", distributions.read_text(encoding="utf-8"))
    with temporary("debkit-db.") as copy:
        for file in (base / "db").glob("*"):
            if file.name != "lockfile":
                shutil.copyfile(file, copy / file.name)

        def ask(*words: str) -> str:
            argv = ("reprepro", "--basedir", os.fspath(base), "--dbdir", os.fspath(copy), *words)
            return run(Command(argv=argv, separate=True)).stdout

        members = {suite: frozenset(parse_listing(ask("--list-format", FORMAT, "list", suite))) for suite in suites}
        checksums = parse_checksums(ask("_listchecksums"))
        ask("check")  # which also adds, in the copy, what it misses
        return Database(members, checksums)
