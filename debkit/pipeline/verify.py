"""The proof of acceleration: the same source built emulated and accelerated makes the same packages, byte for byte.

What was built stays below `dist/verify/`, with a text of diffoscope's for each package that differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from debkit import host
from debkit.accel import trace
from debkit.checks import _differ
from debkit.chroot import roots
from debkit.console import duration
from debkit.errors import AccelDifference, BuildError, DebkitError, DependencyError, Interrupted
from debkit.model import ChrootKind, Via
from debkit.pipeline import jobs
from debkit.pipeline.alone import alone
from debkit.pipeline.execute import Shift, accelerator_for, informed, make_source, prepared, workshop
from debkit.pipeline.plan import Request, choose_via
from debkit.report import REPORT, Ledger
from debkit.run import Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.console import Console, JobProgress
    from debkit.model import BuildResult, Source
    from debkit.pipeline.plan import Job
    from debkit.run import Run


class Likeness(StrEnum):
    """What a package that was built both ways came to; only the first is as it should be."""

    IDENTICAL = "identical"
    DIFFERENT = "differs"
    MISSING = "only emulated"
    SURPLUS = "only accelerated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one package, with diffoscope's text where it differs."""

    source: str
    version: str
    suite: str
    arch: str
    package: str
    verdict: Likeness
    explanation: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one source for one target: the wall time of each build in seconds, and the packages' verdicts."""

    emulated_seconds: float
    accelerated_seconds: float
    verdicts: tuple[Verdict, ...]


def verify(
    where: tuple[str, ...],
    config: Config,
    console: Console,
    *,
    suites: tuple[str, ...],
    arches: tuple[str, ...],
    tell: Callable[[tuple[Trial, ...]], None],
) -> None:
    """Build each source both ways and compare; `tell` is given what was found. Opt-outs of the configuration do not count here.

    Raises HostError where this machine accelerates nothing and, when all sources have had their turn, the first error.
    """
    ledger = Ledger(config.dist / "verify" / REPORT)
    run = Processes(ledger.command)
    building = replace(config.build, accelerate=True, emulate=())
    config = replace(config, build=building, checks=replace(config.checks, run=()))
    trials: list[Trial] = []
    failures: list[DebkitError] = []
    with run.interruptible(), alone(config.dist), ledger.recording():
        demand_acceleration(run, arches)
        for source, suite in ((source, suite) for source in where for suite in suites):
            request = Request(where=source, suites=(suite,), arches=arches, via=Via.ACCELERATED, publish=False)
            try:
                made, machine = prepared(request, config, run)
                accelerator = accelerator_for(request, machine, console)
                shift = Shift(
                    plan=made, config=config, console=console, ledger=ledger, run=run, machine=machine, accelerator=accelerator
                )
                ledger.put("plan", made)
                _verify(shift, suite, trials)
            except Interrupted:
                raise
            except DebkitError as failure:
                console.warn(f"{source} for {suite}: {failure.what}")
                failures.append(failure)
        tell(tuple(trials))
        if failures := [*failures, *filter(None, (difference(tuple(trials)),))]:
            for later in failures[1:]:
                console.error(later)
            raise failures[0]


def demand_acceleration(run: Run, arches: tuple[str, ...]) -> str:
    """Give this machine's architecture. Raises HostError where it does not accelerate one of these."""
    machine = host.facts(run, arches=arches)
    for arch in arches:
        choose_via(arch, machine, Via.ACCELERATED, machine.unaccelerated)
    return machine.arch


def foreign(config: Config, machine_arch: str) -> tuple[str, ...]:
    """Give the configured architectures that are not this machine's own; the other usual one where there are none."""
    return tuple(arch for arch in config.build.arches if arch != machine_arch) or (
        "amd64" if machine_arch == "arm64" else "arm64",
    )


def compare(emulated: tuple[Path, ...], accelerated: tuple[Path, ...]) -> dict[str, Likeness]:
    """Say of each package, by its file's name, what it came to."""
    return {name: Likeness[found.name] for name, found in _differ.compare(emulated, accelerated).items()}


