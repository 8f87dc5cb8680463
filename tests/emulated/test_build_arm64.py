"""An arm64 build on another machine: by both backends, accelerated and emulated, in a layer, its tests run; what comes out is
arm64 and always the same."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import pytest
from debian.debfile import DebFile

from debkit import accel, backends
from debkit.backends import sbuild
from debkit.chroot import layers, store
from debkit.config import BuildConfig, Config
from debkit.model import ARCHES, BuildState, ChrootKind, Target, Via
from debkit.run import Command, Processes
from debkit.source import open_source
from tests.command import CHECKOUT, make_project
from tests.jobs import Narration
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.accel import Accelerator
    from debkit.model import BuildResult

Way: TypeAlias = tuple[str, Via]

pytestmark = pytest.mark.slow  # local-rag takes the same way

WAYS = tuple((backend, via) for backend in ("sbuild", "pbuilder") for via in (Via.ACCELERATED, Via.EMULATED))


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, run: Processes, debkit_cache: Path, accelerator: Accelerator | None
) -> dict[Way, BuildResult]:
    home = tmp_path_factory.mktemp("arm64")
    tree = make_tree(home / "hello", distribution="trixie", kind="both")
    config = Config(project=home)
    source = open_source(run, os.fspath(tree), suite="trixie", first_suite=True, config=config, staging=home / "sources")
    target, results = Target("trixie", "arm64"), {}
    spec = store.wanted(ChrootKind.BUILD, target, config.chroot)
    with accel.opened(run, spec, by=accelerator, config=config.chroot) as base:
        chroot = layers.layer(run, base, source, build_all=True, demands=sbuild.demands(), config=config.chroot)
        for backend, via in WAYS:
            results[backend, via] = backends.find(backend).build(
                run,
                source=source,
                target=target,
                via=via,
                chroot=chroot if via is Via.ACCELERATED else replace(chroot, toolbox=None),
                into=home / "dist" / backend / via,
                config=BuildConfig(),
                build_all=True,
                progress=Narration(),
            )
    return results


@pytest.mark.parametrize("way", WAYS)
def test_the_program_is_an_arm64_one(built: dict[Way, BuildResult], run: Processes, tmp_path: Path, way: Way) -> None:
    result = built[way]
    assert result.state is BuildState.SUCCEEDED, (result.log, result.error)
    assert {deb.name for deb in result.debs} == {
        "hello-debkit_1.0_arm64.deb",
        "hello-debkit-data_1.0_all.deb",
        "hello-debkit-dbgsym_1.0_arm64.deb",
    }
    deb = next(deb for deb in result.debs if deb.name == "hello-debkit_1.0_arm64.deb")
    run(Command(argv=("dpkg-deb", "--extract", os.fspath(deb), os.fspath(tmp_path))))
    header = (tmp_path / "usr/bin/hello-debkit").read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    assert int.from_bytes(header[18:20], "little") == ARCHES["arm64"].elf_machine


@pytest.mark.parametrize("way", WAYS)
def test_its_own_tests_ran(built: dict[Way, BuildResult], way: Way) -> None:
    assert "./hello-debkit | grep -qx 'hello from hello-debkit'" in built[way].log.read_text()


def test_all_make_the_same_packages(built: dict[Way, BuildResult]) -> None:
    first, *others = ({deb.name: hashlib.sha256(deb.read_bytes()).hexdigest() for deb in built[way].debs} for way in WAYS)
    assert all(other == first for other in others)


@pytest.mark.parametrize("backend", ["sbuild", "pbuilder"])
def test_an_accelerated_one_tells_what_ran(built: dict[Way, BuildResult], accelerator: Accelerator | None, backend: str) -> None:
    programs = built[backend, Via.ACCELERATED].programs
    assert bool(programs and programs.native > 100) == bool(accelerator)
    assert built[backend, Via.EMULATED].programs is None


def test_debkits_own_package_has_the_dispatcher_as_an_arm64_program(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "[checks]\nrun = []\n")
    ended = project.debkit("build", os.fspath(CHECKOUT), "--arch", "arm64", "--no-publish")
    assert ended.code == 0, ended.err
    (deb,) = (project.path / "dist").rglob("debkit-accel_*_arm64.deb")
    for name in ("dispatch", "answers.so"):
        program = DebFile(os.fspath(deb)).data.get_content(f"usr/libexec/debkit/{name}") or b""
        assert program[:4] == b"\x7fELF"
        assert int.from_bytes(program[18:20], "little") == ARCHES["arm64"].elf_machine
