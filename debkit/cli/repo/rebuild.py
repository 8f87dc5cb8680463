"""Remake the archive whose database or indices are lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.cli.repo import holding

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="rebuild")
@click.option("--from", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              help="Take what the pool lacks from here: the files of releases.")  # fmt: skip
@click.option("-d", "--suite", default="", metavar="SUITE", help="Suite for what is in DIR, else what its Distribution means.")
@with_passphrase
@click.pass_obj
def command(session: Session, *, directory: Path | None, suite: str, passphrase: Passphrase) -> None:
    """Remake the whole archive: its database from the signed indices or the journal, its indices from that, all signed anew.

    A db/ or dists/ that is lost or damaged loses nothing; where only pool/ is left, its newest uploads are published. With --from
    also files of the pool, or an archive of which nothing is left, come back from release assets, whatever these are called by
    now. What cannot be had is told, and nothing is changed.
    """
    from debkit.archive import front  # noqa: PLC0415
    from debkit.archive.rebuild import rebuild  # noqa: PLC0415

    config, console = session.config, session.console
    with holding(session, "rebuilding the archive", passphrase) as (archive, row):
        done = rebuild(archive, config, directory=directory, suite=suite, progress=row)
        front.write(config, archive.keys)
    for name in done.put_back:
        console.info(f"  + {name}")
    for name in done.left_out:
        console.warn(f"{name} was left out: it is of an older version")
    for name, why in done.unusable.items():
        console.warn(f"{name} was left out: {why}")
    for name, origin in done.origins.items():
        console.good(f"{name} is rebuilt from {origin}")
