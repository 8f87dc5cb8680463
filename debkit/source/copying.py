"""Take a tree's files into staging, under their names in the source package, with modes and times that tell nothing of here."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from debkit.errors import SourceError


@dataclass(frozen=True, slots=True)
class Taken:
    """A file of a tree, its name in the source package, and where it leads if it is a symbolic link."""

    origin: Path
    name: str
    link: str = ""


def take(tree: Path, names: tuple[str, ...], *, packaging: str = "debian") -> tuple[Taken, ...]:
    """Say how each file of the tree is called in the source package, where `packaging` becomes debian/."""
    taken = []
    for name in names:
        if packaging != "debian" and (name == "debian" or name.startswith("debian/")):
            continue  # a link to the packaging
        origin = tree / name
        link = relinked(name, os.readlink(origin), packaging) if origin.is_symlink() else ""  # noqa: PTH115 (Path drops "./")
        taken.append(Taken(origin, moved(name, packaging), link))
    return tuple(sorted(taken, key=lambda file: file.name))


def moved(name: str, packaging: str) -> str:
    """Give the name that a file gets when `packaging` becomes debian/."""
    if name == packaging or name.startswith(f"{packaging}/"):
        return "debian" + name[len(packaging) :]
    return name


def relinked(name: str, target: str, packaging: str) -> str:
    """Where the link `name` must lead so that it still reaches the same file when `packaging` becomes debian/."""
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if target.startswith("/") or reached.startswith(".."):
        return target
    here, there = moved(name, packaging), moved(reached, packaging)
    if (here, there) == (name, reached):
        return target
    return posixpath.relpath(there, posixpath.dirname(here) or ".")


def digest(files: tuple[Taken, ...]) -> str:
    """Give the SHA-256 of what the files hold: names, kinds, links, whether executable, and contents."""
    whole = hashlib.sha256()
    for file in files:
        kind, content = _content(file)
        whole.update(f"{kind} {content} ".encode() + os.fsencode(file.name) + b"\0")
    return whole.hexdigest()


def newest(tree: Path, files: tuple[Taken, ...]) -> int:
    """When the tree last changed, in seconds since the epoch. A deleted file shows in the time of its directory."""
    root = tree.resolve()
    paths = {root} | {file.origin for file in files}
    for file in files:
        for parent in file.origin.parents:
            if parent in paths or not parent.is_relative_to(root):
                break
            paths.add(parent)
    return max(int(path.lstat().st_mtime) for path in paths)


def copy(files: tuple[Taken, ...], into: Path) -> None:
    """Copy the files under their new names."""
    for file in files:
        to = into / file.name
        to.parent.mkdir(parents=True, exist_ok=True)
        if file.link:
            to.symlink_to(file.link)
        elif file.origin.is_dir():
            to.mkdir(exist_ok=True)
        else:
            shutil.copyfile(file.origin, to)
            to.chmod(_mode(file.origin))


def normalise(tree: Path, timestamp: int) -> None:
    """Set every mode to 0755 or 0644 and every time to `timestamp`, so that equal content makes equal archives."""
    for directory, subdirectories, names in os.walk(tree, topdown=False):
        for name in (*subdirectories, *names):
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(_mode(path))
            os.utime(path, (timestamp, timestamp), follow_symlinks=False)
    tree.chmod(0o755)
    os.utime(tree, (timestamp, timestamp))


def _mode(path: Path) -> int:
    mode = path.stat().st_mode
    return 0o755 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o644


def _content(file: Taken) -> tuple[str, str]:
    """Give a file's kind and the hash of what it holds."""
    if file.link:
        return "link", hashlib.sha256(os.fsencode(file.link)).hexdigest()
    try:
        mode = file.origin.lstat().st_mode
        if stat.S_ISDIR(mode):
            return "directory", ""
        if not stat.S_ISREG(mode):
            raise SourceError(
                f"{file.origin} is neither a file, a directory nor a link",
                cause="a source package cannot hold a socket, a pipe or a device",
                hint=f"rm {file.origin}",
            )
        with file.origin.open("rb") as stream:
            return "program" if mode & stat.S_IXUSR else "file", hashlib.file_digest(stream, "sha256").hexdigest()
    except PermissionError as problem:
        raise SourceError(
            f"{file.origin} cannot be read",
            cause="it is part of the source, and belongs to another user or lacks the read permission",
            hint=f"ls -l {file.origin}",
        ) from problem
    except FileNotFoundError as problem:
        raise changed(file.origin) from problem


def changed(path: Path) -> SourceError:
    """Make the error for a tree that was edited while it was being copied."""
    return SourceError(
        f"{path} changed while it was being copied",
        cause="something edits the tree: an editor, a build, or a git checkout under way",
        hint="run the same command again",
    )
