"""Undo what a killed run has begun to do to the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.cli.repo import holding

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="recover")
@with_passphrase
@click.pass_obj
def command(session: Session, *, passphrase: Passphrase) -> None:
    """Undo what a killed run has begun, so that the archive is as it was before; where there is nothing to undo, do nothing.

    Whatever changes the archive does this first: it is needed by hand only where nothing else is to be done.
    """
    from debkit.archive import front, ready  # noqa: PLC0415

    base = session.config.repo
    with holding(session, "recovering the archive", passphrase) as (archive, row):
        undone = ready(archive, row)
        front.write(session.config, archive.keys)
    session.console.good(
        f"{base} is as it was before the run that was killed: what that had begun is undone"
        if undone
        else f"no killed run has left anything to undo in {base}"
    )
