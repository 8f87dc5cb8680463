"""Remove old states of the archive, and the files that only they list."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.cli.repo import holding, working

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="prune")
@click.option("--keep", type=click.IntRange(1), metavar="N", help="How many states of a suite to keep, else what is configured.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@with_passphrase
@click.pass_obj
def command(session: Session, *, keep: int | None, dry_run: bool, passphrase: Passphrase) -> None:
    """Remove old states, but for the newest N of each suite, and the files that only they list.

    What was replaced within [archive] grace stays in any case: clients may be about to fetch it.
    """
    from debkit.archive import prune, settled  # noqa: PLC0415
    from debkit.archive.retention import by_version  # noqa: PLC0415
    from debkit.console import counted  # noqa: PLC0415

    config = session.config.archive
    with contextlib.ExitStack() as stack:
        if dry_run:
            archive, _ = stack.enter_context(holding(session, "looking what could be pruned", passphrase))
            settled(archive)
        else:
            archive = stack.enter_context(working(session, "pruning the archive", passphrase))
        gone = prune(archive, keep=keep or config.keep, grace=config.grace, dry_run=dry_run)
    for name in (*gone.snapshots, *by_version(gone.pool)):
        session.console.info(f"  - {name}")
    would = "would be removed" if dry_run else "removed"
    session.console.good(
        f"{counted(len(gone.snapshots), 'state')}, {counted(len(gone.indices), 'old index file')} and "
        f"{counted(len(gone.pool), 'file')} of the pool "
        f"({gone.size / 1e6:.1f} MB) {would}"
    )
