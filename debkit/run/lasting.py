"""What is made for a while and is gone at the end, whenever a signal comes that stops the run."""

from __future__ import annotations

import atexit
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.errors import Interrupted

T = TypeVar("T")


class _Thread(threading.local):
    """How many things this thread makes or removes just now, and what is to be raised when it no longer does."""

    busy = 0
    waiting: Interrupted | None = None


_thread = _Thread()


def interrupt(problem: Interrupted) -> None:
    """Raise it: at once, or when the thing is made or removed that this thread is about."""
    if not _thread.busy:
        raise problem
    _thread.waiting = problem


def _ready() -> None:
    _thread.busy -= 1
    if _thread.waiting and not _thread.busy:
        problem, _thread.waiting = _thread.waiting, None
        raise problem


@contextlib.contextmanager
def lasting(make: Callable[[], T], remove: Callable[[T], None]) -> Iterator[T]:
    """Have what `make` makes until the end, and `remove` it then.

    A signal's exception can come up wherever Python calls a function, on the way in and out of this one too: what that would
    leave is removed when debkit exits.
    """
    _thread.busy += 1
    try:
        thing = make()
        at_exit = partial(remove, thing)
        atexit.register(at_exit)
        try:
            _ready()
            yield thing
        finally:
            _thread.busy += 1
            try:
                remove(thing)
            finally:
                atexit.unregister(at_exit)
    finally:
        _ready()
