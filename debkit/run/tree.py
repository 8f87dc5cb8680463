"""Ending a process with all that descends from it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import deque
from pathlib import Path

GRACE_SECONDS = 20.0  # sbuild needs about ten to take its chroot away
KILLED_SECONDS = 5.0  # a killed process that waits for a disk is gone later


def end_tree(pid: int, *, grace: float = GRACE_SECONDS) -> None:
    """End a process and all that descends from it: SIGTERM and `grace` seconds for the process to clean up, then SIGKILL.

    The tree is walked before the first signal, because a child in a session of its own is lost to us once its parent is gone.
    """
    doomed = {pid: _start_time(pid)} | {child: _start_time(child) for child in descendants(pid)}
    try:
        os.killpg(pid, signal.SIGTERM)
    except OSError:  # it stays in our own session
        _send(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and _alive(pid, doomed[pid]):
        doomed |= {child: _start_time(child) for child in descendants(pid) if child not in doomed}
        time.sleep(0.05)
    for survivor, start in doomed.items():
        if _alive(survivor, start):
            _send(survivor, signal.SIGKILL)
    deadline = time.monotonic() + KILLED_SECONDS
    while time.monotonic() < deadline and any(_alive(p, start) for p, start in doomed.items()):
        time.sleep(0.01)


def descendants(pid: int, proc: str = "/proc") -> tuple[int, ...]:
    """List the processes that stem from `pid`, nearest first, as the kernel lists them now."""
    found: list[int] = []
    queue = deque([pid])
    while queue:
        tasks = f"{proc}/{queue.popleft()}/task"
        with contextlib.suppress(OSError):
            for task in os.listdir(tasks):  # noqa: PTH208  # as in peek
                children = [int(child) for child in peek(f"{tasks}/{task}/children").split()]
                found += children
                queue += children
    return tuple(found)


def peek(path: str, size: int = -1) -> bytes:
    """Read a file in /proc, or what of its beginning the kernel gives at once.

    Some look at all processes all the time, and pathlib costs more than the kernel.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(size)


def end_group(pid: int) -> None:
    """End what a failed process has left in its process group: unshare leaves the helper that was to map its ids waiting."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def end_at_home(place: Path) -> None:
    """End at once what still runs with its HOME at or below `place`, as sbuild does when debkit itself was killed.

    sbuild goes on then: its answer to the SIGTERM that it gets is a message, which fails when nobody reads its output.
    """
    home = b"HOME=" + os.fsencode(place)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(entry == home or entry.startswith(home + b"/") for entry in (process / "environ").read_bytes().split(b"\0")):
                end_tree(int(process.name), grace=0)


def _send(pid: int, signum: signal.Signals) -> None:
    """Signal a process that may be gone, or that runs as root through sudo and takes no signal from us."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def _start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot: with it a recycled pid is not mistaken for the old process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]


def _alive(pid: int, start: str) -> bool:
    return bool(start) and _start_time(pid) == start
