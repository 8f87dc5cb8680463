"""Signing and publishing what others have built: parts are verified, joined, signed, put into the archive and proven there."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import debkit
from debkit import host, keys
from debkit.errors import ConfigError
from debkit.pipeline import jobs, parts, show
from debkit.pipeline.alone import alone
from debkit.pipeline.execute import TOOLS, Shift, accelerator_for, demand_uploads, prove, publish, ready_to_sign
from debkit.pipeline.join import join, share, verdicts
from debkit.pipeline.plan import Plan, Request, SourceFacts, choose_via, why_nothing_is
from debkit.report import REPORT, Ledger
from debkit.run import Processes, temporary

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.console import Console
    from debkit.host import Host
    from debkit.keys import Passphrase
    from debkit.pipeline.join import Suite
    from debkit.pipeline.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller asked for; as in `plan.Request`."""

    parts: tuple[Path, ...]
    release: bool = False
    accept_incomplete: bool = False
    accelerate: bool = True


def publish_parts(wish: Wish, config: Config, console: Console, *, passphrase: Passphrase) -> None:
    """Publish what the parts have, a suite at a time, and prove it without the keys. Nothing of a part is written to.

    The same again changes nothing. Raises ConfigError, ArchiveError, CheckError, CheckIncomplete and what signing, publishing and
    the proof raise.
    """
    demand_elsewhere(wish.parts, config)
    ledger = Ledger(config.dist / REPORT)
    run = Processes(ledger.command)
    with run.interruptible(), alone(config.dist):
        with ledger.recording(os.environ, sparing=True):
            with console.step("verify the parts"):
                read = tuple(verified(root, console) for root in wish.parts)
            suites = join(read, config.build.arches)
            machine = host.facts(
                run, arches=tuple(dict.fromkeys(piece.target.arch for suite in suites for piece in suite.pieces))
            )
            made = plan(wish, suites, machine, config)
            shift = Shift(
                plan=made,
                config=config,
                console=console,
                ledger=ledger,
                run=run,
                machine=machine,
                accelerator=accelerator_for(made.request, machine, console),
                hands=jobs.hands(machine),
            )
            carry_out(shift, suites, passphrase)
        console.info(f"report: {ledger.path}")


def demand_elsewhere(roots: tuple[Path, ...], config: Config) -> None:
    """Refuse a part that is named twice, or is this project's dist/, into which the publishing writes its report."""
    seen: set[Path] = set()
    for root in roots:
        place = root.resolve()
        if place == config.dist.resolve():
            raise ConfigError(
                f"{root} is this project's own dist/",
                cause="publishing writes its report there, and a part is not written to",
                hint=f"cp -a {root} {root.resolve().with_name('part')} && debkit publish {root.resolve().with_name('part')}",
            )
        if place in seen:
            raise ConfigError(f"{root} is named twice", cause="each part is published once", hint="name it once")
        seen.add(place)


def verified(root: Path, console: Console) -> Part:
    """Read one part, and tell what it has."""
    part = parts.read_part(root)
    for source in part.report.sources:
        targets = " ".join(str(build.target) for build in part.report.builds if build.target.suite == source.suite)
        console.info(f"  {root}  {source.name} {source.version}: {targets}")
    if part.report.debkit != debkit.__version__:
        console.warn(f"{root} was built by debkit {part.report.debkit}, and this is {debkit.__version__}")
    return part


def plan(wish: Wish, suites: tuple[Suite, ...], machine: Host, config: Config) -> Plan:
    """Say what is published, and how its programs run here for the proof. Raises HostError where they do not."""
    unaccelerated = why_nothing_is(machine, config, accelerate=wish.accelerate)
    pieces = tuple(piece for suite in suites for piece in suite.pieces)
    arches = tuple(dict.fromkeys(piece.target.arch for piece in pieces))
    ways = {arch: choose_via(arch, machine, None, unaccelerated) for arch in arches}
    source = suites[0].source
    return Plan(
        request=Request(
            where=", ".join(map(os.fspath, wish.parts)),
            suites=tuple(suite.source.suite for suite in suites),
            arches=arches,
            release=wish.release,
            accept_incomplete=wish.accept_incomplete,
            accelerate=wish.accelerate,
        ),
        source=SourceFacts(name=source.name, version=source.version, architectures=source.architectures),
        backend=config.build.backend,
        jobs=tuple(replace(piece.job, tried=ways[piece.target.arch][0]) for piece in pieces),
        checks=config.checks.run,
        notes=tuple(f"{arch}: {reason}" for arch, (_, reason) in ways.items()),
    )


def carry_out(shift: Shift, suites: tuple[Suite, ...], passphrase: Passphrase) -> None:
    """Take the parts' story over, hold it to what is demanded of a build here, and publish."""
    ledger, request = shift.ledger, shift.plan.request
    ledger.put("plan", shift.plan)
    ledger.put("tools", host.installed_versions(shift.run, TOOLS))
    pieces = tuple(piece for suite in suites for piece in suite.pieces)
    ledger.add("sources", *(suite.source for suite in suites))
    ledger.add("builds", *(piece.build for piece in pieces if piece.build))
    reports = verdicts(suites, shift.plan.checks)
    ledger.add("checks", *reports)
    show.checks(shift.console, reports)
    if unpublishable := jobs.check_failure(reports, accept_incomplete=request.accept_incomplete):
        raise unpublishable
    with ready_to_sign(shift, passphrase) as signing, temporary("debkit-publish.") as desk:
        demand_uploads(shift, {suite.source.suite: suite.source for suite in suites}, signing)
        parts.forget(ledger)
        published = {}
        for suite in suites:
            unlocked = keys.unlock(
                signing, passphrase
            )  # an agent forgets a passphrase, and publishing may wait long for the archive
            published[suite.source.suite] = publish(shift, suite.source, share(suite, desk), unlocked)
    prove(shift, published, shift.plan.jobs)
