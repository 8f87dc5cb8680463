"""What can go wrong, as told to a user: what happened, the likely cause, the next command.

One class a kind of failure, each with an exit code of its own that never changes. Exit codes start at 3: 1 is a defect in
debkit, 2 a wrong command line. docs/reference/debkit.md lists them.
"""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path
from typing import ClassVar

ANOTHER_USER = (
    "it, or a directory on the way to it, belongs to another user, perhaps from an earlier run as root",
    "namei -l {file}",
)
# What a disk refuses: the likely cause and the next command. `near` is the file, or the nearest directory that is there.
DISK_TROUBLES = {
    errno.ENOSPC: ("the disk is full", "df -h {near}"),
    errno.EDQUOT: ("the disk quota is used up", "quota"),
    errno.EROFS: ("the file system is read-only", "findmnt -o TARGET,OPTIONS --target {near}"),
    errno.EACCES: ANOTHER_USER,
    errno.EPERM: ANOTHER_USER,
}


class DebkitError(Exception):
    """A failure that a user can act on.

    `what` says what happened, `cause` why that is likely, `hint` the next command to type: none of them is ever empty. `log` is
    where more stands, and `excerpt` the few lines of it that matter.
    """

    exit_code: int = 1
    meaning: ClassVar[str] = "a defect in debkit"

    def __init__(
        self,
        what: str,
        *,
        cause: str,
        hint: str,
        log: Path | None = None,
        excerpt: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.hint = hint
        self.log = log
        self.excerpt = excerpt


class ConfigError(DebkitError):
    exit_code = 3
    meaning = "the configuration or an argument names something that does not exist"


class HostError(DebkitError):
    exit_code = 4
    meaning = "this machine cannot do it yet"


class SourceError(DebkitError):
    exit_code = 5
    meaning = "the source is not usable"


class ChrootError(DebkitError):
    exit_code = 6
    meaning = "a chroot could not be made"


class DependencyError(DebkitError):
    exit_code = 7
    meaning = "the build dependencies cannot be installed"


class BuildError(DebkitError):
    exit_code = 8
    meaning = "the package does not build"


class EnvironmentFailure(DebkitError):
    exit_code = 9
    meaning = "the build environment failed, not the package"


class TimeoutFailure(DebkitError):
    exit_code = 10
    meaning = "a step took longer than allowed"


class CheckError(DebkitError):
    exit_code = 11
    meaning = "a check found the package wrong"


class CheckIncomplete(DebkitError):
    exit_code = 12
    meaning = "a check was skipped or broke, so nothing was published"


class SigningError(DebkitError):
    exit_code = 13
    meaning = "the signing key is missing or unusable"


class ArchiveError(DebkitError):
    exit_code = 14
    meaning = "the archive could not take the upload"


class ArchiveConflict(DebkitError):
    exit_code = 15
    meaning = "the archive has this version with other content"


class NetworkError(DebkitError):
    exit_code = 16
    meaning = "a download or an upload failed"


class DiskError(DebkitError):
    exit_code = 17
    meaning = "a file cannot be written or read: the disk is full or read-only, or it is not yours"


class MissingTool(DebkitError):
    exit_code = 18
    meaning = "a program that debkit needs is not installed"


class LockedError(DebkitError):
    exit_code = 19
    meaning = "another run holds the lock"


class AccelError(DebkitError):
    exit_code = 20
    meaning = "no toolbox for acceleration could be made"


class AccelDifference(DebkitError):
    exit_code = 21
    meaning = "an accelerated build did not make what an emulated one made"


class ReleaseError(DebkitError):
    exit_code = 22
    meaning = "GitHub could not take the release"


class ReleaseConflict(DebkitError):
    exit_code = 23
    meaning = "the release on GitHub has a file with other content"


class Interrupted(DebkitError):
    """Ctrl-C, SIGTERM or SIGHUP; the exit code is the shell's 128 + signal."""

    exit_code = 130
    meaning = "interrupted (143 when ended by SIGTERM)"

    def __init__(self, signal: int) -> None:
        super().__init__("interrupted", cause="the run was asked to stop", hint="run the same command again")
        self.exit_code = 128 + signal


def disk_error(problem: OSError) -> DebkitError | None:
    """Tell what a disk refuses, or give None for an error of another kind.

    Of the two files that a copy and a rename name, the second is the one written. EACCES stands for reading as well as for
    writing: a file that may not even be read is called unreadable.
    """
    trouble = DISK_TROUBLES.get(problem.errno or 0)
    file = next((os.fsdecode(name) for name in (problem.filename2, problem.filename) if isinstance(name, str | bytes)), "")
    if trouble is None or (trouble is ANOTHER_USER and not file):  # kill(2) and bind(2) refuse too, and name no file
        return None
    cause, hint = trouble
    path = Path(file)
    near = next((p for p in (path, *path.parents) if os.access(p, os.F_OK)), path)
    closed = problem.errno == errno.EACCES and not os.access(near, os.R_OK if near == path else os.X_OK)
    return DiskError(
        f"{file or 'a file'} cannot be {'read' if closed else 'written'}: {problem.strerror}",
        cause=cause,
        hint=hint.format(file=shlex.quote(file), near=shlex.quote(os.fspath(near)) if file else "").rstrip(),
    )


def defect(problem: BaseException) -> DebkitError:
    """Make the error for what debkit did not foresee."""
    return DebkitError(
        f"debkit itself failed: {type(problem).__name__}: {problem}",
        cause="this is a defect in debkit, not in your package",
        hint="run the same command with --debug and report what it prints",
    )
