"""A copy of an archive on another machine, or wherever rsync can write. Owns rsync.

Which files a copy is made of, and in which order, is decided here and not by rsync's filters: it is given lists.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.archive.serving.site import TREES
from debkit.errors import ArchiveError, DebkitError, NetworkError
from debkit.run import Command, CommandFailed, temporary

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Completed, Run

# How rsync and the ssh under it are told which key, which program and which password to use.
VARIABLES = ("RSYNC_PASSWORD", "RSYNC_RSH", "SSH_AUTH_SOCK")
SILENCE_SECONDS = 600  # without a byte from the other side
# Exit codes of rsync(1): some files could not be transferred; sockets, protocol, timeouts; ssh's own for a failed connection.
PARTIAL = 23
OF_THE_NETWORK = frozenset({10, 12, 30, 35, 255})


def is_rsync(where: str) -> bool:
    """Whether a destination is another machine's: as rsync(1) has it, a colon stands before the first slash."""
    return ":" in where.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rsync:
    """The copy of `base` at a destination as rsync(1) takes it."""

    run: Run
    base: Path
    where: str

    @property
    def root(self) -> str:
        return f"{self.where.rstrip('/')}/"

    def existing(self) -> frozenset[str]:
        """List what a copy from there to here would bring."""
        trees = tuple(f"--include=/{tree}/***" for tree in TREES)
        with temporary("debkit-rsync.") as empty:
            argv = ("--recursive", "--links", "--dry-run", "--out-format=%n", *trees, "--exclude=*", "--", self.root, f"{empty}/")
            done = self._call(*argv, ok=frozenset({0, PARTIAL}))
        if done.code == PARTIAL and not _is_missing(done):
            raise self._failed(CommandFailed(done))
        return frozenset(line for line in done.stdout.splitlines() if line.startswith(TREES) and not line.endswith("/"))

    def read(self, name: str) -> str | None:
        with temporary("debkit-rsync.") as directory:
            done = self._call("--", f"{self.root}{name}", f"{directory}/", ok=frozenset({0, PARTIAL}))
            if done.code == PARTIAL and not _is_missing(done):
                raise self._failed(CommandFailed(done))
            return (directory / name).read_text(encoding="utf-8", errors="replace") if done.code == 0 else None

    def write(self, name: str, text: str) -> None:
        with temporary("debkit-rsync.") as directory:
            (directory / name).write_text(text, encoding="utf-8")
            self._call("--checksum", "--mkpath", "--perms", "--chmod=F644", "--", os.fspath(directory / name), self.root)

    def put(self, names: tuple[str, ...]) -> int:
        """Compare by content, since two indices may have been written in one second; of the pool's files sizes and times do."""
        compare = () if all(name.startswith("pool/") for name in names) else ("--checksum",)
        argv = (
            *compare,
            "--times",
            "--links",
            "--perms",
            "--chmod=D755,F644",
            "--out-format=%n",
            "--",
            f"{self.base}/",
            self.root,
        )
        return sum(not line.endswith("/") for line in self._listed(names, *argv).splitlines()) if names else 0

    def remove(self, names: tuple[str, ...]) -> None:
        """Bring over that they are not in a tree which has but their directories."""
        with temporary("debkit-rsync.") as tree:
            for name in names:
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
            if names:
                self._listed(names, "--delete-missing-args", "--omit-dir-times", "--", f"{tree}/", self.root)

    def _listed(self, names: tuple[str, ...], *words: str) -> str:
        return self._call("--files-from=-", "--from0", *words, stdin="\0".join(names).encode()).stdout

    def _call(self, *words: str, stdin: bytes = b"", ok: frozenset[int] = frozenset({0})) -> Completed:
        command = Command(
            argv=("rsync", f"--timeout={SILENCE_SECONDS}", *words),
            env=tuple((name, os.environ[name]) for name in VARIABLES if name in os.environ),
            secrets=(os.environ.get("RSYNC_PASSWORD", ""),),
            stdin=stdin,
            ok=ok,
            separate=True,
        )
        try:
            return self.run(command)
        except CommandFailed as failed:
            raise self._failed(failed) from failed
        except NetworkError as problem:  # of a name that is not known, say: what is told then is about mirrors
            raise self._unreached(problem.what.removeprefix("rsync failed: ")) from problem

    def _failed(self, failed: CommandFailed) -> DebkitError:
        said = "\n".join([line for line in failed.done.tail if re.match(r"rsync|@ERROR|ssh|.*: ", line)][:4])
        if failed.done.code in OF_THE_NETWORK:
            return self._unreached(said or failed.cause)
        return ArchiveError(
            f"the archive could not be copied to {self.where}",
            cause=said or failed.cause,
            hint=f"{shlex.join(('rsync', '--list-only', self.root))}, which tells whether the place is there",
        )

    def _unreached(self, cause: str) -> NetworkError:
        return NetworkError(
            f"the archive could not be copied to {self.where}",
            cause=cause,
            hint=f"check {self.where} and the network, then run the same command again: it goes on where this one stopped",
        )


def _is_missing(done: Completed) -> bool:
    return any("No such file or directory" in line for line in done.tail)
