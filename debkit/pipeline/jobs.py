"""One job: its chroot, its dependency layer, its build, and the checks on what came out."""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from debkit import accel, backends, checks
from debkit.archive.index import previous_debs
from debkit.chroot import layers, store
from debkit.errors import (
    BuildError,
    CheckError,
    CheckIncomplete,
    DebkitError,
    DependencyError,
    DiskError,
    EnvironmentFailure,
    TimeoutFailure,
)
from debkit.model import USUAL, BuildState, ChrootKind, Outcome, Severity, Target, Via
from debkit.paths import scratch_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import Config
    from debkit.console import Progress
    from debkit.host import Host
    from debkit.model import BuildResult, CheckReport, Chroot, Source, Variation
    from debkit.pipeline.plan import Job
    from debkit.run import Run
    from debkit.run.lending import Lender

FAILURES: dict[BuildState, tuple[type[DebkitError], str, str]] = {
    BuildState.FAILED: (BuildError, "the build ended with the error below", "mend the source, then run the same command again"),
    BuildState.UNINSTALLABLE: (
        DependencyError,
        "the suite lacks a build dependency, or two of them conflict",
        "compare Build-Depends in debian/control with the suite",
    ),
    BuildState.ENVIRONMENT: (
        EnvironmentFailure,
        "the chroot or the builder failed before the package had a say",
        "debkit doctor",
    ),
    BuildState.GIVEN_BACK: (
        EnvironmentFailure,
        "the builder gave the package back for another try",
        "run the same command again",
    ),
    BuildState.TIMED_OUT: (
        TimeoutFailure,
        "the build hangs, or needs longer than [build] timeout",
        "raise timeout in config/debkit.toml, or look at the log's end",
    ),
}


