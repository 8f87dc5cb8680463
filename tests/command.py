"""debkit as a user runs it: a process of its own, in a project of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess  # noqa: TID251  # the command is tested from outside
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a debkit process ended; `err` is what a person sees."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project directory with its configuration and the archive's conf/."""

    path: Path

    @property
    def report(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.path / "dist" / "report.json").read_text())
        return data

    @property
    def archive(self) -> Path:
        return self.path / "repo"

    def start(self, *argv: str, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "debkit", *argv],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": os.fspath(CHECKOUT), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def debkit(self, *argv: str, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()) -> Ended:
        child = self.start(*argv, env=env, prefix=prefix)
        out, err = child.communicate()
        return Ended(child.returncode, out, err)


def make_project(path: Path, config: str = "") -> Project:
    (path / "config").mkdir(parents=True)
    (path / "config" / "debkit.toml").write_text(config)
    shutil.copytree(CHECKOUT / "repo" / "conf", path / "repo" / "conf")
    return Project(path)


def is_three_parts(ended: Ended) -> bool:
    """Whether the error says what happened, the likely cause, and the next command, once, with no traceback."""
    return (
        len([line for line in ended.err.splitlines() if line.startswith("error: ")]) == 1
        and "  likely cause:" in ended.err
        and "  next:" in ended.err
        and "Traceback" not in ended.err
        and "this is a defect in debkit" not in ended.err
    )


def refused(
    project: Project, code: int, text: str, *argv: str, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()
) -> Ended:
    """Run a build that must be refused, and hold the error and the disk to what is promised."""
    ended = project.debkit("build", *argv, env=env, prefix=prefix)
    assert ended.code == code, ended.err
    assert is_three_parts(ended), ended.err
    assert text in ended.err
    assert not list(project.path.glob("repo/pool/**/*.deb"))
    assert not list(project.path.glob("repo/dists/**/InRelease"))
    assert not list(project.path.glob("dist/*/upload*"))
    return ended
