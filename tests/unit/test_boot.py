"""Which ways to boot a system are tried, and what is told when none works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit import boot
from debkit.boot.direct import DIRECT
from debkit.model import Target, Toolbox

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Command
    from tests.recorder import Recorder


@pytest.fixture
def guest(tmp_path: Path) -> boot.Guest:
    root, share = tmp_path / "root", tmp_path / "share"
    root.mkdir()
    share.mkdir()
    return boot.Guest(root=root, share=share, target=Target("trixie", "amd64"))


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


def test_a_foreign_system_is_booted_by_its_toolbox_and_its_own_emulator(guest: boot.Guest, tmp_path: Path) -> None:
    box = Toolbox(path=tmp_path / "box", arch="arm64")
    foreign = boot.Guest(root=guest.root, share=guest.share, target=guest.target, toolbox=box, emulator=tmp_path / "qemu")
    argv = boot.find("direct").argv(foreign)
    assert argv[-6:] == (argv[-6], str(guest.root), str(guest.share), str(box.path), "/.native", str(tmp_path / "qemu"))
    assert argv.count("unshare") == 2
    assert "--cgroup" in argv
