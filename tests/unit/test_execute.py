"""One run at a time in a project; and how the programs run of what a job has built."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from debkit import accel, archive, checks, host, keys, sign
from debkit.archive import proof
from debkit.backends import sbuild
from debkit.chroot import layers, store
from debkit.console import JobProgress
from debkit.errors import BuildError, ChrootError, DebkitError, HostError, LockedError, SourceError
from debkit.keys import Keys, Passphrase
from debkit.model import BuildResult, BuildState, ChrootSpec, Outcome, Published, SignedUpload, SigningKey, Via
from debkit.pipeline import execute as building
from debkit.pipeline import jobs, parts
from debkit.pipeline import publish as publishing
from debkit.pipeline.alone import alone
from debkit.pipeline.execute import Judged, carry_out, judge_one, publish, published_as, workshop
from debkit.pipeline.join import Piece, Suite
from debkit.pipeline.parts import Part
from debkit.pipeline.plan import Request
from debkit.report.read import Report, read_report
from tests.jobs import make_chroot, make_source
from tests.parts import make_part
from tests.shifts import TARGET, built, shift_of
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.checks import Bench
    from debkit.model import CheckReport, Source, Target

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


def no_chroot(*_: object, **__: object) -> None:
    raise ChrootError("no chroot", cause="why", hint="next")


def fails(*_: object, **__: object) -> BuildResult:
    return replace(built(Via.NATIVE), state=BuildState.FAILED)


REFUSED: dict[str, tuple[str, dict[str, object], Callable[[pytest.MonkeyPatch], None], type[DebkitError]]] = {
    "a mistyped tree": ("nosuch/", {}, lambda _: None, SourceError),
    "an architecture that does not run here": ("", {"arches": ("armhf",)}, lambda _: None, HostError),
    "an archive that takes nothing": ("", {"publish": True}, lambda _: None, DebkitError),
    "a source that cannot be made": ("nosuch", {}, lambda patch: patch.setattr(store, "ensure", no_chroot), ChrootError),
    "no chroot": ("", {}, lambda patch: patch.setattr(accel, "opened", no_chroot), ChrootError),
}


@pytest.mark.parametrize("what", [*REFUSED, "a build that fails"])
def test_what_an_earlier_run_has_left_is_a_part_until_something_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    where, more, prepare, error = REFUSED.get(what, ("", {}, lambda _: None, BuildError))
    shift = shift_of(tmp_path, None, arches=("amd64",))
    part = make_part(tmp_path / "dist", "amd64")
    before = {path: path.read_bytes() for path in part.rglob("*") if path.is_file()}
    machine = replace(shift.machine, obstacles=(("armhf", "qemu-arm is not registered"),))
    monkeypatch.setattr(host, "facts", lambda *_, **__: machine)
    monkeypatch.setattr(host, "installed_versions", lambda *_: {})
    monkeypatch.setattr(accel, "opened", lambda *_, **__: contextlib.nullcontext(make_chroot()))
    monkeypatch.setattr(layers, "layer", lambda _, chroot, *__, **___: chroot)
    monkeypatch.setattr(store, "held", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(sbuild, "build", fails)
    prepare(monkeypatch)
    tree = make_tree(tmp_path / "tree")
    request: dict[str, Any] = {
        "where": where or f"{tree}", "suites": ("trixie",), "arches": ("amd64",), "publish": False, **more
    }  # fmt: skip
    with pytest.raises(error):
        building.execute(Request(**request), shift.config, shift.console, passphrase=Passphrase(), dry_run=False)
    if what in REFUSED:
        assert {path: path.read_bytes() for path in before} == before
        parts.read_part(part)
    else:
        assert not (part / parts.SUMS).exists()
        assert read_report(part / "report.json").outcome == "failed"


def test_a_run_that_leaves_nothing_leaves_no_directory(tmp_path: Path) -> None:
    with alone(tmp_path / "dist"):
        pass
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("of_parts", [False, True])
def test_no_key_is_open_to_what_the_proof_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, of_parts: bool) -> None:
    told: list[str] = []

    @contextlib.contextmanager
    def opened(*_: object) -> Iterator[Keys]:
        yield Keys(upload=KEY, archive=KEY)
        told.append("closed")

    def publish_one(_shift: object, made: Source, *_: object) -> Published:
        told.append(f"published {made.suite}")
        return Published(suite=made.suite, source="sample", version="1", arches=(), packages=(), unchanged=False, signer="")

    def prove_one(*_: object, target: Target, **__: object) -> None:
        told.append(f"proven {target}")

    shift = shift_of(tmp_path, None)
    (job,) = shift.plan.jobs
    both = tuple(replace(job, target=replace(job.target, suite=suite)) for suite in ("trixie", "bookworm"))
    shift = replace(
        shift, plan=replace(shift.plan, jobs=both, request=replace(shift.plan.request, suites=("trixie", "bookworm")))
    )
    sources = {suite: replace(make_source(), suite=suite) for suite in shift.plan.suites}
    monkeypatch.setattr(host, "installed_versions", lambda *_: {})
    monkeypatch.setattr(keys, "unlock", lambda signing, _: signing)
    monkeypatch.setattr(proof, "prove", prove_one)
    monkeypatch.setattr(archive, "instructions", lambda *_, **__: ())
    for module in (building, publishing):
        monkeypatch.setattr(module, "ready_to_sign", opened)
        monkeypatch.setattr(module, "demand_uploads", lambda *_: None)
        monkeypatch.setattr(module, "publish", publish_one)
    if of_parts:
        part = Part(
            root=tmp_path,
            report=Report(
                debkit="",
                started="",
                outcome="",
                error="",
                exit_code=0,
                jobs=(),
                checks_planned=(),
                sources=(),
                builds=(),
                checks=(),
                tools={},
            ),
            jobs=both,
        )
        suites = tuple(
            Suite(source=sources[each.target.suite], pieces=(Piece(part=part, job=each, build=None, checks=()),)) for each in both
        )
        monkeypatch.setattr(publishing, "verdicts", lambda *_: ())
        monkeypatch.setattr(publishing, "share", lambda *_: ())
        publishing.carry_out(shift, suites, Passphrase())
    else:
        monkeypatch.setattr(building, "make_source", lambda _, suite: sources[suite])
        monkeypatch.setattr(building, "informed", lambda shift, _: shift)
        judged = tuple(Judged(job=each, build=built(each.via), checks=()) for each in both)
        monkeypatch.setattr(building, "build_and_check", lambda *_: judged)
        monkeypatch.setattr(parts, "files", lambda *_: ())
        carry_out(shift, Passphrase())
    assert told == ["published trixie", "published bookworm", "closed", "proven trixie/arm64", "proven bookworm/arm64"]


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
    building.prove(shift, {"trixie": publish(shift, make_source(), (judged.build,), Keys(upload=KEY, archive=KEY))}, (job,))
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
    building.prove(shift, {"trixie": publish(shift, make_source(), (built(job.via),), Keys(upload=KEY, archive=KEY))}, (job,))
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
