"""Work on the archive: its clients, its history, where it is served."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from debkit.cli import Verbs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.archive.reprepro import Reprepro
    from debkit.cli import Session
    from debkit.console import Progress
    from debkit.keys import Passphrase


@click.group(name="repo", cls=Verbs, package="debkit.cli.repo")
def command() -> None:
    """Work on the archive: its clients, its history, where it is served."""


@contextlib.contextmanager
def working(session: Session, what: str, passphrase: Passphrase) -> Iterator[Reprepro]:
    """Hold the archive, once what a killed run has begun is undone, and bring its front page up to date at the end."""
    from debkit.archive import front, ready  # noqa: PLC0415

    with holding(session, what, passphrase) as (held, row):
        ready(held, row)
        yield held
        front.write(session.config, held.keys)


@contextlib.contextmanager
def holding(session: Session, what: str, passphrase: Passphrase) -> Iterator[tuple[Reprepro, Progress]]:
    """Hold the archive as it is, with the keys that sign it; `what` is shown, and told to those who wait."""
    from debkit import archive  # noqa: PLC0415
    from debkit.keys import find_keys  # noqa: PLC0415
    from debkit.paths import state_home  # noqa: PLC0415

    config, run = session.config, session.run
    with (
        run.interruptible(),
        find_keys(run, config.keys, environ=os.environ, state=state_home(), passphrase=passphrase) as keys,
        session.console.jobs((config.archive.name,)) as rows,
    ):
        row = rows[config.archive.name]
        row.phase(what)
        with archive.holding(run, config, keys, what=what, progress=row) as held:
            yield held, row
        row.done("done")
