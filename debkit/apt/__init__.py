"""Isolated apt for any architecture: resolve, download, fetch sources, and see what a client sees.

The room owns python-apt. Its state is global, so each verb runs it in a child process (`child/`), which is given one JSON
request and gives back one JSON answer. Nothing of the machine's own apt counts, but for what it takes to reach the network.
"""

from __future__ import annotations

from debkit.apt.model import AptRoot, Member, Pin, Solution, Superseded, Untrusted
from debkit.apt.root import MEMBERS, copy_lists, exact, make, prepare, updated
from debkit.apt.verbs import (
    CORE,
    closure,
    download,
    known,
    resolve_build,
    resolve_install,
    seen,
    shelved,
    solve_build,
    solve_install,
    source,
    update,
)

__all__ = [
    "CORE",
    "MEMBERS",
    "AptRoot",
    "Member",
    "Pin",
    "Solution",
    "Superseded",
    "Untrusted",
    "closure",
    "copy_lists",
    "download",
    "exact",
    "known",
    "make",
    "prepare",
    "resolve_build",
    "resolve_install",
    "seen",
    "shelved",
    "solve_build",
    "solve_install",
    "source",
    "update",
    "updated",
]
