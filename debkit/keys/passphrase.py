"""Where a passphrase comes from: a file descriptor, a file, or the person at the terminal."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "DEBKIT_PASSPHRASE_FILE"


def ask_on_terminal(prompt: str) -> str | None:
    """Ask without echo; None when nobody sits at a terminal."""
    if not sys.stdin or not sys.stdin.isatty():
        return None
    try:
        return getpass.getpass(prompt)
    except EOFError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passphrase:
    """Where to look for the passphrase. It serves both keys; `ask` is used, once for each key, only when there is no other."""

    fd: int | None = None
    file: Path | None = None
    ask: Callable[[str], str | None] = ask_on_terminal


def read_passphrase(source: Passphrase, environ: Mapping[str, str]) -> str | None:
    """Read the passphrase from the descriptor, the file, or the file that DEBKIT_PASSPHRASE_FILE names; None without any.

    One trailing newline is not part of it. Raises SigningError for one that cannot be read, is empty, or has several lines.
    """
    if source.fd is not None:
        where, hint = f"file descriptor {source.fd}", f"the same command with: --passphrase-fd {source.fd} {source.fd}<FILE"
    elif source.file or environ.get(VARIABLE):
        path = source.file or Path(environ[VARIABLE])
        where, hint = os.fspath(path), f"ls -l {path}"
    else:
        return None
    try:
        text = _read_fd(source.fd) if source.fd is not None else Path(where).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        cause = getattr(problem, "strerror", None) or str(problem)
        raise SigningError(f"the passphrase cannot be read from {where}", cause=cause, hint=hint) from problem
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or "\n" in text or "\0" in text:
        cause = "it holds more than one line" if text else "it is empty"
        raise SigningError(f"{where} holds no passphrase", cause=cause, hint=hint)
    return text


def new_passphrase(source: Passphrase, environ: Mapping[str, str], *, whose: str) -> str:
    """Give the passphrase that a new key is to have: the one handed over, else one that is typed twice.

    Raises SigningError where there is nobody to ask, for an empty one, and for two that differ.
    """
    given = read_passphrase(source, environ)
    if given is not None:
        return given
    typed = source.ask(f"Passphrase for {whose}: ")
    if typed is None:
        cause = "none was given, and there is nobody to ask"
    elif not typed:
        cause = "what was typed is empty"
    elif source.ask("The same once more: ") != typed:
        cause = "what was typed was not the same twice"
    else:
        return typed
    raise SigningError(
        f"{whose} was not made: it needs a passphrase",
        cause=cause,
        hint="the same command with --passphrase-file FILE, or with --no-passphrase",
    )


def _read_fd(fd: int) -> str:
    with os.fdopen(fd, encoding="utf-8") as stream:
        return stream.read()
