"""Publish the keyring package, and write what users need to add the archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="onboard")
@click.option("--release", is_flag=True, help="Refuse a development key.")
@click.option("--passphrase-fd", type=int, metavar="N", help="Read the key's passphrase from this file descriptor.")
@click.option(
    "--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Read the key's passphrase from this file."
)
@click.pass_obj
def command(session: Session, *, release: bool, passphrase_fd: int | None, passphrase_file: Path | None) -> None:
    """Publish the package NAME-archive-keyring into every suite; write the .sources files, INSTALL.md and the front page.

    Do it once, and again whenever the archive's keys or its address have changed: users who have the package get what is new with
    their next upgrade. Where nothing has changed nothing is published.
    """
    from debkit.keys import Passphrase  # noqa: PLC0415
    from debkit.pipeline.onboard import onboard  # noqa: PLC0415

    if passphrase_fd is not None and passphrase_file:
        raise click.UsageError("--passphrase-fd and --passphrase-file exclude each other")
    passphrase = Passphrase(fd=passphrase_fd, file=passphrase_file)
    onboard(session.run, session.config, session.console, passphrase=passphrase, release=release)
