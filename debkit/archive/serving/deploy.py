"""Copy what of an archive is for the world to where it is served, so that no client sees a file named that is not there.

First all that the new state is made of, then the signatures that name it, and last the deletions. What the new state no longer
has stays for the grace time of the archive, since a client that has just read the old signatures is about to fetch it; a file in
the copy says since when. It also says what beside dists/ and pool/ a deploy has written: of that goes what the archive no longer
has, such as the keyring of a name that it had before, and nothing else. A deploy that is cut short is finished by the next.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from debkit.archive.change import demand_settled
from debkit.archive.lock import WAIT_SECONDS, locked
from debkit.archive.serving import pages
from debkit.archive.serving.directory import Directory
from debkit.archive.serving.rsync import Rsync, is_rsync
from debkit.archive.serving.site import PAGE, TREES, is_public, read_site
from debkit.archive.whole import demand_whole
from debkit.console import Quiet
from debkit.errors import ArchiveError, ConfigError
from debkit.run import require_tool

if TYPE_CHECKING:
    from debkit.config import Config
    from debkit.console import Progress
    from debkit.run import Run

QUIET = Quiet()
# In the copy: what is obsolete there, a line each of when it was first seen to be (seconds since the epoch) and its path; and
# what is debkit's beside the trees, a line each of "own" and its name.
MARK = ".debkit-deploy"
NOTE = "# Left by debkit repo deploy: what it will remove here, since when that is no longer wanted, and what else is its own.\n"
STAGES = ("keys", "packages", "indices by their hash", "indices", "signatures", "front page")


class Target(Protocol):
    """Where a copy is kept. Paths are under its root, and under the archive's base."""

    def existing(self) -> frozenset[str]:
        """List the files below dists/ and pool/."""

    def read(self, name: str) -> str | None:
        """Give a small file's text, or None where it is not there."""

    def write(self, name: str, text: str) -> None:
        """Write a small file."""

    def put(self, names: tuple[str, ...]) -> int:
        """Copy files that are not there as they are in the archive, each whole or not at all; say how many that were."""

    def remove(self, names: tuple[str, ...]) -> None:
        """Remove files. One that is gone already is no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What a deploy did: how many files it copied and removed, and how many wait for their grace to end."""

    copied: int
    removed: int
    waiting: int


def deploy(
    run: Run, config: Config, where: str, *, to_pages: bool = False, progress: Progress = QUIET, wait: float = WAIT_SECONDS
) -> Deployed:
    """Copy the archive to `where`: a directory, or what rsync(1) calls a destination (HOST:PATH, rsync://HOST/MODULE).

    `to_pages` keeps GitHub Pages' limits. `wait` is in seconds, for another run to let go of the archive. Raises ArchiveError for
    an archive that is not whole or does not fit, or a place that holds another one; LockedError, MissingTool, NetworkError.
    """
    target = _choose(run, config, where, to_pages=to_pages)
    with locked(config.repo, what=f"deploying to {where}", progress=progress, wait=wait):
        demand_settled(config.repo)
        progress.phase("looking whether the archive is whole")
        demand_whole(run, config)
        site = read_site(config.repo)
        if isinstance(target, Directory) and to_pages:
            pages.demand(config.repo, site.files, target.root)
        progress.phase(f"looking at {where}")
        mark, there = target.read(MARK), target.existing()
        if mark is None:
            _demand_free(target, where, there)
        before = own(mark or "")
        if not site.top <= before:
            target.write(MARK, (mark or NOTE).rstrip("\n") + "\n" + _own_lines(site.top - before))
        copied = 0
        for name, stage in zip(STAGES, site.stages, strict=True):
            progress.phase(f"copying {name}")
            copied += target.put(stage)
        if to_pages:
            target.write(pages.NO_JEKYLL, "")
        progress.phase("removing what is old")
        due, waiting = obsolete(mark or "", there - site.files, now=time.time(), grace=config.archive.grace)
        due += tuple(sorted(before - site.top))
        target.remove(due)
        lines = "".join(f"{since:.0f} {path}\n" for path, since in sorted(waiting.items()))
        target.write(MARK, NOTE + lines + _own_lines(site.top))
    return Deployed(copied=copied, removed=len(due), waiting=len(waiting))


def obsolete(mark: str, files: frozenset[str], *, now: float, grace: float) -> tuple[tuple[str, ...], dict[str, float]]:
    """Tell those of the files that have been obsolete for `grace` seconds from the others, each with since when it is."""
    known = {path: float(since) for since, path in re.findall(r"^(\d+) (.+)$", mark, flags=re.MULTILINE)}
    since = {path: min(known.get(path, now), now) for path in files}
    waiting = {path: seen for path, seen in since.items() if now - seen < grace}
    return tuple(sorted(files - set(waiting))), waiting


def own(mark: str) -> frozenset[str]:
    """Tell which files beside the trees are debkit's. The copy is believed only where it names what an archive may have there."""
    names = re.findall(r"^own ([^/\0\n]+)$", mark, flags=re.MULTILINE)
    return frozenset(name for name in names if name not in TREES and is_public(PurePosixPath(name)))


def _own_lines(names: frozenset[str]) -> str:
    return "".join(f"own {name}\n" for name in sorted(names))


def _choose(run: Run, config: Config, where: str, *, to_pages: bool) -> Directory | Rsync:
    if is_rsync(where):
        if to_pages:
            raise ConfigError(
                f"{where} is no directory", cause="GitHub Pages are pushed from one", hint="debkit repo deploy --preset pages DIR"
            )
        require_tool("rsync")
        return Rsync(run=run, base=config.repo, where=where)
    root, base = Path(where).resolve(), config.repo.resolve()
    if root == base or base in root.parents:
        raise ConfigError(
            f"{where} is in the archive itself", cause=f"the archive is {base}", hint="debkit repo deploy DIR, another directory"
        )
    project = config.project.resolve()
    if root == project or root in project.parents:
        raise ConfigError(
            f"{where} is the project itself, or above it",
            cause=f"the project is {project}, and a copy consists of many files",
            hint="debkit repo deploy DIR, with a directory for nothing else",
        )
    return Directory(base=config.repo, root=root)


def _demand_free(target: Target, where: str, there: frozenset[str]) -> None:
    """Refuse a place with an archive or a front page which debkit has not put there: they would be removed or written over."""
    if not there and target.read(PAGE) is not None:
        raise ArchiveError(
            f"{where} has a front page already",
            cause=f"it has {PAGE}, and no {MARK} that says it is a copy which debkit has made",
            hint=f"name an empty place; or, if its {PAGE} may be replaced, remove that",
        )
    if there:
        raise ArchiveError(
            f"{where} holds another archive",
            cause=f"it has {min(there)}, and no {MARK} that says it is a copy which debkit has made",
            hint=f"debkit repo deploy PLACE, an empty one; or, if its dists/ and pool/ may be replaced: touch {MARK} there",
        )
