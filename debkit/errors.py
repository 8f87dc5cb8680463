"""What can go wrong, as told to a user: what happened, the likely cause, the next command.

One class a kind of failure, each with an exit code of its own that never changes. Exit codes start at 3: 1 is a defect in
debkit, 2 a wrong command line. The README lists them; a test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


class DebkitError(Exception):
    """A failure that a user can act on.

    `what` says what happened, `cause` why that is likely, `hint` the next command to type; `log` is where more stands, and
    `excerpt` the few lines of it that matter.
    """

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "a defect in debkit"

    def __init__(
        self,
        what: str,
        *,
        cause: str = "",
        hint: str = "",
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
    meaning = "a download failed"


class DiskError(DebkitError):
    exit_code = 17
    meaning = "a file cannot be written: the disk is full, read-only, or it is not yours"


class MissingTool(DebkitError):
    exit_code = 18
    meaning = "a program that debkit needs is not installed"


class LockedError(DebkitError):
    exit_code = 19
    meaning = "another run holds the lock"


class Interrupted(DebkitError):
    """Ctrl-C, SIGTERM or SIGHUP; the exit code is the shell's 128 + signal."""

    exit_code = 130
    meaning = "interrupted (143 when ended by SIGTERM)"

    def __init__(self, signal: int) -> None:
        super().__init__("interrupted", cause="the run was asked to stop", hint="run the same command again")
        self.signal = signal
