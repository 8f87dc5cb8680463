"""Tell what this machine lacks for building, and mend it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from debkit import host
from debkit.config import parse_names

if TYPE_CHECKING:
    from debkit.cli import Session


@click.command(name="doctor")
@click.option("-a", "--arch", "arches", multiple=True, metavar="ARCH", help="Architecture to build for; default: as configured.")
@click.option("--fix", is_flag=True, help="Mend what can be mended: as root, or through sudo.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Tell only what is not as it should be.")
@click.pass_obj
def command(session: Session, *, arches: tuple[str, ...], fix: bool, as_json: bool, quiet: bool) -> None:
    """Tell what this machine lacks for building, one line a fact with what mends it. Changes nothing without --fix."""
    wanted = parse_names(arches=arches).arches or session.config.build.arches
    root = os.geteuid() == 0

    def look() -> tuple[host.Fact, ...]:
        return host.doctor(session.run, arches=wanted, backend=session.config.build.backend)

    with session.run.interruptible():
        facts = host.fix(session.run, look, tell=session.console.info, terminal=sys.stdin.isatty()) if fix else look()
    if as_json:
        session.console.result(json.dumps(host.as_json(facts, root=root), indent=2))
    else:
        for fact in facts:
            if not quiet or fact.state is not host.State.OK:
                session.console.result(host.as_line(fact, root=root))
    host.require(facts, mended=fix)
