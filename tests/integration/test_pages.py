"""The branch gh-pages, fetched and pushed with the real git: from no branch at all to one that another has changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from debkit.run import Command, Processes
from tests.command import CHECKOUT, Ended

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Hub:
    """Where git repositories are served, and what a job of Actions is told of it."""

    root: Path
    run: Processes

    @property
    def repository(self) -> Path:
        return self.root / "someone/tools.git"

    def git(self, *argv: str) -> str:
        return self.run(Command(argv=("git", "-C", os.fspath(self.repository), *argv))).stdout.strip()

    def pages(self, verb: str, site: Path, **env: str) -> Ended:
        told = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": self.root.as_uri(), "GITHUB_REPOSITORY": "someone/tools",
                "GITHUB_TOKEN": "t", **env}  # fmt: skip
        argv = ("sh", os.fspath(CHECKOUT / "debkit/release/pages"), verb, os.fspath(site))
        done = self.run(Command(argv=argv, env=tuple(told.items()), ok=frozenset({0, 14, 16})))
        return Ended(done.code, done.stdout, done.stdout)


@pytest.fixture
def hub(tmp_path: Path, run: Processes) -> Hub:
    made = Hub(tmp_path / "hub", run)
    made.repository.mkdir(parents=True)
    made.git("init", "--quiet", "--bare")
    return made


def deploy(hub: Hub, site: Path, name: str) -> Ended:
    """A job of its own: fetch, add a file, push."""
    fetched = hub.pages("fetch", site)
    assert fetched.code == 0, fetched.out
    site.mkdir(exist_ok=True)
    (site / name).write_text(name)
    return hub.pages("push", site)


def test_the_branch_has_all_that_was_deployed_and_no_history(hub: Hub, tmp_path: Path) -> None:
    for name in ("first", ".nojekyll", "third"):
        ended = deploy(hub, tmp_path / f"site-{name}", name)
        assert ended.code == 0, ended.out
    assert hub.git("ls-tree", "--name-only", "gh-pages").split() == [".nojekyll", "first", "third"]
    assert hub.git("rev-list", "--count", "gh-pages") == "1"


def test_what_another_job_has_deployed_meanwhile_is_not_written_over(hub: Hub, tmp_path: Path) -> None:
    deploy(hub, tmp_path / "site", "first")
    hub.pages("fetch", tmp_path / "slow")
    deploy(hub, tmp_path / "quick", "second")
    before = hub.git("rev-parse", "gh-pages")
    ended = hub.pages("push", tmp_path / "slow")
    assert ended.code == 14
    assert "another job has deployed meanwhile" in ended.out
    assert hub.git("rev-parse", "gh-pages") == before


def test_what_was_never_fetched_replaces_nothing(hub: Hub, tmp_path: Path) -> None:
    deploy(hub, tmp_path / "site", "first")
    (tmp_path / "empty").mkdir()
    assert hub.pages("push", tmp_path / "empty").code == 14
    assert hub.git("ls-tree", "--name-only", "gh-pages") == "first"


def test_a_repository_out_of_reach_is_not_taken_for_one_without_the_branch(hub: Hub, tmp_path: Path) -> None:
    ended = hub.pages("fetch", tmp_path / "site", GITHUB_REPOSITORY="someone/else")
    assert ended.code == 16, ended.out
    assert not (tmp_path / "site").exists()


def test_elsewhere_nothing_is_done_and_it_says_so(hub: Hub, tmp_path: Path) -> None:
    for verb in ("fetch", "push"):
        ended = hub.pages(verb, tmp_path / "site", GITHUB_ACTIONS="")
        assert ended.code == 0
        assert f"gh-pages not {verb}ed" in ended.out
    assert not (tmp_path / "site").exists()
