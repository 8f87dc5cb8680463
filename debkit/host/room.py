"""What a machine runs out of or gets wrong by itself: disk room and the clock."""

from __future__ import annotations

import calendar
import os
import shlex
import time
from typing import TYPE_CHECKING

from debkit.errors import HostError
from debkit.host.fact import Fact, State
from debkit.paths import cache_home, scratch_home

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

GIGABYTE = 10**9
ENOUGH = 5 * GIGABYTE  # a chroot, a layer and a middling build
TOO_LITTLE = 2 * GIGABYTE  # a chroot of its own takes about half of it while it is made
LAST_YEAR = 2100
# Files that a package dates when it is built, so that they are never younger than now.
DATED = (
    "usr/share/keyrings/debian-archive-keyring.*",
    "usr/share/keyrings/ubuntu-archive-keyring.*",
    "usr/share/doc/base-files/*",
)


def demand_scratch() -> None:
    """Raise HostError where the directory for build trees is not there: TMPDIR is the caller's to say."""
    if not scratch_home().is_dir():
        raise HostError(
            f"there is no directory {scratch_home()} for build trees",
            cause="TMPDIR names one that does not exist",
            hint=f"mkdir -p {shlex.quote(os.fspath(scratch_home()))}\nor: unset TMPDIR",
        )


def room_facts() -> Iterator[Fact]:
    """Tell how much room there is for the cache and for build trees."""
    yield room_fact("cache room", cache_home(), "XDG_CACHE_HOME")
    yield room_fact("scratch room", scratch_home(), "TMPDIR")


def room_fact(name: str, path: Path, variable: str) -> Fact:
    """Tell whether a directory, which need not exist yet, may be written to and how much fits in."""
    by_hand = f"export {variable}=/a/directory/on/a/larger/disk"
    there = nearest(path)
    if variable == "TMPDIR" and there != path:
        return Fact(name=name, state=State.BAD, text=f"{path} does not exist", by_hand=f"mkdir -p {shlex.quote(os.fspath(path))}")
    stat = os.statvfs(there)
    if stat.f_flag & os.ST_RDONLY:
        return Fact(name=name, state=State.BAD, text=f"{path} is on a read-only file system", by_hand=by_hand)
    if not os.access(there, os.W_OK | os.X_OK):
        return Fact(name=name, state=State.BAD, text=f"{there} is not ours to write to", by_hand=by_hand)
    free = stat.f_bavail * stat.f_frsize
    text = f"{free / GIGABYTE:.1f} GB free in {path}"
    if free >= ENOUGH:
        return Fact(name=name, state=State.OK, text=text)
    state = State.WARN if free >= TOO_LITTLE else State.BAD
    return Fact(name=name, state=state, text=f"{text}; {ENOUGH / GIGABYTE:.0f} GB are wanted", by_hand=by_hand)


def nearest(path: Path) -> Path:
    """Give the directory itself, or the nearest one above it that exists."""
    return next(p for p in (path, *path.parents) if p.is_dir())


def clock_fact(root: Path, now: float | None = None) -> Fact:
    """Tell whether the clock can be right, without asking anybody: apt takes no Release file from the future."""
    now = time.time() if now is None else now
    newest = newest_date(path for pattern in DATED for path in root.glob(pattern))
    here = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    if newest <= now < calendar.timegm((LAST_YEAR, 1, 1, 0, 0, 0)):
        return Fact(name="clock", state=State.OK, text=here)
    made = time.strftime("%Y-%m-%d", time.gmtime(newest))
    wrong = f"is before {made}, when files of this system were made" if now < newest else f"is after {LAST_YEAR}"
    set_it = "timedatectl set-ntp true" if (root / "run/systemd/system").is_dir() else "date --utc --set 'YYYY-MM-DD HH:MM'"
    return Fact(name="clock", state=State.BAD, text=f"{here} {wrong}", by_hand=set_it if os.geteuid() == 0 else f"sudo {set_it}")


def newest_date(paths: Iterable[Path]) -> float:
    return max((path.stat().st_mtime for path in paths if path.is_file()), default=0.0)
