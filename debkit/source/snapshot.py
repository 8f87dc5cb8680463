"""The version of a snapshot: before a release VERSION~YYYYMMDDHHMMSS.nNUMBER.gHASH, after it VERSION+git and the same.

Each sorts after earlier snapshots. Time and number are those of git's history, the newest committer time of all its commits and
how many there are: a commit has no less of both than those before it, and more of the latter, whatever the clocks said. Without
git, and in a shallow clone, there is no number, nor had older versions one, and "n" sorts after "g". The tail of a version with a
Debian revision is part of the revision, so that the upstream tarball stays the released version's, and "+" sorts before "." and
all digits: 1.0-1+git… comes before 1.0-1.1 and 1.0-2.

A clean git tree's is made of git alone, so that every machine gets the same. Otherwise the time is the newest change to
a file or directory. Times alone do not suffice (an older file may be copied over a newer one, writing output changes a
directory's, and an edit taken back leaves the commit of before it), so the last snapshot made here is remembered: equal content
keeps its version, other content comes later.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from debkit.paths import put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.source.git import Commit

HASH_LENGTH = 7
BEFORE, AFTER = "~", "+git"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot before or after the version `base`. `content` is the hash of all files, `time` in seconds since the epoch.

    `number` is how many commits there are.
    """

    base: str
    time: int
    content: str
    id: str
    mark: str = BEFORE
    number: int = 0

    @property
    def version(self) -> str:
        moment = datetime.fromtimestamp(self.time, UTC)
        number = f".n{self.number}" if self.number else ""
        return f"{self.base}{self.mark}{moment:%Y%m%d%H%M%S}{number}.g{self.id[:HASH_LENGTH]}"


def choose(
    base: str,
    *,
    mark: str = BEFORE,
    commit: Commit | None,
    content: str,
    newest: int,
    now: int,
    last: Snapshot | None,
) -> Snapshot:
    """Choose the snapshot's version. `newest` is the time of the latest change, `last` the snapshot made before this one."""
    clean = commit if commit and commit.clean else None
    earliest = clean.time if clean else commit.time + 1 if commit else 0
    own = Snapshot(
        base,
        earliest if clean else max(min(newest, now), earliest),
        content,
        clean.id if clean else content,
        mark,
        commit.number if commit else 0,
    )
    if last is None or (last.base, last.mark) != (base, mark):
        return own
    if (last.content, last.id) == (own.content, own.id) and last.time >= earliest:
        return last
    if (own.time, own.number) > (last.time, last.number):
        return own
    return replace(own, time=max(own.time, last.time + 1))


def recall(staging: Path, name: str) -> Snapshot | None:
    """Read the last snapshot made of the package, where it is known."""
    try:
        return Snapshot(**json.loads(_memory(staging, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def remember(staging: Path, name: str, snapshot: Snapshot) -> None:
    """Write the snapshot down for `recall`."""
    put(_memory(staging, name), json.dumps(asdict(snapshot)).encode())


@contextlib.contextmanager
def alone(staging: Path) -> Iterator[None]:
    """Keep others from choosing a version meanwhile."""
    staging.mkdir(parents=True, exist_ok=True)
    with (staging / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _memory(staging: Path, name: str) -> Path:
    return staging / f"{name}.last-snapshot"
