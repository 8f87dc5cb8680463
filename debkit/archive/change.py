"""How the archive is worked on: one run at a time, each change whole or not at all, and told in the journal."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debkit.archive import conf, journal, snapshots, transaction
from debkit.archive.index import is_current
from debkit.archive.journal import Act
from debkit.archive.lock import WAIT_SECONDS, locked
from debkit.archive.reprepro import Reprepro, asking_once
from debkit.console import Quiet
from debkit.errors import ArchiveError
from debkit.keys import export_public
from debkit.run import require_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from debkit.archive.reprepro import Entry
    from debkit.config import Config
    from debkit.console import Progress
    from debkit.keys import Keys
    from debkit.run import Run

QUIET = Quiet()
DATABASE = "db/packages.db"


@contextlib.contextmanager
def working(
    run: Run, config: Config, keys: Keys, *, what: str, progress: Progress = QUIET, wait: float = WAIT_SECONDS
) -> Iterator[Reprepro]:
    """Hold the archive, with its configuration laid out, once what a killed run has begun is undone.

    `what` is told to those who wait, for at most `wait` seconds. Raises LockedError, MissingTool, ConfigError, ArchiveError.
    """
    with holding(run, config, keys, what=what, progress=progress, wait=wait) as archive:
        ready(archive, progress)
        yield archive


@contextlib.contextmanager
def holding(
    run: Run, config: Config, keys: Keys, *, what: str, progress: Progress = QUIET, wait: float = WAIT_SECONDS
) -> Iterator[Reprepro]:
    """Hold the archive as it is, which may be half changed or without a database."""
    require_tool("reprepro")
    with (
        locked(config.repo, what=what, progress=progress, wait=wait),
        conf.effective(config, keys) as directory,
    ):
        (directory / conf.TRUSTED).write_bytes(export_public(*keys.signers))
        yield Reprepro(run=run, base=config.repo, conf=directory, keys=keys, env=asking_once(directory / "gpgme"))


def ready(archive: Reprepro, progress: Progress) -> bool:
    """Make an archive that is held fit to be worked on. Say whether a killed run had left something to undo."""
    undone = recover(archive, progress)
    demand_database(archive.base)
    return undone


def settled(archive: Reprepro) -> None:
    """Check that an archive which is held can be looked at as it is. Raises ArchiveError."""
    demand_settled(archive.base)
    demand_database(archive.base)


def demand_settled(base: Path) -> None:
    """Refuse to look at what a killed run has left half changed, where it is not to be undone. Raises ArchiveError."""
    if transaction.pending(base):
        raise ArchiveError(f"{base} is in the middle of a change", cause="a run was killed", hint="debkit repo recover")


def demand_database(base: Path) -> None:
    """Refuse to work on an empty database where something was published: the next export would end what is left of it."""
    if (base / DATABASE).exists():
        return
    published = any((base / "dists" / suite / "Release").exists() for suite in snapshots.suites(base))
    left = any("/." not in name for name in transaction.pool(base))
    if published or left or any(act.added for act in journal.read(base)):
        raise ArchiveError(
            f"{base} has lost its database",
            cause=f"there is no {base}/db/packages.db, although something was published, or lies in {base}/pool",
            hint="debkit repo rebuild",
        )


@dataclass(slots=True)
class Change:
    """What a change comes to, told by who makes it, once its suites are exported."""

    archive: Reprepro
    acts: list[Act] = field(default_factory=list)

    def tell(self, suite: str, act: str, detail: str, *, before: Iterable[Entry] = (), after: Iterable[Entry] = ()) -> None:
        """Say that a suite was changed; `before` and `after` are its members, or those of them that may have changed."""
        old, new = frozenset(before), frozenset(after)
        self.acts.append(
            Act(
                time=journal.now(),
                suite=suite,
                act=act,
                detail=detail,
                snapshot=snapshots.snapshots(self.archive.base, suite)[-1].name,
                key=self.archive.keys.archive.fingerprint,
                added=_sorted(new - old),
                removed=_sorted(old - new),
            )
        )


@contextlib.contextmanager
def change(archive: Reprepro) -> Iterator[Change]:
    """Make a change; whatever goes wrong or interrupts leaves the archive as it was.

    Its suites are exported within; what it tells of them goes into the journal with the snapshot that this led to.
    """
    transaction.begin(archive.base)
    try:
        made = Change(archive)
        yield made
        journal.append(archive.base, made.acts)
        transaction.commit(archive.base)
    except BaseException:
        recover(archive, QUIET)
        raise


def recover(archive: Reprepro, progress: Progress) -> bool:
    """Undo what a killed run has begun, and export what it may have exported half. Say whether there was anything."""
    if not transaction.pending(archive.base):
        transaction.sweep(archive.base)  # what one has left that was killed before it began
        return False
    progress.phase("undoing what an interrupted run has begun")
    base = archive.base
    transaction.undo(base)
    if journal.size(base):  # it is cut now: of a first publish that was killed there is nothing, and no database either
        demand_database(base)
    listings = {suite: archive.listing(suite, cleanup=True) for suite in archive.suites}
    half_out = [suite for suite in listings if not is_current(base, suite, listings[suite], archive.keys)]
    with contextlib.suppress(ArchiveError):  # a damaged journal is for verify to tell
        told = frozenset(act.snapshot for act in journal.read(base))
        for suite in listings.keys() - half_out:
            snapshots.remove_unseen(base, suite, told)
    transaction.forget_strays(base, frozenset(archive.checksums(cleanup=True)))
    lost = tuple(name for name in archive.unreferenced(cleanup=True) if not (base / name).exists())
    archive.forget(lost, cleanup=True)
    made = Change(archive)
    for suite in half_out:
        archive.export(suite, cleanup=True)
        made.tell(suite, "recover", "what a killed run had begun was undone")
    journal.append(base, made.acts)
    transaction.settle(base)
    return True


def keep_current(archive: Reprepro, suite: str) -> None:
    """Make a change of it where a suite's index has to be exported anew, although its members stay."""
    entries = archive.listing(suite)
    if is_current(archive.base, suite, entries, archive.keys):
        return
    with change(archive) as made:
        archive.export(suite)
        told = journal.members(journal.read(archive.base, suite))
        made.tell(suite, "refresh", "its index was not what the database says", before=told, after=entries)


def _sorted(entries: frozenset[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.member))
