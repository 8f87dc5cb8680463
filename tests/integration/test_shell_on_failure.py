"""A person at a terminal is given a root shell in the chroot of a build that has failed."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import pexpect  # noqa: TID251  # the command is tested from outside
import pytest

from tests.command import CHECKOUT, Project, is_three_parts, make_project
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64"]\n'
BUILD = "/build/reproducible-path/hello-debkit-1.0"
WHERE = r"a root shell in its chroot, in the build directory; exit or Ctrl-D ends it"


@pytest.fixture
def project(tmp_path: Path, debkit_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PYTHONPATH", os.fspath(CHECKOUT))
    return make_project(tmp_path / "project", CONFIG)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What builds, and whose tests fail."""
    return make_tree(tmp_path / "hello", kind="all", failing_tests=True, distribution="unstable")


class Person:
    """Who types at a terminal that debkit runs on."""

    def __init__(self, project: Project, *argv: str) -> None:
        words = ["-m", "debkit", "build", *argv, "--no-publish", "--shell-on-failure"]
        self.child = pexpect.spawn(
            sys.executable, words, cwd=os.fspath(project.path), dimensions=(33, 99), encoding="utf-8", timeout=600
        )

    def wait_for_shell(self, target: str) -> None:
        self.child.expect(f"{target} does not build: {WHERE}")
        self.child.expect(rf"\({target} failed\).*# ")

    def ask(self, command: str) -> list[str]:
        """Type a command and give the lines of its answer."""
        self.child.sendline(f"{command}; echo do''ne")
        self.child.expect(r"\r\ndone\r\n")
        return plain(self.child.before or "").splitlines()[1:]

    def end(self) -> tuple[int | None, str]:
        """Wait for debkit's end; give its exit code and what it has printed last."""
        text = self.child.read()
        self.child.close()
        return self.child.exitstatus, plain(text)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


@pytest.mark.parametrize("backend", ["sbuild", pytest.param("pbuilder", marks=pytest.mark.slow)])
def test_a_shell_stands_where_the_build_ended(project: Project, tree: Path, scratch: Path, backend: str) -> None:
    person = Person(project, os.fspath(tree), "--backend", backend)
    person.wait_for_shell("trixie/amd64")
    assert person.ask("pwd") == [BUILD]
    assert {"Makefile", "debian", "hello-debkit", "hello-debkit.in"} <= {*" ".join(person.ask("ls -1")).split()}
    assert person.ask("cat hello-debkit")[:1] == ["#!/bin/sh"]
    assert person.ask("id -u; stty size") == ["0", "33 99"]
    person.child.sendline("cat")
    person.child.sendline("said")
    person.child.expect(r"said\r\n(.*\r\n)?said\r\n")  # by the terminal, and by cat, which is there now to be interrupted
    person.child.sendintr()
    assert person.ask("echo $?")[-1] == "130"
    person.child.sendeof()
    code, text = person.end()
    assert code == 8, text
    assert "error: trixie/amd64: package failed" in text
    assert "make[1]: *** [Makefile" in text
    assert not (project.path / "dist/SHA256SUMS").exists()
    assert project.report["builds"][0]["state"] == "package failed"
    assert "shell" in {phase["name"] for phase in project.report["builds"][0]["phases"]}
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
def test_of_two_that_fail_at_once_one_has_the_terminal(project: Project, tree: Path) -> None:
    person = Person(project, os.fspath(tree), "--suite", "trixie", "--suite", "bookworm")
    first = 1 + person.child.expect(["trixie/amd64 does not build", "bookworm/amd64 does not build"])
    suites = ("trixie", "bookworm")[:: 1 if first == 1 else -1]
    assert person.ask("sleep 20; . /etc/os-release; echo $VERSION_CODENAME")[-1] == suites[0]
    person.child.sendline("exit 3")
    person.wait_for_shell(f"{suites[1]}/amd64")
    assert person.ask(". /etc/os-release; echo $VERSION_CODENAME") == [suites[1]]
    person.child.sendline("exit")
    code, text = person.end()
    assert code == 8, text
    assert "error: trixie/amd64: package failed" in text
    assert "error: bookworm/amd64: package failed" in text


@pytest.mark.slow
def test_a_terminal_that_goes_away_ends_the_run(project: Project, tree: Path, scratch: Path) -> None:
    person = Person(project, os.fspath(tree))
    person.wait_for_shell("trixie/amd64")
    assert person.child.pid
    os.close(person.child.child_fd)
    os.waitpid(person.child.pid, 0)
    assert project.report["outcome"] == "failed"
    assert list(scratch.iterdir()) == []


def test_without_a_terminal_nothing_is_built(project: Project, tree: Path) -> None:
    ended = project.debkit("build", os.fspath(tree), "--no-publish", "--shell-on-failure")
    assert ended.code == 4
    assert is_three_parts(ended), ended.err
    assert "there is no terminal to open a shell on" in ended.err
    assert not (project.path / "dist").exists()
