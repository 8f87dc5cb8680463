"""Look whether all of the archive is as it was published."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="verify")
@click.argument("directory", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--days", type=click.IntRange(0), default=30, show_default=True, help="How long keys are to be good at least.")
@click.pass_obj
def command(session: Session, *, directory: Path | None, days: int) -> None:
    """Look at every file of the archive, or of a copy of it in DIRECTORY, such as a deployed one.

    Packages by their checksums, indices, signatures, keys, dates, kept states, database and journal: all problems are told
    together. Nothing is changed, and no secret key is needed: run it every week.
    """
    from debkit.archive.verify import verify  # noqa: PLC0415
    from debkit.console import counted  # noqa: PLC0415
    from debkit.keys.check import overdue  # noqa: PLC0415

    config, console = session.config, session.console
    for due in overdue(config.keys, now=time.time()):
        console.warn(f"{due.what}: {due.remedy}")
    with session.run.interruptible(), console.jobs((config.archive.name,)) as rows:
        row = rows[config.archive.name]
        base = (directory or config.repo).absolute()
        found = verify(session.run, config, base, days=days, progress=row)
        row.done("verified")
    until = f"until {found.until}" if found.until else "for ever"
    console.good(
        f"{base} is in order: {', '.join(found.suites)}; {counted(found.files, 'file')} ({found.size / 1e6:.1f} MB), "
        f"{counted(found.states, 'state')}, "
        f"signed by {' and '.join(found.signers)}, valid {until}{'' if found.database else '; a copy, without a database'}"
    )
