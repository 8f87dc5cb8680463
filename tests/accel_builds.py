"""Accelerated builds in processes of their own, by whoever may run them: what the tests of their safety start.

python3 -m tests.accel_builds sbuild HOME TARBALL TOOLBOX PACKAGE...    build the tree in HOME, with these .debs at hand
python3 -m tests.accel_builds pbuilder HOME TARBALL TOOLBOX PACKAGE...  likewise
python3 -m tests.accel_builds install HOME TARBALL TOOLBOX PACKAGE...   the .debs, as a layer's are, and a clean system's
python3 -m tests.accel_builds toolbox                                   make one
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import backends
from debkit.accel import toolbox
from debkit.chroot import namespace, roots, store
from debkit.config import BuildConfig, ChrootConfig, Config
from debkit.console import Quiet
from debkit.model import ARCHES, Chroot, ChrootKind, ChrootSpec, Target, Toolbox, Via
from debkit.run import Command, Processes
from debkit.source import open_source
from tests.accel_dispatch import ANY_CODE

if TYPE_CHECKING:
    from debkit.backends import Backend
    from debkit.console import Progress

ARM64 = ARCHES["arm64"]
TARGET = Target("trixie", ARM64.name)


class Printed:
    """A Progress that prints the phases."""

    def phase(self, name: str) -> None:
        print(name, flush=True)  # noqa: T201

    def line(self, text: str) -> None:
        """Print none of what the tools print."""


def toolbox_for(run: Processes, base: Chroot, progress: Progress = store.QUIET) -> Toolbox:
    native = run(Command(argv=("dpkg", "--print-architecture"))).stdout.strip()
    return toolbox.ensure(run, base, native=native, config=ChrootConfig(), progress=progress)


def build(run: Processes, backend: Backend, home: Path, chroot: Chroot, packages: tuple[Path, ...]) -> None:
    source = open_source(
        run, f"{home}/tree", suite=TARGET.suite, first_suite=True, config=Config(project=home), staging=home / "sources"
    )
    result = backend.build(
        run,
        source=source,
        target=TARGET,
        via=Via.ACCELERATED,
        chroot=chroot,
        into=home / "dist",
        config=BuildConfig(packages=packages),
        build_all=False,
        progress=Quiet(),
    )
    print(result.log.read_text(errors="replace"), result.state.value, sep="\n")  # noqa: T201


def install(run: Processes, home: Path, chroot: Chroot, packages: tuple[Path, ...]) -> None:
    argv = ("dpkg", "--install", *(f"/mnt{home}/{deb.name}" for deb in packages))
    with roots.opened(run, chroot) as root:
        inside = namespace.inside(root, argv, read_only=((home, f"/mnt{home}"),), network=False, toolbox=chroot.toolbox)
        done = run(Command(argv=inside, env=ARM64.qemu_env, ok=ANY_CODE))
    print(done.stdout, "succeeded" if done.code == 0 else done.code, sep="\n")  # noqa: T201


def main(what: str, *words: str) -> None:
    run = Processes()
    spec = ChrootSpec(kind=ChrootKind.BUILD, target=TARGET)
    match what, [Path(word) for word in words]:
        case "toolbox", []:
            base = store.ensure(run, spec, config=ChrootConfig())
            print(os.fspath(toolbox_for(run, base, Printed()).path))  # noqa: T201
        case (("sbuild" | "pbuilder" | "install"), [home, tarball, box, *packages]):
            chroot = Chroot(spec=spec, tarball=tarball, created=0.0, toolbox=Toolbox(path=box, arch=ARM64.name))
            if what == "install":
                install(run, home, chroot, tuple(packages))
            else:
                build(run, backends.find(what), home, chroot, tuple(packages))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
