"""How the checks of one job run, and what of them keeps packages from being published."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import accel, checks
from debkit.backends import sbuild
from debkit.config import BuildConfig, ChecksConfig
from debkit.console import JobProgress
from debkit.errors import CheckError, CheckIncomplete
from debkit.model import USUAL, CheckReport, Outcome, Variation, Via
from debkit.pipeline import jobs
from debkit.pipeline.execute import judge_one, workshop
from debkit.pipeline.jobs import CHECK_MEMORY, hands
from tests.jobs import make_chroot, make_source
from tests.shifts import TARGET, built, shift_of

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.checks import Bench
    from debkit.model import BuildResult, Chroot


def report(outcome: Outcome, name: str = "a") -> CheckReport:
    return CheckReport(check=name, target=TARGET, outcome=outcome, seconds=0.0, reason="because")


@pytest.mark.parametrize(
    ("outcomes", "error"),
    [
        ((Outcome.PASS,), None),
        ((Outcome.PASS, Outcome.NOT_RUN), None),
        ((Outcome.PASS, Outcome.SKIPPED), CheckIncomplete),
        ((Outcome.ERROR,), CheckIncomplete),
        ((Outcome.SKIPPED, Outcome.FAIL), CheckError),
    ],
)
def test_what_was_not_run_is_published_and_what_was_skipped_is_not(
    outcomes: tuple[Outcome, ...], error: type[Exception] | None
) -> None:
    found = jobs.check_failure(tuple(map(report, outcomes)), accept_incomplete=False)
    assert type(found) is (error or type(None))


@pytest.mark.parametrize(
    ("name", "way"),
    [("lintian", "; a lintian tag may be suppressed in config/debkit.toml, with a reason"),
     ("equivalence", "; a difference may be accepted in config/debkit.toml, with a reason"), ("piuparts", "")],
)  # fmt: skip
def test_a_failure_tells_how_the_configuration_accepts_it(name: str, way: str) -> None:
    found = jobs.check_failure((report(Outcome.FAIL, name),), accept_incomplete=False)
    assert found
    assert found.hint == f"mend the package, then run the same command again{way}"


def test_the_worst_of_several_counts() -> None:
    assert checks.worst(()) is Outcome.NOT_RUN
    assert checks.worst((Outcome.NOT_RUN, Outcome.PASS)) is Outcome.PASS
    assert checks.worst((Outcome.SKIPPED, Outcome.PASS)) is Outcome.SKIPPED
    assert checks.worst((Outcome.FAIL, Outcome.ERROR)) is Outcome.FAIL


def test_checks_run_beside_each_other_and_are_told_in_the_order_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)

    def judge(name: str, _bench: Bench, _result: BuildResult) -> CheckReport:
        both.wait()
        return report(Outcome.PASS, name)

    monkeypatch.setattr(checks, "judge", judge)
    shift = shift_of(tmp_path, None)
    shift = replace(shift, config=replace(shift.config, checks=ChecksConfig(run=("b", "a"))))
    found = jobs.check(
        built(Via.EMULATED),
        workshop(shift),
        JobProgress("x", shift.console),
        job=shift.plan.jobs[0],
        source=make_source(),
        first=True,
    )
    assert [each.check for each in found] == ["b", "a"]


def test_no_more_run_at_once_than_the_machine_can_bear(tmp_path: Path) -> None:
    machine = shift_of(tmp_path, None).machine
    assert capacity(hands(replace(machine, cpus=8, memory=3 * CHECK_MEMORY))) == 3
    assert capacity(hands(replace(machine, cpus=2, memory=9 * CHECK_MEMORY))) == 2
    assert capacity(hands(replace(machine, cpus=2, memory=1))) == 1


def capacity(semaphore: threading.Semaphore) -> int:
    return sum(semaphore.acquire(blocking=False) for _ in range(99))


def test_the_architecture_that_runs_natively_is_what_the_others_are_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers: dict[str, BuildResult | None] = {}

    def judge(name: str, bench: Bench, result: BuildResult) -> CheckReport:
        peers[result.target.arch] = bench.peer
        return report(Outcome.PASS, name)

    monkeypatch.setattr(checks, "judge", judge)
    shift = shift_of(tmp_path, None, arches=("arm64", "amd64"))
    native = replace(built(Via.NATIVE), target=replace(TARGET, arch="amd64"))
    builds = {TARGET: ended(built(Via.EMULATED)), native.target: ended(native)}
    for job in shift.plan.jobs:
        judge_one(shift, job, {"trixie": make_source()}, builds, JobProgress("x", shift.console))
    assert peers == {"arm64": native, "amd64": None}


def test_only_what_was_built_here_can_be_built_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benches: list[Bench] = []

    def judge(name: str, bench: Bench, _result: BuildResult) -> CheckReport:
        benches.append(bench)
        return report(Outcome.PASS, name)

    monkeypatch.setattr(checks, "judge", judge)
    shift = shift_of(tmp_path, None)
    shop = replace(workshop(shift), config=replace(shift.config, checks=ChecksConfig(run=("a",))))
    for builds in (True, False):
        job = replace(shift.plan.jobs[0], builds=builds)
        jobs.check(built(Via.EMULATED), shop, JobProgress("x", shift.console), job=job, source=make_source(), first=True)
    assert [bench.rebuild is not None for bench in benches] == [True, False]


def test_a_second_build_is_in_the_same_chroot_and_leaves_the_first_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shift = shift_of(tmp_path, None)
    shop = replace(workshop(shift), refresh=True, config=replace(shift.config, build=BuildConfig(layers=False)))
    chroot = make_chroot("arm64", tarball=tmp_path / "base.tar.zst")
    chroot.tarball.touch()
    asked: dict[str, object] = {}

    def opened(*_: object, **options: object) -> contextlib.nullcontext[Chroot]:
        asked["refresh"] = options["refresh"]
        return contextlib.nullcontext(chroot)

    def build(*_: object, **options: object) -> BuildResult:
        asked.update(options)
        return built(Via.EMULATED)

    monkeypatch.setattr(accel, "opened", opened)
    monkeypatch.setattr(sbuild, "build", build)
    variation = Variation(path="/build/another-path")
    row = JobProgress("x", shift.console)
    jobs.rebuild(variation, tmp_path / "second", job=shift.plan.jobs[0], source=make_source(), shop=shop, progress=row)
    assert (asked["refresh"], asked["variation"], asked["into"]) == (False, variation, tmp_path / "second")
    assert asked["chroot"] is chroot
    asked.clear()
    jobs.build(shift.plan.jobs[0], make_source(), shop, row)
    assert (asked["refresh"], asked["variation"], asked["into"]) == (True, USUAL, shop.into(TARGET))


def ended(result: BuildResult) -> Future[BuildResult]:
    future: Future[BuildResult] = Future()
    future.set_result(result)
    return future
