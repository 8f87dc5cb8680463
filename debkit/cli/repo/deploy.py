"""Copy the archive to where it is served, in an order that no client notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="deploy")
@click.argument("where")
@click.option("--preset", type=click.Choice(["pages"]), help="Keep the limits of GitHub Pages.")
@click.pass_obj
def command(session: Session, *, where: str, preset: str | None) -> None:
    """Copy the archive to WHERE: a directory, or what rsync takes for a destination (HOST:PATH, rsync://HOST/MODULE/PATH).

    Packages go first, then the indices, the signatures that name them, and the front page; what is old is removed last, when the
    archive's grace time is over. A deploy that was interrupted is finished by the next.
    """
    from debkit.archive.serving.deploy import deploy  # noqa: PLC0415
    from debkit.console import counted  # noqa: PLC0415

    console, name = session.console, session.config.archive.name
    with session.run.interruptible(), console.jobs((name,)) as rows:
        done = deploy(session.run, session.config, where, to_pages=preset == "pages", progress=rows[name])
        rows[name].done("deployed")
    console.good(
        f"deployed to {where}: {counted(done.copied, 'file')} copied, {done.removed} removed, "
        f"{done.waiting} kept for their grace time"
    )
