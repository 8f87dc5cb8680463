"""The only room that starts a process (but for gpg, which python-gnupg starts).

A command is a frozen value; `Processes` runs it in a session of its own with an allow-listed environment, streams its output to
a log, keeps the tail for the error, and ends the whole tree on a timeout, an interrupt, or debkit's own death.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pexpect

from debkit.errors import DebkitError, DiskError, Interrupted, MissingTool, NetworkError, TimeoutFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType
    from typing import IO

TAIL_LINES = 40
GRACE_SECONDS = 20.0  # sbuild needs about ten to take its chroot away
POLL_SECONDS = 0.2

# What a child may see of our environment: nothing of a key, a token or a passphrase is on this list.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "DEBEMAIL", "DEBFULLNAME",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip

# "command not found" is most often a Debian package that is not there.
PROVIDED_BY = {
    "autopkgtest": "autopkgtest",
    "debsign": "devscripts",
    "dpkg-source": "dpkg-dev",
    "gbp": "git-buildpackage",
    "git": "git",
    "gpg": "gnupg",
    "mergechanges": "devscripts",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "pbuilder": "pbuilder",
    "reprepro": "reprepro",
    "sbuild": "sbuild",
    "zstd": "zstd",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to run.

    `env` is added to the allow-listed environment; `stdin` is fed to it (else /dev/null), `stdin_file` is a file opened for it.
    `timeout` is in seconds. `ok` are the exit codes that are not an error. Output goes to `log` (appended) as it comes. With
    `separate`, standard error is kept out of `Completed.stdout`. No secret shows in the log, the tail or an error.
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
    pass_fds: tuple[int, ...] = ()

    def __str__(self) -> str:
        return redact(shlex.join(self.argv), self.secrets)


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
        name = Path(done.command.argv[0]).name
        super().__init__(
            f"{name} {explain_code(done.code)}",
            cause="\n".join(done.tail[-8:]),
            hint=str(done.command),
            log=done.command.log,
        )
        self.done = done


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
)


def failure(done: Completed) -> DebkitError:
    """The error for a command that ended badly: the machine's own trouble where its last lines tell of one."""
    for line in done.tail:
        for pattern, error, cause, hint in TROUBLES:
            if pattern.search(line):
                name = Path(done.command.argv[0]).name
                return error(f"{name} failed: {line.strip()}", cause=cause, hint=hint, log=done.command.log)
    return CommandFailed(done)


class Run(Protocol):
    """What every room is given to start processes with. Tests pass a fake that records the commands."""

    def __call__(self, command: Command, on_line: Callable[[str], None] | None = None) -> Completed: ...


def redact(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, "********")
    return text


