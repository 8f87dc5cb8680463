"""Doing what the plan says: sources, builds and checks beside each other, then sign, publish and, without the keys, prove."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from debkit import archive, host, keys, sign, source
from debkit.accel import Accelerator, Notebook, foretold, trace
from debkit.apt import source as fetch_source
from debkit.archive import proof
from debkit.chroot import store
from debkit.console import DEVELOPMENT_KEY_NOTICE
from debkit.errors import DebkitError, Interrupted
from debkit.model import BuildResult, ChrootKind, Target, Via
from debkit.paths import state_home
from debkit.pipeline import jobs, parts, show
from debkit.pipeline.alone import alone
from debkit.pipeline.plan import SourceFacts, plan
from debkit.report import REPORT, Ledger
from debkit.run import Processes
from debkit.run.lending import Lender, demand_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from debkit.config import Config
    from debkit.console import Console, JobProgress
    from debkit.host import Host
    from debkit.keys import Keys, Passphrase
    from debkit.model import CheckReport, Published, Source
    from debkit.pipeline.plan import Job, Plan, Request

TOOLS = (
    "sbuild",
    "pbuilder",
    "mmdebstrap",
    "qemu-user",
    "qemu-user-static",
    "reprepro",
    "devscripts",
    "gnupg",
    "dpkg-dev",
    "apt",
)
FOLDED_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One run of the pipeline: the plan and what carries it out."""

    plan: Plan
    config: Config
    console: Console
    ledger: Ledger
    run: Processes
    machine: Host
    accelerator: Accelerator
    hands: threading.Semaphore = field(default_factory=threading.Semaphore)
    lender: Lender | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one job came to."""

    job: Job
    build: BuildResult
    checks: tuple[CheckReport, ...]


def execute(request: Request, config: Config, console: Console, *, passphrase: Passphrase, dry_run: bool) -> None:
    """Plan, show the plan, carry it out. Raises the first error once every job has ended; `report.json` has them all.

    What an earlier run has left in dist/ stays valid until the first build begins: a run that is refused costs nothing.
    """
    if request.shell and not dry_run:
        demand_terminal()
    ledger = Ledger(config.dist / REPORT)
    run = Processes(ledger.command)
    with run.interruptible():
        if dry_run:
            show.plan(console, prepared(request, config, run)[0])
            return
        with alone(config.dist):
            with ledger.recording(os.environ, sparing=True):
                made, machine = prepared(request, config, run)
                show.plan(console, made)
                ledger.put("plan", made)
                shift = Shift(
                    plan=made,
                    config=config,
                    console=console,
                    ledger=ledger,
                    run=run,
                    machine=machine,
                    accelerator=accelerator_for(request, machine, console, told=made.notes),
                    hands=jobs.hands(machine),
                    lender=Lender(console.paused) if request.shell else None,
                )
                left = carry_out(shift, passphrase)
            if not request.publish:
                parts.write_sums(config.dist, (*left, ledger.path))
        console.info(f"report: {ledger.path}")


def accelerator_for(request: Request, machine: Host, console: Console, told: Iterable[str] = ()) -> Accelerator:
    """Give what accelerates the jobs of a run that are to be; who asked for it with --via gets no less. `told` is told before."""
    insists = request.via is Via.ACCELERATED
    notebook = Notebook(told=set(told))
    return Accelerator(native=machine.arch, insists=insists, tell=console.info, warn=console.warn, notebook=notebook)


def prepared(request: Request, config: Config, run: Processes) -> tuple[Plan, Host]:
    """Look at the machine and at the source, and plan."""
    host.demand_scratch()
    machine = host.facts(run, arches=request.arches)
    return plan(request, describe(request, config, run), machine, config, foretold), machine


def describe(request: Request, config: Config, run: Processes) -> SourceFacts:
    """Read what planning must know of the source; of an archive's nothing is known yet but its name."""
    suite = request.suites[0]
    draft, orig = source.foresee(
        run, request.where, suite=suite, first_suite=is_first(suite, config), config=config, staging=staging(config)
    )
    if draft is None:
        return SourceFacts(name=request.where)
    return SourceFacts(
        name=draft.name,
        version=draft.version,
        architectures=draft.architectures,
        why=draft.verdict.why,
        orig=orig,
    )


def is_first(suite: str, config: Config) -> bool:
    """Whether a suite is the one whose versions have no suffix, whichever suites this run is for: the pool serves them all."""
    return suite == config.build.suites[0]


def staging(config: Config) -> Path:
    """Say where finished source packages are: one place for all suites, whose versions must agree."""
    return config.dist / "source"


