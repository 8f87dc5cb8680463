"""Work on the archive: its clients, its history, where it is served."""

import click

from debkit.cli import Verbs


@click.group(name="repo", cls=Verbs, package="debkit.cli.repo")
def command() -> None:
    """Work on the archive: its clients, its history, where it is served."""
