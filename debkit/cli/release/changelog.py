"""Print the changelog entry that git implies, or write it into the tree."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="changelog")
@click.argument("source", default=".")
@click.option("--write", is_flag=True, help="Write it into the tree's own changelog.")
@click.pass_obj
def command(session: Session, *, source: str, write: bool) -> None:
    """Print the newest changelog entry that a build of the tree SOURCE has. Nothing is changed without --write."""
    from debkit.errors import SourceError  # noqa: PLC0415
    from debkit.paths import put  # noqa: PLC0415
    from debkit.pipeline.execute import staging  # noqa: PLC0415
    from debkit.source import imply_changelog  # noqa: PLC0415

    config, console = session.config, session.console
    with session.run.interruptible():
        implied = imply_changelog(session.run, source, suite=config.build.suites[0], config=config, staging=staging(config))
    if write and implied.draft.snapshot:
        raise SourceError(
            f"{implied.draft.version} is a snapshot, which is not written into a changelog",
            cause=f"the next build would take it for a release ({implied.draft.verdict.why})",
            hint=f"git -C {source} tag VERSION, then the same again\nor, for an entry to go on with: gbp dch",
        )
    console.result(implied.entry.rstrip("\n"))
    console.info(f"note: {implied.draft.verdict.why}")
    if not implied.new:
        console.info(f"{implied.path} has it")
    elif write:
        file = implied.path.resolve()
        put(file, implied.text.encode(), mode=stat.S_IMODE(file.stat().st_mode))
        console.good(f"written to {implied.path}")