CHECK_MEMORY = 2 * 10**9  # bytes: an unpacked system in memory, and what runs in it
ACCEPTED = {"lintian": "a lintian tag may be suppressed", "equivalence": "a difference may be accepted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every job of a run shares. `results` is where packages are put, by suite and architecture; builds are in `kind`.

    `hands` is held by each check that is running: a semaphore, so that no more run at once than the machine can bear. Where there
    is a `lender`, a build that fails opens a shell on the terminal that it lends.
    """

    run: Run
    config: Config
    results: Path
    machine_arch: str
    accelerator: accel.Accelerator
    refresh: bool
    note_tool: Callable[[str, str], None]
    hands: AbstractContextManager[object] = field(default_factory=contextlib.nullcontext)
    kind: ChrootKind = ChrootKind.BUILD
    lender: Lender | None = None

    def by(self, via: Via) -> accel.Accelerator | None:
        """Give what makes programs run that way, where it is more than an emulator."""
        return self.accelerator if via is Via.ACCELERATED else None

    def into(self, target: Target) -> Path:
        return self.results / target.suite / target.arch


def hands(machine: Host) -> threading.Semaphore:
    """Say how many checks may run at once here: one a processor, as far as there is memory for each."""
    return threading.Semaphore(max(1, min(machine.cpus, machine.memory // CHECK_MEMORY)))


def build(
    job: Job, source: Source, shop: Workshop, progress: Progress, *, begin: Callable[[], None] = lambda: None
) -> BuildResult:  # fmt: skip
    """Build one job; `begin` is called once its chroot is there, before anything is written to the results."""
    backend = backends.find(shop.config.build.backend)
    with base_chroot(job, shop, progress) as chroot:
        begin()
        return _build(job, source, shop, progress, backend=backend, chroot=chroot, into=shop.into(job.target))


def rebuild(variation: Variation, into: Path, *, job: Job, source: Source, shop: Workshop, progress: Progress) -> BuildResult:
    """Build one job once more, varied, into another directory; its chroot is the one of before. A failed build is a result."""
    backend = backends.find(shop.config.build.backend)
    with base_chroot(job, replace(shop, refresh=False), progress) as chroot:
        shop = replace(shop, lender=None)
        return _build(job, source, shop, progress, backend=backend, chroot=chroot, into=into, variation=variation)


def _build(
    job: Job,
    source: Source,
    shop: Workshop,
    progress: Progress,
    *,
    backend: backends.Backend,
    chroot: Chroot,
    into: Path,
    variation: Variation = USUAL,
) -> BuildResult:
    via = Via.EMULATED if job.via is Via.ACCELERATED and not chroot.toolbox else job.via
    if layered(job, shop.config):
        chroot = layers.layer(
            shop.run,
            chroot,
            source,
            build_all=job.build_all,
            profiles=shop.config.build.profiles,
            demands=backend.demands(),
            config=shop.config.chroot,
            progress=progress,
        )
    greeting = f"{job.target} does not build: a root shell in its chroot, in the build directory; exit or Ctrl-D ends it"
    with store.held(chroot), shop.lender.ready(greeting) if shop.lender else contextlib.nullcontext() as shell:
        return backend.build(
            shop.run,
            source=source,
            target=job.target,
            via=via,
            chroot=chroot,
            into=into,
            config=shop.config.build,
            build_all=job.build_all,
            progress=progress,
            variation=variation,
            shell=shell,
        )


def base_chroot(job: Job, shop: Workshop, progress: Progress) -> AbstractContextManager[Chroot]:
    """Have the chroot a job builds in; a cross build's is of this machine's own architecture."""
    arch = shop.machine_arch if job.via is Via.CROSS else job.target.arch
    spec = store.wanted(shop.kind, Target(job.target.suite, arch), shop.config.chroot)
    return accel.opened(shop.run, spec, by=shop.by(job.via), config=shop.config.chroot, refresh=shop.refresh, progress=progress)


def layered(job: Job, config: Config) -> bool:
    """Whether the build dependencies come from a cached layer: not where something else than the suite may provide them."""
    return config.build.layers and job.via is not Via.CROSS and not (config.build.repositories or config.build.packages)


def check(
    result: BuildResult,
    shop: Workshop,
    progress: Progress,
    *,
    job: Job,
    source: Source,
    first: bool,
    siblings: tuple[Path, ...] = (),
    peer: BuildResult | None = None,
) -> tuple[CheckReport, ...]:
    """Judge a successful build by every configured check, beside each other as the machine's processors allow.

    `siblings` and `peer` as in `checks.Bench`; the `first` job of a suite has the source judged too.
    """
    suite, arch = result.target.suite, result.target.arch
    bench = checks.Bench(
        run=shop.run,
        config=shop.config.checks,
        chroot=shop.config.chroot,
        progress=progress,
        work=shop.into(result.target),
        siblings=siblings,
        source=source.dsc if first else None,
        dsc=source.dsc,
        peer=peer,
        previous=previous_debs(shop.config.repo, shop.config.archive.suite(suite), arch, source.name, source.version),
        project=shop.config.project,
        note_tool=shop.note_tool,
        rebuild=partial(rebuild, job=job, source=source, shop=shop, progress=progress) if job.builds else None,
        accelerator=shop.by(job.tried),
    )
    names = shop.config.checks.run
    if not names:
        return ()

    def judged(name: str) -> CheckReport:
        with shop.hands:
            return checks.judge(name, bench, result)

    with ThreadPoolExecutor(len(names)) as pool:
        return tuple(pool.map(judged, names))


def build_failure(result: BuildResult) -> DebkitError | None:
    """Make the error of a build that did not succeed."""
    if result.state is BuildState.SUCCEEDED:
        return None
    error, cause, hint = FAILURES[result.state]
    if result.disk_full:
        error, cause, hint = DiskError, "the disk is full", f"df -h {shlex.quote(os.fspath(scratch_home()))}, then free some room"
    return error(
        f"{result.target}: {result.state.value}",
        cause=cause,
        hint=hint,
        log=result.log,
        excerpt=result.error.lines if result.error else (),
    )


def check_failure(reports: tuple[CheckReport, ...], *, accept_incomplete: bool) -> DebkitError | None:
    """Make the error of checks that keep packages from being published: first the failed, then those that gave no verdict."""
    failed = [report for report in reports if report.outcome is Outcome.FAIL]
    if failed:
        names = {report.check for report in failed}
        findings = [
            f"{report.check} on {report.target}: {finding.package}: {finding.tag} {finding.text}".rstrip()
            for report in failed
            for finding in report.findings
            if finding.severity is Severity.ERROR and not finding.accepted
        ]
        return CheckError(
            "; ".join(f"{report.check} failed on {report.target}" for report in failed),
            cause="\n".join(findings[:20]) or failed[0].reason,
            hint="mend the package, then run the same command again"
            + "".join(f"; {way} in config/debkit.toml, with a reason" for name, way in ACCEPTED.items() if name in names),
            log=failed[0].log,
        )
    open_ended = [report for report in reports if not report.outcome.settled]
    if open_ended and not accept_incomplete:
        return CheckIncomplete(
            "; ".join(f"{report.check} on {report.target}: {report.outcome}" for report in open_ended),
            cause="\n".join(report.reason for report in open_ended),
            hint="mend the cause, or publish all the same with --accept-incomplete-checks",
            log=open_ended[0].log,
        )
    return None
