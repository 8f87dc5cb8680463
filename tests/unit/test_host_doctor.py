from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.errors import HostError, Interrupted
from debkit.host import Fact, State, Step, as_json, as_line, doctor, facts, fix, require
from debkit.host.machine import Host

if TYPE_CHECKING:
    from tests.recorder import Recorder

MOUNT = Step(argv=("mount", "-t", "binfmt_misc", "binfmt_misc", "/m"))
REGISTER = Step(argv=("tee", "/m/register"), reads=Path("/usr/lib/binfmt.d/qemu-aarch64.conf"))
ENABLE = Step(argv=("tee", "/m/qemu-aarch64"), writes="1")


def bad(name: str, *mend: Step, by_hand: str = "") -> Fact:
    return Fact(name=name, state=State.BAD, text="is wrong", mend=mend, by_hand=by_hand)


GOOD = Fact(name="clock", state=State.OK, text="2026-01-02 03:04 UTC")


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


class Machine:
    """A machine that is better each time it is looked at: it tells one list of facts after the other."""

    def __init__(self, *looks: tuple[Fact, ...]) -> None:
        self.looks = list(looks)
        self.told: list[str] = []

    def look(self) -> tuple[Fact, ...]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def fix(self, recorder: Recorder, *, terminal: bool = False) -> tuple[Fact, ...]:
        return fix(recorder, self.look, tell=self.told.append, terminal=terminal)


def test_nothing_is_done_where_nothing_is_wrong(recorder: Recorder) -> None:
    assert Machine((GOOD,)).fix(recorder) == (GOOD,)
    assert not recorder.commands


def test_each_command_is_told_and_what_it_brings_to_light_is_mended_too(recorder: Recorder) -> None:
    machine = Machine((bad("binfmt_misc", MOUNT), bad("arm64", MOUNT)), (GOOD, bad("arm64", REGISTER)), (GOOD,))
    assert machine.fix(recorder) == (GOOD,)
    assert recorder.argvs == [MOUNT.argv, REGISTER.argv]
    assert machine.told == [
        "$ mount -t binfmt_misc binfmt_misc /m",
        "$ tee /m/register < /usr/lib/binfmt.d/qemu-aarch64.conf",
    ]
    assert recorder.commands[1].stdin_file == REGISTER.reads


def test_nothing_is_tried_twice(recorder: Recorder) -> None:
    machine = Machine((bad("arm64", ENABLE),))
    assert machine.fix(recorder) == (bad("arm64", ENABLE),)
    assert [command.stdin for command in recorder.commands] == [b"1\n"]


def test_what_is_for_a_person_to_decide_is_not_done(recorder: Recorder) -> None:
    Machine((bad("user namespaces", by_hand="sudo sysctl …"),)).fix(recorder)
    assert not recorder.commands


def test_a_command_that_fails_ends_its_own_fact_only(recorder: Recorder) -> None:
    recorder.reply("mount", code=32, stdout="mount: /m: permission denied.\n")
    machine = Machine((bad("arm64", MOUNT, REGISTER), bad("other", ENABLE)))
    machine.fix(recorder)
    assert recorder.argvs == [MOUNT.argv, ENABLE.argv]
    assert machine.told[1] == "mount exited with 32: mount: /m: permission denied."


def test_an_interrupt_is_not_taken_for_a_failure(recorder: Recorder) -> None:
    def interrupt(_: object) -> None:
        raise Interrupted(2)

    recorder.reply("mount", action=interrupt)
    with pytest.raises(Interrupted):
        Machine((bad("arm64", MOUNT),)).fix(recorder)


