"""Give a project that has only its packaging what it takes to be released."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from debkit.config import parse_names

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.project import Action

CONFIG = "config/debkit.toml"
ARCHIVE = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # as config.schema.json has it


def _action(_ctx: click.Context, _param: click.Parameter, value: str) -> Action | None:
    from debkit.project import parsed  # noqa: PLC0415

    if value and not parsed(value):
        raise click.BadParameter(f"{value!r} is not OWNER/NAME@COMMIT")
    return parsed(value)


def _name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value and not ARCHIVE.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no package's name: lower-case letters, digits, '+', '-' and '.'")
    return value


@click.command(name="init")
@click.option("-a", "--arch", "arches", multiple=True, metavar="ARCH", help="Architecture to build for; may be given again.")
@click.option("-d", "--suite", "suites", multiple=True, metavar="SUITE", help="Suite to build for; may be given again.")
@click.option("--name", default="", metavar="NAME", callback=_name, help="Name of the archive; left out: the source's.")
@click.option(
    "--action", default="", metavar="OWNER/NAME@COMMIT", callback=_action, help="The debkit that releases; left out: this one."
)
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would be written.")
@click.pass_obj
def command(
    session: Session, *, arches: tuple[str, ...], suites: tuple[str, ...], name: str, action: Action | None, dry_run: bool
) -> None:
    """Write what a project with debian/ or packaging/debian/ needs so that a pushed tag releases it.

    That is the workflow, the same make targets for this machine in debkit.mk, config/debkit.toml, and the archive's repo/conf.
    What is there stays as it is, and so do source packages: what is written here is left out of them.
    """
    from debkit import project  # noqa: PLC0415
    from debkit.archive import conf  # noqa: PLC0415

    names = parse_names(suites=suites, arches=arches)
    console, path = session.console, session.project
    with session.run.interruptible():
        facts = project.look(session.run, path, session.config)
        if (path / CONFIG).exists():
            config = session.config
            if name or suites or arches:
                console.warn(f"{CONFIG} stays as it is: what --name, --suite and --arch say is not written into it")
        else:
            config = project.chosen(facts, suites=names.suites, arches=names.arches, name=name)
        action = action or project.own(session.run)
        stanzas = tuple(
            conf.stanza(config, config.archive.suite(suite), *facts.distribution.split()) for suite in config.build.suites
        )
        drafts, kept = project.draft(facts, config, action=action, stanzas=stanzas)
        if not dry_run:
            project.write(path, drafts)
    would = "would " if dry_run else ""
    for draft in drafts:
        console.result(f"{would}{'add to' if draft.added else 'write'} {draft.name}")
    for there in kept:
        console.result(f"keep {there}, which is there")
    for doubt in project.doubts(facts, config, action=action, kept=kept):
        console.warn(doubt)
    if dry_run:
        return
    console.info("next:")
    for step in project.steps(facts, drafts):
        console.info(f"  {step}")
