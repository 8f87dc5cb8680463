"""Publish a tagged version as a GitHub release, with the archive's own files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="github")
@click.argument("source", default=".")
@click.option("--tag", default="", metavar="TAG", help="The tag to release, else the workflow's, else the last commit's.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="The repository on GitHub, else GITHUB_REPOSITORY.")
@click.option("--flat-repo", is_flag=True, help="Add signed indices, with which apt reads the release as a repository.")
@click.option("--notes", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="What the text begins with, else the notes of the tree.")  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be released and stop; needs no token.")
@with_passphrase
@click.pass_obj
def command(
    session: Session,
    *,
    source: str,
    tag: str,
    repository: str,
    flat_repo: bool,
    notes: Path | None,
    dry_run: bool,
    passphrase: Passphrase,
) -> None:
    """Release the version of SOURCE that a tag names: a tree, a .dsc, or the name of a source package in the archive.

    Its packages, sources, .changes and .buildinfo files of all suites are uploaded into a draft, with a signed SHA256SUMS and the
    report of the last run; once GitHub has all of it, the draft is published. Whatever ended a run, the next one finishes it, and
    what is published already is left alone. The token is taken from GITHUB_TOKEN or GH_TOKEN.
    """
    from debkit.pipeline.release import Request, preview, release  # noqa: PLC0415

    text = notes.read_text(encoding="utf-8") if notes else ""
    request = Request(where=source, tag=tag, repository=repository, notes=text, flat=flat_repo)
    run, config, console = session.run, session.config, session.console
    if dry_run:
        preview(run, request, config, console, environ=os.environ)
        return
    outcome, url = release(run, request, config, console, environ=os.environ, passphrase=passphrase)
    console.good(f"the release {outcome.value}: {url}")
