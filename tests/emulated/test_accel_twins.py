"""Every twin beside the program that it stands for: the same commands, emulated and accelerated, in one arm64 root.

tests/data/twins/ has a file for each family of tools: a shell command a line, run one after the other in a directory of its own.
What they print, how they exit and what they leave must be the same; and every program of the map must have run natively once.
"""

from __future__ import annotations

import difflib
import os
import shutil
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.accel import stock, table, toolbox
from debkit.accel.trace import followed
from debkit.chroot import layers, namespace, roots, store
from debkit.config import ChrootConfig, Config
from debkit.model import ARCHES
from debkit.run import Command
from debkit.source import open_source
from tests.accel_dispatch import Box
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from debkit.accel import Accelerator
    from debkit.model import Chroot, Toolbox
    from debkit.run import Processes

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[1] / "data/twins"
# Packages that the commands want besides: names without a triplet, and what there is to work on.
BESIDES = (
    "docbook-xsl",
    "g++",
    "gfortran",
    "golang-go",
    "libtool",
    "libxml-sax-expat-perl",
    "pkgconf",
    "python3-dev",
    "zlib1g-dev",
)
SECONDS = 1200
DRIVER = """
export HOME=/work LC_ALL=C.UTF-8 TERM=xterm
umask 022
for case in /cases/*; do
  test -f "$case" || continue
  name=${case##*/}
  mkdir "/work/$name"
  cd "/work/$name"
  while IFS= read -r line; do
    echo "\\$ $line"
    echo "\\$ $line" >&2
    (eval "$line") </dev/null
    echo "= $?"
  done <"$case" >"/work/$name.out" 2>"/work/$name.err"
done
"""


@dataclass(frozen=True)
class Outcome:
    """What the commands of all families did: each with what it printed, the files that they left, and the dispatcher's trace."""

    printed: Mapping[str, tuple[str, ...]]
    left: Mapping[str, tuple[object, ...]]
    trace: frozenset[str]


@pytest.fixture(scope="module")
def suite() -> str:
    return "trixie"


@pytest.fixture(scope="module")
def tools(
    suite: str, accelerator: Accelerator | None, run: Processes, build_chroot: Callable[[str, str], Chroot]
) -> Toolbox | None:
    """The toolbox, where there is acceleration; `accelerator` tells why there is none."""
    return (
        toolbox.ensure(run, build_chroot(suite, "arm64"), native=accelerator.native, config=ChrootConfig(), build_compiler=True)
        if accelerator
        else None
    )


@pytest.fixture(scope="module")
def root(
    suite: str,
    tools: Toolbox | None,
    run: Processes,
    build_chroot: Callable[[str, str], Chroot],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """A root with all packages of the table."""
    base, home = build_chroot(suite, "arm64"), tmp_path_factory.mktemp("twins")
    lists = store.apt_root(base)
    versions = {name: toolbox.version(run, lists, package, pattern) for name, package, pattern in toolbox.VERSIONS}
    names = table.load(ARCHES["amd64"], ARCHES["arm64"], **versions).packages
    tree = make_tree(home / "twins", distribution=suite)
    control = tree / "debian/control"
    wanted = ", ".join(("debhelper-compat (= 13)", *BESIDES, *apt.known(run, lists, names)))
    control.write_text(control.read_text().replace("debhelper-compat (= 13)", wanted))
    source = open_source(
        run, os.fspath(tree), suite=suite, first_suite=True, config=Config(project=home), staging=home / "sources"
    )
    layer = layers.layer(run, replace(base, toolbox=tools), source, build_all=True, config=ChrootConfig())
    with roots.opened(run, layer) as path:
        (path / ".native").mkdir()
        shutil.copytree(CASES, path / "cases")
        yield path


def outcome(run: Processes, root: Path, box: Path, work: Path) -> Outcome:
    """Run all commands with the toolbox at `box`."""
    work.mkdir()
    trace, tarball = work / "trace", work / "left.tar"
    trace.touch()
    namespace.remove_tree(run, root / "work")
    (root / "work").mkdir()
    cpu = [f"{name}={value}" for name, value in ARCHES["arm64"].qemu_env]
    done = Box(run, box, root).enter("/usr/bin/env", *cpu, "/usr/bin/sh", "-c", DRIVER, trace=trace, seconds=SECONDS)
    assert (done.code, done.stdout) == (0, "")
    run(
        Command(
            argv=namespace.as_root(
                ("tar", "--create", "--file", os.fspath(tarball), "--directory", os.fspath(root / "work"), ".")
            )
        )
    )
    printed, left = {}, {}
    with tarfile.open(tarball) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            content = file.read() if file else member.linkname.encode()
            if member.name.endswith((".out", ".err")) and member.name.count("/") == 1:
                printed[member.name] = tuple(content.decode(errors="replace").split("\n$ "))
            else:
                left[member.name] = (member.type, member.mode, member.uid, member.gid, member.devmajor, member.devminor, content)
    return Outcome(printed=printed, left=left, trace=frozenset(trace.read_text().splitlines()))


@pytest.fixture(scope="module")
def outcomes(
    tools: Toolbox | None, root: Path, run: Processes, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Outcome, Outcome] | None:
    """What the commands did natively, and emulated."""
    if not tools:
        return None
    home = tmp_path_factory.mktemp("outcomes")
    off = home / "off"
    off.mkdir()
    for name in ("dispatch", "qemu"):
        shutil.copy(tools.path / name, off / name)
    for name in ("off", "trace"):
        (off / name).touch()
    return outcome(run, root, tools.path, home / "native"), outcome(run, root, off, home / "emulated")


def test_every_twin_does_as_the_program_does(outcomes: tuple[Outcome, Outcome] | None) -> None:
    if outcomes:
        native, emulated = outcomes
        assert [line for line in native.trace if line.startswith("native ")]
        assert not [line for line in emulated.trace if line.startswith("native ")]
        assert unlike(native.printed, emulated.printed) == []
        assert differing(native.left, emulated.left) == []


def test_every_twin_and_script_was_run(outcomes: tuple[Outcome, Outcome] | None, tools: Toolbox | None, root: Path) -> None:
    if outcomes and tools:
        words = (word for line in outcomes[0].trace if line.startswith("native ") for word in line.split()[1:])
        run_natively = frozenset(followed(os.fspath(root), word) for word in words)
        scripts = (path for home in (tools.path / "scripts").iterdir() for path in stock.files(home) if is_started(root, path))
        idle = sorted((stock.twins(tools.path) | frozenset(scripts)) - run_natively)
        assert not idle, "\n".join(("no command has run these:", *idle))


def is_started(root: Path, script: str) -> bool:
    """Whether it is a program, not a module that one loads."""
    return os.access(root / script.lstrip("/"), os.X_OK)


def unlike(native: Mapping[str, tuple[str, ...]], emulated: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Tell of each command that printed another thing, how that differs."""
    assert native.keys() == emulated.keys()
    return [
        "\n".join(
            difflib.unified_diff(there.splitlines(), here.splitlines(), f"{name} emulated", "accelerated", lineterm="", n=0)
        )
        for name in emulated
        for there, here in zip(emulated[name], native[name], strict=True)
        if there != here
    ]


def differing(native: Mapping[str, tuple[object, ...]], emulated: Mapping[str, tuple[object, ...]]) -> list[str]:
    return sorted(name for name in native.keys() | emulated.keys() if native.get(name) != emulated.get(name))
