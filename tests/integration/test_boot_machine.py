"""A whole machine of this one's architecture, by the real qemu-system."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess  # noqa: TID251  # what is killed is debkit itself
import sys
import time
from typing import TYPE_CHECKING

import pytest

from debkit import boot, checks
from debkit.model import Outcome
from debkit.run import descendants, peek
from tests.conftest import SUITE
from tests.debs import make_result
from tests.services import make_confined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.model import Target

pytestmark = pytest.mark.slow

# Boots a machine whose system never ends.
ENDLESS = """\
import sys
from pathlib import Path
from debkit import boot, checks
from debkit.chroot import namespace, store
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.model import Target
from debkit.run import Processes
run, directory = Processes(), Path(sys.argv[1])
bench = checks.Bench(run=run, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=directory)
with run.interruptible(), bench.clean(Target(sys.argv[2], sys.argv[3]), "systemd-sysv") as clean:
    with namespace.scratch(run, "machine") as work:
        root, share = work / "root", work / "share"
        root.mkdir(); share.mkdir()
        namespace.unpack(run, clean.tarball, root)
        guest = boot.Guest(root=root, share=share, chroot=clean, tools=bench.tools)
        boot.furnish(guest, emulated=False)
        (share / "main").write_text("sleep infinity")
        boot.boot(run, guest, ways=("machine",), log=directory / "log", timeout=3600)
"""


@pytest.mark.usefixtures("nothing_left")
def test_a_service_is_looked_at_in_a_machine(
    bench: checks.Bench, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot, "WAYS", (boot.MACHINE,))
    report = checks.judge("service", bench, make_result(tmp_path, make_confined(tmp_path), target=target))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert {"health", "stable", "reboot", "purge"} <= {step.name for step in report.steps if step.outcome is Outcome.PASS}
    assert report.log
    assert report.log.read_text().count("reboot: Power down") == 2


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_no_machine_outlives_debkit(
    signum: signal.Signals, debkit_cache: Path, target: Target, tmp_path: Path, scratch: Path
) -> None:
    debkit = subprocess.Popen((sys.executable, "-c", ENDLESS, tmp_path, SUITE, target.arch))
    try:
        wait_for((tmp_path / "log").exists, "it is not followed")  # what ran before was a trial
        wait_for(lambda: machines(debkit.pid), "no machine is started")
        started = machines(debkit.pid)
        debkit.send_signal(signum)
        debkit.wait(60)
    finally:
        debkit.kill()
    wait_for(lambda: not any(is_machine(pid) for pid in started), "it goes on", seconds=10)


def machines(pid: int) -> list[int]:
    return [each for each in descendants(pid) if is_machine(each)]


def is_machine(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return os.path.basename(peek(f"/proc/{pid}/cmdline").split(b"\0")[0]).startswith(b"qemu-system-")  # noqa: PTH119 (bytes)
    return False


def wait_for(happens: Callable[[], object], otherwise: str, *, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)
