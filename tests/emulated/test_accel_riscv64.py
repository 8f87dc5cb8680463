"""An architecture whose tools were not compared with the machine's own: what it gives to insist on acceleration there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit import accel
from debkit.apt.sources import parse_sources, value
from debkit.chroot import namespace, roots, store
from debkit.config import ChrootConfig
from debkit.model import ARCHES, ChrootKind, Target
from debkit.run import Command
from tests.command import make_project
from tests.emulated.test_accel_arm64 import HOW, OD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.model import Chroot, Toolbox
    from debkit.run import Processes

pytestmark = pytest.mark.slow

RISCV64 = ARCHES["riscv64"]
TARGET = Target("trixie", RISCV64.name)
ASKED = f"sh -c 'exec od {HOW}'; cp {OD} /own; sh -c 'exec /own {HOW}'"
# What names the architecture, and what works on files: a tarball, a script of dpkg's in perl, and the compiler.
WORK = """
dpkg --print-architecture
uname -m
mkdir /work
cd /work
seq 1000 | sed s/7/seven/ >a
ln -s a b
printf 'int f(int x) { return x * 3; }\\n' >f.c
tar --sort=name --mtime=@0 --create . | sha256sum
tar --sort=name --mtime=@0 --create --verbose . --file /ball.tar
tar --list --verbose --file /ball.tar
xz --stdout a | sha256sum
dpkg-architecture
gcc -O2 -g -c f.c
sha256sum f.o
readelf --file-header f.o
"""


@pytest.fixture(scope="module")
def config(build_chroot: Callable[[str, str], Chroot]) -> ChrootConfig:
    """The archive that arm64's chroot is made from, without updates: a mirror may lack those lists for rarer architectures."""
    known = store.apt_root(build_chroot(TARGET.suite, "arm64")).path.glob("etc/apt/sources.list.d/*.sources")
    stanzas = [stanza for path in known for stanza in parse_sources(path.read_text())]
    return ChrootConfig(mirror=next(value(found, "URIs") for found in stanzas if value(found, "Suites") == TARGET.suite))


@pytest.fixture(scope="module")
def chroot(
    run: Processes,
    config: ChrootConfig,
    accelerator: accel.Accelerator | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Chroot]:
    if accelerator:
        project = make_project(tmp_path_factory.mktemp("insists") / "project", f'[chroot]\nmirror = "{config.mirror}"\n')
        done = project.debkit("accel", "build", "--suite", TARGET.suite, "--arch", TARGET.arch)
        assert done.code == 0, done.err
    spec = store.wanted(ChrootKind.BUILD, TARGET, config)
    with accel.opened(run, spec, by=accelerator, config=config) as found:
        yield found


def printed(run: Processes, chroot: Chroot, script: str, toolbox: Toolbox | None) -> list[str]:
    """What a script prints in a new root of the chroot; it must succeed."""
    with roots.opened(run, chroot) as root:
        argv = namespace.inside(root, ("sh", "-euc", script), network=False, toolbox=toolbox)
        return run(Command(argv=argv, env=RISCV64.qemu_env)).stdout.splitlines()


def test_known_tools_run_natively_and_a_copy_of_one_is_emulated(
    run: Processes, chroot: Chroot, accelerator: accel.Accelerator | None
) -> None:
    machines = [int(line) for line in printed(run, chroot, ASKED, chroot.toolbox)]
    assert machines == [ARCHES[accelerator.native if accelerator else TARGET.arch].elf_machine, RISCV64.elf_machine]


def test_what_is_made_is_what_emulation_makes(run: Processes, chroot: Chroot) -> None:
    accelerated, emulated = (printed(run, chroot, WORK, toolbox) for toolbox in (chroot.toolbox, None))
    assert emulated[:2] == ["riscv64", "riscv64"]
    assert accelerated == emulated
