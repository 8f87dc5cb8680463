"""What a run shows a person of its plan, of the checks, and of what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit import archive
from debkit.console import duration
from debkit.model import Outcome
from debkit.pipeline.plan import rendered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from debkit.config import Config
    from debkit.console import Console
    from debkit.model import CheckReport, Published
    from debkit.pipeline.plan import Plan


def plan(console: Console, made: Plan, title: str = "plan") -> None:
    with console.step(title):
        for line in rendered(made):
            console.info(f"  {line}")


def checks(console: Console, reports: Iterable[CheckReport]) -> None:
    """Print one line a check, and for who wants to hear them its steps and findings."""
    say = {Outcome.PASS: console.good, Outcome.NOT_RUN: console.info}
    with console.step("checks"):
        for report in reports:
            line = f"  {report.target}  {report.check}: {report.outcome}" + (f" ({report.reason})" if report.reason else "")
            say.get(report.outcome, console.warn)(line)
            for step in report.steps:
                console.detail(f"    {step.name}: {step.outcome} ({duration(step.seconds)}) {step.text}".rstrip())
            for finding in report.findings:
                accepted = f" (accepted: {finding.accepted})" if finding.accepted else ""
                console.detail(f"    {finding.severity} {finding.package}: {finding.tag} {finding.text}{accepted}")


def published(console: Console, config: Config, made: Published, *, machine: str) -> None:
    """End by telling how to install it, on this `machine`'s architecture too."""
    verb = "is already in" if made.unchanged else "published to"
    arches = " ".join(made.arches)
    console.good(f"{made.source} {made.version} {verb} {config.repo} ({made.suite}: {arches})")
    for line in archive.instructions(config, made, machine=machine):
        console.info(f"  {line}")
