"""`debkit accel`, with nothing started."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner, Result

from debkit import cli
from debkit.accel import foretold, stock, trace
from debkit.chroot import cache, upkeep
from debkit.config import ChrootConfig
from debkit.errors import ConfigError, LockedError
from debkit.model import Emulated, Programs, Target, Twin
from tests.unit.test_chroot_cli import Stoppable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.recorder import Recorder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = Stoppable()
    run.reply("rm", action=lambda command: shutil.rmtree(command.argv[-1]))
    monkeypatch.setattr(cli.Session, "run", run)
    return run


@pytest.fixture
def debkit(machine: Recorder, tmp_path: Path) -> Callable[..., Result]:
    def call(*argv: str) -> Result:
        result = CliRunner().invoke(cli.debkit_command, ["-C", str(tmp_path), "accel", *argv], standalone_mode=False)
        if result.exception and not isinstance(result.exception, (ConfigError, LockedError, click.UsageError)):
            raise result.exception
        return result

    return call


def put(
    run: Recorder,
    arch: str = "arm64",
    *,
    suite: str = "trixie",
    differing: tuple[str, ...] = (),
    compiler: str = "",
    unfit: tuple[str, ...] = (),
    days: float = 2,
) -> str:
    """Lay a toolbox with three twins in the cache and give its name."""
    where, name = cache.shelf(upkeep.TOOLBOXES), f"{suite}-{arch}-toolbox-0123abcd"
    created = int(time.time() - days * 86400)
    content = where / cache.generation(name, created)
    for path in ("usr/bin/perl.0123456789abcdef", "usr/bin/perl5.40.1.0123456789abcdef", "usr/bin/g++-14.fedcba9876543210"):
        (content / "map" / path).parent.mkdir(parents=True, exist_ok=True)
        (content / "map" / path).touch()
    (content / "root" / "usr/bin").mkdir(parents=True)
    (content / "root" / "usr/bin/make").touch()
    stock.note(content, differing, compiler, unfit)
    record = cache.Record(
        content=content.name, created=created, kind="toolbox", suite=suite, arch=arch, size=450_000_000, package_count=137,
        made_with="mmdebstrap",
    )  # fmt: skip
    cache.commit(run, where, name, record)
    return name


def test_the_list_tells_twins_and_the_packages_that_have_none(machine: Recorder, debkit: Callable[..., Result]) -> None:
    name = put(
        machine, differing=("gcc-14 14.2.0-19, not 14.2.0-20",), unfit=("apt", "/usr/bin/make", "/usr/bin/not-in-it-any-more")
    )
    lines = debkit("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "SUITE", "ARCH", "TWINS", "SIZE", "AGE", "USED", "NOTE"]
    assert lines[1].split() == [name, "trixie", "arm64", "3", "450", "MB", "2", "d", "now"]
    assert lines[2:] == [
        f"{name}: no twins of gcc-14 14.2.0-19, not 14.2.0-20",
        f"{name}: no twins of /usr/bin/make, apt, which the table's edits do not fit",
    ]


def test_the_list_tells_a_native_compiler_and_not_that_packages_of_it_differ(
    machine: Recorder, debkit: Callable[..., Result]
) -> None:
    name = put(machine, differing=("gcc-12 2, not 1", "dash 4, not 3"), compiler="gcc-12 2, built from the suite's source")
    told = debkit("list").stdout.splitlines()[2:]
    assert told == [f"{name}: native compiler: gcc-12 2, built from the suite's source", f"{name}: no twins of dash 4, not 3"]


def test_the_compiler_is_foretold_by_the_toolbox_that_was_used_last(machine: Recorder) -> None:
    unknown = foretold(Target("trixie", "arm64"))
    put(machine, suite="bookworm", compiler="gcc-12 2")
    assert foretold(Target("trixie", "arm64")) == unknown
    put(machine, compiler="gcc-14 14.2.0-19")
    assert foretold(Target("trixie", "arm64")) == ("native compiler: gcc-14 14.2.0-19",)
    assert "known once" in unknown[0]


def test_the_list_for_programs_is_json(machine: Recorder, debkit: Callable[..., Result]) -> None:
    name = put(machine)
    with cache.held(cache.entries(cache.shelf(upkeep.TOOLBOXES))[0].content):
        (item,) = json.loads(debkit("list", "--json").stdout)
    assert (item["name"], item["count"], item["size"], item["in_use"], item["differing"]) == (name, 3, 450_000_000, True, [])
    assert not json.loads(debkit("list", "--json").stdout)[0]["in_use"]


def test_a_twin_is_known_by_its_path_whatever_its_build_id(machine: Recorder) -> None:
    put(machine)
    content = cache.entries(cache.shelf(upkeep.TOOLBOXES))[0].content
    assert stock.twins(content) == {"/usr/bin/perl", "/usr/bin/perl5.40.1", "/usr/bin/g++-14"}


def test_a_toolbox_whose_note_is_torn_is_listed_all_the_same(machine: Recorder, debkit: Callable[..., Result]) -> None:
    name = put(machine)
    (cache.entries(cache.shelf(upkeep.TOOLBOXES))[0].content / stock.NOTE).write_text('{"compiler": "gcc')
    assert name in debkit("list").stdout


def test_a_toolbox_has_an_empty_file_for_a_trace_to_be_bound_over(machine: Recorder) -> None:
    put(machine)
    assert (cache.entries(cache.shelf(upkeep.TOOLBOXES))[0].content / "trace").read_bytes() == b""


def test_a_toolbox_is_in_the_list_of_all_that_is_cached_and_does_not_grow_old(machine: Recorder) -> None:
    name = put(machine, days=100)
    assert [(item.name, item.fresh) for item in upkeep.listing(ChrootConfig())] == [(name, True)]


def test_toolboxes_are_removed_by_name_suite_and_architecture(machine: Recorder, debkit: Callable[..., Result]) -> None:
    one, two, three, four = put(machine), put(machine, "riscv64"), put(machine, suite="bookworm"), put(machine, suite="sid")
    assert f"removed {one}" in debkit("remove", one).output
    assert f"removed {two}" in debkit("remove", "--arch", "riscv64").output
    assert f"removed {three}" in debkit("remove", "--suite", "bookworm").output
    assert [item.name for item in stock.listing()] == [four]
    debkit("remove", "--all")
    assert stock.listing() == ()


def test_a_compiler_is_listed_and_removed_like_the_toolboxes(machine: Recorder, debkit: Callable[..., Result]) -> None:
    where, name = cache.shelf(upkeep.COMPILERS), "bookworm-arm64-compiler-0123abcd"
    record = cache.Record(
        content=cache.generation(name, 1e9), created=10**9, kind="compiler", suite="bookworm", arch="arm64", size=90_000_000,
        package_count=0, made_with="gcc-12 12.2.0-14+deb12u1",
    )  # fmt: skip
    for path in ("usr/bin/aarch64-linux-gnu-gcc-12", "usr/lib/gcc/aarch64-linux-gnu/12/cc1"):
        (where / record.content / path).parent.mkdir(parents=True)
        (where / record.content / path).touch()
    cache.commit(machine, where, name, record)
    box = put(machine)
    lines = debkit("list").stdout.splitlines()
    assert [line.split()[:4] for line in lines[1:3]] == [[box, "trixie", "arm64", "3"], [name, "bookworm", "arm64", "2"]]
    assert lines[3:] == [f"{name}: native compiler: gcc-12 12.2.0-14+deb12u1"]
    assert [item["kind"] for item in json.loads(debkit("list", "--json").stdout)] == ["toolbox", "compiler"]
    debkit("remove", "--suite", "bookworm")
    assert [item.name for item in stock.listing()] == [box]
    assert not (where / record.content).exists()
    assert isinstance(debkit("remove", name).exception, ConfigError)


def test_a_toolbox_in_use_stays_and_is_told(machine: Recorder, debkit: Callable[..., Result]) -> None:
    name = put(machine)
    with cache.held(cache.entries(cache.shelf(upkeep.TOOLBOXES))[0].content):
        result = debkit("remove", "--all")
    assert isinstance(result.exception, LockedError)
    assert name in result.exception.what
    assert [item.name for item in stock.listing()] == [name]


def test_it_must_be_said_which(machine: Recorder, debkit: Callable[..., Result]) -> None:
    assert isinstance(debkit("remove").exception, click.UsageError)
    put(machine)
    assert isinstance(debkit("remove", "trixie-arm64-toolbox-x").exception, ConfigError)
    assert len(stock.listing()) == 1


def test_the_trace_shows_the_ten_costliest(tmp_path: Path, debkit: Callable[..., Result]) -> None:
    emulated = tuple(Emulated(path=f"/usr/bin/tool{n}", count=n, seconds=20.0 - n, twin=Twin.NONE) for n in range(12))
    file = tmp_path / f"dist/trixie/arm64/x{trace.SUFFIX}"
    file.parent.mkdir(parents=True)
    trace.save(Programs(native=100, twins={}, count=66, seconds=174.0, emulated=emulated), file)
    result = debkit("trace")
    shown, headings, first, *_, last = result.output.splitlines()
    assert shown == os.fspath(file)
    assert headings.split() == ["CPU", "RUNS", "PROGRAM", "TWIN"]
    assert first.split() == ["20.0", "s", "0", "/usr/bin/tool0", "none"]
    assert "/usr/bin/tool9 " in result.output
    assert "/usr/bin/tool10" not in result.output
    assert last.startswith("accelerated: 100 programs ran natively, 66 were emulated for 174.0 s")
    assert len(json.loads(debkit("trace", "--json", os.fspath(file)).stdout)["emulated"]) == 12


def test_without_a_trace_the_next_command_is_told(debkit: Callable[..., Result]) -> None:
    failure = debkit("trace").exception
    assert isinstance(failure, ConfigError)
    assert failure.hint.startswith("debkit build")
