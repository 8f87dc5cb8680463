"""What a command costs, its whole process tree taken together: wall time, processor time and memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess  # noqa: TID251  # programs are measured from outside
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.run import descendants, peek

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
POLL_SECONDS = 0.02
SHARE = 0.03  # of the time at most is spent on looking


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall and processor time in seconds; the peak of resident memory in bytes, pages that processes share counted once."""

    seconds: float
    cpu: float
    memory: int


def cost_of(argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]) -> Cost:
    """Run to the end. Raises CalledProcessError with the output when it fails.

    Daemons are left out of processor time if they still run at the end. What a process orphans becomes ours meanwhile.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.sync()  # what another one has written is not to be waited for
    before, started = _cpu(), time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(
            argv, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True
        )
        watch = _Watch()
        watch.start()
        code = child.wait()
        seconds = time.monotonic() - started
        watch.finish()
        output.seek(0)
        said = output.read()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    if code:
        raise subprocess.CalledProcessError(code, argv, said)
    return Cost(seconds, _cpu() - before, watch.peak)


class _Watch(threading.Thread):
    """Looks again and again at the memory of all that stems from this process."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._over = threading.Event()

    def run(self) -> None:
        pause = POLL_SECONDS
        while not self._over.wait(pause):
            started = time.thread_time()
            self.peak = max(self.peak, sum(map(_proportional, descendants(os.getpid()))))
            pause = max(POLL_SECONDS, (time.thread_time() - started) / SHARE)

    def finish(self) -> None:
        self._over.set()
        self.join()


def _proportional(pid: int) -> int:
    """Read a process's share of resident memory (Pss, proc(5)) in bytes."""
    with contextlib.suppress(OSError):
        for line in peek(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _cpu() -> float:
    """Add up the processor time of all children that have ended and were waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
