"""One run at a time in a project; and how the programs run of what a job has built."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import accel, archive, checks, sign
from debkit.archive import proof
from debkit.console import JobProgress
from debkit.errors import LockedError
from debkit.keys import Keys
from debkit.model import ChrootSpec, Outcome, Published, SignedUpload, SigningKey, Via
from debkit.pipeline import jobs
from debkit.pipeline.alone import alone
from debkit.pipeline.execute import judge_one, publish, published_as, workshop
from tests.jobs import make_source
from tests.shifts import TARGET, built, shift_of

if TYPE_CHECKING:
    from debkit.checks import Bench
    from debkit.model import BuildResult, CheckReport, Target

KEY = SigningKey(fingerprint="A" * 40, uid="x", home=Path("/home"), development=True)


def test_a_second_run_in_the_same_project_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with alone(tmp_path / "dist"):
        with pytest.raises(LockedError) as caught, alone(tmp_path / "dist"):
            pass
        assert caught.value.cause.startswith("process ")
        (tmp_path / "dist/report.json").touch()
    with alone(tmp_path / "dist"):
        pass
    assert (tmp_path / "dist/report.json").exists()


def test_a_run_that_leaves_nothing_leaves_no_directory(tmp_path: Path) -> None:
    with alone(tmp_path / "dist"):
        pass
    assert not (tmp_path / "dist").exists()


WAYS = pytest.mark.parametrize(
    ("via", "accelerate", "accelerated"),
    [
        (Via.CROSS, True, True),
        (Via.CROSS, False, False),
        (None, True, True),
        (None, False, False),
        (Via.EMULATED, True, False),
    ],
)


@WAYS
def test_what_was_cross_built_is_checked_and_installed_as_quickly_as_what_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, via: Via | None, *, accelerate: bool, accelerated: bool
) -> None:
    given: list[accel.Accelerator | None] = []

    def judge(name: str, bench: Bench, result: BuildResult) -> CheckReport:
        given.append(bench.accelerator)
        return checks.broken(name, result, "nobody looked", None)

    def prove(*_: object, by: accel.Accelerator | None, **__: object) -> None:
        given.append(by)

    signed = SignedUpload(suite="trixie", changes=Path("x.changes"), files=(), signer="", development=True)
    there = Published(suite="trixie", source="sample", version="1", arches=(), packages=(), unchanged=False, signer="")
    monkeypatch.setattr(checks, "judge", judge)
    monkeypatch.setattr(proof, "prove", prove)
    monkeypatch.setattr(archive, "publish", lambda *_, **__: there)
    monkeypatch.setattr(archive, "instructions", lambda *_, **__: ())
    monkeypatch.setattr(sign, "sign_upload", lambda *_, **__: signed)
    shift = shift_of(tmp_path, via, accelerate=accelerate)
    (job,) = shift.plan.jobs
    done: Future[BuildResult] = Future()
    done.set_result(built(job.via))
    judged = judge_one(shift, job, {"trixie": make_source()}, {TARGET: done}, JobProgress("x", shift.console))
    assert {report.outcome for report in judged.checks} == {Outcome.ERROR}
    publish(shift, make_source(), (judged.build,), (job,), Keys(upload=KEY, archive=KEY))
    assert given == [shift.accelerator if accelerated else None] * (len(shift.config.checks.run) + 1)


def test_a_stream_is_published_into_and_seen_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Published(suite="x", source="sample", version="1", arches=(), packages=(), unchanged=False, signer="")
    signed = SignedUpload(suite="trixie", changes=Path("x.changes"), files=(), signer="", development=True)
    published: list[SignedUpload] = []

    def take(_run: object, _config: object, upload: SignedUpload, *_: object, **__: object) -> Published:
        published.append(upload)
        return replace(there, suite=upload.suite)

    seen: list[tuple[str, str]] = []

    def prove(_run: object, _config: object, done: Published, *, target: Target, **_: object) -> None:
        seen.append((done.suite, target.suite))

    monkeypatch.setattr(proof, "prove", prove)
    monkeypatch.setattr(archive, "publish", take)
    monkeypatch.setattr(archive, "instructions", lambda *_, **__: ())
    monkeypatch.setattr(sign, "sign_upload", lambda *_, **__: signed)
    shift = shift_of(tmp_path, None, accelerate=False)
    shift = replace(shift, config=replace(shift.config, archive=replace(shift.config.archive, stream="unstable")))
    (job,) = shift.plan.jobs
    publish(shift, make_source(), (built(job.via),), (job,), Keys(upload=KEY, archive=KEY))
    assert [upload.suite for upload in published] == ["trixie-unstable"]
    assert seen == [("trixie-unstable", "trixie")]
    assert published_as(shift, TARGET).suite == "trixie-unstable"


@WAYS
def test_a_cross_build_itself_needs_no_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, via: Via | None, *, accelerate: bool, accelerated: bool
) -> None:
    opened: list[tuple[str, bool]] = []

    def look(_run: object, spec: ChrootSpec, *, by: accel.Accelerator | None, **_: object) -> None:
        opened.append((spec.target.arch, by is not None))

    monkeypatch.setattr(accel, "opened", look)
    shift = shift_of(tmp_path, via, accelerate=accelerate)
    (job,) = shift.plan.jobs
    jobs.base_chroot(job, workshop(shift), JobProgress("x", shift.console))
    assert opened == [("amd64", False) if via is Via.CROSS else ("arm64", accelerated)]
