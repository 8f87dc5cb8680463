"""Ask python-apt's child process one thing."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit.apt.model import Pin, Solution
from debkit.apt.settings import network_settings
from debkit.apt.troubles import error_for
from debkit.run import Command, failure, temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from debkit.apt.model import AptRoot
    from debkit.console import Progress
    from debkit.run import Run

CHECKOUT = Path(__file__).parents[2]
# -P: the caller's working directory, a source tree as like as not, must not shadow a module.
CHILD = ("-P", "-m", "debkit.apt.child")


def ask(
    run: Run,
    root: AptRoot,
    verb: str,
    what: Mapping[str, object],
    *,
    network: bool = False,
    progress: Progress | None = None,
) -> Any:
    """Give the child's answer, as JSON has it, or raise the DebkitError that its trouble amounts to.

    `network`: tell it of the machine's proxies too.
    """
    settings = network_settings(run) if network else ()
    with temporary("debkit-apt.") as scratch:  # apt's methods leave theirs where they are ended
        done = run(command(root, verb, what, scratch, settings), _follow(progress))
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise failure(done) from None
    if "error" in answer:
        raise error_for(answer["error"], root)
    return answer["ok"]


def command(
    root: AptRoot, verb: str, what: Mapping[str, object], scratch: Path, settings: tuple[tuple[str, str], ...] = ()
) -> Command:
    about = {"path": os.fspath(root.path.absolute()), "arch": root.arch, "foreign": root.foreign, "empty": root.empty}
    request = {"verb": verb, "root": about, "settings": settings, **what}
    return Command(
        argv=(sys.executable, *CHILD),
        env=(("PYTHONPATH", os.fspath(CHECKOUT)), ("TMPDIR", os.fspath(scratch))),
        stdin=json.dumps(request).encode(),
        separate=True,
    )


def solution(answer: dict[str, Any]) -> Solution:
    return Solution(install=tuple(Pin(**pin) for pin in answer["install"]), remove=tuple(answer["remove"]))


def plain(pins: tuple[Pin, ...]) -> list[dict[str, Any]]:
    return [asdict(pin) for pin in pins]


def _follow(progress: Progress | None) -> Callable[[str], None] | None:
    """Pass the child's progress on, but not its answer, which is on standard output."""
    if progress is None:
        return None
    return lambda line: None if line.startswith("{") else progress.line(line)
