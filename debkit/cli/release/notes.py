"""Print release notes of the commits since the version before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="notes")
@click.argument("source", default=".")
@click.pass_obj
def command(session: Session, *, source: str) -> None:
    """Print Markdown release notes of the tree SOURCE, from its commits since the previous version's tag."""
    from debkit.pipeline.execute import staging  # noqa: PLC0415
    from debkit.release import notes  # noqa: PLC0415
    from debkit.source import changes_of  # noqa: PLC0415

    config = session.config
    changes = changes_of(session.run, source, config=config, staging=staging(config))
    session.console.result(notes.written(changes).rstrip("\n"))
