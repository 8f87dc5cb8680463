"""A whole machine, by qemu-system: needs nothing of this one but time, for its processor is most often emulated.

Tools and kernel are Debian's, of the guest's suite. The disk is an image with two partitions: what the share holds is copied
there and back with each boot, the root only there, with the first. Debian's cloud kernels read such a disk without any module, so
that they need no initramfs; they have no 9p, and in Debian 12 no virtiofs without modules.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import apt
from debkit.boot import EMULATED
from debkit.chroot import cache, store
from debkit.errors import EnvironmentFailure, TimeoutFailure
from debkit.host.machine import native_arch
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.boot import Guest
    from debkit.chroot.roots import ToolRoot
    from debkit.run import Run

INIT = Path(__file__).with_name("machine-init")
PLACE = "machine"  # a directory beside the guest's root, with these in it:
DISK, KERNEL, ACCELERATOR = "disk", "vmlinuz", "accelerator"
MIB = 2**20
PARTITION = 16 * 2**30  # sparse: only what is written takes room
SHARE, ROOT = MIB, MIB + PARTITION  # where they begin
OPTIONS = "quiet panic=-1 mitigations=off root=/dev/nvme0n1p2 rootwait rootfstype=ext4 rootflags=noinit_itable"
KVM = Path("/dev/kvm")
QUICK = 10.0  # seconds in which a processor that is worth having boots a kernel; an emulated one may take five
NO_INIT = "Attempted to kill init"  # what a kernel says that has come so far as to start a program


@dataclass(frozen=True, slots=True)
class Board:
    """A machine of an architecture: its packages, its program, and what of it depends on the architecture."""

    package: str
    program: str
    machine: str
    processor: str  # where it is emulated
    console: str


# Of the processors that Debian's programs run on, these boot quickest; those with pointer authentication take far longer.
BOARDS = {
    "amd64": Board("qemu-system-x86", "qemu-system-x86_64", "q35", "max", "ttyS0"),
    "arm64": Board("qemu-system-arm", "qemu-system-aarch64", "virt,gic-version=max", "cortex-a72", "ttyAMA0"),
}


@contextlib.contextmanager
def ready(run: Run, guest: Guest) -> Iterator[tuple[str, ...]]:
    """Have the command: the machine, with a disk that was made for the first boot. Nothing of it outlives the command."""
    arch = guest.target.arch
    if arch not in BOARDS:
        raise EnvironmentFailure(
            f"there is no machine of {arch} to boot",
            cause=f"Debian has kernels for machines of {' and '.join(BOARDS)}",
            hint="debkit doctor",
        )
    place = guest.root.with_name(PLACE)
    with guest.tools(guest.target.suite, (BOARDS[arch].package, "e2fsprogs", "fdisk")) as tools:
        if not place.exists():
            place.mkdir()
            _add_kernel(run, guest, place)
            _make_disk(run, tools, guest, place)
            (place / ACCELERATOR).write_text(_choose(run, tools, guest, place), encoding="utf-8")
        (guest.share / "units" / EMULATED).unlink(missing_ok=True)
        _fill(run, tools, place, guest.share, SHARE)
        try:
            yield enter(tools, place, boot(arch, (place / ACCELERATOR).read_text(encoding="utf-8")))
        finally:
            _fetch(run, tools, place, guest.share)


def boot(arch: str, accelerator: str, *, trial: bool = False) -> tuple[str, ...]:
    """Build the command that boots it, in its place. In a trial no system is started, and nothing is written.

    A kernel that gives up would start anew, which `-no-reboot` makes an end.
    """
    board = BOARDS[arch]
    init = "ro init=/bin/true" if trial else f"rw init=/run/{INIT.name}"
    return (
        board.program, "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
        "-machine", board.machine, "-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else board.processor,
        "-smp", str(min(len(os.sched_getaffinity(0)), 8)), "-m", "2048",
        "-drive", f"if=none,id=disk,format=raw,cache=unsafe,snapshot={'on' if trial else 'off'},file={DISK}",
        "-device", "nvme,serial=debkit,drive=disk",
        "-kernel", KERNEL,
        "-append", f"console={board.console} {OPTIONS} {init}",
    )  # fmt: skip


def enter(tools: ToolRoot, place: Path, argv: tuple[str, ...], *paths: Path) -> tuple[str, ...]:
    """Wrap a command to run in a machine's place, as the root to whom its files belong. `paths` are seen below /srv."""
    devices = ((KVM, os.fspath(KVM)),) if KVM.exists() else ()
    inside = ("env", "--chdir=/srv/machine", *argv)
    return tools.argv(inside, binds=((place, "/srv/machine"), *((path, f"/srv/{path.name}") for path in paths), *devices))


