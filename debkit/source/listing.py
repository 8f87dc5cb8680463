"""Which files of a tree are its source: git's word where there is git, else all but version control; nothing of debkit's."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import SourceError
from debkit.source.git import in_git, last_commit, list_files
from debkit.source.ours import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.config import Config
    from debkit.run import Run
    from debkit.source.git import Commit

VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".bzr", "CVS", "_darcs"})


@dataclass(frozen=True, slots=True)
class Listing:
    """The tree's files (without git also its empty directories), relative to it; `commit` is None where git knows nothing."""

    names: tuple[str, ...]
    commit: Commit | None


@dataclass(frozen=True, slots=True)
class Output:
    """Where debkit itself writes: a directory, and what in it is source all the same."""

    path: Path
    kept: Path | None = None

    def holds(self, path: Path) -> bool:
        return path.is_relative_to(self.path) and not (self.kept and path.is_relative_to(self.kept))


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a build in the tree leaves in its packaging directory: what dh_clean(1) removes, and so is never source."""

    packaging: str
    binaries: tuple[str, ...]

    def hold(self, name: str) -> bool:
        if not name.startswith(f"{self.packaging}/"):
            return False
        top = name.removeprefix(f"{self.packaging}/").partition("/")[0]
        return top in {"files", "debhelper-build-stamp", ".debhelper", "tmp", *self.binaries} or top.endswith(
            (".substvars", ".debhelper", ".debhelper.log")
        )


def outputs_of(config: Config, staging: Path, tree: Path) -> tuple[Output, ...]:
    """Where debkit writes, or has written in the tree's own name, except for what the tree itself lies in."""
    repo, root = config.repo.resolve(), tree.resolve()
    here = (Output(config.dist.resolve()), Output(staging.resolve()), Output(repo, repo / "conf"))
    marks = {"dist/report.json": Output(root / "dist"), "repo/conf/distributions": Output(root / "repo", root / "repo/conf")}
    own = (output for mark, output in marks.items() if (root / mark).is_file())
    return tuple(output for output in (*here, *own) if not root.is_relative_to(output.path))


def list_tree(run: Run, tree: Path, *, leftovers: Leftovers, outputs: tuple[Output, ...]) -> Listing:
    """List the source in a tree. Raises SourceError when git ignores its packaging."""
    root, packaging = tree.resolve(), leftovers.packaging
    if in_git(root):
        files = list_files(run, root)
        # A tree that a repository around it ignores, such as one in a home directory kept in git, is not that repository's.
        if files.tracked or files.others:
            unknown = (n for n in files.others if not (_is_output(root / n, outputs) or leftovers.hold(n)))
            tracked, others = (tuple(n for n in names if not is_ours(root, n)) for names in (files.tracked, unknown))
            listed = (*tracked, *others)
            if f"{packaging}/changelog" not in listed:
                raise SourceError(
                    f"git ignores {packaging}/changelog in {tree}",
                    cause="what git ignores is not part of the source",
                    hint=f"git -C {tree} check-ignore -v {packaging}/changelog",
                )
            commit = last_commit(run, root)
            return Listing(tuple(sorted(listed)), replace(commit, clean=commit.clean and not others))
    return Listing(tuple(sorted(name for name in _walk(root, outputs) if not leftovers.hold(name))), None)


def _walk(root: Path, outputs: tuple[Output, ...]) -> Iterator[str]:
    for directory, subdirectories, files in os.walk(root, onerror=_unreadable):
        here = Path(directory)
        subdirectories[:] = [
            name for name in subdirectories if name not in VERSION_CONTROL and not _prunable(here / name, outputs)
        ]
        linked = [name for name in subdirectories if (here / name).is_symlink()]
        ours = {name for name in files if is_ours(root, (here / name).relative_to(root).as_posix())}
        taken = [name for name in files if name not in VERSION_CONTROL | ours and not _is_output(here / name, outputs)]
        for name in (*linked, *taken):
            yield (here / name).relative_to(root).as_posix()
        if not subdirectories and not taken and not ours and here != root and not _is_output(here, outputs):
            yield here.relative_to(root).as_posix()


def _prunable(directory: Path, outputs: tuple[Output, ...]) -> bool:
    return any(output.path == directory and output.kept is None for output in outputs)


def _is_output(path: Path, outputs: tuple[Output, ...]) -> bool:
    return any(output.holds(path) for output in outputs)


def _unreadable(problem: OSError) -> None:
    raise SourceError(
        f"{problem.filename} cannot be read: {problem.strerror}",
        cause="it is part of the source tree",
        hint=f"ls -ld {problem.filename}",
    ) from problem
