"""The caller's terminal, lent to shells that other programs start deep inside, one at a time.

Such a program has neither our terminal nor its session, and what it starts may be in namespaces of its own, where /dev/tty leads
nowhere. So it is handed one end of a pseudoterminal, which becomes the shell's own, with job control and Ctrl-C, and we pass on
what goes to and fro between that and the caller's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shlex
import termios
import threading
import tty
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

TERMINAL = "/dev/tty"
POLL_SECONDS = 0.2
MUCH = 65536


@dataclass(frozen=True, slots=True)
class Lent:
    """What a program is given to start a shell with, as file descriptors to be passed on: a terminal, and a bell for it."""

    terminal: int
    bell: int

    @property
    def fds(self) -> tuple[int, int]:
        return (self.terminal, self.bell)

    def script(self, enter: str, *, title: str) -> str:
        """Write what bash is to run there, since dash has one-digit descriptors: a shell, where the command `enter` leads.

        It succeeds, however the shell ends. `title` is what the prompt begins with.
        """
        setting = shlex.join((f"TERM={os.environ.get('TERM', 'dumb')}", f"debian_chroot={title}"))
        ends = f"<&{self.terminal} >&{self.terminal} 2>&{self.terminal}"
        return (
            f"{enter}; printf o >&{self.bell}; env {setting} setsid --ctty --wait bash -i {ends}; printf c >&{self.bell}; exit 0"
        )


def demand_terminal() -> None:
    """Raise HostError where there is no terminal to lend."""
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError as problem:
        raise HostError(
            "there is no terminal to open a shell on",
            cause=f"{TERMINAL}: {problem.strerror}; a job of a CI, say, has none",
            hint="run the same command in a terminal, or leave --shell-on-failure out",
        ) from problem


class Lender:
    """Lends the caller's terminal; `pause` keeps everything else from it meanwhile. Usable from several threads."""

    def __init__(self, pause: Callable[[], AbstractContextManager[None]]) -> None:
        self._pause = pause
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def ready(self, greeting: str) -> Iterator[Lent]:
        """Be ready for a program to ring the bell: `greeting` is said then, and the terminal is its own until it rings again."""
        master, slave = os.openpty()
        heard, bell = os.pipe()
        over = threading.Event()
        thread = threading.Thread(target=self._wait, args=(greeting, master, heard, over), daemon=True)
        thread.start()
        try:
            yield Lent(slave, bell)
        finally:
            over.set()
            thread.join()
            for end in (master, slave, heard, bell):
                os.close(end)

    def _wait(self, greeting: str, master: int, heard: int, over: threading.Event) -> None:
        while not over.is_set():
            if not select.select([heard], [], [], POLL_SECONDS)[0] or os.read(heard, 1) != b"o":
                continue
            while not self._turn.acquire(timeout=POLL_SECONDS):
                if over.is_set():
                    return
            try:
                with self._pause():
                    _pass_on(greeting, master, heard, over)
            finally:
                self._turn.release()


def _pass_on(greeting: str, master: int, heard: int, over: threading.Event) -> None:
    """Join the two terminals until the bell rings again, the caller's is gone, or all is over."""
    ours = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY)
    try:
        before = termios.tcgetattr(ours)
        _write(ours, f"{greeting}\n".encode())
        tty.setraw(ours)
        try:
            while not over.is_set():
                fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(ours, termios.TIOCGWINSZ, b"\0" * 8))
                ready = select.select([ours, master, heard], [], [], POLL_SECONDS)[0]
                if master in ready:
                    _write(ours, os.read(master, MUCH))
                if ours in ready:
                    typed = os.read(ours, MUCH)
                    if not typed:
                        return
                    _write(master, typed)
                if ready == [heard]:  # once all that was printed is passed on
                    os.read(heard, 1)
                    return
        finally:
            termios.tcsetattr(ours, termios.TCSADRAIN, before)
            _write(ours, b"\n")
    except (OSError, termios.error):
        return  # the caller's terminal is gone: its hangup (SIGHUP) ends the run
    finally:
        os.close(ours)


def _write(end: int, data: bytes) -> None:
    while data:
        data = data[os.write(end, data) :]
