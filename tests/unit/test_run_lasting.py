"""What lasts for a while is gone at the end, at whatever step of Python's a signal comes."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from debkit.errors import Interrupted
from debkit.run import Processes, temporary
from debkit.run.lasting import lasting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType


def interrupted_at(step: int, use: Callable[[], None]) -> bool:
    """Have a signal come at one of the steps at which Python looks for signals; say whether there was such a step."""
    left = step

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal left
        left -= event in {"call", "c_return"}
        if left == 0:
            left = -1
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        with Processes().interruptible():
            sys.setprofile(count)
            try:
                use()
            finally:
                sys.setprofile(None)
    except Interrupted:
        return True
    return left < 0


def test_a_directory_goes_at_whatever_step_a_signal_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: dict[Callable[[], object], None] = {}
    monkeypatch.setattr(atexit, "register", lambda remove: at_exit.update({remove: None}))
    monkeypatch.setattr(atexit, "unregister", lambda remove: at_exit.pop(remove, None))

    def use() -> None:
        with temporary("x.", tmp_path) as made:
            (made / "file").touch()

    step, fallen_back = 1, 0
    while interrupted_at(step, use):
        fallen_back += len(at_exit)
        for remove in at_exit:
            remove()
        at_exit.clear()
        assert not list(tmp_path.iterdir()), step
        step += 1
    assert step > 50  # what tempfile and shutil call alone
    assert fallen_back < 10  # on the way into and out of contextlib


def test_no_signal_is_lost_that_comes_while_something_is_made_or_removed() -> None:
    done: list[str] = []

    def slowly(what: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        done.append(what)

    def used(make: Callable[[], None], remove: Callable[[None], None]) -> None:
        with pytest.raises(Interrupted), Processes().interruptible(), lasting(make, remove):
            done.append("used")

    used(lambda: slowly("made"), lambda _: done.append("removed"))
    used(lambda: done.append("made"), lambda _: slowly("removed"))
    assert done == ["made", "removed", "made", "used", "removed"]