def _add_kernel(run: Run, guest: Guest, place: Path) -> None:
    """Take the kernel out of its package. Raises what `apt.download` does."""
    aptness = store.apt_root(guest.chroot)
    with cache.held(cache.shelf("debs")):
        pins = apt.solve_install(run, aptness, (f"linux-image-cloud-{guest.target.arch}",)).install
        tree = place / "kernel"
        for deb in apt.download(run, aptness, tuple(pin for pin in pins if pin.name.startswith("linux-")), cache.shelf("debs")):
            run(Command(argv=("dpkg-deb", "--extract", os.fspath(deb), os.fspath(tree))))
    next(tree.glob("boot/vmlinuz-*")).rename(place / KERNEL)
    shutil.rmtree(tree)


def _make_disk(run: Run, tools: ToolRoot, guest: Guest, place: Path) -> None:
    with (place / DISK).open("wb") as disk:
        disk.truncate(ROOT + PARTITION + MIB)
    table = "".join(f"start={start // 512}, size={PARTITION // 512}\n" for start in (SHARE, ROOT))
    run(Command(argv=enter(tools, place, ("sfdisk", "--quiet", "--label", "dos", DISK)), stdin=table.encode(), name="sfdisk"))
    shutil.copy(INIT, guest.root / "run")
    _fill(run, tools, place, guest.root, ROOT)


def _fill(run: Run, tools: ToolRoot, place: Path, tree: Path, start: int) -> None:
    """Make the file system of a partition. It needs no journal: a machine that was killed is not booted again."""
    run(
        Command(
            argv=enter(
                tools, place,
                ("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-O", "^has_journal", "-E", f"nodiscard,offset={start}",
                 "-d", f"/srv/{tree.name}", DISK, f"{PARTITION // MIB}M"),
                tree,
            ),
            name="mke2fs",
        )
    )  # fmt: skip


def _fetch(run: Run, tools: ToolRoot, place: Path, share: Path) -> None:
    """Make the share what the machine has left of it; what it wrote is on the disk, however it ended."""
    argvs = (
        ("find", f"/srv/{share.name}", "-mindepth", "1", "-delete"),
        ("debugfs", "-R", f"rdump / /srv/{share.name}", f"{DISK}?offset={SHARE}"),
    )
    for argv in argvs:
        run(Command(argv=enter(tools, place, argv, share), name=argv[0]))


def _choose(run: Run, tools: ToolRoot, guest: Guest, place: Path) -> str:
    """Choose what runs its programs: the machine's own processor where a trial shows that it does so quickly.

    In a machine that is virtual itself KVM may well be there and take minutes for what the emulation does in seconds.
    """
    arch = guest.target.arch
    if arch == native_arch(run) and os.access(KVM, os.R_OK | os.W_OK):
        trial = enter(tools, place, boot(arch, "kvm", trial=True))
        with contextlib.suppress(TimeoutFailure):
            if NO_INIT in run(Command(argv=trial, timeout=QUICK, ok=frozenset(range(-64, 256)), name="qemu-system")).stdout:
                return "kvm"
    return "tcg"
