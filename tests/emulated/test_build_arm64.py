"""An arm64 build on another machine: by both backends, in a layer, its tests run, and what comes out is arm64."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from debkit import backends
from debkit.backends import sbuild
from debkit.chroot import layers
from debkit.config import BuildConfig, ChrootConfig, Config
from debkit.model import ARCHES, BuildState, Target, Via
from debkit.run import Command, Processes
from debkit.source import open_source
from tests.jobs import Narration
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.model import BuildResult, Chroot

pytestmark = pytest.mark.slow  # local-rag takes the same way

BOTH = ("sbuild", "pbuilder")


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, run: Processes, build_chroot: Callable[[str, str], Chroot]
) -> dict[str, BuildResult]:
    home = tmp_path_factory.mktemp("arm64")
    tree = make_tree(home / "hello", distribution="trixie", kind="both")
    config = Config(project=home)
    source = open_source(run, os.fspath(tree), suite="trixie", first_suite=True, config=config, staging=home / "sources")
    base = build_chroot("trixie", "arm64")
    return {
        backend: backends.find(backend).build(
            run,
            source=source,
            target=Target("trixie", "arm64"),
            via=Via.EMULATED,
            chroot=layers.layer(run, base, source, build_all=True, demands=sbuild.demands(), config=ChrootConfig()),
            into=home / "dist" / backend,
            config=BuildConfig(),
            build_all=True,
            progress=Narration(),
        )
        for backend in BOTH
    }


@pytest.mark.parametrize("backend", BOTH)
def test_the_program_is_an_arm64_one(built: dict[str, BuildResult], run: Processes, tmp_path: Path, backend: str) -> None:
    result = built[backend]
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


@pytest.mark.parametrize("backend", BOTH)
def test_its_own_tests_ran_under_emulation(built: dict[str, BuildResult], backend: str) -> None:
    assert "./hello-debkit | grep -qx 'hello from hello-debkit'" in built[backend].log.read_text()


def test_both_make_the_same_packages(built: dict[str, BuildResult]) -> None:
    first, second = ({deb.name: hashlib.sha256(deb.read_bytes()).hexdigest() for deb in built[b].debs} for b in BOTH)
    assert first == second
