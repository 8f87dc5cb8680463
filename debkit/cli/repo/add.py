"""Publish uploads that are signed already, such as those that another machine built."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase

if TYPE_CHECKING:
    from debkit.archive import Upload
    from debkit.cli import Session
    from debkit.keys import Passphrase
    from debkit.run import Processes

# Of more uploads than these only their number is told.
TOLD = 20


@click.command(name="add")
@click.argument("changes", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-d", "--suite", default="", metavar="SUITE", help="Suite to publish in, else what Distribution and [archive] stream mean."
)
@with_passphrase
@click.pass_obj
def command(session: Session, *, changes: tuple[Path, ...], suite: str, passphrase: Passphrase) -> None:
    """Publish the uploads CHANGES (signed .changes files, with all that they list beside them): all of them or none.

    Each must be signed by a key that conf/uploaders of the archive allows. However many they are, an index is written once.
    """
    from debkit.config import codename  # noqa: PLC0415
    from debkit.console import DEVELOPMENT_KEY_NOTICE, counted  # noqa: PLC0415
    from debkit.keys import find_keys  # noqa: PLC0415
    from debkit.paths import state_home  # noqa: PLC0415

    config, console, run = session.config, session.console, session.run
    with run.interruptible(), ThreadPoolExecutor(max_workers=1) as thread:
        over = threading.Event()
        reading = thread.submit(_read, run, changes, over)
        try:
            with (
                find_keys(run, config.keys, environ=os.environ, state=state_home(), passphrase=passphrase) as keys,
                console.jobs((config.archive.name,)) as rows,
            ):
                from debkit.archive import publish_all  # noqa: PLC0415  # by now the other thread has imported it

                row = rows[config.archive.name]
                row.phase(f"reading {counted(len(changes), 'upload')}")
                published = publish_all(run, config, reading.result(), keys, suite=codename(suite), progress=row)
                row.done("published")
        finally:
            over.set()  # what is wrong with the keys is not to wait for thousands of uploads
    if keys.archive.development:
        console.warn(DEVELOPMENT_KEY_NOTICE)
    for each in published if len(published) <= TOLD else ():
        if each.arches:
            verb = "is already in" if each.unchanged else "published to"
            console.good(f"{each.source} {each.version} {verb} {config.repo} ({each.suite}: {' '.join(each.arches)})")
        else:
            console.info(f"{each.source} {each.version} gives way to a newer version in {each.suite}")
    if len(published) > TOLD:
        new = sum(not each.unchanged for each in published)
        console.good(f"{counted(new, 'upload')} published to {config.repo}; it had {len(published) - new} already")


def _read(run: Processes, changes: tuple[Path, ...], over: threading.Event) -> tuple[Upload, ...]:
    """Read the uploads unless it is `over`, in a thread of its own: meanwhile gpg is waited for, and what is imported here."""
    from debkit.archive import read_upload  # noqa: PLC0415

    uploads = []
    for path in changes:
        if over.is_set():
            break
        run.check()
        uploads.append(read_upload(run, path))
    return tuple(uploads)
