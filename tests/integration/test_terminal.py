"""What a person at a terminal sees while a job runs: one row, drawn anew in its place."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import pexpect  # noqa: TID251  # the command is tested from outside

from tests.command import CHECKOUT, make_project
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64"]\n'
HEIGHT, WIDTH = 40, 100
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ROW = re.compile(r"trixie/amd64  (?P<phase>\S.*?)  (?:(?P<minutes>\d+) min )?(?P<seconds>[\d.]+) s  (?P<last>.*)")
OVER_THE_LAST = "\r\x1b[2K"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def on_terminal(project: Path, *argv: str) -> tuple[int | None, str]:
    """Run debkit on a terminal of its own; give its exit code and all that came there."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "debkit", *argv],
        cwd=os.fspath(project),
        dimensions=(HEIGHT, WIDTH),
        encoding="utf-8",
        timeout=600,
    )
    raw = child.read()
    child.close()
    return child.exitstatus, raw


def test_a_jobs_row_tells_its_phase_its_time_and_the_last_line(
    tmp_path: Path, debkit_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PYTHONPATH", os.fspath(CHECKOUT))
    project = make_project(tmp_path / "project", CONFIG)
    tree = make_tree(tmp_path / "hello", failing_build=True)
    code, raw = on_terminal(project.path, "build", os.fspath(tree), "--no-publish")
    assert code == 8, raw
    before, _, rest = raw.partition(HIDE_CURSOR)
    live, _, after = rest.partition(SHOW_CURSOR)
    drawn = [ESCAPES.sub("", row).rstrip("\r\n") for row in live.split(OVER_THE_LAST)]
    assert all(len(row) <= WIDTH for row in drawn)
    rows = [found for row in drawn if (found := ROW.fullmatch(row))]
    assert len(rows) == len(drawn) > 4, drawn
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    assert {"unpack chroot", "build"} <= {*phases}
    assert phases[-1] == "package failed"
    assert any(row["phase"] == "build" and row["last"].strip() for row in rows)
    times = [60 * int(row["minutes"] or 0) + float(row["seconds"]) for row in rows]
    assert times == sorted(times)
    assert times[-1] > times[0]
    assert "[trixie/amd64]" not in raw
    assert "build and check" in before
    assert ESCAPES.sub("", after).startswith("error: trixie/amd64: package failed")
