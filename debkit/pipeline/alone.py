"""One run at a time works in a project's dist/."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from debkit.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def alone(dist: Path) -> Iterator[None]:
    """Keep other runs from writing into `dist` meanwhile. Raises LockedError when one does."""
    made = not dist.exists()
    dist.mkdir(parents=True, exist_ok=True)
    with (dist / ".lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            lock.seek(0)
            raise LockedError(
                f"another run works in {dist}",
                cause=f"process {lock.read().strip() or 'unknown'} builds for this project",
                hint="wait for it to end, or build elsewhere: debkit -C ANOTHER-PROJECT build …",
            ) from problem
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield
        finally:
            if made and [path.name for path in dist.iterdir()] == [".lock"]:
                shutil.rmtree(dist)
