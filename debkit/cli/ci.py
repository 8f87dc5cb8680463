"""Do what jobs of a workflow need; what only GitHub's Actions can is elsewhere not done, which is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.group(name="ci")
def command() -> None:
    """Do what jobs of a workflow need; what only GitHub's Actions can is elsewhere not done, which is told."""


@command.command()
@click.argument("part", type=click.Path(path_type=Path))
@click.pass_obj
def part(session: Session, *, part: Path) -> None:
    """Tell what PART, kept of what a build has left in dist/, has; fail as its build has failed."""
    from debkit.pipeline.parts import demand_built  # noqa: PLC0415

    report = demand_built(part)
    for source in report.sources:
        targets = " ".join(str(build.target) for build in report.builds if build.target.suite == source.suite)
        session.console.good(f"{part} has {source.name} {source.version}: {targets}, built at {report.started}")


@command.command(name="verify-parts")
@click.argument("parts", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_obj
def verify_parts(session: Session, *, parts: tuple[Path, ...]) -> None:
    """Verify that debkit's workflow has attested PARTS, each the dist/ of a build, and built them from this very commit."""
    from debkit.console import counted  # noqa: PLC0415
    from debkit.release import actions  # noqa: PLC0415

    if not actions.is_job(os.environ):
        session.console.info("attestations not verified: only builds in GitHub's Actions have any")
        return
    with session.run.interruptible():
        actions.verify(session.run, parts, environ=os.environ)
    session.console.good(f"{counted(len(parts), 'part')} attested")


@command.command()
@click.argument("verb", type=click.Choice(["fetch", "push"]))
@click.argument("site", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def pages(session: Session, *, verb: str, site: Path) -> None:
    """Have the branch gh-pages in SITE, or make SITE that branch: one commit without history."""
    from debkit.release import actions  # noqa: PLC0415

    with session.run.interruptible():
        told = actions.branch(session.run, verb, site, environ=os.environ)
    session.console.info(told or f"gh-pages {verb}ed")
