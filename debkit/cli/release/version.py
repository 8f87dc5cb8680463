"""Print the version that a source has, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="version")
@click.argument("source", default=".")
@click.pass_obj
def command(session: Session, *, source: str) -> None:
    """Print the version that a build of SOURCE, a tree or a .dsc, has for the first suite, and why."""
    from debkit.errors import SourceError  # noqa: PLC0415
    from debkit.pipeline.execute import staging  # noqa: PLC0415
    from debkit.source import describe  # noqa: PLC0415

    config = session.config
    draft = describe(session.run, source, suite=config.build.suites[0], config=config, staging=staging(config))
    if draft is None:
        raise SourceError(
            f"there is no source tree {source}",
            cause="it could be the name of a package, whose version an archive decides",
            hint=f"ls, or debkit release version ./{source}",
        )
    session.console.result(draft.version)
    session.console.info(f"note: {draft.verdict.why}")
