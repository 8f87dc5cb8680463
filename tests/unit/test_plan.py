from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from debkit.config import BuildConfig, Config
from debkit.errors import HostError, SourceError
from debkit.host import Host
from debkit.model import Target, Via
from debkit.pipeline.plan import Plan, Request, SourceFacts, plan, rendered
from debkit.source import Whence

CONFIG = Config(project=Path("/project"))
PC = Host(
    arch="amd64",
    obstacles=(("arm64", ""), ("armhf", "qemu-arm is not registered")),
    namespaces="",
    system="debian",
    version="12",
    kernel="6.1",
    unaccelerated="Linux 6.1 has no binfmt_misc for user namespaces",
    direct=False,
    cpus=2,
    memory=2**33,
)


def planned(arches: tuple[str, ...], *, suites: tuple[str, ...] = ("trixie",), architectures: tuple[str, ...] = ("any", "all"),
            via: Via | None = None, machine: Host = PC, config: Config = CONFIG) -> Plan:  # fmt: skip
    request = Request(where=".", suites=suites, arches=arches, via=via)
    return plan(request, SourceFacts(name="hello", version="1.0", architectures=architectures), machine, config)


def test_one_job_a_suite_and_architecture() -> None:
    jobs = planned(("amd64", "arm64"), suites=("trixie", "bookworm")).jobs
    assert [job.target for job in jobs] == [
        Target("trixie", "amd64"), Target("trixie", "arm64"), Target("bookworm", "amd64"), Target("bookworm", "arm64"),
    ]  # fmt: skip
    assert [job.via for job in jobs] == [Via.NATIVE, Via.EMULATED] * 2


@pytest.mark.parametrize(("arches", "builder"), [(("arm64", "amd64"), "amd64"), (("arm64",), "arm64")])
def test_exactly_one_job_a_suite_builds_the_independent_packages(arches: tuple[str, ...], builder: str) -> None:
    jobs = planned(arches, suites=("trixie", "sid")).jobs
    assert [job.target.arch for job in jobs if job.build_all] == [builder, builder]


def test_no_job_builds_them_when_there_are_none() -> None:
    assert not any(job.build_all for job in planned(("amd64", "arm64"), architectures=("any",)).jobs)


def test_a_source_of_independent_packages_alone_is_built_once_and_tried_on_the_other_architecture() -> None:
    made = planned(("arm64", "amd64"), architectures=("all",))
    assert [(job.target.arch, job.builds) for job in made.jobs] == [("arm64", False), ("amd64", True)]
    assert "try      trixie/arm64  emulated, nothing of its own to build" in "\n".join(rendered(made))


def test_an_architecture_that_gets_no_package_is_left_out_and_that_is_told() -> None:
    made = planned(("amd64", "arm64"), architectures=("amd64",))
    assert [job.target.arch for job in made.jobs] == ["amd64"]
    assert made.notes == ("arm64: the source makes nothing for it (its Architecture is amd64)",)


def test_nothing_to_build_is_an_error() -> None:
    with pytest.raises(SourceError, match="nothing to build for arm64"):
        planned(("arm64",), architectures=("amd64",))


def test_an_architecture_that_does_not_run_here_points_to_the_doctor() -> None:
    with pytest.raises(HostError, match="armhf programs do not run") as caught:
        planned(("armhf",))
    assert caught.value.cause == "qemu-arm is not registered"
    assert caught.value.hint == "debkit doctor --fix --arch armhf"


def test_cross_is_only_ever_asked_for() -> None:
    assert planned(("arm64",), via=Via.CROSS).jobs[0].via is Via.CROSS
    with pytest.raises(HostError, match="cannot be cross-built here"):
        planned(("amd64",), via=Via.CROSS)


@pytest.mark.parametrize(("arch", "via"), [("arm64", Via.NATIVE), ("amd64", Via.EMULATED)])
def test_a_way_that_does_not_exist_is_refused(arch: str, via: Via) -> None:
    with pytest.raises(HostError):
        planned((arch,), via=via)


