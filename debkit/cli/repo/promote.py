"""Take packages from a stream into its suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.cli.repo import working

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="promote")
@click.argument("stream", metavar="FROM")
@click.argument("suite", metavar="TO")
@click.argument("packages", metavar="[PACKAGE]...", nargs=-1)
@with_passphrase
@click.pass_obj
def command(session: Session, *, stream: str, suite: str, packages: tuple[str, ...], passphrase: Passphrase) -> None:
    """Take the source packages PACKAGE, or all, with all that was built of them from FROM into TO: all of them or none.

    FROM is a stream such as trixie-unstable, into which `debkit build --stream unstable` publishes, and TO is trixie. They stay
    in FROM, too. A version older than what TO has is refused.
    """
    from debkit.archive.promote import promote  # noqa: PLC0415

    config, console = session.config, session.console
    with working(session, f"promoting from {stream} to {suite}", passphrase) as archive:
        done = promote(archive, config, stream, suite, packages)
    for source in done.unchanged:
        console.info(f"  {source} is already in {suite}")
    for source in done.taken:
        console.good(f"{source} is in {suite} now")
    if not done.taken:
        console.good(f"{suite} has all of it")
