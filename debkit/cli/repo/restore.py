"""Bring the archive back from a deployed copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.cli.repo import holding

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="restore")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@with_passphrase
@click.pass_obj
def command(session: Session, *, directory: Path, passphrase: Passphrase) -> None:
    """Bring the archive back from DIR, a copy that `debkit repo deploy` has made, such as a checked out branch of GitHub Pages.

    What DIR has must be signed by the keys that sign here, whatever keyring lies in it. Where DIR is empty, as before the first
    release, there is nothing to restore, which is no error; an archive that is there already is not replaced.
    """
    from debkit.archive.restore import has_something, restore  # noqa: PLC0415
    from debkit.console import counted  # noqa: PLC0415

    config, console = session.config, session.console
    if not has_something(directory):
        console.good(f"nothing to restore: {directory} {'is empty' if directory.is_dir() else 'does not exist'}")
        return
    with holding(session, f"restoring from {directory}", passphrase) as (archive, row):
        done = restore(archive, config, directory.absolute(), progress=row)
    for warning in done.warnings:
        console.warn(warning)
    told = f"{', '.join(done.suites)}; {counted(done.files, 'file')} of packages"
    console.good(
        f"{config.repo} has the state of {directory} already: {told}"
        if done.unchanged
        else f"{config.repo} is restored from {directory}: {told}"
    )