def test_an_arm64_machine_builds_arm64_natively() -> None:
    assert planned(("arm64",), machine=replace(PC, arch="arm64")).jobs[0].via is Via.NATIVE


def test_the_suffix_is_for_all_suites_but_the_configured_first_whatever_is_asked_for() -> None:
    assert not planned(("amd64",), suites=("trixie",)).notes
    assert "versions for bookworm get the suffix" in planned(("amd64",), suites=("bookworm",)).notes[0]


def test_what_is_unusual_about_the_backend_is_told() -> None:
    config = replace(CONFIG, build=replace(CONFIG.build, backend="pbuilder"))
    machine = replace(PC, direct=True, namespaces="user.max_user_namespaces is 0")
    assert planned(("amd64",), machine=machine, config=config).notes == ("pbuilder runs as root itself: no user namespaces here",)
    assert not planned(("amd64",), config=config).notes


def test_every_choice_is_shown_with_its_reason() -> None:
    text = "\n".join(rendered(planned(("amd64", "arm64"), suites=("trixie", "bookworm"))))
    assert (
        "trixie/arm64  emulated with sbuild: amd64 runs arm64 programs through qemu-aarch64; not accelerated: Linux 6.1 has"
        in text
    )
    assert "bookworm get the suffix ~SUITE1" in text


def test_the_plan_tells_where_the_upstream_tarball_is_taken_from() -> None:
    made = planned(("amd64",), suites=("trixie", "sid"))
    assert not any(line.startswith("upstream") for line in rendered(made))
    for orig, line in (
        (Whence("hello_1.0.orig.tar.xz from /src"), "upstream hello_1.0.orig.tar.xz from /src"),
        (
            Whence("it is nowhere", archive=True),
            "upstream it is nowhere: it will be fetched from the archive of trixie, sid, if that has this upstream version",
        ),
    ):
        assert rendered(replace(made, source=replace(made.source, orig=orig)))[1] == line


def test_without_user_namespaces_the_plan_says_why_and_what_mends_it() -> None:
    with pytest.raises(HostError, match="sbuild cannot do a native build") as caught:
        planned(("amd64",), machine=replace(PC, namespaces="user.max_user_namespaces is 0"))
    assert "user.max_user_namespaces is 0" in caught.value.cause
    assert caught.value.hint == "debkit doctor --fix"


NEW = replace(PC, kernel="6.12", unaccelerated="")


@pytest.mark.parametrize("backend", ["sbuild", "pbuilder"])
def test_where_the_kernel_lets_it_foreign_builds_are_accelerated(backend: str) -> None:
    config = replace(CONFIG, build=BuildConfig(backend=backend))
    (native, accelerated) = planned(("amd64", "arm64"), machine=NEW, config=config).jobs
    assert (native.via, accelerated.via) == (Via.NATIVE, Via.ACCELERATED)
    assert "native twins of arm64's known tools run" in accelerated.reason


@pytest.mark.parametrize(
    ("build", "via", "reason"),
    [
        (BuildConfig(accelerate=False), None, "[build] accelerate is false"),
        (BuildConfig(emulate=("hello",)), None, "[build] emulate names the source"),
        (BuildConfig(), Via.EMULATED, ""),
    ],
)
def test_acceleration_is_left_out_for_a_reason(build: BuildConfig, via: Via | None, reason: str) -> None:
    (job,) = planned(("arm64",), machine=NEW, via=via, config=replace(CONFIG, build=build)).jobs
    assert job.via is Via.EMULATED
    assert job.reason.endswith(f"not accelerated: {reason}" if reason else "through qemu-aarch64")


