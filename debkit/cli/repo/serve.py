"""Serve the archive on this machine, for trying; Ctrl-C ends it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="serve")
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="The port to listen on; 0: a free one.")  # fmt: skip
@click.option("--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.pass_obj
def command(session: Session, *, port: int, bind: str) -> None:
    """Serve the archive on this machine, for trying: what `debkit repo deploy` would put on a server, and nothing else."""
    from debkit.archive import addition  # noqa: PLC0415
    from debkit.archive.serving.serve import served  # noqa: PLC0415
    from debkit.archive.whole import demand_published  # noqa: PLC0415
    from debkit.errors import Interrupted  # noqa: PLC0415

    config = session.config
    suites = demand_published(config)
    try:
        with session.run.interruptible(), served(config.repo, bind=bind, port=port) as site:
            session.console.info(f"{config.repo} is served at {site.url}/ until Ctrl-C")
            for suite in suites:
                session.console.info(f"to try it on {suite}:")
                for line in addition(config, suite, url=site.url):
                    session.console.info(f"  {line}")
            while True:
                signal.pause()
    except Interrupted as end:
        if end.exit_code != Interrupted(signal.SIGINT).exit_code:
            raise
