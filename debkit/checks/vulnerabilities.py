"""Known vulnerabilities of what the packages need at run time, by the data of Debian's security tracker.

Looked up are the packages' own source and those of all that they depend on, transitively, in the newest versions that the suite
has, which a user's upgraded system has too. What the clean system has beside that is not the packages' concern.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from debkit import checks
from debkit.checks import _needs, _tracker
from debkit.checks._findings import accept, line, summary, unused
from debkit.errors import DependencyError, NetworkError
from debkit.model import CheckReport, Finding, Outcome, Severity, Step

if TYPE_CHECKING:
    from debkit.apt import Member
    from debkit.checks import Bench
    from debkit.checks._tracker import Hole, Tracker
    from debkit.config import VulnerabilitiesConfig
    from debkit.model import BuildResult

PACKAGES: tuple[str, ...] = ()
UNUSED = "is accepted in the configuration, but no version that is needed is vulnerable to it"
NO_TRACKER = "no security tracker's data is configured: [checks.vulnerabilities] tracker"


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Look up each source that is needed. Without the tracker's data there is no verdict: it is skipped, never passed."""
    config, suite, started = bench.config.vulnerabilities, result.target.suite, time.monotonic()
    if not config.tracker:
        return _skipped(result, NO_TRACKER)
    try:
        tracker = _tracker.load(bench, config)
    except NetworkError as problem:
        return _skipped(result, f"{problem.what}: {problem.cause}")
    if not tracker.knows(suite):
        return _skipped(result, f"the security tracker's data has nothing of {suite}")
    loaded = time.monotonic()
    try:
        needs = _needs.of(bench, result)
        findings = scan(tracker, suite, needs.members, config)
        if blamed(findings):  # what has been mended since the lists were fetched is no fault any more
            with contextlib.suppress(NetworkError):
                needs = _needs.of(bench, result, fresh=True)
                findings = scan(tracker, suite, needs.members, config)
    except DependencyError as problem:
        return _needs.fault("vulnerabilities", result, problem)
    if not needs.members:
        return checks.not_run("vulnerabilities", result, _needs.NOTHING)
    looked_at = {member.source for member in needs.members}
    findings = (*findings, *unused(config.accept, findings, packages=looked_at, text=UNUSED))
    log = bench.fresh_log("vulnerabilities.log")
    known = (f"{member.name} {member.version}: {member.source} {member.source_version}" for member in needs.members)
    log.write_text("\n".join((tracker.note, *known, *map(line, findings), "")), encoding="utf-8")
    outcome = Outcome.FAIL if blamed(findings) else Outcome.PASS
    counts = f"{len(needs.members)} packages of {len(looked_at)} sources"
    return CheckReport(
        check="vulnerabilities",
        target=result.target,
        outcome=outcome,
        seconds=0.0,
        reason=summary(blamed(findings)),
        findings=findings,
        steps=(
            Step(name="tracker", outcome=Outcome.PASS, seconds=loaded - started, text=tracker.note),
            Step(name="scan", outcome=outcome, seconds=time.monotonic() - loaded, text=counts),
        ),
        log=log,
    )


def scan(tracker: Tracker, suite: str, members: tuple[Member, ...], config: VulnerabilitiesConfig) -> tuple[Finding, ...]:
    """Look up every source once in each version that is there, and mark what the configuration accepts."""
    packages: dict[tuple[str, str], list[str]] = {}
    for member in members:
        packages.setdefault((member.source, member.source_version), []).append(member.name)
    return accept(
        (
            Finding(
                severity=severity(hole, config.fail_on),
                tag=hole.cve,
                package=source,
                text=tell(hole, f"{source} {version}", suite, names),
            )
            for (source, version), names in sorted(packages.items())
            for hole in tracker.holes(suite, source, version)
        ),
        config.accept,
    )


def severity(hole: Hole, fail_on: str) -> Severity:
    """Say how bad it is: what the suite no longer gets updates for is told, and fails nothing."""
    if not hole.level:
        return Severity.INFO
    enough = _tracker.LEVELS.index(hole.level) >= _tracker.LEVELS.index(fail_on)
    return Severity.ERROR if enough else Severity.WARNING


def tell(hole: Hole, what: str, suite: str, names: list[str]) -> str:
    remedy = f"fixed in {hole.fixed}" if hole.fixed else f"not fixed in {suite}"
    return f"{what} is vulnerable: {hole.urgency}; {remedy}; installed as {', '.join(names)}"


def blamed(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR and not finding.accepted]


def _skipped(result: BuildResult, reason: str) -> CheckReport:
    return CheckReport(check="vulnerabilities", target=result.target, outcome=Outcome.SKIPPED, seconds=0.0, reason=reason)
