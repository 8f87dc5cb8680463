from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.errors import TimeoutFailure
from debkit.host.binfmt import Handler, arch_fact, mount_fact, obstacle, own_handlers_trouble, parse_handler, proof_argv
from debkit.host.fact import State
from debkit.model import ARCHES, Arch

if TYPE_CHECKING:
    from tests.recorder import Recorder

DATA = Path(__file__).parents[1] / "data"
ARM64, AMD64 = ARCHES["arm64"], ARCHES["amd64"]
HANDLER = (DATA / "binfmt_misc/qemu-aarch64").read_text()


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("TMPDIR", os.fspath(tmp_path))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """An amd64 Debian 12 with binfmt_misc mounted and qemu-user-static installed and registered."""
    root = tmp_path / "machine"
    where = root / "proc/sys/fs/binfmt_misc"
    where.mkdir(parents=True)
    (where / "register").touch()
    (where / "qemu-aarch64").write_text(HANDLER)
    (root / "usr/lib/binfmt.d").mkdir(parents=True)
    shutil.copy(DATA / "binfmt.d/qemu-user-static-7.2.conf", root / "usr/lib/binfmt.d/qemu-aarch64.conf")
    return root


def runs(recorder: Recorder) -> Recorder:
    recorder.reply("/program", code=42)
    return recorder


def test_a_handler_as_the_kernel_tells_it() -> None:
    assert parse_handler(HANDLER) == Handler(enabled=True, interpreter="/usr/libexec/qemu-binfmt/aarch64-binfmt-P", flags="POF")
    assert not parse_handler(HANDLER.replace("enabled", "disabled")).enabled


def test_the_proof_runs_in_an_empty_root() -> None:
    assert proof_argv(Path("/r"), privileged=True) == ("chroot", "/r", "/program")
    assert proof_argv(Path("/r"), privileged=False) == ("unshare", "--user", "--map-root-user", "--", "chroot", "/r", "/program")


def test_what_runs_and_is_registered_is_fine(recorder: Recorder, machine: Path) -> None:
    fact = arch_fact(runs(recorder), ARM64, machine="amd64", isolated=True, root=machine)
    assert fact.state is State.OK
    assert fact.text == "run through /usr/libexec/qemu-binfmt/aarch64-binfmt-P in an empty root"
    assert dict(recorder.commands[0].env) == dict(ARM64.qemu_env)


