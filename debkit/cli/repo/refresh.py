"""Write and sign the archive's indices anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.cli.repo import working

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="refresh")
@click.argument("suites", metavar="[SUITE]...", nargs=-1)
@with_passphrase
@click.pass_obj
def command(session: Session, *, suites: tuple[str, ...], passphrase: Passphrase) -> None:
    """Write and sign the indices of each SUITE, or of all, anew.

    Do it before Valid-Until ([archive] valid-for) comes, and after the archive's keys have changed. Damaged indices are mended.
    """
    from debkit.archive.renewal import renew  # noqa: PLC0415

    with working(session, "signing the indices anew", passphrase) as archive:
        done = renew(archive, session.config, suites)
    session.console.good(f"signed anew: {', '.join(done)}" if done else "nothing was ever published: there is nothing to sign")
