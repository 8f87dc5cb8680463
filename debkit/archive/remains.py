"""What can be known of a suite whose database is lost: its members, and where they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.archive import journal, snapshots
from debkit.archive.index import entries, files, listed, sha256_of
from debkit.archive.serving.site import SIGNATURES
from debkit.archive.whole import signers
from debkit.keys import unsigned_text
from debkit.model import FileRef
from debkit.source.dsc import read_dsc
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.archive.assets import Assets
    from debkit.archive.reprepro import Entry
    from debkit.archive.snapshots import Snapshot
    from debkit.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """A suite's members, and what tells them (`origin`): the signed indices in the directory `state`, or else the journal."""

    suite: str
    origin: str
    members: frozenset[Entry]
    state: Path | None = None


def remains(run: Run, base: Path, suite: str, keyrings: tuple[Path, ...]) -> Remains | None:
    """Find what a suite had: by its signed indices, else by those of the state that the journal tells last, else by the journal.

    Without a journal the newest kept state will do. None for a suite that has left nothing. Raises ArchiveError for a damaged
    journal.
    """
    acts = journal.read(base, suite)
    held = {one.name: one.path for one in snapshots.snapshots(base, suite)}
    last = held.get(acts[-1].snapshot) if acts else None
    older = () if acts else tuple(reversed(held.values()))
    for path in (base / "dists" / suite, *filter(None, (last, *older))):
        if is_signed(run, path, keyrings):
            origin = "its signed indices" if path.name == suite else f"the signed indices of its state {path.name}"
            return Remains(suite=suite, origin=origin, members=entries(path), state=path)
    return Remains(suite=suite, origin="the journal", members=journal.members(acts)) if acts else None


def is_signed(run: Run, directory: Path, keyrings: tuple[Path, ...]) -> bool:
    """Whether a directory's indices are there and are what its InRelease says, under a good signature by a key of these."""
    inrelease = directory / "InRelease"
    if not inrelease.exists() or not any(signers(run, keyring, inrelease)[0] for keyring in keyrings):
        return False
    named = listed(unsigned_text(inrelease.read_text(encoding="utf-8")))
    return all((directory / name).exists() and sha256_of(directory / name) == sha256 for sha256, _, name in named)


def as_snapshot(run: Run, base: Path, found: Remains, keyrings: tuple[Path, ...]) -> Snapshot | None:
    """Give the snapshot that has a suite's members, from which reprepro can restore them; one is made where it is lacking.

    None where the journal alone tells them.
    """
    if found.state is None:
        return None
    if found.state.name != found.suite:
        return snapshots.Snapshot(found.state.name, found.suite, found.state)
    inrelease = (found.state / "InRelease").read_bytes()
    for one in reversed(snapshots.snapshots(base, found.suite)):
        same = (one.path / "InRelease").exists() and (one.path / "InRelease").read_bytes() == inrelease
        if same and is_signed(run, one.path, keyrings):
            return one
    names = (*(name for _, _, name in listed(unsigned_text(inrelease.decode()))), *SIGNATURES)
    return snapshots.keep(base, found.suite, tuple(name for name in names if (found.state / name).exists()))


def wanted(base: Path, found: Remains, assets: Assets | None) -> Iterator[FileRef]:
    """Give the pool's files that a suite's members need. Raises SourceError.

    The journal tells no checksums, but the .changes that came with the files do; one is empty where nothing tells it.
    """
    if found.state:
        yield from files(found.state)
        return
    known = _checksums(base, found, assets)
    for entry in found.members:
        name = entry.file.rpartition("/")[2]
        yield FileRef(entry.file, 0, known.get(entry.file) or known.get(name, ""))
        path = base / entry.file if (base / entry.file).exists() else assets and assets.find(name)
        if entry.type == "dsc" and path:
            directory = entry.file.rpartition("/")[0]
            yield from (FileRef(f"{directory}/{file.name}", file.size, file.sha256) for file in read_dsc(path).files)


def _checksums(base: Path, found: Remains, assets: Assets | None) -> dict[str, str]:
    """Give the SHA-256 that a .changes tells of a file: by its path where that is in the pool, by its name in the assets."""
    sums = {file.name: file.sha256 for changes in (assets.changes.values() if assets else ()) for file in changes.files}
    for directory in {entry.file.rpartition("/")[0] for entry in found.members}:
        for path in (base / directory).glob("*.changes"):
            sums |= {f"{directory}/{file.name}": file.sha256 for file in read_changes(path).files}
    return sums
