"""Killing what works on an archive: all of its processes, debkit alone, or one of the tools that it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.run import descendants

if TYPE_CHECKING:
    import random
    import subprocess  # noqa: TID251  # a type only

TOOLS = ("reprepro", "gpg", "gpgconf", "gpgv", "sqv", "sh", "sign-release")
WAYS = ("all", "parent", "tool")


def kill(child: subprocess.Popen[str], how: str, chance: random.Random) -> bool:
    """Kill a process in one of the WAYS and wait for its end; give whether there was something left to kill."""
    tree = (child.pid, *descendants(child.pid))
    tools = [pid for pid in tree if program(pid) in TOOLS]
    doomed = {"all": list(tree), "parent": [child.pid], "tool": [chance.choice(tools)] if tools else []}[how]
    before = child.poll() is None
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.wait(60)
    deadline = time.monotonic() + 60
    while any(program(pid) in TOOLS for pid in tree):  # what outlives its parent is asked to end, and may take its time
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return before and bool(doomed)


def program(pid: int) -> str:
    """Give a process's name, empty for one that is gone or not yet waited for."""
    with contextlib.suppress(OSError):
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        return "" if rest.split()[0] == "Z" else name
    return ""
