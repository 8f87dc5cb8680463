"""Snapshots: each state that a suite was ever published in, as its signed indices were.

The hook that signs makes them (sign-release), in the layout of reprepro's gensnapshot, so that `reprepro restore` knows them.
They are hard links to the indices, and cost next to nothing; where the file system has none they are copies. Nothing in the
database refers to them: what they list stays in the pool because debkit removes nothing from there that a snapshot lists.
"""

from __future__ import annotations

import gzip
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from debkit.paths import link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORM = "%Y%m%dT%H%M%S.%fZ"
# The indices that list files of the pool, in the form in which debkit reads them: of packages, of .udebs, and of sources.
INDICES = ("*/binary-*/Packages", "*/debian-installer/binary-*/Packages", "*/source/Sources.gz")


@dataclass(frozen=True, slots=True, order=True)
class Snapshot:
    """A state of a suite. `name` is when it was made (UTC, to the microsecond), so that names sort as the states followed."""

    name: str
    suite: str
    path: Path

    @property
    def made(self) -> datetime:
        return datetime.strptime(self.name, FORM).replace(tzinfo=UTC)


def new_name(base: Path) -> str:
    """Name a snapshot by the time, but later than all there are: what follows sorts last although the clock was put back."""
    newest = (one.made for suite in suites(base) for one in snapshots(base, suite)[-1:])
    return max((datetime.now(UTC), *(made + timedelta(microseconds=1) for made in newest))).strftime(FORM)


def snapshots(base: Path, suite: str) -> tuple[Snapshot, ...]:
    """List a suite's snapshots, the oldest first. Those that somebody else has made (other names) are left alone."""
    paths = (base / "dists" / suite / "snapshots").glob("*")
    return tuple(sorted(Snapshot(path.name, suite, path) for path in paths if re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z", path.name)))


def is_published(base: Path, snapshot: Snapshot) -> bool:
    """Whether a snapshot is of what its suite has now."""
    now, then = base / "dists" / snapshot.suite / "InRelease", snapshot.path / "InRelease"
    return now.exists() and then.exists() and now.read_bytes() == then.read_bytes()


def suites(base: Path) -> tuple[str, ...]:
    """List the suites that have ever been exported."""
    return tuple(sorted(path.name for path in (base / "dists").glob("*") if path.is_dir() and not path.is_symlink()))


def keep(base: Path, suite: str, names: Iterable[str]) -> Snapshot:
    """Make a snapshot of what a suite has published, `names` being its files, as the hook that signs makes them."""
    directory, name = base / "dists" / suite, new_name(base)
    made, unfinished = directory / "snapshots" / name, directory / "snapshots" / f".{name}.gone"
    for file in names:
        (unfinished / file).parent.mkdir(parents=True, exist_ok=True)
        link(directory / file, unfinished / file)
    unfinished.rename(made)
    return Snapshot(name, suite, made)


def remove_unseen(base: Path, suite: str, told: Iterable[str]) -> None:
    """Remove what is newer than what a suite has published and is not `told` of: an undone change that no client has seen.

    Otherwise what it would have replaced counts as replaced since then, and would be removed too early.
    """
    found = snapshots(base, suite)
    published = max((number for number, one in enumerate(found) if is_published(base, one)), default=len(found))
    for snapshot in found[published + 1 :]:
        if snapshot.name not in told:
            remove(snapshot)


def remove(snapshot: Snapshot) -> None:
    """Remove a snapshot: first under another name, so that one cut short is not half a snapshot."""
    gone = snapshot.path.with_name(f".{snapshot.name}.gone")
    snapshot.path.rename(gone)
    shutil.rmtree(gone)


def sweep(base: Path, suite: str) -> None:
    """Remove what a killed run has left of a snapshot that it was removing or making."""
    for gone in (base / "dists" / suite / "snapshots").glob(".*.gone"):
        shutil.rmtree(gone)
    for snapshot in snapshots(base, suite):
        if not (snapshot.path / "InRelease").exists():
            shutil.rmtree(snapshot.path)


def listed(directories: Iterable[Path], among: frozenset[str]) -> frozenset[str]:
    """Say which of some of the pool's files (paths under the base) the indices in any of many directories list.

    The directories are suites' or snapshots'. What they share is read once.
    """
    found: set[str] = set()
    seen: set[tuple[int, int]] = set()
    for index in (index for directory in directories for index in indices(directory)):
        status = index.stat()
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            found |= among.intersection(_names(index))
    return frozenset(found)


def indices(directory: Path) -> tuple[Path, ...]:
    """Find the indices in a directory, a suite's or a snapshot's, that list files of the pool."""
    return tuple(path for pattern in INDICES for path in sorted(directory.glob(pattern)))


def _names(index: Path) -> Iterator[str]:
    """Read which files a Packages or a Sources.gz lists."""
    if index.name == "Packages":
        yield from (match.decode() for match in re.findall(rb"^Filename: (.*)$", index.read_bytes(), flags=re.MULTILINE))
        return
    for stanza in gzip.decompress(index.read_bytes()).decode().split("\n\n"):
        place = re.search(r"^Directory: (.*)$", stanza, flags=re.MULTILINE)
        names = re.search(r"^Checksums-Sha256:[ \t]*\n((?: .*\n?)*)", stanza, flags=re.MULTILINE)
        if place and names:
            yield from (f"{place[1]}/{line.split()[2]}" for line in names[1].splitlines())


def source_of(name: str) -> str:
    """Name the .dsc that a .changes or .buildinfo file (SOURCE_VERSION_ARCH.changes) was uploaded with."""
    stem, dot, kind = name.rpartition(".")
    return f"{stem.rpartition('_')[0]}.dsc" if dot and kind in {"changes", "buildinfo"} else name


def contents(directory: Path) -> frozenset[str]:
    """Tell what a state has: two with the same indices of packages and sources have the same members, whenever signed."""
    release = directory / "Release"
    text = release.read_text(encoding="utf-8", errors="replace") if release.exists() else ""
    return frozenset(re.findall(r"^ [0-9a-f]{64} +[1-9]\d* \S+/(?:Packages|Sources)$", text, flags=re.MULTILINE))


def hashes(directory: Path) -> frozenset[str]:
    """Give the SHA-256 sums of the indices that a directory's Release file lists."""
    text = (directory / "Release").read_text(encoding="utf-8")
    section = re.search(r"^SHA256:\n((?: .*\n?)*)", text, flags=re.MULTILINE)
    return frozenset(line.split()[0] for line in section[1].splitlines()) if section else frozenset()
