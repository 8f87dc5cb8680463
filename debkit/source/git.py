"""What git knows of a source tree: its files, its last commit, and whether anything differs from it. Nothing is written.

Owns git as far as reading a user's tree goes.
"""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.errors import SourceError
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run

# git asks these whether root, become so through sudo, may trust the caller's tree (git-config(1), safe.directory).
SUDO = ("SUDO_UID", "SUDO_GID")
CACHED = re.compile(r"(?P<tag>\S) (?P<mode>\d{6}) [0-9a-f]+ \d\t(?P<path>.+)")
SUBMODULE = "160000"
NOT_CHECKED_OUT = "S"  # git-ls-files(1), -t: skip-worktree


@dataclass(frozen=True, slots=True)
class Commit:
    """The last commit that touched the tree: its id, and whether nothing differs from it.

    `number` is how many commits that touched the tree there are up to it, and `time` the newest committer time of them, in
    seconds since the epoch: its own may be older than that of a commit before it. A `shallow` clone lacks some, so that there
    the number is 0.
    """

    id: str
    time: int
    clean: bool
    number: int = 0
    shallow: bool = False


@dataclass(frozen=True, slots=True)
class GitFiles:
    """The files of a tree as git lists them, relative to it: those it tracks, and the others that it does not ignore."""

    tracked: tuple[str, ...]
    others: tuple[str, ...]


def in_git(tree: Path) -> bool:
    resolved = tree.resolve()
    return any((directory / ".git").exists() for directory in (resolved, *resolved.parents))


def git_argv(*words: str) -> tuple[str, ...]:
    # Without optional locks `git status` does not refresh the user's index; quoted paths keep odd names whole.
    return ("git", "--no-optional-locks", "-c", "core.quotePath=true", *words)


def git(run: Run, tree: Path, *words: str, ok: frozenset[int] = frozenset({0}), stdin: bytes = b"") -> str:
    """Run git in the tree and return what it printed. Raises SourceError with git's own words."""
    env = tuple((name, os.environ[name]) for name in SUDO if name in os.environ)
    try:
        return run(Command(argv=git_argv(*words), cwd=tree, env=env, ok=ok, stdin=stdin, separate=True)).stdout
    except CommandFailed as failed:
        said = "\n".join(failed.done.tail[-6:])
        if "dubious ownership" in said:
            raise SourceError(
                f"git does not trust {tree}: it belongs to another user",
                cause="git reads nothing of a repository that another user could have laid a trap in",
                hint=f"git config --global --add safe.directory '{toplevel(tree)}'",
            ) from failed
        raise SourceError(
            f"git cannot read {tree}",
            cause=said or f"git exited with {failed.done.code}",
            hint=f"git -C {tree} status",
        ) from failed


def toplevel(tree: Path) -> Path:
    """Find the directory with .git that the tree is in."""
    resolved = tree.resolve()
    return next((d for d in (resolved, *resolved.parents) if (d / ".git").exists()), resolved)


def list_files(run: Run, tree: Path) -> GitFiles:
    """List what is in the working tree: deleted files left out, files of submodules and of repositories inside it too."""
    tracked: list[str] = []
    others: list[str] = []
    for line in git(run, tree, "ls-files", "--stage", "-t").splitlines():
        if not (entry := CACHED.fullmatch(line)):
            raise SourceError(
                f"git listed what debkit cannot read: {line}",
                cause="this git prints its index in another form than git-ls-files(1) says",
                hint=f"git -C {tree} ls-files --stage -t",
            )
        path = unquoted(entry["path"])
        if entry["mode"] == SUBMODULE:
            tracked += _inside(run, tree, path, submodule=True)
        elif (tree / path).is_symlink() or (tree / path).is_file():
            tracked.append(path)
        elif entry["tag"] == NOT_CHECKED_OUT:
            raise SourceError(
                f"{path} is not checked out in {tree}",
                cause="the checkout is sparse, so the tree does not hold all of its source",
                hint=f"git -C {tree} sparse-checkout disable",
            )
    for line in git(run, tree, "ls-files", "--others", "--exclude-standard").splitlines():
        path = unquoted(line)
        others += _inside(run, tree, path.rstrip("/"), submodule=False) if path.endswith("/") else [path]
    return GitFiles(tuple(dict.fromkeys(tracked)), tuple(others))


def last_commit(run: Run, tree: Path) -> Commit:
    """Find the last commit that touched the tree; its id is empty where nothing was committed. New files do not count here."""
    commits = list_commits(run, tree, ".")
    if not commits:
        return Commit("", 0, clean=False)
    changed = git(run, tree, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=none", "--", ".")
    shallow = git(run, tree, "rev-parse", "--is-shallow-repository").strip() == "true"
    newest = max(time for time, _ in commits)
    return Commit(commits[0][1], newest, clean=not changed.strip(), number=0 if shallow else len(commits), shallow=shallow)


def list_commits(run: Run, tree: Path, *only: str) -> tuple[tuple[int, str], ...]:
    """List HEAD's commits, or `only` those that changed these paths, by committer time and id: no commit before one made of it.

    Of two commits the later one's list has all of the earlier one's, and more if the paths differ: --simplify-merges keeps a
    merge that took one side's files where the other side's are newer (git-rev-list(1)).
    """
    # rev-list, since log obeys the user's configuration; 128 is a repository without a commit.
    paths = ("--simplify-merges", "HEAD", "--", *only) if only else ("HEAD",)
    told = git(run, tree, "rev-list", "--topo-order", "--timestamp", *paths, ok=frozenset({0, 128}))
    return tuple((int(time), commit) for time, _, commit in (line.partition(" ") for line in told.splitlines()))


def unquoted(path: str) -> str:
    r"""Undo git's quoting of unusual paths (git-config(1), core.quotePath): "caf\303\251" in double quotes."""
    if not path.startswith('"'):
        return path
    raw: bytes = ast.literal_eval("b" + path)
    return os.fsdecode(raw)


def _inside(run: Run, tree: Path, path: str, *, submodule: bool) -> list[str]:
    """List the repository at `path` in the tree."""
    if submodule and not (tree / path / ".git").exists():
        raise SourceError(
            f"the submodule {path} is not checked out in {tree}",
            cause="its files are part of the source",
            hint=f"git -C {tree} submodule update --init --recursive",
        )
    files = list_files(run, tree / path)
    return [f"{path}/{name}" for name in (*files.tracked, *files.others)]
