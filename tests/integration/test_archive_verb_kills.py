"""What changes an archive is killed at any point: it is whole or can be made so, and nothing that was published is lost."""

from __future__ import annotations

import os
import random
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from debkit.archive import conf, front, prune
from debkit.archive.change import holding, working
from debkit.archive.rebuild import rebuild
from debkit.archive.verify import verify
from debkit.archive.whole import demand_whole
from debkit.config import load
from debkit.errors import ArchiveError, ConfigError
from tests.command import Project
from tests.kills import WAYS, kill
from tests.publisher import Desk
from tests.publishing import sound, versions

if TYPE_CHECKING:
    import subprocess  # noqa: TID251  # a type only
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.run import Processes

SEED = 20240103
STREAM = "trixie-unstable"
# What is typed, and what is lost before it.
VERBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rollback": (("rollback", "trixie"), ()),
    "prune": (("prune", "--keep", "1"), ()),
    "promote": (("promote", STREAM, "trixie"), ()),
    "refresh": (("refresh",), ()),
    "rebuild": (("rebuild",), ("db",)),
    "rebuild-indices": (("rebuild",), ("db", "dists")),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """An archive that is tried again and again, each time as it was at first."""

    kept: Path
    project: Project
    env: dict[str, str]

    @property
    def config(self) -> Config:
        return load(self.project.path)

    def begin_anew(self, lost: tuple[str, ...]) -> None:
        shutil.rmtree(self.project.path, ignore_errors=True)
        shutil.copytree(self.kept, self.project.path, symlinks=True)
        for name in lost:
            shutil.rmtree(self.project.archive / name)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a verb, and wait until it is about the archive."""
        child = self.project.start("repo", *words, env=self.env)
        assert child.stderr
        for line in child.stderr:
            if line.startswith("[debkit] "):
                break
        return child

    def seen(self) -> dict[str, dict[str, str]]:
        return {suite: versions(self.config, "amd64", suite) for suite in ("trixie", STREAM)}


@pytest.fixture
def bench(base: Path, keys: Keys, key_state: Path, tmp_path: Path) -> Bench:
    (base.parent / "config").mkdir()
    (base.parent / "config/debkit.toml").write_text('[archive]\ngrace = "0s"\n')
    config = load(base.parent)
    with pytest.raises(ConfigError) as caught:
        conf.demand(config, STREAM, ())
    with (base / "conf/distributions").open("a") as stream:
        stream.write("\n" + "\n".join(caught.value.excerpt) + "\n")
    desk = Desk(config, keys, key_state, tmp_path / "made")
    desk.publish(*desk.make("second", version="2.0"), *desk.make("fourth", "fifth"), suite=STREAM)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/debkit").symlink_to(key_state)
    return Bench(base.parent, Project(tmp_path / "tried"), {"XDG_STATE_HOME": os.fspath(tmp_path / "home")})


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kills", [1, pytest.param(18, marks=pytest.mark.slow)])
def test_kills_at_random_points(run: Processes, bench: Bench, keys: Keys, verb: str, kills: int) -> None:
    words, lost = VERBS[verb]
    chance = random.Random(f"{SEED} {verb} {kills}")  # noqa: S311
    bench.begin_anew(())
    before = bench.seen()
    bench.begin_anew(lost)
    with bench.start(*words) as child:
        started = time.monotonic()
        assert child.wait() == 0
        length = time.monotonic() - started
    verify(run, bench.config, bench.config.repo)
    after = bench.seen()
    tries = killed = 0
    while killed < kills:
        assert tries < 5 * kills
        bench.begin_anew(lost)
        with bench.start(*words) as child:
            time.sleep(chance.uniform(0, length))
            killed += kill(child, WAYS[tries % 3], chance)
        tries += 1
        if "dists" not in lost:  # clients see a whole archive at any time
            demand_whole(run, bench.config)
            assert bench.seen() in (before, after)
        whole_again(run, bench.config, keys, lost=bool(lost))
        assert bench.seen() in (before, after)
        with bench.start(*words) as child:
            assert child.wait() == 0
        verify(run, bench.config, bench.config.repo)
        assert verb == "rollback" or bench.seen() == after  # a second rollback takes the first one back
        with working(run, bench.config, keys, what="pruning") as archive:  # of states that were lost with dists/
            prune(archive, keep=99, grace=0)
        sound(run, bench.config)


def whole_again(run: Processes, config: Config, keys: Keys, *, lost: bool) -> None:
    """Do what the hints say until the archive verifies."""
    try:
        verify(run, config, config.repo)
    except ArchiveError as problem:
        assert "debkit repo recover" in problem.hint or lost  # noqa: PT017
    else:
        return
    try:
        with working(run, config, keys, what="recovering"):
            front.write(config, keys)
        verify(run, config, config.repo)
    except ArchiveError as problem:
        assert lost, problem.cause  # noqa: PT017
        assert "debkit repo rebuild" in problem.hint  # noqa: PT017
        with holding(run, config, keys, what="rebuilding") as archive:
            rebuild(archive, config)
            front.write(config, keys)
        verify(run, config, config.repo)