def explain_code(code: int) -> str:
    """Say what an exit code means; a negative one is a signal, as subprocess has it."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    if code == 127:
        return "exited with 127: a program it calls was not found"
    return f"exited with {code}"


def child_environment(added: Mapping[str, str]) -> dict[str, str]:
    """The allow-listed environment, with the sbin directories on PATH (a user's own often lacks them) and a fixed locale."""
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = env.get("PATH", os.defpath).split(":")
    env["PATH"] = ":".join(path + [d for d in ("/usr/local/sbin", "/usr/sbin", "/sbin") if d not in path])
    return {**env, "LC_ALL": "C.UTF-8", **added}


def find_tool(name: str) -> Path | None:
    """Where a child would find the program, or None."""
    found = shutil.which(name, path=child_environment({})["PATH"])
    return Path(found) if found else None


@dataclass(slots=True)
class _Output:
    """Collects what a child prints: whole, by line, and the tail."""

    secrets: tuple[str, ...]
    log: IO[str] | None
    on_line: Callable[[str], None] | None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    _partial: dict[int, str] = field(default_factory=dict)

    def feed(self, stream: int, text: str) -> None:
        *lines, rest = re.split(r"\r?\n|\r", self._partial.get(stream, "") + text)
        self._partial[stream] = rest
        for line in lines:
            self._line(line)

    def finish(self) -> None:
        for rest in self._partial.values():
            if rest:
                self._line(rest)
        self._partial.clear()

    def _line(self, line: str) -> None:
        line = redact(line, self.secrets)
        self.tail.append(line)
        if self.log:
            self.log.write(line + "\n")
            self.log.flush()
        if self.on_line:
            self.on_line(line)


class Processes:
    """Runs commands for real. One per debkit process; usable from several threads.

    `record`, when given, is called with each completed command, for the report.
    """

    def __init__(self, record: Callable[[Completed], None] | None = None) -> None:
        self._record = record
        self._stop = threading.Event()
        self._signal = signal.SIGINT

    def __call__(self, command: Command, on_line: Callable[[str], None] | None = None) -> Completed:
        """Run to the end. Raises MissingTool, TimeoutFailure, Interrupted or CommandFailed."""
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(open_log(command.log)) if command.log else None
            stdin: int | IO[bytes] = subprocess.PIPE if command.stdin else subprocess.DEVNULL
            if command.stdin_file:
                stdin = stack.enter_context(command.stdin_file.open("rb"))
            child = self._start(command, stdin)
            output = _Output(command.secrets, log, on_line)
            try:
                stdout = self._follow(child, command, output, started)
            except BaseException:
                end_tree(child.pid)
                child.wait()
                raise
            finally:
                output.finish()
                for stream in (child.stdin, child.stdout, child.stderr):
                    if stream:
                        with contextlib.suppress(BrokenPipeError):
                            stream.close()
        done = Completed(
            command=command,
            code=child.returncode,
            seconds=time.monotonic() - started,
            stdout=redact(stdout, command.secrets),
            tail=tuple(output.tail),
        )
        if self._record:
            self._record(done)
        if done.code not in command.ok:
            raise failure(done)
        return done

    def check(self) -> None:
        """Raise Interrupted once the run was asked to stop."""
        if self._stop.is_set():
            raise Interrupted(self._signal)

    def stop(self, signum: int) -> None:
        """Make every command under way, in any thread, end and raise Interrupted."""
        self._signal = signal.Signals(signum)
        self._stop.set()

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Turn SIGINT, SIGTERM and SIGHUP into Interrupted in the main thread and in every command under way."""

        def caught(signum: int, _frame: FrameType | None) -> None:
            first = not self._stop.is_set()
            self.stop(signum)
            if first:  # a second Ctrl-C must not cut the cleaning up short
                raise Interrupted(signum)

        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {s: signal.signal(s, caught) for s in signals}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _start(self, command: Command, stdin: int | IO[bytes]) -> subprocess.Popen[bytes]:
        self.check()
        tool = require_tool(command.argv[0])
        # setpriv makes the kernel send SIGTERM to the child should debkit itself be killed, so that it cleans up after itself.
        argv = ("setpriv", "--pdeathsig", "TERM", "--", os.fspath(tool), *command.argv[1:])
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if command.separate else subprocess.STDOUT,
            cwd=command.cwd,
            env=child_environment(dict(command.env)),
            start_new_session=True,
            pass_fds=command.pass_fds,
        )

    def _follow(self, child: subprocess.Popen[bytes], command: Command, output: _Output, started: float) -> str:
        """Feed and drain the child until its output ends and it exits; return what came on standard output."""
        stdout: list[str] = []
        decoders = {}
        pending = memoryview(command.stdin)
        with selectors.DefaultSelector() as ready:
            for stream in filter(None, (child.stdout, child.stderr)):
                os.set_blocking(stream.fileno(), False)
                ready.register(stream, selectors.EVENT_READ)
                decoders[stream.fileno()] = codecs.getincrementaldecoder("utf-8")("replace")
            if child.stdin:
                os.set_blocking(child.stdin.fileno(), False)
                ready.register(child.stdin, selectors.EVENT_WRITE)
            while ready.get_map() and not (child.poll() is not None and not _readable(ready)):
                self._check_deadline(command, started)
                for key, _ in ready.select(POLL_SECONDS):
                    fd = key.fd
                    if child.stdin and fd == child.stdin.fileno():
                        pending = _write_some(fd, pending)
                        if not pending:
                            ready.unregister(child.stdin)
                            child.stdin.close()
                            child.stdin = None
                    elif data := os.read(fd, 65536):
                        text = decoders[fd].decode(data)
                        output.feed(fd, text)
                        if child.stdout and fd == child.stdout.fileno():
                            stdout.append(text)
                    else:
                        ready.unregister(key.fileobj)
        while True:
            try:
                child.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                self._check_deadline(command, started)
            else:
                return "".join(stdout)

    def _check_deadline(self, command: Command, started: float) -> None:
        self.check()
        if command.timeout is not None and time.monotonic() - started > command.timeout:
            raise TimeoutFailure(
                f"{Path(command.argv[0]).name} ran longer than {command.timeout:.0f} s and was ended",
                cause="it hangs, or this machine is slower than the limit expects",
                hint="raise the limit in config/debkit.toml, or look at the log",
                log=command.log,
            )


def converse(command: Command, replies: tuple[tuple[str, str], ...], *, check: Callable[[], None] = lambda: None) -> Completed:
    """Run a command on a terminal of its own and answer its questions: `replies` are (pattern, answer) pairs, each answered
    every time it is asked. The answers are secrets: they are never echoed into the log.

    Raises what `Processes` raises; a timeout counts from the last question.
    """
    started = time.monotonic()
    tool = require_tool(command.argv[0])
    secrets = (*command.secrets, *(answer for _, answer in replies))
    child = pexpect.spawn(
        os.fspath(tool),
        list(command.argv[1:]),
        env={**child_environment(dict(command.env)), "TERM": "dumb"},
        cwd=os.fspath(command.cwd) if command.cwd else None,
        encoding="utf-8",
        codec_errors="replace",
        echo=False,
        timeout=POLL_SECONDS,
    )
    text: list[str] = []
    deadline = time.monotonic() + (command.timeout or 120)
    try:
        while True:
            index = child.expect([pexpect.EOF, pexpect.TIMEOUT, *(pattern for pattern, _ in replies)])
            if index != 1:
                text.append(child.before or "")
            if index == 0:
                break
            if index == 1:
                check()
                if time.monotonic() > deadline:
                    raise TimeoutFailure(
                        f"{tool.name} waited for an answer that debkit does not have",
                        cause=(child.before or "").strip()[-200:] or "it printed nothing",
                        hint=f"try by hand: {redact(shlex.join(command.argv), secrets)}",
                    )
                continue
            child.sendline(replies[index - 2][1])
            deadline = time.monotonic() + (command.timeout or 120)
    except BaseException:
        end_tree(child.pid)
        child.close(force=True)
        raise
    child.close()
    printed = redact("".join(text).replace("\r\n", "\n"), secrets)
    if command.log:
        with open_log(command.log) as log:
            log.write(printed)
    code = child.exitstatus if child.exitstatus is not None else -(child.signalstatus or 0)
    done = Completed(
        command=command,
        code=code,
        seconds=time.monotonic() - started,
        stdout=printed,
        tail=tuple(printed.splitlines()[-TAIL_LINES:]),
    )
    if done.code not in command.ok:
        raise failure(done)
    return done


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


def end_tree(pid: int) -> None:
    """End a process and all that descends from it: SIGTERM, then SIGKILL for what is left after the grace time.

    The tree is walked before the first signal, because a child in a session of its own is lost to us once its parent is gone.
    """
    doomed = {pid: _start_time(pid)} | {child: _start_time(child) for child in descendants(pid)}
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_alive(p, start) for p, start in doomed.items()):
        doomed |= {child: _start_time(child) for p in tuple(doomed) for child in descendants(p) if child not in doomed}
        time.sleep(0.05)
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    for survivor, start in doomed.items():
        if _alive(survivor, start):
            with contextlib.suppress(ProcessLookupError):
                os.kill(survivor, signal.SIGKILL)


def descendants(pid: int) -> tuple[int, ...]:
    """The processes that stem from `pid`, nearest first, as the kernel lists them now."""
    found: list[int] = []
    queue = [pid]
    while queue:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{queue.pop(0)}/task").iterdir():
                children = [int(child) for child in (task / "children").read_text().split()]
                found += children
                queue += children
    return tuple(found)


def open_log(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a", encoding="utf-8")


def _start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot: with it a recycled pid is not mistaken for the old process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]


def _alive(pid: int, start: str) -> bool:
    return bool(start) and _start_time(pid) == start


def _readable(ready: selectors.BaseSelector) -> bool:
    """Whether output is waiting. A daemon left behind may hold the pipe open for ever, so the child's exit ends the reading."""
    return bool(ready.select(0))


def _write_some(fd: int, pending: memoryview) -> memoryview:
    try:
        return pending[os.write(fd, pending) :]
    except BrokenPipeError:
        return pending[len(pending) :]
