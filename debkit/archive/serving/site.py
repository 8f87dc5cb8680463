"""What of an archive's directory is for the world, and the order in which it is copied: nothing is named before it is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PAGE = "index.html"
SNIPPET = "INSTALL.md"
TREES = ("dists", "pool")
SIGNATURES = ("InRelease", "Release", "Release.gpg")
SUITE_DEPTH = 3  # dists/SUITE/FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An archive's public files, by their paths under its base, each group to be in place before the next one is begun.

    The keys come first: a client must know a new one before anything is signed by it.
    """

    keys: tuple[str, ...]
    pool: tuple[str, ...]
    by_hash: tuple[str, ...]
    indices: tuple[str, ...]
    signatures: tuple[str, ...]
    front: tuple[str, ...]

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        return (self.keys, self.pool, self.by_hash, self.indices, self.signatures, self.front)

    @property
    def top(self) -> frozenset[str]:
        """What lies beside the trees."""
        return frozenset((*self.keys, *self.front))

    @property
    def files(self) -> frozenset[str]:
        return frozenset(path for stage in self.stages for path in stage)


def is_public(path: PurePosixPath) -> bool:
    """Whether a path under the base is served and deployed: pool/, dists/ less snapshots and unfinished files, what a user needs.

    Nothing whose name begins with a dot is.
    """
    if any(part.startswith(".") for part in path.parts):
        return False
    match path.parts:
        case ("dists", _, "snapshots", *_):
            return False
        case ("dists", *_):
            return path.suffix != ".new"
        case ("pool", *_):
            return True
        case (name,):
            return name in {PAGE, SNIPPET} or name.endswith(("-archive-keyring.pgp", ".sources"))
        case _:
            return False


def read_site(base: Path) -> Site:
    """List an archive's public files. Its lock must be held."""
    files = [path for path in _walk(base) if is_public(PurePosixPath(path))]
    dists = [path for path in files if path.startswith("dists/")]
    signatures = [path for path in dists if path.count("/") == SUITE_DEPTH - 1 and path.endswith(SIGNATURES)]
    by_hash = [path for path in dists if "/by-hash/" in path]
    top = [path for path in files if "/" not in path]
    return Site(
        keys=tuple(path for path in top if path.endswith(".pgp")),
        pool=tuple(path for path in files if path.startswith("pool/")),
        by_hash=tuple(by_hash),
        indices=tuple(sorted({*dists} - {*by_hash} - {*signatures})),
        signatures=tuple(sorted(signatures, key=lambda path: SIGNATURES.index(path.rpartition("/")[2]))),
        front=tuple(sorted((path for path in top if not path.endswith(".pgp")), key=lambda path: path == PAGE)),
    )


def _walk(base: Path) -> list[str]:
    """List the files of the base and of its public trees; a link to a directory, such as a suite's other name, is a file here."""
    found = [entry.name for entry in os.scandir(base) if entry.is_file()]
    for tree in TREES:
        for directory, names, files in os.walk(base / tree):
            where = Path(directory)
            links = [name for name in names if (where / name).is_symlink()]
            names[:] = sorted(name for name in names if is_public(PurePosixPath((where / name).relative_to(base))))
            found += [(where / name).relative_to(base).as_posix() for name in (*links, *files)]
    return sorted(found)