@pytest.mark.parametrize(("terminal", "sudo"), [(True, ("sudo", "--")), (False, ("sudo", "--non-interactive", "--"))])
def test_a_user_mends_through_sudo(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, *, terminal: bool, sudo: tuple[str, ...]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("debkit.host.checkup.find_tool", Path)
    machine = Machine((bad("arm64", ENABLE),), (GOOD,))
    machine.fix(recorder, terminal=terminal)
    assert recorder.argvs == [(*sudo, "true"), (*sudo, *ENABLE.argv)]
    assert {command.terminal for command in recorder.commands} == {terminal}
    assert machine.told[-1] == "$ echo 1 | sudo tee /m/qemu-aarch64"


def test_a_user_whom_sudo_refuses_is_told_once(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("debkit.host.checkup.find_tool", Path)
    recorder.reply("sudo", code=1, stdout="sudo: a password is required\n")
    machine = Machine((bad("arm64", ENABLE), bad("other", MOUNT)))
    machine.fix(recorder)
    assert machine.told == ["only root can mend this machine, and sudo refuses: sudo: a password is required"]


def test_a_user_without_sudo_is_told(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("debkit.host.checkup.find_tool", lambda _: None)
    machine = Machine((bad("arm64", ENABLE),))
    machine.fix(recorder)
    assert not recorder.commands
    assert "there is no sudo here" in machine.told[0]


def test_one_line_a_fact_with_the_command_that_mends_it() -> None:
    assert as_line(GOOD, root=True) == "ok   clock                   2026-01-02 03:04 UTC"
    assert as_line(bad("arm64", MOUNT, REGISTER), root=False) == (
        "bad  arm64                   is wrong; to mend it: sudo mount -t binfmt_misc binfmt_misc /m && "
        "sudo tee /m/register < /usr/lib/binfmt.d/qemu-aarch64.conf"
    )
    assert as_line(bad("x", MOUNT, by_hand="the wider way"), root=True).endswith("/m; if that does not help: the wider way")


def test_the_same_as_json() -> None:
    told = as_json((GOOD, bad("arm64", ENABLE)), root=True)
    assert told == {
        "schema": 1,
        "ready": False,
        "facts": [
            {"name": "clock", "state": "ok", "text": GOOD.text, "mend": [], "by_hand": ""},
            {"name": "arm64", "state": "bad", "text": "is wrong", "mend": ["echo 1 | tee /m/qemu-aarch64"], "by_hand": ""},
        ],
    }


def test_a_warning_keeps_nobody_from_building() -> None:
    require((GOOD, Fact(name="cache room", state=State.WARN, text="3.0 GB free")), mended=False)


def test_what_keeps_one_from_building_is_an_error_of_three_parts() -> None:
    with pytest.raises(HostError) as raised:
        require((GOOD, bad("arm64", ENABLE)), mended=False)
    error = raised.value
    assert (error.what, error.cause, error.hint) == ("this machine cannot build yet", "arm64: is wrong", "debkit doctor --fix")


def test_what_could_not_be_mended_names_the_commands_to_type() -> None:
    with pytest.raises(HostError) as raised:
        require((bad("arm64", ENABLE), bad("x", by_hand="leave the chroot"), bad("y")), mended=True)
    assert raised.value.hint == "echo 1 | tee /m/qemu-aarch64\nleave the chroot"


def a_machine(recorder: Recorder, root: Path) -> Recorder:
    recorder.reply("dpkg", "--print-architecture", stdout="amd64\n")
    recorder.reply("/program", code=42)
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    return recorder


def test_the_facts_that_planning_needs(recorder: Recorder, tmp_path: Path) -> None:
    host = facts(a_machine(recorder, tmp_path), arches=("amd64", "i386", "arm64"), root=tmp_path)
    assert (host.arch, host.system, host.version, host.namespaces) == ("amd64", "debian", "12", "")
    assert host.obstacles == (("arm64", "binfmt_misc is not mounted"),)
    assert host.obstacle("arm64") == "binfmt_misc is not mounted"
    assert host.obstacle("i386") == ""
    assert host.cpus > 0
    assert host.memory > 2**20


def test_a_machine_in_one_line() -> None:
    host = Host(
        arch="arm64",
        obstacles=(),
        namespaces="",
        system="debian",
        version="13",
        kernel="6.12",
        unaccelerated="",
        direct=False,
        cpus=4,
        memory=8 * 2**30,
    )
    assert str(host) == "debian 13 arm64, Linux 6.12, 4 processors, 8.0 GiB of memory"


def test_doctor_changes_nothing_and_asks_of_emulators_only_where_one_is_needed(recorder: Recorder, tmp_path: Path) -> None:
    names = {fact.name for fact in doctor(a_machine(recorder, tmp_path), arches=("amd64",), root=tmp_path)}
    assert {
        "machine",
        "sbuild",
        "python",
        "subordinate ids",
        "user namespaces",
        "amd64 programs",
        "scratch room",
        "clock",
    } <= names
    assert "binfmt_misc" not in names
    assert {argv[0] for argv in recorder.argvs} <= {"dpkg", "dpkg-query", "unshare", "chroot", sys.executable}
    assert "acceleration" not in names
    assert {"arm64 programs", "acceleration"} <= {
        fact.name for fact in doctor(recorder, arches=("amd64", "arm64"), root=tmp_path)
    }


@pytest.mark.parametrize(
    ("refused", "text"),
    [
        ((), "possible: user namespaces have binfmt_misc of their own"),
        (
            ("mount", "-t"),
            "none, foreign builds are emulated: user namespaces have no binfmt_misc of their own here (from Linux 6.7",
        ),
        (("unshare", "--user"), "none, foreign builds are emulated: no such thing (as inside a chroot"),
    ],
    ids=["a newer kernel", "an older kernel", "no namespaces"],
)
def test_that_nothing_is_accelerated_is_told_with_the_reason_and_keeps_nobody_from_building(
    recorder: Recorder, tmp_path: Path, refused: tuple[str, ...], text: str
) -> None:
    a_machine(recorder, tmp_path)
    if refused:
        recorder.reply(*refused, code=1, stdout="no such thing\n")
    told = {fact.name: fact for fact in doctor(recorder, arches=("arm64",), root=tmp_path)}
    assert told["acceleration"].text.startswith(text)
    require((told["acceleration"],), mended=False)
    tried = [argv for argv in recorder.argvs if argv[0] == "unshare" and "mount" in argv]
    assert len(tried) == (not refused or refused[0] == "mount"), "it is tried once, and only in a namespace that can be had"