def test_a_user_without_namespaces_tries_it_beside_the_machines_files(
    recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    obstacle(recorder, ARM64, machine="amd64", isolated=False, root=machine)
    ((program,),) = recorder.argvs
    assert program.endswith("/program")


def test_a_place_where_nothing_runs_is_no_handlers_fault(recorder: Recorder, machine: Path) -> None:
    recorder.reply("/program", code=126, stdout="chroot: failed to run command '/program': Permission denied\n")
    fact = arch_fact(recorder, ARM64, machine="amd64", isolated=True, root=machine)
    assert "Permission denied" in fact.text
    assert fact.remedy(root=True).startswith("export TMPDIR=")


def test_a_handler_that_runs_nothing_is_registered_anew(
    recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prove(_run: object, arch: Arch, **_: bool) -> str:
        return "chroot: failed to run command '/program'" if arch == ARM64 else ""

    monkeypatch.setattr("debkit.host.binfmt.prove", prove)
    fact = arch_fact(recorder, ARM64, machine="amd64", isolated=True, root=machine)
    where = machine / "proc/sys/fs/binfmt_misc"
    assert "a test program failed: chroot: failed to run command" in fact.text
    assert fact.remedy(root=False) == (
        f"echo -1 | sudo tee {where}/qemu-aarch64 && sudo tee {where}/register < {machine}/usr/lib/binfmt.d/qemu-aarch64.conf"
    )


@pytest.mark.parametrize(
    ("old", "new", "why", "mend"),
    [
        ("enabled", "disabled", "registered but disabled", ("tee", "qemu-aarch64")),
        ("flags: POF", "flags: PO", "without flag F", ("tee", "qemu-aarch64", "tee", "register")),
    ],
)
def test_a_handler_that_cannot_serve_chroots(
    recorder: Recorder, machine: Path, *, old: str, new: str, why: str, mend: tuple[str, ...]
) -> None:
    (machine / "proc/sys/fs/binfmt_misc/qemu-aarch64").write_text(HANDLER.replace(old, new))
    fact = arch_fact(runs(recorder), ARM64, machine="amd64", isolated=True, root=machine)
    assert fact.state is State.BAD
    assert why in fact.text
    assert tuple(Path(word).name for step in fact.mend for word in step.argv) == mend


def test_no_handler_is_registered_from_the_packages_own_line(recorder: Recorder, machine: Path) -> None:
    (machine / "proc/sys/fs/binfmt_misc/qemu-aarch64").unlink()
    fact = arch_fact(recorder, ARM64, machine="amd64", isolated=True, root=machine)
    assert "no emulator is registered for it (qemu-aarch64)" in fact.text
    assert [step.reads for step in fact.mend] == [machine / "usr/lib/binfmt.d/qemu-aarch64.conf"]
    assert not recorder.commands, "there was nothing to try"


def test_the_administrators_own_line_goes_first(recorder: Recorder, machine: Path) -> None:
    (machine / "proc/sys/fs/binfmt_misc/qemu-aarch64").unlink()
    own = machine / "etc/binfmt.d/qemu-aarch64.conf"
    own.parent.mkdir(parents=True)
    shutil.copy(DATA / "binfmt.d/qemu-user-binfmt-10.0.conf", own)
    fact = arch_fact(recorder, ARM64, machine="amd64", isolated=True, root=machine)
    assert [step.reads for step in fact.mend] == [own]


@pytest.mark.parametrize("conf", [None, "qemu-user-binfmt-7.2.conf"], ids=["no qemu", "the dynamic qemu of Debian 12"])
def test_a_qemu_that_chroots_can_use_is_installed_first(recorder: Recorder, machine: Path, conf: str | None) -> None:
    (machine / "proc/sys/fs/binfmt_misc/qemu-aarch64").unlink()
    installed = machine / "usr/lib/binfmt.d/qemu-aarch64.conf"
    installed.unlink()
    if conf:
        shutil.copy(DATA / "binfmt.d" / conf, installed)
    fact = arch_fact(recorder, ARM64, machine="amd64", isolated=True, root=machine)
    assert fact.remedy(root=True).endswith("--no-install-recommends 'qemu-user-binfmt (>= 1:9.1) | qemu-user-static'")


def test_binfmt_misc_that_is_not_mounted(recorder: Recorder, machine: Path) -> None:
    shutil.rmtree(machine / "proc/sys/fs/binfmt_misc")
    (machine / "proc/sys/fs/binfmt_misc").mkdir()
    mount = f"sudo mount -t binfmt_misc binfmt_misc {machine}/proc/sys/fs/binfmt_misc"
    assert mount_fact(machine).remedy(root=False) == mount
    fact = arch_fact(recorder, ARM64, machine="amd64", isolated=True, root=machine)
    assert fact.text == "do not run: binfmt_misc is not mounted"
    assert fact.mend == mount_fact(machine).mend


def test_a_mount_that_hangs_is_trouble_like_any_other(recorder: Recorder) -> None:
    def hang(_: object) -> None:
        raise TimeoutFailure("mount was ended after 30 s", cause="it hangs", hint="look")

    assert own_handlers_trouble(recorder) == ""
    recorder.reply("mount", action=hang)
    assert own_handlers_trouble(recorder) == "mount was ended after 30 s"


def test_a_kernel_that_has_not_loaded_it(tmp_path: Path) -> None:
    assert mount_fact(tmp_path).remedy(root=True).startswith("modprobe binfmt_misc && mount -t binfmt_misc")


@pytest.mark.parametrize(("machine_arch", "arch"), [("amd64", "amd64"), ("amd64", "i386"), ("arm64", "armhf")])
def test_what_the_kernel_runs_itself_needs_no_emulator(recorder: Recorder, tmp_path: Path, machine_arch: str, arch: str) -> None:
    fact = arch_fact(runs(recorder), ARCHES[arch], machine=machine_arch, isolated=True, root=tmp_path)
    assert (fact.state, fact.text) == (State.OK, "run natively in an empty root")


def test_a_scratch_directory_that_may_hold_no_programs(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("/program", code=126, stdout="chroot: failed to run command '/program': Permission denied\n")
    fact = arch_fact(recorder, AMD64, machine="amd64", isolated=True, root=tmp_path)
    assert fact.state is State.BAD
    assert fact.by_hand.startswith("export TMPDIR=")


def test_a_scratch_directory_that_is_not_there(recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    assert "No such file or directory" in obstacle(recorder, ARM64, machine="amd64", isolated=True, root=machine)
