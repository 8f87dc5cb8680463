"""Export suites and sign them anew: with a new Valid-Until, by the keys of today, from what the database says."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from debkit.archive import conf, journal, snapshots
from debkit.archive.change import change
from debkit.archive.whole import mend

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.reprepro import Reprepro
    from debkit.config import Config


def renew(archive: Reprepro, config: Config, suites: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Export these suites, or all that have packages or were ever exported; give which. All are, or none.

    Damaged indices are written anew, those of old states from where they are there by their hash; the journal is told what it did
    not know. Raises ConfigError for a suite that the archive has not, ArchiveError.
    """
    for suite in suites:
        conf.demand(config, suite, ())
    known = suites or tuple(conf.read_suites(config))
    members = {suite: archive.listing(suite) for suite in known}
    wanted = suites or tuple(suite for suite in known if members[suite] or (archive.base / "dists" / suite / "Release").exists())
    with change(archive) as made:
        for suite in wanted:
            directory = archive.base / "dists" / suite
            states = tuple(one.path for one in snapshots.snapshots(archive.base, suite))
            _mend((*states, directory), directory)
            archive.export(suite)
            _mend(states, directory)  # what is damaged is so in all its links, until it is written anew
            told = journal.members(journal.read(archive.base, suite))
            made.tell(suite, "refresh", "signed anew", before=told, after=members[suite])
    return wanted


def _mend(paths: tuple[Path, ...], directory: Path) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # no Release file, no word on what is right
            mend(path, directory)
