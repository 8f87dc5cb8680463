"""Build a source package, check it, sign it and publish it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.model import Via

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="build")
@click.argument("source", default=".")
@click.option("-a", "--arch", "arches", multiple=True, metavar="ARCH", help="Architecture to build for; may be given again.")
@click.option("-d", "--suite", "suites", multiple=True, metavar="SUITE", help="Suite to build for; may be given again.")
@click.option("--via", type=click.Choice(["auto", *(via.value for via in Via)]), default="auto", help="Force how the builds run.")
@click.option("--backend", metavar="NAME", help="The builder: sbuild or pbuilder.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--no-publish", is_flag=True, help="Stop after the checks; nothing is signed.")
@click.option("--stream", metavar="NAME", help="Publish into SUITE-NAME beside the suite; empty: into the suite itself.")
@click.option("--release", is_flag=True, help="Refuse a development key.")
@click.option("--accept-incomplete-checks", is_flag=True, help="Publish although a check was skipped or broke.")
@click.option(
    "--require", type=click.Choice(["systemd"]), help="Do not try services by hand where no systemd boots; the default in CI."
)
@click.option("--strict", is_flag=True, help="Boot foreign systems in a full machine.")
@click.option("--refresh", is_flag=True, help="Make the chroots anew.")
@click.option("--no-layers", is_flag=True, help="Install the build dependencies again.")
@click.option("--shell-on-failure", is_flag=True, help="Open a root shell in the chroot of a build that fails.")
@with_passphrase
@click.pass_obj
def command(
    session: Session,
    *,
    source: str,
    arches: tuple[str, ...],
    suites: tuple[str, ...],
    via: str,
    backend: str | None,
    dry_run: bool,
    no_publish: bool,
    stream: str | None,
    release: bool,
    accept_incomplete_checks: bool,
    require: str | None,
    strict: bool,
    refresh: bool,
    no_layers: bool,
    shell_on_failure: bool,
    passphrase: Passphrase,
) -> None:
    """Build SOURCE: a tree with debian/ or packaging/debian/, a .dsc, or the name of a source package in the suite."""
    from debkit.config import parse_names  # noqa: PLC0415
    from debkit.pipeline.execute import execute  # noqa: PLC0415
    from debkit.pipeline.plan import Request  # noqa: PLC0415

    config, names = session.config, parse_names(suites=suites, arches=arches, backend=backend)
    building = replace(config.build, backend=names.backend or config.build.backend, layers=config.build.layers and not no_layers)
    service = replace(config.checks.service, require_systemd=require == "systemd" or session.console.ci, strict=strict)
    config = replace(config, build=building, checks=replace(config.checks, service=service))
    if stream is not None:
        config = replace(config, archive=replace(config.archive, stream=stream))
    execute(
        Request(
            where=source,
            suites=names.suites or config.build.suites,
            arches=names.arches or config.build.arches,
            via=None if via == "auto" else Via(via),
            publish=not no_publish,
            release=release,
            accept_incomplete=accept_incomplete_checks,
            refresh=refresh,
            accelerate=session.accelerate,
            shell=shell_on_failure,
        ),
        config,
        session.console,
        passphrase=passphrase,
        dry_run=dry_run,
    )
