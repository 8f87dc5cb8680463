"""A publish that is killed at any point: nothing that was in is lost, and no reader sees a broken index."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from debkit.archive import change, client, transaction
from debkit.archive.verify import verify
from tests.archives import serve
from tests.bulk import package_names
from tests.command import Project
from tests.kills import WAYS, kill
from tests.publishing import sound, versions
from tests.readers import Careful, reading

if TYPE_CHECKING:
    import subprocess  # noqa: TID251  # a type only
    from pathlib import Path

    from debkit.config import Config
    from debkit.run import Processes
    from tests.publisher import Desk

SEED = 20240102
STANDING = package_names(5, prefix="standing")


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_kills_at_random_points(run: Processes, desk: Desk, tmp_path: Path, kills: int) -> None:
    """What is killed brings in turn a new package, a newer version of one, and several at once."""
    chance = random.Random(SEED)  # noqa: S311
    config = desk.config
    desk.publish(*desk.make(*STANDING))
    length = min(timed(desk, desk.make("changing", version=f"0.{number}")[0]) for number in range(3))
    (tmp_path / "careful").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home/debkit").symlink_to(desk.state)
    killed: Counter[str] = Counter()
    number = 0
    with serve(config.repo) as site:
        reader = Careful(tmp_path / "careful", url=site.url, keyring=client.keyring_file(config))
        with reading(reader):
            while killed.total() < kills or killed["all"] + killed["parent"] < kills / 3:
                assert number < 5 * kills
                names, version = batch(number)
                changes = desk.make(*names, version=version)
                before = versions(config, "amd64")
                after = {**before, **dict.fromkeys(names, version)}
                how = WAYS[number % 3]
                for _ in range(1 + number % 2):  # the second puts right first what the first has left
                    killed[how] += end_at(chance.uniform(0, length), desk.start(*changes, together=True), how, chance)
                    assert versions(config, "amd64") in (before, after)
                if how != "tool" and number % 4 == 0:  # otherwise the next publish does it, or debkit itself has
                    recover(config, tmp_path / "home")
                elif how != "tool" and number % 4 == 1:
                    with change.working(run, config, desk.keys, what="recovering"):
                        pass
                if how == "tool" or number % 4 < 2:
                    assert versions(config, "amd64") in (before, after)
                    sound(run, config)
                    verify(run, config, config.repo)
                desk.publish(*changes)
                assert versions(config, "amd64") == after
                sound(run, config)
                verify(run, config, config.repo)
                number += 1
    assert not reader.troubles
    assert reader.rounds > number


def recover(config: Config, home: Path) -> None:
    """Type what the hints say, and be told whether there was anything to undo."""
    left = transaction.pending(config.repo)
    ended = Project(config.project).debkit("repo", "recover", env={"XDG_STATE_HOME": os.fspath(home)})
    assert ended.code == 0, ended.err
    assert ("what that had begun is undone" in " ".join(ended.err.split())) is left
    assert not transaction.pending(config.repo)


def batch(number: int) -> tuple[tuple[str, ...], str]:
    """Say what the publish that is killed as the NUMBERth brings: names, and the version of all of them."""
    kind = (number + number // 3) % 3
    if kind == 0:
        return (f"new{number:03}",), "1.0"
    if kind == 1:
        return ("changing",), f"1.{number}"
    return tuple(f"many{number:03}-{each}" for each in range(3)), "1.0"


def timed(desk: Desk, changes: Path) -> float:
    """Give how many seconds a publish takes, once its process has started."""
    with desk.start(changes) as child:
        started = when_ready(child)
        assert child.wait() == 0
        return time.monotonic() - started


def when_ready(child: subprocess.Popen[str]) -> float:
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    return time.monotonic()


def end_at(moment: float, child: subprocess.Popen[str], how: str, chance: random.Random) -> bool:
    """Kill a publisher so many seconds after it has begun: all of its tree, itself alone, or one of the tools that it runs.

    Gives whether there was something left to kill.
    """
    with child:
        when_ready(child)
        time.sleep(moment)
        return kill(child, how, chance)
