"""Publish the keyring package, and write what users need to add the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="onboard")
@click.option("--release", is_flag=True, help="Refuse a development key.")
@with_passphrase
@click.pass_obj
def command(session: Session, *, release: bool, passphrase: Passphrase) -> None:
    """Publish the package NAME-archive-keyring into every suite; write the .sources files, INSTALL.md and the front page.

    Do it once, and again whenever the archive's keys or its address have changed: users who have the package get what is new with
    their next upgrade. Where nothing has changed nothing is published.
    """
    from debkit.pipeline.onboard import onboard  # noqa: PLC0415

    onboard(session.run, session.config, session.console, passphrase=passphrase, release=release)
