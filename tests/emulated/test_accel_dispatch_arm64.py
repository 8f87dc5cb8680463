"""The dispatcher as an arm64 program, for amd64 ones: compiled by arm64's own gcc, and run by hand, since an emulated program
cannot be an interpreter of binfmt_misc."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from debkit.accel import dispatcher
from debkit.chroot import namespace, roots
from debkit.model import ARCHES, Chroot
from debkit.run import Command, Processes
from tests.accel_dispatch import ANY_CODE, HEADS, SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ARM64 = ARCHES["arm64"]
COMPILE = """
set -e
cd /.native
gcc @/src/gcc-options -Werror -o dispatch /src/dispatch.c
gcc -o probe /src/probe.c
cp probe qemu
"""


@pytest.fixture(scope="module")
def root(build_chroot: Callable[[str, str], Chroot], run: Processes) -> Iterator[Path]:
    """An arm64 root with a foreign program, the dispatcher, and probes in the place of qemu and of the twin."""
    with roots.opened(run, build_chroot("trixie", "arm64")) as path:
        native = path / ".native"
        (native / "map/usr/bin").mkdir(parents=True)
        shutil.copytree(dispatcher.HOME, path / "src", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        shutil.copy(SOURCES / "probe.c", path / "src")
        shutil.copy(HEADS / "amd64", path / "usr/bin/foreign")
        run(Command(argv=namespace.inside(path, ("sh", "-c", COMPILE), network=False), env=ARM64.qemu_env, name="gcc"))
        assert int.from_bytes((native / "dispatch").read_bytes()[18:20], "little") == ARM64.elf_machine
        (native / "map/usr/bin/foreign.f99f0a5f15300359").write_text("linker\n/.native/probe\n")
        (native / "trace").touch()
        yield path


def dispatched(run: Processes, root: Path, *args: str, env: str = "A=b") -> str:
    argv = ("env", env, "/.native/dispatch", "/usr/bin/foreign", *args)
    return run(Command(argv=namespace.inside(root, argv, network=False), env=ARM64.qemu_env, ok=ANY_CODE)).stdout.strip()


def test_it_runs_the_twin_or_qemu(run: Processes, root: Path) -> None:
    plugin = "/usr/libexec/gcc/x86_64-linux-gnu/14/liblto_plugin.so"
    native = "native|name|-plugin|/.native/liblto_plugin.so|files|"
    assert dispatched(run, root, "name", "-plugin", plugin) == native
    assert dispatched(run, root, "name", "--verbose") == "native|/.native/qemu|-0|name|/usr/bin/foreign|--verbose|files|"
    assert dispatched(run, root, "name", env="DEBKIT_ACCEL=off").startswith("native|/.native/qemu|-0|name|")
    (root / ".native/probe").unlink()
    emulated = f"native|/.native/qemu|-0|name|/usr/bin/foreign|-plugin|{plugin}|files|"
    assert dispatched(run, root, "name", "-plugin", plugin) == emulated
    lines = (root / ".native/trace").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["native", "emulated", "emulated", "native", "emulated"]
    assert {line.split()[1] for line in lines} == {"/usr/bin/foreign"}
    (root / ".native/qemu").unlink()
    assert dispatched(run, root, "name") == "debkit: /.native/qemu cannot be executed"
