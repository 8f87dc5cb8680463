"""A command and its end as frozen values, the environment a child is given, and what went wrong when it fails."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from debkit.errors import DebkitError, DiskError, HostError, MissingTool, NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO

TAIL_LINES = 40
NOT_FOUND = 127  # the shell's exit code

# What a child may see of our environment: nothing of a key, a token or a passphrase is on this list.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "DEBEMAIL", "DEBFULLNAME",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip

# "command not found" is most often a Debian package that is not there.
PROVIDED_BY = {
    "apt-ftparchive": "apt-utils",
    "autopkgtest": "autopkgtest",
    "debsign": "devscripts",
    "dpkg-source": "dpkg-dev",
    "gbp": "git-buildpackage",
    "git": "git",
    "gpg": "gnupg",
    "ip": "iproute2",
    "mergechanges": "devscripts",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "pbuilder": "pbuilder",
    "reprepro": "reprepro",
    "sbuild": "sbuild",
    "unshare": "util-linux",
    "usermod": "passwd",
    "zstd": "zstd",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to run.

    `env` is added to the allow-listed environment; `stdin` is fed to it (else /dev/null), `stdin_file` is a file opened for it.
    `timeout` is in seconds. `ok` are the exit codes that are not an error. Output goes to `log` (appended) as it comes. With
    `separate`, standard error is kept out of `Completed.stdout`; without `keep` nothing is gathered there, for output without
    bounds such as a build's. With `terminal` the child stays in the caller's session, where sudo can ask for a password. No
    secret shows in the log, the tail or an error.

    A `minor` command comes again and again, and the report does without it.

    `cleanup` is for taking away what a run leaves: it runs to its end even after the run was asked to stop. `name` is what to
    call it in an error, where argv begins with what it is wrapped in.
    """

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: Path | None = None
    stdin: bytes = b""
    stdin_file: Path | None = None
    timeout: float | None = None
    ok: frozenset[int] = frozenset({0})
    log: Path | None = None
    secrets: tuple[str, ...] = ()
    separate: bool = False
    keep: bool = True
    cleanup: bool = False
    name: str = ""
    terminal: bool = False
    minor: bool = False
    pass_fds: tuple[int, ...] = ()

    def __str__(self) -> str:
        return redact(shlex.join(self.argv), self.secrets)

    @property
    def program(self) -> str:
        return self.name or Path(self.argv[0]).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command ended. `stdout` is all it printed (both streams unless `separate`), `tail` its last lines of both."""

    command: Command
    code: int
    seconds: float
    stdout: str
    tail: tuple[str, ...]


class CommandFailed(DebkitError):
    """A command ended with a code that its caller did not accept. Stages turn it into their own error where they know more."""

    exit_code = 9
    meaning = "the build environment failed, not the package"

    def __init__(self, done: Completed) -> None:
        said = "\n".join(done.tail[-8:]).strip()
        super().__init__(
            f"{done.command.program} {explain_code(done.code)}",
            cause=said or _silent(done.code),
            hint=f"less {done.command.log}" if said and done.command.log else f"debkit doctor; or try by hand: {done.command}",
            log=done.command.log,
        )
        self.done = done


def _silent(code: int) -> str:
    """Say what is likely of a command that ended badly and printed nothing."""
    if code == -signal.SIGKILL:
        return "memory ran out, which journalctl -k tells, or somebody ended it"
    return "somebody ended it, or it has a defect" if code < 0 else "it does not say: it printed nothing"


# What tools print when the machine, not the work, is at fault. First match wins.
TROUBLES: tuple[tuple[re.Pattern[str], type[DebkitError], str, str], ...] = (
    (re.compile(r"No space left on device|ENOSPC"), DiskError, "the disk is full", "df -h, then free some room"),
    (re.compile(r"Read-only file system|EROFS"), DiskError, "the file system is read-only", "findmnt -o TARGET,OPTIONS"),
    (
        re.compile(
            r"Temporary failure resolving|Could not resolve|Could not connect|Connection failed|Connection timed out"
            r"|Unable to connect|Network is unreachable|40[34] +Not Found|Failed to fetch|50[0-9] +\w+ .*\[IP"
        ),
        NetworkError,
        "the mirror cannot be reached, or lacks the file",
        "check the network and the mirror, then run the same command again",
    ),
    (
        re.compile(r"^(unshare|newuidmap|newgidmap): "),
        HostError,
        "user namespaces or subordinate ids are not there for this user",
        "debkit doctor --fix",
    ),
)


def failure(done: Completed) -> DebkitError:
    """Make the error for a command that ended badly: the machine's own trouble where its last lines tell of one."""
    for line in done.tail:
        for pattern, error, cause, hint in TROUBLES:
            if pattern.search(line):
                return error(f"{done.command.program} failed: {line.strip()}", cause=cause, hint=hint, log=done.command.log)
    return CommandFailed(done)


class Run(Protocol):
    """What every room is given to start processes with. Tests pass a fake that records the commands."""

    def __call__(self, command: Command, on_line: Callable[[str], None] | None = None) -> Completed: ...


class Talker(Run, Protocol):
    """A `Run` that can also answer what a command asks on a terminal."""

    def converse(self, command: Command, replies: tuple[tuple[str, str], ...]) -> Completed: ...


def redact(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, "********")
    return text


def explain_code(code: int) -> str:
    """Say what an exit code means; a negative one is a signal, as subprocess has it."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    if code == NOT_FOUND:
        return "exited with 127: a program it calls was not found"
    return f"exited with {code}"


def child_environment(added: Mapping[str, str]) -> dict[str, str]:
    """Give the allow-listed environment, with the sbin directories on PATH (a user's own often lacks them) and a fixed locale."""
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = env.get("PATH", os.defpath).split(":")
    env["PATH"] = ":".join(path + [d for d in ("/usr/local/sbin", "/usr/sbin", "/sbin") if d not in path])
    return {**env, "LC_ALL": "C.UTF-8", **added}


def find_tool(name: str) -> Path | None:
    """Where a child would find the program, or None."""
    found = shutil.which(name, path=child_environment({})["PATH"])
    return Path(found) if found else None


def require_tool(name: str) -> Path:
    """Where the program is; raises MissingTool naming the Debian package that has it."""
    found = find_tool(name)
    if found is None:
        package = PROVIDED_BY.get(Path(name).name, Path(name).name)
        raise MissingTool(
            f"{name} is not installed",
            cause=f"it is in the Debian package {package}",
            hint=f"sudo apt-get install {package}",
        )
    return found


def open_log(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a", encoding="utf-8")