def carry_out(shift: Shift, passphrase: Passphrase) -> tuple[Path, ...]:
    """Do all that the plan says, in the order in which a failure costs least: the key is proven before anything is built.

    Gives the files that were made, and what they were made of.
    """
    shift.ledger.put("tools", host.installed_versions(shift.run, TOOLS))
    with contextlib.ExitStack() as stack:
        signing: Keys | None = None
        if shift.plan.request.publish:
            signing = stack.enter_context(ready_to_sign(shift, passphrase))
        sources = {suite: make_source(shift, suite) for suite in shift.plan.suites}
        shift = informed(shift, sources)
        if signing:
            demand_uploads(shift, sources, signing)
        judged = build_and_check(shift, sources)
        published: dict[str, Published] = {}
        if signing:
            for suite, made in sources.items():
                signing = keys.unlock(signing, passphrase)  # an agent forgets a passphrase within minutes, and builds take hours
                results = tuple(each.build for each in judged if each.job.builds and each.job.target.suite == suite)
                published[suite] = publish(shift, made, results, signing)
    prove(shift, published, tuple(each.job for each in judged))
    builds = (each.build for each in judged if each.job.builds)
    return parts.files(sources.values(), builds, (report for each in judged for report in each.checks))


@contextlib.contextmanager
def ready_to_sign(shift: Shift, passphrase: Passphrase) -> Iterator[Keys]:
    """Give the keys, once it is proven that they sign, and known that the archive takes what the plan is for."""
    archive.require(shift.config, tuple(published_as(shift, job.target) for job in shift.plan.jobs))
    sign.require()
    with keys.find_keys(
        shift.run,
        shift.config.keys,
        environ=os.environ,
        state=state_home(),
        passphrase=passphrase,
        release=shift.plan.request.release,
    ) as signing:
        keys.prove(signing)
        if signing.upload.development:
            shift.console.warn(DEVELOPMENT_KEY_NOTICE)
        for warning in keys.warnings(shift.run, signing, shift.config.keys):
            shift.console.warn(f"{warning}; debkit key check tells what mends it")
        yield signing


def demand_uploads(shift: Shift, sources: dict[str, Source], signing: Keys) -> None:
    """Check that the archive will take these sources (by suite) from who signs them."""
    archive.require_upload(
        shift.config, {shift.config.archive.suite(suite): made for suite, made in sources.items()}, signing.upload
    )


def published_as(shift: Shift, target: Target) -> Target:
    """Say what of the archive a target's packages go into: a stream may stand beside the suite."""
    return replace(target, suite=shift.config.archive.suite(target.suite))


def informed(shift: Shift, sources: dict[str, Source]) -> Shift:
    """Plan again where the source was known by its name alone: only now it is known what it makes."""
    if shift.plan.source.version:
        return shift
    made = sources[shift.plan.suites[0]]
    facts = SourceFacts(name=made.name, version=made.version, architectures=made.architectures)
    settled_plan = plan(shift.plan.request, facts, shift.machine, shift.config, foretold)
    if settled_plan.jobs != shift.plan.jobs:
        show.plan(shift.console, settled_plan, f"plan, now that {made.name} is known")
    shift.ledger.put("plan", settled_plan)
    return replace(shift, plan=settled_plan)


def make_source(shift: Shift, suite: str) -> Source:
    """Have one suite's source package ready."""
    with shift.console.step(f"source for {suite}"):
        made = source.open_source(
            shift.run,
            shift.plan.request.where,
            suite=suite,
            first_suite=is_first(suite, shift.config),
            config=shift.config,
            staging=staging(shift.config),
            fetch=lambda name: fetched(shift, suite, name),
        )
        shift.console.info(f"  {made.name} {made.version}")
    shift.ledger.add("sources", made)
    return made


def fetched(shift: Shift, suite: str, name: str) -> Path:
    """Download a source package by the lists of the chroot that this machine's own architecture builds in."""
    spec = store.wanted(ChrootKind.BUILD, Target(suite, shift.machine.arch), shift.config.chroot)
    with shift.console.jobs((name,)) as rows:
        row = rows[name]
        chroot = store.ensure(shift.run, spec, config=shift.config.chroot, refresh=shift.plan.request.refresh, progress=row)
        row.phase("fetching the source")
        return fetch_source(shift.run, store.apt_root(chroot), name, shift.config.dist / "fetched")


def build_and_check(shift: Shift, sources: dict[str, Source]) -> tuple[Judged, ...]:
    """Run every job beside the others. Raises the first error in the plan's order when all have ended."""
    # Whoever builds the Architecture: all packages goes first, because the others' checks wait for them.
    ordered = sorted(shift.plan.jobs, key=lambda job: not job.build_all)
    builds: dict[Target, Future[BuildResult]] = {}
    names = tuple(str(job.target) for job in shift.plan.jobs)
    with shift.console.step("build and check"), shift.console.jobs(names) as rows:
        workers = max(2, os.cpu_count() or 2)
        with ThreadPoolExecutor(workers) as building, ThreadPoolExecutor(workers) as checking:
            for job in ordered:
                row = rows[str(job.target)]
                if job.builds:
                    builds[job.target] = building.submit(build_one, shift, job, sources[job.target.suite], row)
            judged = [checking.submit(judge_one, shift, job, sources, builds, rows[str(job.target)]) for job in ordered]
            outcomes = [settled(future, shift) for future in judged]
    # A failed build of what others wait for comes back from each of them.
    failures = list(dict.fromkeys(outcome for outcome in outcomes if isinstance(outcome, DebkitError)))
    for failure in failures:
        if isinstance(failure, Interrupted):
            raise failure
        if failure.log and failure.log.exists():
            lines = failure.log.read_text(encoding="utf-8", errors="replace").splitlines()
            shift.console.fold(f"the end of {failure.log}", tuple(lines[-FOLDED_LINES:]))
    for later in failures[1:]:
        shift.console.error(later)
    if failures:
        raise failures[0]
    done = tuple(outcome for outcome in outcomes if isinstance(outcome, Judged))
    reports = tuple(report for each in done for report in each.checks)
    show.checks(shift.console, reports)
    if unpublishable := jobs.check_failure(reports, accept_incomplete=shift.plan.request.accept_incomplete):
        raise unpublishable
    return done


