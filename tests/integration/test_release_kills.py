from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.github_double import Wrong
from tests.integration.test_release_github import FILES, archive, desk

if TYPE_CHECKING:
    from tests.integration.test_release_github import Desk

__all__ = ["archive", "desk"]


@pytest.mark.parametrize("cut", [False, True], ids=["after", "within"])
@pytest.mark.slow
def test_a_run_that_is_killed_at_each_step_is_finished_by_the_next(desk: Desk, *, cut: bool) -> None:
    steps = 0
    while True:
        child = desk.start("--tag", "v1.0", *(() if cut else ("--flat-repo",)))

        def kill(pid: int = child.pid) -> None:
            os.kill(pid, signal.SIGKILL)

        desk.github.wrongs[:] = [Wrong(f"{method} ", cut=cut and method == "POST" and steps % 3 == 0, act=kill, done=True)
                                 for method in ("POST", "PATCH", "DELETE")]  # fmt: skip
        if child.wait(60) == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.communicate()
        steps += 1
        assert steps < 100
    assert steps >= len(FILES) + 5
    desk.github.wrongs.clear()
    assert desk.github.contents().keys() > FILES
    assert len(desk.github.releases) == 1
    assert "was there already" in desk.release().err


@pytest.mark.slow
def test_runs_that_are_killed_at_any_moment(desk: Desk) -> None:
    chance = random.Random(7)  # noqa: S311
    for _ in range(15):
        child = desk.start("--tag", "v1.0")
        time.sleep(chance.uniform(0.3, 2.0))
        child.kill()
        child.communicate()
    for path in desk.project.path.glob("dist/.release.*"):
        assert path.is_dir()  # what a killed run leaves is swept by the next
    desk.release()
    assert desk.github.contents().keys() >= FILES
    assert len(desk.github.releases) == 1
