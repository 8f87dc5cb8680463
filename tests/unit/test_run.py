from __future__ import annotations

from pathlib import Path

import pytest

from debkit.run import Command, CommandFailed, Completed, failure


def failed(code: int, *tail: str, log: Path | None = None) -> CommandFailed:
    command = Command(argv=("mergechanges", "-f", "hunter2"), secrets=("hunter2",), log=log)
    error = failure(Completed(command=command, code=code, seconds=0, stdout="", tail=tail))
    assert isinstance(error, CommandFailed)
    return error


def test_what_a_command_printed_is_the_cause_and_its_log_has_more() -> None:
    error = failed(1, "", "no such file", log=Path("/x.log"))
    assert (error.what, error.cause, error.hint) == ("mergechanges exited with 1", "no such file", "less /x.log")


@pytest.mark.parametrize(("code", "cause"), [(1, "printed nothing"), (-9, "memory ran out"), (-11, "a defect")])
def test_a_command_that_prints_nothing_has_a_cause_too(code: int, cause: str) -> None:
    error = failed(code, " ", log=Path("/x.log"))
    assert cause in error.cause
    assert error.hint == "debkit doctor; or try by hand: mergechanges -f ********"
