"""Answer one request: {"verb": …} on standard input, {"ok": …} or {"error": {"kind": …}} on standard output.

Progress goes to standard error, a line a step. `troubles.py` puts errors into words.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked, with every trouble that a user could act on as a value."""
    try:
        import apt_pkg  # noqa: PLC0415 (its absence is an answer)

        from debkit.apt.child import closure, fetch, lists, solve  # noqa: PLC0415
        from debkit.apt.child.system import Trouble  # noqa: PLC0415
    except ImportError as problem:
        return {"error": {"kind": "missing", "text": str(problem), "python": sys.executable}}
    verbs: dict[str, Callable[[dict[str, Any]], Any]] = {
        "update": lists.update,
        "seen": lists.seen,
        "known": lists.known,
        "offered": lists.offered,
        "solve": solve.solve,
        "closure": closure.closure,
        "download": fetch.download,
        "shelved": fetch.shelved,
        "source": fetch.source,
    }
    try:
        return {"ok": verbs[request["verb"]](request)}
    except Trouble as trouble:
        return {"error": trouble.about}
    except apt_pkg.Error as problem:
        return {"error": {"kind": "apt", "text": str(problem)}}


# So that an interrupt leaves no temporary directory behind; libapt calls back often enough to notice.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
json.dump(answer(json.load(sys.stdin)), sys.stdout)
