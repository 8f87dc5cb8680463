"""How much disk a build takes at its worst: its build tree is measured again and again while it runs. Owns du."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Self

from debkit.chroot.namespace import as_root
from debkit.errors import DebkitError
from debkit.run import Command

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0  # seconds
# The build directory in either backend's chroot. Not the whole chroot, which du would read while it is being unpacked.
MEASURE = 'exec du --summarize --block-size=1 --total --one-file-system -- "$1"/roots/*/build "$1"/root/build 2>/dev/null'


class Gauge:
    """Measures the build trees in `work` from a thread of its own while the context lasts; `peak` is the most seen, in bytes.

    What a build makes and removes between two looks, a second apart at first and ten later, is missed.
    """

    def __init__(self, run: Run, work: Path) -> None:
        # Files belong to subordinate ids, and come and go while they are counted: hence root, and exit code 1.
        self._command = Command(
            argv=as_root(("sh", "-c", MEASURE, "sh", os.fspath(work))),
            ok=frozenset({0, 1}),
            separate=True,
            minor=True,
        )
        self._run = run
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="disk gauge", daemon=True)
        self.peak = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        with contextlib.suppress(DebkitError):  # a run that is stopped, or that cannot measure, is told of elsewhere
            pause = FIRST_PAUSE
            while not self._ended.wait(pause):
                counted = self._run(self._command).stdout.rpartition("\n")[0].rpartition("\n")[2].partition("\t")[0]
                self.peak = max(self.peak, int(counted) if counted.isdecimal() else 0)
                pause = min(pause * 1.5, LONGEST_PAUSE)
