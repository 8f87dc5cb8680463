"""Running commands for real: streamed, bounded, interruptible."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debkit.errors import Interrupted, TimeoutFailure
from debkit.run.command import TAIL_LINES, Completed, child_environment, failure, open_log, redact, require_tool
from debkit.run.lasting import interrupt
from debkit.run.tree import end_group, end_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import IO

    from debkit.run.command import Command

POLL_SECONDS = 0.2


@dataclass(slots=True)
class _Output:
    """Collects what a child prints: whole, by line, and the tail."""

    secrets: tuple[str, ...]
    log: IO[str] | None
    on_line: Callable[[str], None] | None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    _partial: dict[int, list[str]] = field(default_factory=dict)

    def feed(self, stream: int, text: str) -> None:
        pending = self._partial.setdefault(stream, [])
        if "\n" not in text:  # splitting a long line again with each piece of it would take quadratic time
            pending.append(text)
            return
        first, *lines, rest = text.split("\n")
        for line in ("".join((*pending, first)), *lines):
            self._line(line)
        self._partial[stream] = [rest]

    def finish(self) -> None:
        for rest in map("".join, self._partial.values()):
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
                for stream in filter(None, (child.stdout, child.stderr)):
                    stream.close()
        done = Completed(
            command=command,
            code=child.returncode,
            seconds=time.monotonic() - started,
            # An answer is data, which a passphrase such as "main" must not change; what has failed is only shown.
            stdout=stdout if child.returncode in command.ok else redact(stdout, command.secrets),
            tail=tuple(output.tail),
        )
        self._note(done)
        if done.code and not command.terminal:
            end_group(child.pid)
        if done.code not in command.ok:
            raise failure(done)
        return done

    def converse(self, command: Command, replies: tuple[tuple[str, str], ...]) -> Completed:
        """Run a command on a terminal of its own and answer its questions: `terminal.converse` tells how."""
        from debkit.run.terminal import converse  # noqa: PLC0415 (few runs need pexpect, and it is slow to come)

        return converse(command, replies, check=self.check, record=self._note)

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
                interrupt(Interrupted(signum))

        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {s: signal.signal(s, caught) for s in signals}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _note(self, done: Completed) -> None:
        if self._record and not done.command.minor:
            self._record(done)

    def _start(self, command: Command, stdin: int | IO[bytes]) -> subprocess.Popen[bytes]:
        if not command.cleanup:
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
            start_new_session=not command.terminal,
            pass_fds=command.pass_fds,
        )

    def _follow(self, child: subprocess.Popen[bytes], command: Command, output: _Output, started: float) -> str:
        """Feed and drain the child until its output ends and it exits; return what came on standard output."""
        feeder = threading.Thread(target=_feed, args=(child, command.stdin), daemon=True)
        feeder.start()
        stdout: list[str] = []
        with selectors.DefaultSelector() as ready:
            for stream in filter(None, (child.stdout, child.stderr)):
                ready.register(stream, selectors.EVENT_READ, _decoder())
            # A daemon left behind may hold a pipe open for ever, so the child's exit ends the reading once nothing is waiting.
            while ready.get_map() and not (child.poll() is not None and not ready.select(0)):
                self._check_deadline(command, started)
                for key, _ in ready.select(POLL_SECONDS):
                    data = os.read(key.fd, 65536)
                    if not data:
                        ready.unregister(key.fileobj)
                    text = key.data.decode(data, final=not data)
                    output.feed(key.fd, text)
                    if key.fileobj is child.stdout and command.keep:
                        stdout.append(text)
        while True:
            try:
                child.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                self._check_deadline(command, started)
            else:
                return "".join(stdout)

    def _check_deadline(self, command: Command, started: float) -> None:
        if not command.cleanup:
            self.check()
        if command.timeout is not None and time.monotonic() - started > command.timeout:
            raise TimeoutFailure(
                f"{command.program} ran longer than {command.timeout:.0f} s and was ended",
                cause="it hangs, or this machine is slower than the limit expects",
                hint="raise the limit in config/debkit.toml, or look at the log",
                log=command.log,
            )


def interact(command: Command) -> int:
    """Run a command on the caller's own terminal and give its exit code; for shells. Only from the main thread.

    Ctrl-C is the command's business. SIGTERM and SIGHUP end it with all that descends from it.
    """
    tool = require_tool(command.argv[0])
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the command would inherit
    try:
        child = subprocess.Popen(
            ("setpriv", "--pdeathsig", "TERM", "--", os.fspath(tool), *command.argv[1:]),
            cwd=command.cwd,
            env=child_environment(dict(command.env)),
        )
        try:
            return child.wait()
        except BaseException:
            end_tree(child.pid)
            child.wait()
            raise
    finally:
        signal.signal(signal.SIGINT, before)


def _decoder() -> io.IncrementalNewlineDecoder:
    """Decode UTF-8 in pieces; a progress bar's carriage returns end lines too."""
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    """Write a child's input, from a thread of its own so that a child that does not read cannot stall us."""
    if child.stdin:
        with contextlib.suppress(OSError, ValueError):  # it may end, or be ended, before it has read all
            child.stdin.write(data)
            child.stdin.close()