def explain(shift: Shift, suite: str, emulated: Path, accelerated: Path, row: JobProgress) -> Path:
    """Have diffoscope tell how two packages differ; give the file with its text."""
    text = shift.config.dist / "verify" / f"{emulated.name}.txt"
    with roots.tools(shift.run, suite, _differ.DIFFOSCOPE, config=shift.config.chroot, progress=row) as root:
        row.phase(f"diffoscope {emulated.name}")
        found = _differ.explain(shift.run, root, emulated, accelerated, timeout=shift.config.build.timeout)
    text.write_text(found, encoding="utf-8")
    return text


def difference(trials: tuple[Trial, ...]) -> AccelDifference | None:
    """Make the error of packages that are not the same."""
    verdicts = [verdict for trial in trials for verdict in trial.verdicts]
    wrong = [verdict for verdict in verdicts if verdict.verdict is not Likeness.IDENTICAL]
    if not wrong:
        return None
    texts = [verdict.explanation for verdict in wrong if verdict.explanation]
    return AccelDifference(
        f"{len(wrong)} of {len(verdicts)} packages are not the same emulated and accelerated: "
        + ", ".join(verdict.package for verdict in wrong),
        cause="a native twin does something else than its tool; or the source does not build the same twice",
        hint=f"less {texts[0]}" if texts else "compare dist/verify/emulated with dist/verify/accelerated",
        log=texts[0] if texts else None,
    )


def _verify(shift: Shift, suite: str, trials: list[Trial]) -> None:
    """Have one source for one suite built both ways for each architecture."""
    source = make_source(shift, suite)
    shift = informed(shift, {suite: source})
    for job in (job for job in shift.plan.jobs if job.builds):
        name = f"{source.name} {job.target}"
        with shift.console.jobs((name,)) as rows:
            emulated = _build(shift, replace(job, via=Via.EMULATED), source, rows[name])
            try:
                accelerated = _build(shift, replace(job, via=Via.ACCELERATED), source, rows[name])
            except (BuildError, DependencyError) as failure:
                raise AccelDifference(
                    f"{name} builds emulated, and accelerated it does not",
                    cause=f"a native twin does something else than its tool: {failure.what}",
                    hint=f"less {failure.log}",
                    log=failure.log,
                    excerpt=failure.excerpt,
                ) from failure
            verdicts = tuple(_judged(shift, source, emulated, accelerated, rows[name]))
            rows[name].done("compared")
        trials.append(Trial(emulated_seconds=emulated.seconds, accelerated_seconds=accelerated.seconds, verdicts=verdicts))
        shift.console.info(f"{name}: emulated {duration(emulated.seconds)}, accelerated {duration(accelerated.seconds)}")


def _judged(shift: Shift, source: Source, emulated: BuildResult, accelerated: BuildResult, row: JobProgress) -> Iterator[Verdict]:
    for name, verdict in compare(emulated.debs, accelerated.debs).items():
        explanation, tell = None, shift.console.warn
        match verdict:
            case Likeness.IDENTICAL:
                tell = shift.console.good
            case Likeness.DIFFERENT:
                pair = (emulated.log.with_name(name), accelerated.log.with_name(name))
                explanation = explain(shift, source.suite, *pair, row)
                shift.console.fold(f"how {name} differs", tuple(explanation.read_text(encoding="utf-8").splitlines()))
            case Likeness.MISSING | Likeness.SURPLUS:
                pass
            case _:
                assert_never(verdict)
        tell(f"{verdict}: {name}")
        yield Verdict(
            source=source.name,
            version=source.version,
            suite=emulated.target.suite,
            arch=emulated.target.arch,
            package=name,
            verdict=verdict,
            explanation=explanation,
        )


def _build(shift: Shift, job: Job, source: Source, row: JobProgress) -> BuildResult:
    row.phase(f"building {job.via}")
    kind = ChrootKind.EMULATED if job.via is Via.EMULATED else ChrootKind.BUILD
    shop = replace(workshop(shift), results=shift.config.dist / "verify" / job.via, kind=kind)
    result = jobs.build(job, source, shop, row)
    shift.ledger.add("builds", result)
    if failure := jobs.build_failure(result):
        row.done(f"{job.via}: {result.state.value}")
        raise failure
    if result.programs:
        shift.console.info(f"[{source.name} {job.target}] {trace.sentence(result.programs)}")
    return result
