"""List what was done to the archive, and the states that it can go back to."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.archive.journal import Act
    from debkit.cli import Session


@click.command(name="history")
@click.argument("suite", default="")
@click.option("--json", "as_json", is_flag=True, help="For programs, with the packages that came and went.")
@click.pass_obj
def command(session: Session, *, suite: str, as_json: bool) -> None:
    """List what was done to SUITE, or to all, the newest last. A snapshot in brackets has been pruned."""
    from debkit.archive import conf, history, states  # noqa: PLC0415

    base = session.config.repo
    acts = history(base, suite)
    if suite and not acts:  # of a suite that the archive has no more there may still be some
        conf.demand(session.config, suite, ())
    if as_json:
        session.console.result(json.dumps([asdict(act) for act in acts], indent=1))
        return
    held = {(state.act.suite, state.snapshot.name) for state in states(base, suite)}
    session.console.table([("TIME", "SUITE", "ACT", "SNAPSHOT", "CHANGED", "WHAT"), *(_row(act, held) for act in acts)])


def _row(act: Act, held: set[tuple[str, str]]) -> tuple[str, ...]:
    snapshot = act.snapshot if (act.suite, act.snapshot) in held else f"({act.snapshot})"
    return (act.time, act.suite, act.act, snapshot, f"+{len(act.added)} -{len(act.removed)}", act.detail)
