"""An arm64 chroot on another machine, and a layer on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.chroot import layers, namespace, roots
from debkit.config import ChrootConfig
from debkit.model import ARCHES, Chroot, Source
from debkit.run import Command, Processes
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow  # local-rag takes the same way

ARM64 = ARCHES["arm64"]


def test_arm64_programs_run_in_an_arm64_layer(build_chroot: Callable[[str, str], Chroot], run: Processes, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "hello", distribution="trixie")
    run(Command(argv=("dpkg-source", "--build", str(tree)), cwd=tmp_path))
    dsc = tmp_path / "hello-debkit_1.0.dsc"
    source = Source(
        name="hello-debkit", version="1.0", suite="trixie", dsc=dsc, changes=dsc, format="3.0 (native)", architectures=("any",),
        binaries=(), files=(), snapshot=False,
    )  # fmt: skip
    layer = layers.layer(run, build_chroot("trixie", "arm64"), source, build_all=False, config=ChrootConfig())
    assert layer.layer
    with roots.opened(run, layer) as root:
        assert (root / "usr/bin/dh").exists()
        for program in ("usr/bin/make", "usr/bin/dpkg", "usr/bin/bash"):
            header = (root / program).read_bytes()[:20]
            assert int.from_bytes(header[18:20], "little") == ARM64.elf_machine
        argv = ("sh", "-c", "dpkg --print-architecture; uname -m; dpkg --audit")
        done = run(Command(argv=namespace.inside(root, argv, network=False), env=ARM64.qemu_env))
    assert done.stdout.splitlines() == ["arm64", "aarch64"]
