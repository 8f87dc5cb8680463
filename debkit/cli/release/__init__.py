"""Release a tagged version: its number and changelog from git, its notes, and the GitHub release fed from the archive."""

from __future__ import annotations

import click

from debkit.cli import Verbs


@click.group(name="release", cls=Verbs, package="debkit.cli.release")
def command() -> None:
    """Release a tagged version: its number and changelog from git, its notes, and the GitHub release fed from the archive."""