def workshop(shift: Shift) -> jobs.Workshop:
    """Give the jobs what they share."""
    return jobs.Workshop(
        run=shift.run,
        config=shift.config,
        results=shift.config.dist,
        machine_arch=shift.machine.arch,
        accelerator=shift.accelerator,
        refresh=shift.plan.request.refresh,
        note_tool=shift.ledger.tool,
        hands=shift.hands,
        lender=shift.lender,
    )


def build_one(shift: Shift, job: Job, made: Source, row: JobProgress) -> BuildResult:
    """Build one job and take note of how it ended."""
    try:
        result = jobs.build(job, made, workshop(shift), row, begin=lambda: parts.forget(shift.ledger))
    except DebkitError:
        row.done("failed")
        raise
    shift.ledger.add("builds", result)
    if failure := jobs.build_failure(result):
        row.done(result.state.value)
        raise failure
    if result.programs:
        shift.console.info(f"[{job.target}] {trace.sentence(result.programs)}")
    row.phase("built")
    return result


def judge_one(
    shift: Shift,
    job: Job,
    sources: dict[str, Source],
    builds: dict[Target, Future[BuildResult]],
    row: JobProgress,
) -> Judged:
    """Check one job's packages, together with the Architecture: all ones that its suite's other job has built.

    The suite's first job has the source checked too, so that its findings are told once.
    """
    lender = next((other for other in shift.plan.jobs if lends_to(other, job)), job)
    lent = builds[lender.target].result()
    siblings = tuple(deb for deb in lent.debs if deb.stem.endswith("_all")) if lender is not job else ()
    result = builds[job.target].result() if job.builds else replace(lent, target=job.target, via=job.via, debs=siblings)
    first, *_ = beside = [other for other in shift.plan.jobs if other.target.suite == job.target.suite]
    model = next((other for other in beside if other.builds and other.via is Via.NATIVE), first)
    reports = jobs.check(
        result,
        workshop(shift),
        row,
        job=job,
        siblings=siblings,
        source=sources[job.target.suite],
        first=first is job,
        peer=builds[model.target].result() if model is not job and model.builds and job.builds else None,
    )
    shift.ledger.add("checks", *reports)
    passed = all(report.outcome.settled for report in reports)
    row.done("built and checked" if passed else "checks did not all pass")
    return Judged(job=job, build=result, checks=reports)


def lends_to(other: Job, job: Job) -> bool:
    """Whether another job makes the Architecture: all packages that go with this one's."""
    return other is not job and other.build_all and other.target.suite == job.target.suite


def settled(future: Future[Judged], shift: Shift) -> Judged | DebkitError:
    """Wait for one job, so that the others may end too before its error is told."""
    try:
        return future.result()
    except DebkitError as failure:
        return failure
    except BaseException:
        shift.run.stop(2)  # a defect here must not leave the other jobs running for an hour
        raise


def publish(shift: Shift, made: Source, results: tuple[BuildResult, ...], signing: Keys) -> Published:
    """Sign one suite's packages, and put them into the archive."""
    suite = made.suite
    with shift.console.step(f"sign and publish for {suite}"), shift.console.jobs((suite,)) as rows:
        row = rows[suite]
        row.phase("signing")
        upload = sign.sign_upload(shift.run, signing, source=made, results=results, into=shift.config.dist / suite / "upload")
        shift.ledger.add("uploads", upload)
        shift.ledger.add("files", *upload.files)
        upload = replace(upload, suite=shift.config.archive.suite(suite))
        published = archive.publish(shift.run, shift.config, upload, signing, progress=row)
        shift.ledger.add("published", published)
        row.done("published")
    return published


def prove(shift: Shift, published: dict[str, Published], tried: tuple[Job, ...]) -> None:
    """Prove what a clean client sees of each suite for each job that is `tried`, and end by telling how to install it.

    This runs programs of the packages, as root in their system: no key may be open to it.
    """
    for suite, done in published.items():
        with shift.console.step(f"install from the archive on {suite}"), shift.console.jobs((suite,)) as rows:
            row = rows[suite]
            for job in (job for job in tried if job.target.suite == suite):
                row.phase(f"installing on a clean {job.target}")
                by = workshop(shift).by(job.tried)
                sighting = proof.prove(shift.run, shift.config, done, target=job.target, by=by, progress=row)
                shift.ledger.add("sightings", sighting)
            row.done("installed from the archive")
        show.published(shift.console, shift.config, done, machine=shift.machine.arch)
