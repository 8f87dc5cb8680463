"""What every backend offers, and what all derive from a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit import backends
from debkit.backends import pbuilder, sbuild
from debkit.backends._logs import Watch, read
from debkit.config import BuildConfig
from debkit.errors import ConfigError
from debkit.model import Phase, Via
from tests.jobs import Narration, make_job, ticking

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.backends import Backend

BOTH: tuple[Backend, ...] = (sbuild, pbuilder)  # mypy holds the modules to the protocol here


def test_a_backend_is_found_by_its_file() -> None:
    assert backends.find("sbuild") is sbuild
    assert backends.find("pbuilder") is pbuilder


@pytest.mark.parametrize("name", ["docker", "_logs", "__init__", ""])
def test_what_is_no_backend_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown backend: {name}") as caught:
        backends.find(name)
    assert caught.value.cause == "known: pbuilder, sbuild"


@pytest.mark.parametrize(
    ("backend", "via", "direct", "namespaces", "can"),
    [
        (sbuild, Via.NATIVE, False, True, True),
        (sbuild, Via.CROSS, False, True, True),
        (sbuild, Via.NATIVE, True, False, False),
        (pbuilder, Via.NATIVE, False, True, True),
        (pbuilder, Via.EMULATED, False, True, True),
        (pbuilder, Via.EMULATED, True, False, True),
        (pbuilder, Via.NATIVE, False, False, False),
        (pbuilder, Via.CROSS, True, True, False),
    ],
)
def test_where_a_backend_can_build(backend: Backend, via: Via, *, direct: bool, namespaces: bool, can: bool) -> None:
    assert (backend.obstacle(via=via, direct=direct, namespaces=namespaces) == "") is can


def test_a_plan_is_told_when_pbuilder_runs_as_plain_root() -> None:
    assert "as root" in pbuilder.notice(direct=True, namespaces=False)
    assert pbuilder.notice(direct=True, namespaces=True) == ""
    assert pbuilder.notice(direct=False, namespaces=True) == ""
    assert sbuild.notice(direct=True, namespaces=True) == ""


def test_the_log_is_named_after_the_version_without_its_epoch() -> None:
    assert make_job("arm64").log_name == "sample_1.0-1_arm64.build"


@pytest.mark.parametrize(
    ("via", "options", "expected"),
    [
        (Via.NATIVE, (), "parallel=4"),
        (Via.EMULATED, ("nocheck",), "nocheck parallel=4"),
        (Via.NATIVE, ("parallel=1", "noopt"), "parallel=1 noopt"),
        (Via.CROSS, (), "nocheck parallel=4"),
        (Via.CROSS, ("nocheck",), "nocheck parallel=4"),
    ],
)
def test_build_options(via: Via, options: tuple[str, ...], expected: str) -> None:
    assert make_job("arm64", via, config=BuildConfig(options=options)).build_options == expected


def test_a_cross_build_has_the_profiles_of_debians_cross_builders() -> None:
    config = BuildConfig(profiles=("nodoc", "nocheck"))
    assert make_job("arm64", Via.CROSS, config=config).profiles == ("cross", "nocheck", "nodoc")
    assert make_job("arm64", Via.EMULATED, config=config).profiles == ("nodoc", "nocheck")


def test_only_emulated_programs_are_told_of_their_processor() -> None:
    assert make_job("arm64", Via.EMULATED).emulator_env == (("QEMU_CPU", "max,pauth=off"),)
    assert make_job("arm64", Via.NATIVE).emulator_env == ()
    assert make_job("arm64", Via.CROSS).emulator_env == ()


def test_phases_are_told_and_timed_and_come_once_each() -> None:
    progress = Narration()
    watch = Watch(progress, {"B": "build", "C": "clean up"}.get, "unpack", clock=ticking())
    for line in ("a", "B", "b", "B", "C", "c"):
        watch.line(line)
    assert progress.phases == ["unpack", "build", "clean up"]
    assert progress.lines == ["a", "B", "b", "B", "C", "c"]
    assert watch.phases() == (Phase("unpack", 1.0), Phase("build", 1.0), Phase("clean up", 1.0))


def test_of_a_field_that_a_log_has_twice_the_last_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"Status: successful\n\xff\nSpace: 12\nStatus: attempted\nFail-Stage: build\nSpace: n/a\n")
    reading = read(log)
    assert (reading.status, reading.stage, reading.disk_bytes, reading.signs) == ("attempted", "build", 0, frozenset())
