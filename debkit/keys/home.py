"""GnuPG home directories: throwaway ones for keys that are handed to us, and short names for those that lie too deep.

gpg-agent listens on a Unix socket in the home directory unless /run/user has room for it, and a socket's path is at most 107
bytes long (unix(7)).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from debkit.run import Command, temporary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Run

PREFIX = "debkit-gpg."
LINK = "home"
LONGEST_HOME = 107 - len("/S.gpg-agent.browser")
LONGEST_PARENT = 50


@contextlib.contextmanager
def throwaway(run: Run) -> Iterator[Path]:
    """Make a private home that is gone at the end, its agent too; those that killed runs have left go at the start."""
    with temporary(PREFIX, short_directory(), remove=partial(_remove, run)) as home:
        yield home


@contextlib.contextmanager
def reachable(run: Run, home: Path) -> Iterator[Path]:
    """Give a home's name by which an agent can listen in it: its own, or a short symbolic link to it.

    Through the link an agent of ours is started, since under the long name there cannot be one; it is ended again.
    """
    if len(os.fspath(home)) <= LONGEST_HOME or not _socket(run, home).is_relative_to(home):
        yield home
        return
    with temporary(PREFIX, short_directory(), remove=partial(_remove, run)) as directory:
        link = directory / LINK
        link.symlink_to(home)
        try:
            yield link
        finally:
            end_agent(run, link)


def _remove(run: Run, directory: Path) -> None:
    """Remove the directory of a throwaway home or of a link to one, whose agent is ended."""
    try:
        for home in directory.glob("*"):
            link = home / LINK
            end_agent(run, link if link.is_symlink() else home)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def end_agent(run: Run, home: Path) -> None:
    """End the daemons of a home, and remove their directory under /run/user where they have one."""
    codes = frozenset(range(256))
    run(Command(argv=("gpgconf", "--homedir", os.fspath(home), "--kill", "all"), ok=codes, cleanup=True))
    run(Command(argv=("gpgconf", "--homedir", os.fspath(home), "--remove-socketdir"), ok=codes, cleanup=True))


def is_throwaway(home: Path) -> bool:
    return home.parent.name.startswith(PREFIX)


def by_hand(home: Path, *words: str) -> str:
    """Write the gpg command to type once debkit has ended: a throwaway home is gone by then, so its key is brought again."""
    if is_throwaway(home):
        return f"gpg --import SECRET-KEY.asc && {shlex.join(('gpg', *words))}"
    return shlex.join(("gpg", "--homedir", os.fspath(home.resolve()), *words))


def short_directory() -> Path:
    """Where a throwaway home goes: in memory where the system gives the user such a place, and never deep."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    for name in (runtime, tempfile.gettempdir()):
        path = Path(name)
        # After sudo or su the variable may name another user's.
        ours = path.is_dir() and (name != runtime or path.stat().st_uid == os.getuid())
        if 1 < len(name) <= LONGEST_PARENT and ours and os.access(path, os.W_OK | os.X_OK):
            return path
    return Path("/tmp")  # noqa: S108 (mkdtemp makes a private directory in it)


def _socket(run: Run, home: Path) -> Path:
    done = run(Command(argv=("gpgconf", "--homedir", os.fspath(home), "--list-dirs", "agent-socket")))
    return Path(unquote(done.stdout.strip()))
