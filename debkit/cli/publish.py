"""Sign and publish what other machines have built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="publish")
@click.argument("parts", nargs=-1, required=True, metavar="PART...", type=click.Path(path_type=Path))
@click.option("--stream", metavar="NAME", help="Publish into SUITE-NAME beside the suite; empty: into the suite itself.")
@click.option("--release", is_flag=True, help="Refuse a development key.")
@click.option("--accept-incomplete-checks", is_flag=True, help="Publish although a check was skipped or broke.")
@with_passphrase
@click.pass_obj
def command(
    session: Session,
    *,
    parts: tuple[Path, ...],
    stream: str | None,
    release: bool,
    accept_incomplete_checks: bool,
    passphrase: Passphrase,
) -> None:
    """Sign and publish what each PART has: the dist/ that `debkit build --no-publish` has left, on this machine or another.

    All parts must be of one source, be as they were left (SHA256SUMS), and have passed their checks. Of Architecture: all
    packages those of the first of [build] arches are published. Nothing of a PART is changed; the same again changes nothing.
    """
    from debkit.pipeline.publish import Wish, publish_parts  # noqa: PLC0415

    config = session.config
    if stream is not None:
        config = replace(config, archive=replace(config.archive, stream=stream))
    wish = Wish(parts=parts, release=release, accept_incomplete=accept_incomplete_checks, accelerate=session.accelerate)
    publish_parts(wish, config, session.console, passphrase=passphrase)
