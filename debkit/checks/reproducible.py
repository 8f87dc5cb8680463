"""reproducible: the same source, built once more in another environment, makes the same packages, byte for byte.

What is varied is what reprotest varies, as far as the chroots of our own backends allow. The umask is not: dpkg-buildpackage
--sanitize-env, which every builder of Debian's uses, sets it.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from debkit import checks
from debkit.checks import _differ
from debkit.checks._culprit import Period, culprits
from debkit.checks._differ import DIFFOSCOPE, Likeness
from debkit.errors import DebkitError, EnvironmentFailure, Interrupted
from debkit.model import USUAL, BuildState, CheckReport, Finding, Outcome, Severity, Step, Via
from debkit.source import read_buildinfo

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.checks import Bench
    from debkit.config import ReproducibleConfig
    from debkit.model import BuildResult, Variation

PACKAGES = DIFFOSCOPE
PATH = "/build/another-path"
CLOCK = int(timedelta(days=398, hours=6, minutes=23).total_seconds())  # as on tests.reproducible-builds.org
LOCALE = "fr_CH.UTF-8"
HOST = "localhost"  # the one other name that /etc/hosts of every chroot resolves
ZONES = {"GMT+12": timedelta(hours=-12), "GMT-14": timedelta(hours=14)}  # in TZ the sign is the other way round
SEEN = re.compile(r"^debkit varied: (.*)$", re.MULTILINE)
SLACK = 600  # seconds between two looks at the clock, on a machine that is busy
SHOWN = 5  # files named in a finding
NOT_HERE = "nothing was built here: the packages are another job's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two builds, and how and when the second one was varied."""

    first: BuildResult
    second: BuildResult
    variation: Variation
    period: Period


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Build once more, and compare. `reproducible.log` has what diffoscope says; of the second build only its log stays."""
    if not bench.rebuild:
        return checks.not_run("reproducible", result, NOT_HERE)
    log, place = bench.fresh_log("reproducible.log"), bench.work / "reproducible"
    shutil.rmtree(place, ignore_errors=True)
    began = time.time()
    variation, kept = choose(bench.config.reproducible, result, began=began, processors=len(os.sched_getaffinity(0)))
    bench.progress.phase("building once more, varied")
    try:
        second = bench.rebuild(variation, place)
        pair = Pair(first=result, second=second, variation=variation, period=Period(began=began, ended=time.time()))
        demand_alike(pair)
        built = second.state is BuildState.SUCCEEDED
        findings = compared(bench, pair, log) if built else (failed(bench, pair),)
    finally:
        for path in place.glob("*"):
            if path.is_file() and path.suffix != ".build":
                path.unlink()
    outcome = Outcome.FAIL if findings else Outcome.PASS
    how = f"with {described(variation)}" + "".join(f"; not varied: {name} ({reason})" for name, reason in kept.items())
    steps = [Step(name="second build", outcome=Outcome.PASS if built else Outcome.FAIL, seconds=second.seconds, text=how)]
    if built:
        steps.append(Step(name="comparison", outcome=outcome, text=f"{len(findings)} of {len(result.debs)} packages differ"))
    return CheckReport(
        check="reproducible",
        target=result.target,
        outcome=outcome,
        seconds=0.0,
        reason=summary(findings),
        findings=findings,
        steps=tuple(steps),
        log=log if built else second.log,
    )


def choose(config: ReproducibleConfig, result: BuildResult, *, began: float, processors: int) -> tuple[Variation, dict[str, str]]:
    """Choose how the second build is to differ, and say of what does not why it cannot.

    The time zone is one in which it is another day than it was in UTC for the first build: that shows a date also where the
    clock is not varied. One processor less is what is left away, since a build on a single one may take too long.
    """
    first = datetime.fromtimestamp(result.log.stat().st_mtime if result.log.exists() else began, UTC).date()
    now = datetime.fromtimestamp(began, UTC)
    values: dict[str, int | str] = {
        "path": PATH,
        "clock": CLOCK,
        "timezone": next(zone for zone, ahead in ZONES.items() if (now + ahead).date() != first),
        "locale": LOCALE,
        "host": HOST,
        "processors": processors - 1,
    }
    kept = {each.variation: each.reason for each in config.unvaried}
    if result.via is Via.ACCELERATED:
        kept.setdefault("clock", "the native programs of an accelerated build have the machine's")
    if not values["processors"]:
        kept.setdefault("processors", "this machine has but one")
    wanted = {name: value for name, value in values.items() if name not in kept}
    return replace(USUAL, **wanted), kept  # type: ignore[arg-type]


def described(variation: Variation) -> str:
    """Say for people how a build is varied."""
    words = {
        "path": f"another build path ({variation.path})",
        "clock": f"a clock that is {variation.clock // 86400} days ahead",
        "timezone": f"the time zone {variation.timezone}",
        "locale": f"the locale {variation.locale}",
        "host": f"the host name {variation.host}",
        "processors": f"{variation.processors} processor{'s' if variation.processors > 1 else ''}",
    }
    return ", ".join(text for name, text in words.items() if getattr(variation, name)) or "nothing varied"


def demand_alike(pair: Pair) -> None:
    """Raise EnvironmentFailure where the builds cannot be compared: the second is no verdict on the package, or is not what it
    was to be: varied, and with the same packages installed.
    """
    state, log = pair.second.state, pair.second.log
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    seen = SEEN.search(text)
    if state not in {BuildState.SUCCEEDED, BuildState.FAILED} or not (seen or pair.variation == USUAL):
        raise EnvironmentFailure(
            f"the second, varied build gave nothing to compare: {state.value}",
            cause="\n".join(pair.second.error.lines) if pair.second.error else "dpkg-buildpackage was not started",
            hint=f"less {log}",
            log=log,
        )
    found = seen[1] if seen else ""
    if usual := unmet(pair.variation, dict(word.partition("=")[::2] for word in found.split())):
        raise EnvironmentFailure(
            f"the second build was to be varied, and was not: {', '.join(usual)}",
            cause=f"in its chroot was found {found}",
            hint="give a reason for it in [[checks.reproducible.unvaried]], then run the same command again",
            log=log,
        )
    if not pair.first.buildinfo or not pair.second.buildinfo:
        return
    before, after = (set(read_buildinfo(path).installed) for path in (pair.first.buildinfo, pair.second.buildinfo))
    if before != after:
        raise EnvironmentFailure(
            f"the second build had other packages: {', '.join(sorted(after ^ before)[:SHOWN])}",
            cause="the suite has changed between the two builds",
            hint="run the same command again",
            log=log,
        )


def unmet(variation: Variation, seen: dict[str, str]) -> tuple[str, ...]:
    """Name what is not in force, by what the second build says of itself (`backends._vary`)."""
    ahead = seen.get("clock", "")
    met = {
        "clock": ahead.isdecimal() and abs(int(ahead) - variation.clock) < SLACK,
        "timezone": seen.get("timezone") == variation.timezone,
        "locale": seen.get("locale") == f"{variation.locale}/{variation.locale.partition('.')[2]}",
        "host": seen.get("host") == variation.host,
        "processors": seen.get("processors") == str(variation.processors),
    }
    return tuple(name for name, true in met.items() if getattr(variation, name) and not true)


def summary(findings: tuple[Finding, ...]) -> str:
    """Tell the first finding, and how many there are besides."""
    if not findings:
        return ""
    more = f" (and {len(findings) - 1} more)" if findings[1:] else ""
    return f"{findings[0].package}: {findings[0].tag}{more}: {findings[0].text}"


def failed(bench: Bench, pair: Pair) -> Finding:
    """Blame a source that builds as usual only."""
    name = (bench.dsc or pair.second.log).name.partition("_")[0]
    lines = pair.second.error.lines if pair.second.error else ("its log does not say why",)
    text = "\n".join((f"it builds, but not with {described(pair.variation)}:", *lines))
    return Finding(severity=Severity.ERROR, tag="fails-to-build-varied", package=name, text=text)


def compared(bench: Bench, pair: Pair, log: Path) -> tuple[Finding, ...]:
    """Compare every byte of every package; one finding for each that is not the same."""
    found = []
    before, after = ({deb.name: deb for deb in build.debs} for build in (pair.first, pair.second))
    with log.open("a", encoding="utf-8") as file:
        file.write(f"built once more with {described(pair.variation)}\n")
        for name, likeness in _differ.compare(pair.first.debs, pair.second.debs).items():
            file.write(f"{name}: {likeness}\n")
            match likeness:
                case Likeness.IDENTICAL:
                    continue
                case Likeness.DIFFERENT:
                    explanation = explained(bench, pair.first.target.suite, before[name], after[name])
                    file.write(f"{explanation}\n")
                    tag, text = blamed(pair, before[name], after[name], explanation)
                case Likeness.MISSING | Likeness.SURPLUS:
                    tag, text = "not-reproducible", f"it {likeness}"
                case _:
                    assert_never(likeness)
            found.append(Finding(severity=Severity.ERROR, tag=tag, package=name.partition("_")[0], text=text))
    return tuple(found)


def explained(bench: Bench, suite: str, first: Path, second: Path) -> str:
    """Have diffoscope explain; that it cannot is no reason to let the package pass."""
    try:
        with bench.tools(suite) as root:
            bench.progress.phase(f"diffoscope {first.name}")
            return _differ.explain(bench.run, root, first, second, timeout=bench.config.timeout)
    except Interrupted:
        raise
    except DebkitError as problem:
        return f"diffoscope could not explain it: {problem.what}: {problem.cause}"


def blamed(pair: Pair, first: Path, second: Path, explanation: str) -> tuple[str, str]:
    """Give a tag, and say which files differ and what is likely to blame: looked for in them, then in what diffoscope unpacks."""
    differences = _differ.differences(first, second)
    evidence = [(each.first, each.second) for each in differences]
    evidence.append((_differ.side(explanation, "-"), _differ.side(explanation, "+")))
    found = [each for before, after in evidence for each in culprits(before, after, pair.variation, pair.period)]
    named = [each.name for each in differences[:SHOWN]]
    more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    where = f"differs in {', '.join(named)}{more}" if named else "differs in how it is packed only"
    texts = {each.tag: each.text for each in reversed(found)}  # of one kind the first counts
    return (found[0].tag if found else "not-reproducible"), "; ".join((where, *reversed(texts.values())))
