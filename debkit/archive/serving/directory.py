"""A copy of an archive in a directory of this machine."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from debkit.archive.serving.site import TREES
from debkit.errors import ConfigError
from debkit.paths import put

READABLE = 0o444  # by everybody: a web server is another user


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The copy of `base` in `root`. What never changes under its name is a hard link where the two are on one file system."""

    base: Path
    root: Path

    def existing(self) -> frozenset[str]:
        found: set[str] = set()
        for tree in TREES:
            for directory, names, files in os.walk(self.root / tree):
                where = Path(directory)
                links = [name for name in names if (where / name).is_symlink()]
                found.update((where / name).relative_to(self.root).as_posix() for name in (*files, *links))
        return frozenset(found)

    def read(self, name: str) -> str | None:
        file = self.root / name
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else None

    def write(self, name: str, text: str) -> None:
        self._make_directory(self.root)
        put(self.root / name, text.encode())

    def put(self, names: tuple[str, ...]) -> int:
        return sum(self._put(name) for name in names)

    def remove(self, names: tuple[str, ...]) -> None:
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            while (path := path.parent) != self.root and path.is_dir() and not any(path.iterdir()):
                path.rmdir()

    def _put(self, name: str) -> bool:
        source, file = self.base / name, self.root / name
        about = source.lstat()
        if file.is_symlink() or file.exists():
            there = file.lstat()
            if (there.st_mode & READABLE, there.st_size, there.st_mtime_ns) == (READABLE, about.st_size, about.st_mtime_ns):
                return False
        self._make_directory(file.parent)
        new = file.with_name(f".{file.name}.new")
        new.unlink(missing_ok=True)
        try:
            self._copy(source, new, lasting=_is_lasting(name))
        except OSError as problem:
            new.unlink(missing_ok=True)
            if problem.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise OSError(problem.errno, problem.strerror, os.fspath(file)) from problem
        new.replace(file)
        return True

    @staticmethod
    def _copy(source: Path, new: Path, *, lasting: bool) -> None:
        about = source.lstat()
        if source.is_symlink():
            new.symlink_to(source.readlink())
            os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns), follow_symlinks=False)
        elif not (lasting and about.st_mode & READABLE == READABLE and _linked(source, new)):
            shutil.copyfile(source, new)
            new.chmod(0o644)
            os.utime(new, ns=(about.st_atime_ns, about.st_mtime_ns))

    def _make_directory(self, path: Path) -> None:
        """Make a directory into which everybody can go, whatever the umask. Raises ConfigError where there can be none."""
        if path.is_dir():
            return
        self._make_directory(path.parent)
        try:
            path.mkdir()
        except (FileExistsError, FileNotFoundError) as problem:  # the latter where there are no files at all, as in /proc
            taken = isinstance(problem, FileExistsError)
            raise ConfigError(
                f"{path} cannot be a directory",
                cause="there is a file of that name" if taken else "its file system takes no directories",
                hint="debkit repo deploy DIR, with another directory",
            ) from problem
        path.chmod(0o755)


def _is_lasting(name: str) -> bool:
    return name.startswith("pool/") or "/by-hash/" in name


def _linked(source: Path, new: Path) -> bool:
    """Make a hard link where the file systems and the kernel (protected_hardlinks in proc_sys_fs(5)) allow it."""
    try:
        new.hardlink_to(source)
    except OSError:
        return False
    return True
