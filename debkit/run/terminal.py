"""Commands that need a terminal: those that ask for a passphrase are answered through pexpect."""

from __future__ import annotations

import os
import shlex
import time
from typing import TYPE_CHECKING

import pexpect

from debkit.errors import TimeoutFailure
from debkit.run.command import TAIL_LINES, Completed, child_environment, failure, open_log, redact, require_tool
from debkit.run.tree import end_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.run.command import Command

POLL_SECONDS = 0.2
ANSWER_SECONDS = 120.0


def converse(
    command: Command,
    replies: tuple[tuple[str, str], ...],
    *,
    check: Callable[[], None],
    record: Callable[[Completed], None],
) -> Completed:
    """Run a command on a terminal of its own and answer its questions.

    `replies` are (pattern, answer) pairs, each answered every time it is asked; the answers are secrets and reach no log. The
    timeout counts from the last answer. `check` is called several times a second and may raise Interrupted; `record` is
    called once the command has ended. Raises what `Processes` raises.
    """
    started = time.monotonic()
    secrets = (*command.secrets, *(answer for _, answer in replies))
    child = pexpect.spawn(
        os.fspath(require_tool(command.argv[0])),
        list(command.argv[1:]),
        env={**child_environment(dict(command.env)), "TERM": "dumb"},
        cwd=os.fspath(command.cwd) if command.cwd else None,
        encoding="utf-8",
        codec_errors="replace",
        echo=False,
        timeout=POLL_SECONDS,
    )
    try:
        text = _answer(child, command, replies, check)
    except BaseException:
        if child.pid:
            end_tree(child.pid)
        child.close(force=True)
        raise
    child.close()
    printed = redact(text.replace("\r\n", "\n"), secrets)
    if command.log:
        with open_log(command.log) as log:
            log.write(printed)
    done = Completed(
        command=command,
        code=child.exitstatus if child.exitstatus is not None else -(child.signalstatus or 0),
        seconds=time.monotonic() - started,
        stdout=printed,
        tail=tuple(printed.splitlines()[-TAIL_LINES:]),
    )
    record(done)
    if done.code not in command.ok:
        raise failure(done)
    return done


def _answer(child: pexpect.spawn[str], command: Command, replies: tuple[tuple[str, str], ...], check: Callable[[], None]) -> str:
    """Answer until the command's output ends; return that output."""
    text: list[str] = []
    patience = command.timeout or ANSWER_SECONDS
    deadline = time.monotonic() + patience
    ended, quiet = 0, 1
    while True:
        index = child.expect([pexpect.EOF, pexpect.TIMEOUT, *(pattern for pattern, _ in replies)])
        if index == quiet:
            check()
            if time.monotonic() > deadline:
                raise TimeoutFailure(
                    f"{command.argv[0]} waited for an answer that debkit does not have",
                    cause=(child.before or "").strip()[-200:] or "it printed nothing",
                    hint=f"try by hand: {redact(shlex.join(command.argv), command.secrets)}",
                )
            continue
        text.append(child.before or "")
        if index == ended:
            return "".join(text)
        child.sendline(replies[index - 2][1])
        deadline = time.monotonic() + patience