@pytest.mark.parametrize(
    ("machine", "build", "tried", "told"),
    [
        (NEW, BuildConfig(), Via.ACCELERATED, "packages are tried accelerated: native twins of arm64's known tools run"),
        (PC, BuildConfig(), Via.EMULATED, "packages are tried emulated: amd64 runs arm64 programs through qemu-aarch64; not acc"),
        (NEW, BuildConfig(accelerate=False), Via.EMULATED, "not accelerated: [build] accelerate is false"),
        (NEW, BuildConfig(emulate=("hello",)), Via.EMULATED, "not accelerated: [build] emulate names the source"),
    ],
    ids=["a newer kernel", "an older kernel", "a project without", "a source without"],
)
def test_what_is_cross_built_is_tried_as_if_nothing_had_been_asked_for(
    machine: Host, build: BuildConfig, tried: Via, told: str
) -> None:
    made = planned(("arm64",), via=Via.CROSS, machine=machine, config=replace(CONFIG, build=build))
    assert (made.jobs[0].via, made.jobs[0].tried) == (Via.CROSS, tried)
    assert made.notes[0].startswith("arm64: ")
    assert told in made.notes[0]
    assert planned(("arm64",), machine=machine, config=replace(CONFIG, build=build)).jobs[0].via is tried


def test_the_environment_has_a_say_in_it_too() -> None:
    request = Request(where=".", suites=("trixie",), arches=("arm64",), via=Via.CROSS, accelerate=False)
    made = plan(request, SourceFacts(name="hello"), NEW, CONFIG)
    assert made.jobs[0].tried is Via.EMULATED
    assert made.notes[0].endswith("not accelerated: DEBKIT_ACCEL is off")


def test_a_stream_is_told() -> None:
    config = replace(CONFIG, archive=replace(CONFIG.archive, stream="unstable"))
    made = plan(Request(where=".", suites=("trixie",), arches=("amd64",)), SourceFacts(name="hello"), NEW, config)
    assert made.notes == ("published into trixie-unstable: debkit repo promote takes it from there",)


def test_what_is_neither_checked_nor_published_is_tried_nowhere() -> None:
    request = Request(where=".", suites=("trixie",), arches=("arm64",), via=Via.CROSS, publish=False)
    config = replace(CONFIG, checks=replace(CONFIG.checks, run=()))
    made = plan(request, SourceFacts(name="hello"), replace(NEW, obstacles=()), config)
    assert made.jobs[0].tried is Via.CROSS
    assert made.notes == ("nothing is signed or published",)


def test_what_is_built_in_another_way_is_tried_in_the_same() -> None:
    jobs = planned(("amd64", "arm64"), machine=NEW).jobs
    assert [job.tried for job in jobs] == [Via.NATIVE, Via.ACCELERATED]


def test_the_plan_tells_which_compiler_an_accelerated_build_has() -> None:
    request = Request(where=".", suites=("trixie",), arches=("amd64", "arm64"))
    source = SourceFacts(name="hello", version="1.0", architectures=("any",))

    def foretold(target: Target) -> tuple[str, ...]:
        return f"the compiler of {target.arch}", "and more"

    made = plan(request, source, NEW, CONFIG, foretold)
    assert made.notes[:2] == ("trixie/arm64: the compiler of arm64", "trixie/arm64: and more")
    emulated = plan(request, source, PC, CONFIG, foretold)
    assert emulated.notes == made.notes[2:]


@pytest.mark.parametrize(
    ("arch", "via", "expected"),
    [
        ("arm64", None, Via.ACCELERATED),
        ("riscv64", None, Via.EMULATED),
        ("armhf", None, Via.EMULATED),
        ("armhf", Via.ACCELERATED, Via.ACCELERATED),
    ],
)
def test_a_machine_whose_tools_were_not_compared_is_accelerated_when_that_is_asked_for(
    arch: str, via: Via | None, expected: Via
) -> None:
    (job,) = planned((arch,), machine=replace(NEW, obstacles=((arch, ""),)), via=via).jobs
    assert job.via is expected
    assert ("--via accelerated tries it" in job.reason) == (expected is Via.EMULATED)


@pytest.mark.parametrize(("arch", "machine"), [("arm64", PC), ("amd64", NEW)])
def test_acceleration_that_cannot_be_had_is_refused(arch: str, machine: Host) -> None:
    with pytest.raises(HostError) as caught:
        planned((arch,), machine=machine, via=Via.ACCELERATED)
    assert "leave --via accelerated out" in caught.value.hint
