"""Give a suite the packages that it had before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from debkit.cli import with_passphrase
from debkit.cli.repo import working

if TYPE_CHECKING:
    from debkit.cli import Session
    from debkit.keys import Passphrase


@click.command(name="rollback")
@click.argument("suite")
@click.argument("snapshot", default="")
@with_passphrase
@click.pass_obj
def command(session: Session, *, suite: str, snapshot: str, passphrase: Passphrase) -> None:
    """Give SUITE exactly the packages of SNAPSHOT, else those that it had before its last change.

    `debkit repo history SUITE` lists the snapshots. A rollback is a change too: another one takes it back.
    The keyring package stays as it is, and a change of it alone is none to go back from.
    """
    from debkit.archive import choose, conf, roll_back, transaction  # noqa: PLC0415

    console = session.console
    conf.demand(session.config, suite, ())
    if not transaction.pending(session.config.repo):
        choose(session.config, suite, snapshot)  # a name that is wrong is told before a passphrase is asked for
    with working(session, f"rolling back {suite}", passphrase) as archive:
        done = roll_back(archive, session.config, suite, choose(session.config, suite, snapshot))
    changed = done.added or done.removed
    console.good(f"{suite} has the packages of {done.snapshot} {'again' if changed else 'already: there is nothing to do'}")
    for sign, packages in (("+", done.added), ("-", done.removed)):
        for package in packages:
            console.info(f"  {sign} {package}")
    if done.lowered:
        console.warn(
            f"clients that have installed {', '.join(done.lowered)} meanwhile keep it: apt does not go back to an older "
            "version by itself. Publish a version that is higher than the one taken back"
        )
