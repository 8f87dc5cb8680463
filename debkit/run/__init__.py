"""The only room that starts a process (but for gpg, which python-gnupg starts).

A command is a frozen value; `Processes` runs it in a session of its own with an allow-listed environment, streams its output to
a log, keeps the tail for the error, and ends the whole tree on a timeout, an interrupt, or debkit's own death. Its
`converse` does the same for a command that asks questions on a terminal; `interact` lends it the caller's.
"""

from debkit.run.command import (
    Command,
    CommandFailed,
    Completed,
    Run,
    Talker,
    child_environment,
    failure,
    find_tool,
    redact,
    require_tool,
)
from debkit.run.processes import Processes, interact
from debkit.run.temporary import sweep, temporary
from debkit.run.tree import descendants, end_at_home, peek

__all__ = [
    "Command",
    "CommandFailed",
    "Completed",
    "Processes",
    "Run",
    "Talker",
    "child_environment",
    "descendants",
    "end_at_home",
    "failure",
    "find_tool",
    "interact",
    "peek",
    "redact",
    "require_tool",
    "sweep",
    "temporary",
]
