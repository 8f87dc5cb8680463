"""Which ways to boot a system are tried, and what is told when none works."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import boot
from debkit.boot import machine
from debkit.boot.direct import DIRECT
from debkit.chroot.roots import ToolRoot
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target, Toolbox
from debkit.run import Command
from tests.recorder import contains

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.recorder import Recorder


@pytest.fixture
def guest(tmp_path: Path) -> boot.Guest:
    root, share = tmp_path / "root", tmp_path / "share"
    root.mkdir()
    share.mkdir()
    return boot.Guest(root=root, share=share, chroot=chroot("amd64"), tools=tools)


def chroot(arch: str, toolbox: Toolbox | None = None) -> Chroot:
    spec = ChrootSpec(kind=ChrootKind.CLEAN, target=Target("trixie", arch))
    return Chroot(spec=spec, tarball=Path("clean.tar.zst"), created=0.0, toolbox=toolbox)


@contextlib.contextmanager
def tools(_suite: str, packages: tuple[str, ...]) -> Iterator[ToolRoot]:
    yield ToolRoot(Path("/tools", *packages))


def test_a_way_counts_once_the_script_has_started(recorder: Recorder, guest: boot.Guest, tmp_path: Path) -> None:
    def start(_command: Command) -> None:
        (guest.share / boot.BOOTED).touch()

    boot.furnish(guest, emulated=False)
    recorder.reply(str(DIRECT), stdout="no control group may be made", code=69)
    recorder.reply("systemd-nspawn", action=start)
    assert boot.boot(recorder, guest, ways=("direct", "nspawn"), log=tmp_path / "log", timeout=9) == "nspawn"
    assert [command.timeout for command in recorder.commands] == [9, 9]


def test_all_that_was_tried_is_told_when_nothing_boots(recorder: Recorder, guest: boot.Guest, tmp_path: Path) -> None:
    def panic(_command: Command) -> None:
        (guest.share / boot.KERNEL_LOG).write_text("<1>systemd[1]: Freezing execution.\n")

    boot.furnish(guest, emulated=False)
    recorder.reply(str(DIRECT), stdout="no control group may be made", code=69)
    recorder.reply("systemd-nspawn", code=255, action=panic)
    with pytest.raises(boot.CannotBoot) as caught:
        boot.boot(recorder, guest, ways=("direct", "nspawn"), log=tmp_path / "log", timeout=9)
    assert caught.value.cause.splitlines() == [
        "direct: no control group may be made",
        "nspawn: <1>systemd[1]: Freezing execution.",
    ]


def test_the_script_is_a_unit_and_the_root_stays_as_it_is(guest: boot.Guest) -> None:
    boot.furnish(guest, emulated=False)
    units = guest.share / "units"
    wanted = units / "multi-user.target.wants/debkit.service"
    assert wanted.resolve() == units / "debkit.service"
    assert not (units / "service.d").exists()
    assert list(guest.root.iterdir()) == []


def test_under_qemu_user_no_service_has_namespaces(guest: boot.Guest) -> None:
    boot.furnish(guest, emulated=True)
    assert "PrivateTmp=no" in (guest.share / "units/service.d/zz-debkit.conf").read_text()


def test_a_foreign_system_is_booted_by_its_toolbox_and_its_own_emulator(
    recorder: Recorder, guest: boot.Guest, tmp_path: Path
) -> None:
    box = Toolbox(path=tmp_path / "box", arch="arm64")
    foreign = replace(guest, chroot=chroot("arm64", box), emulator=tmp_path / "qemu")
    with boot.find("direct").ready(recorder, foreign) as argv:
        pass
    assert argv[-6:] == (argv[-6], str(guest.root), str(guest.share), str(box.path), "/.native", str(tmp_path / "qemu"))
    assert argv.count("unshare") == 2
    assert "--cgroup" in argv


@pytest.mark.parametrize(("arch", "program", "console"), [
    ("amd64", "qemu-system-x86_64", "ttyS0"),
    ("arm64", "qemu-system-aarch64", "ttyAMA0"),
])  # fmt: skip
def test_a_machine_is_one_of_the_architecture_on_a_disk_that_is_kept(arch: str, program: str, console: str) -> None:
    argv = machine.boot(arch, "tcg")
    assert argv[0] == program
    assert {"-no-reboot", "-nodefaults"} < set(argv)
    assert contains(argv, ("-accel", "tcg", "-cpu", machine.BOARDS[arch].processor))
    assert "snapshot=off,file=disk" in argv[argv.index("-drive") + 1]
    assert argv[-1].startswith(f"console={console} quiet panic=-1 ")
    assert argv[-1].endswith(" rw init=/run/machine-init")


def test_a_trial_of_the_own_processor_starts_and_writes_nothing() -> None:
    argv = machine.boot("amd64", "kvm", trial=True)
    assert contains(argv, ("-accel", "kvm", "-cpu", "host"))
    assert "snapshot=on" in argv[argv.index("-drive") + 1]
    assert argv[-1].endswith(" ro init=/bin/true")


@pytest.mark.parametrize("said", ["Kernel panic - not syncing: Attempted to kill init!", ""])
def test_the_own_processor_runs_the_guest_where_a_trial_says_so(
    recorder: Recorder, guest: boot.Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(machine, "KVM", tmp_path)
    recorder.reply("dpkg", stdout="amd64\n")
    recorder.reply("qemu-system-x86_64", stdout=said)
    root = ToolRoot(tmp_path)
    assert machine._choose(recorder, root, guest, tmp_path) == ("kvm" if said else "tcg")
    assert machine._choose(recorder, root, replace(guest, chroot=chroot("arm64")), tmp_path) == "tcg"
    assert len([argv for argv in recorder.argvs if "-kernel" in argv]) == 1


def test_a_machine_is_prepared_once_and_carries_the_share_there_and_back(
    recorder: Recorder, guest: boot.Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_kernel(*_: object) -> None:
        prepared.append("kernel")

    prepared: list[str] = []
    monkeypatch.setattr(machine, "_add_kernel", add_kernel)
    monkeypatch.setattr(machine, "KVM", guest.root / "none")
    (guest.root / "run").mkdir()
    boot.furnish(guest, emulated=True)
    did = []
    for _ in range(2):
        with boot.find("machine").ready(recorder, guest) as argv:
            recorder(Command(argv=argv))
        words = [next(tool for tool in STEPS if tool in command.argv) for command in recorder.commands if is_step(command)]
        did.append(words)
        recorder.commands.clear()
    assert did == [["sfdisk", "mke2fs", "mke2fs", "qemu-system-x86_64", "find", "debugfs"],
                   ["mke2fs", "qemu-system-x86_64", "find", "debugfs"]]  # fmt: skip
    assert prepared == ["kernel"]
    assert (guest.root / "run/machine-init").stat().st_mode & 0o111
    assert not (guest.share / "units/service.d/zz-debkit.conf").exists()


def test_an_architecture_without_a_machine_is_told(recorder: Recorder, guest: boot.Guest, tmp_path: Path) -> None:
    with pytest.raises(boot.CannotBoot) as caught:
        boot.boot(recorder, replace(guest, chroot=chroot("riscv64")), ways=("machine",), log=tmp_path / "log", timeout=9)
    assert caught.value.cause == "machine: there is no machine of riscv64 to boot"


STEPS = ("sfdisk", "mke2fs", "qemu-system-x86_64", "find", "debugfs")


def is_step(command: Command) -> bool:
    return any(tool in command.argv for tool in STEPS)
