"""Where an arm64 system runs at native speed: while it is made, in a package's trial, in the archive's proof, and by hand. What
comes of it is what comes of emulation."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import tarfile
from typing import TYPE_CHECKING, TypeAlias

import pytest

from debkit import accel, checks
from debkit.archive.proof import prove
from debkit.backends import pbuilder
from debkit.chroot import make, namespace, roots, store
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.model import ARCHES, ChrootKind, Outcome, Target
from debkit.run import Command
from tests.debs import make_package, make_result
from tests.integration.test_archive_proof import published

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.model import Chroot
    from debkit.run import Processes

TARGET = Target("trixie", "arm64")
Listing: TypeAlias = dict[str, tuple[object, ...]]

# Of all that a twin can ask only its own file tells what it is: the ELF machine in it (e_machine, its low byte). The dispatcher
# does not see that it is asked for by this name, and qemu does.
OD = "/usr/bin/od"
HOW = "-An -tu1 -j18 -N1 /proc/$$/exe"
ASK = ("sh", "-c", f"exec od {HOW}")


def expected(by: accel.Accelerator | None) -> str:
    return str(ARCHES[by.native if by else "arm64"].elf_machine)


@pytest.fixture(scope="module")
def clean(run: Processes, debkit_cache: Path, accelerator: accel.Accelerator | None) -> Iterator[Chroot]:
    spec = store.wanted(ChrootKind.CLEAN, TARGET, ChrootConfig())
    with accel.opened(run, spec, by=accelerator, config=ChrootConfig()) as chroot:
        yield chroot


def listing(tarball: Path) -> Listing:
    """What each file of a tarball is, but for its time."""

    def told(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[object, ...]:
        file = archive.extractfile(member) if member.isfile() else None
        content = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
        extended = {name: text for name, text in member.pax_headers.items() if "time" not in name}
        return member.type, member.mode, member.uid, member.gid, member.devmajor, member.devminor, extended, content

    with tarfile.open(tarball) as archive:
        return {member.name: told(archive, member) for member in archive}


@pytest.mark.slow
def test_a_chroot_is_the_same_however_it_was_made(run: Processes, clean: Chroot, tmp_path: Path) -> None:
    made: list[Listing] = []
    for toolbox in (clean.toolbox, None):
        work, tarball = tmp_path / "work", tmp_path / f"{len(made)}.tar"
        work.mkdir(mode=0o711)
        make.bootstrap(run, clean.spec, tarball, work=work, log=tmp_path / "log", progress=Quiet(), toolbox=toolbox)
        shutil.rmtree(work)
        made.append(listing(tarball))
    accelerated, emulated = made
    assert accelerated.keys() == emulated.keys()
    assert {name: (accelerated[name], emulated[name]) for name in emulated if accelerated[name] != emulated[name]} == {}
    assert f".{namespace.NATIVE}" not in emulated


def furnished(run: Processes, clean: Chroot, *argv: str) -> list[str]:
    """What a command says in a chroot furnished for pbuilder, which mounts /proc itself."""
    box = clean.toolbox
    enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    with roots.opened(run, clean) as root:
        place = os.fspath(root)
        words = (os.fspath(pbuilder.FURNISH), place, os.fspath(box.path) if box else "", "sh", "-c", enter, place, *argv)
        inner = namespace.as_root(words)
        return run(Command(argv=namespace.as_root(inner, toolbox=box) if box else inner)).stdout.splitlines()


def test_pbuilders_chroot_is_accelerated(run: Processes, clean: Chroot, accelerator: accel.Accelerator | None) -> None:
    assert furnished(run, clean, *ASK) == [expected(accelerator).rjust(4)]


def test_a_toolbox_cannot_be_written_to_from_pbuilders_chroot(run: Processes, clean: Chroot) -> None:
    if clean.toolbox:
        hostile = "touch /.native/x || mount -o remount,rw /.native || mount -o remount,bind,rw /.native || echo kept"
        assert furnished(run, clean, "sh", "-c", hostile)[-1] == "kept"
        assert not (clean.toolbox.path / "x").exists()


@pytest.fixture
def bench(run: Processes, debkit_cache: Path, accelerator: accel.Accelerator | None, tmp_path: Path) -> checks.Bench:
    config = ChecksConfig()
    return checks.Bench(
        run=run, config=config, chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist", accelerator=accelerator
    )


def postinst(by: accel.Accelerator | None) -> str:
    """Demand that known tools run natively, and that any other program, a copy of one at that, is an emulated arm64 one."""
    return f"""\
test $({shlex.join(ASK)}) = {expected(by)}
cp {OD} /own
test $(sh -c 'exec /own {HOW}') = {ARCHES["arm64"].elf_machine}
rm /own
test "$(dpkg --print-architecture) $(uname -m)" = "arm64 aarch64"
test "$(od -An -tu2 -j18 -N2 /bin/sh)" -eq {ARCHES["arm64"].elf_machine}
"""


@pytest.mark.slow
def test_a_trial_of_a_good_package_passes(bench: checks.Bench, tmp_path: Path) -> None:
    deb = make_package(tmp_path, arch="arm64", scripts={"postinst": postinst(bench.accelerator)})
    report = checks.judge("piuparts", bench, make_result(tmp_path, deb, target=TARGET))
    assert (report.outcome, report.findings) == (Outcome.PASS, ()), report


@pytest.mark.slow
def test_what_a_package_leaves_behind_is_found_and_nothing_else(bench: checks.Bench, tmp_path: Path) -> None:
    left = "mkdir -p /var/lib/hello-debkit && touch /var/lib/hello-debkit/left\n"
    deb = make_package(tmp_path, arch="arm64", scripts={"postinst": postinst(bench.accelerator) + left})
    report = checks.judge("piuparts", bench, make_result(tmp_path, deb, target=TARGET))
    assert report.outcome is Outcome.FAIL
    assert {finding.text for finding in report.findings} == {"/var/lib/hello-debkit/", "/var/lib/hello-debkit/left"}


@pytest.mark.slow
def test_the_archives_proof(run: Processes, debkit_cache: Path, accelerator: accel.Accelerator | None, tmp_path: Path) -> None:
    program = f'#!/bin/sh\necho "asked by" $({shlex.join(ASK)}) "on $(uname -m)"\n'
    config, done = published(run, tmp_path, program=program)
    sighting = prove(run, config, done, target=TARGET, by=accelerator)
    assert sighting.installed
    assert f"\nasked by {expected(accelerator)} on aarch64\n" in (config.dist / "trixie/arm64/install.log").read_text()
