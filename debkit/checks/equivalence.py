"""The packages that one build made for two architectures are the same, but for the architecture.

What is compared is in `_compare`. On the suite's native architecture, which the others are compared with, and where it is the
only one, what can be said of a single build is said: every ELF file is for its architecture, and no hardening flag is missing.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from debkit import checks
from debkit.checks import _compare, _contents, _hardening
from debkit.checks._findings import accept, line, summary, unused
from debkit.model import CheckReport, Finding, Outcome, Severity, Step
from debkit.paths import scratch_home
from debkit.run import temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from debkit.checks import Bench
    from debkit.checks._compare import Pair
    from debkit.checks._contents import Contents
    from debkit.config import Suppression
    from debkit.model import BuildResult

PACKAGES = ("binutils", "blhc", "devscripts")
NOTHING = "the build made no package for this architecture alone"
ALONE = "no peer: other architectures, where they are built, are compared with this one"
UNUSED = "is accepted in the configuration, but nothing differs so"


class Parts:
    """Collects what each part of the check finds, and how long it took."""

    def __init__(self, accepted: tuple[Suppression, ...]) -> None:
        self._accepted = accepted
        self.steps: list[Step] = []
        self.findings: list[Finding] = []

    def judge(self, name: str, find: Callable[[], Iterable[Finding]], *, nothing: str = "") -> None:
        """Do one part, unless `nothing` says that there is nothing to judge."""
        if nothing:
            self.steps.append(Step(name=name, outcome=Outcome.NOT_RUN, text=nothing))
            return
        started = time.monotonic()
        found = accept(find(), self._accepted)
        blamed = blame(found)
        outcome = Outcome.FAIL if blamed else Outcome.PASS
        self.steps.append(Step(name=name, outcome=outcome, seconds=time.monotonic() - started, text=summary(blamed)))
        self.findings += found


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Compare a build with its peer, if it has one. The log holds what the tools said, and every finding."""
    configured = bench.config.equivalence.accept
    log = bench.fresh_log("equivalence.log")
    deadline = time.monotonic() + bench.config.timeout
    parts = Parts(configured)
    with temporary("debkit-equivalence.", scratch_home()) as work:
        ours = _contents.read(bench.run, result, work / "ours")
        theirs = _contents.read(bench.run, bench.peer, work / "theirs") if bench.peer else ()
        if not ours and not theirs:
            return checks.not_run("equivalence", result, NOTHING)
        pairs = compare(parts, ours, theirs) if bench.peer else ()
        parts.judge("architecture of ELF files", lambda: (each for package in ours for each in _compare.machines(package)))
        with bench.tools(result.target.suite) as root:
            bench.progress.phase("equivalence")
            tools = _hardening.Tools(bench, root, log, deadline)
            if bench.peer:
                harden(parts, tools, pairs, work)
            read_logs(parts, tools, result, (ours or theirs)[0])
    if not bench.peer:
        parts.judge("comparison", tuple, nothing=ALONE)
    names = {package.name for package in (*ours, *theirs)}
    idle = unused(configured, tuple(parts.findings), packages=names, text=UNUSED) if bench.peer else ()
    findings = (*parts.findings, *idle)
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{line(finding)}\n" for finding in findings)
    return CheckReport(
        check="equivalence",
        target=result.target,
        outcome=checks.worst(step.outcome for step in parts.steps),
        seconds=0.0,
        reason=summary(blame(findings)),
        findings=findings,
        steps=tuple(parts.steps),
        log=log,
    )


def blame(findings: Iterable[Finding]) -> list[Finding]:
    """Give those that fail the package."""
    return [finding for finding in findings if finding.severity is Severity.ERROR and not finding.accepted]


def compare(parts: Parts, ours: tuple[Contents, ...], theirs: tuple[Contents, ...]) -> tuple[Pair, ...]:
    """Compare the packages, and what is in each; of debug symbols it counts whether they are there."""
    pairs, missing = _compare.packages(ours, theirs)
    parts.judge("packages", lambda: missing)
    pairs = tuple(pair for pair in pairs if not pair.ours.debug)
    for name, find in _compare.PARTS.items():
        parts.judge(name, partial(_each, find, pairs))
    return pairs


def _each(find: Callable[[Pair], Iterator[Finding]], pairs: tuple[Pair, ...]) -> Iterator[Finding]:
    return (finding for pair in pairs for finding in find(pair))


def harden(parts: Parts, tools: _hardening.Tools, pairs: tuple[Pair, ...], work: Path) -> None:
    """Compare how programs and libraries are hardened."""
    files = [(pair, *file) for pair in pairs for file in _compare.linked(pair)]

    def find() -> Iterator[Finding]:
        copies = tuple(copy for _, _, own, other in files for copy in (own, other))
        found = _hardening.features(tools, work, copies)
        for pair, path, own, other in files:
            yield from _hardening.differences(pair, path, found.get(own, {}), found.get(other, {}))

    parts.judge("hardening of ELF files", find, nothing="" if files else "no program and no library is in both")


def read_logs(parts: Parts, tools: _hardening.Tools, result: BuildResult, package: Contents) -> None:
    """Look for missing hardening flags in the build's log and in its peer's."""
    source = package.fields.get("Source", package.name).partition(" ")[0]
    ours = _hardening.read_log(tools, result)
    theirs = _hardening.read_log(tools, tools.bench.peer) if tools.bench.peer else None
    silent = not ours.commands and (theirs is None or not theirs.commands)
    parts.judge(
        "flags in the build log",
        lambda: _hardening.log_findings(source, ours, theirs),
        nothing="it has no compiler commands" if silent else "",
    )
