"""The make targets: what a workflow or a person chooses reaches debkit as it is, and nothing in it is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from debkit import project
from debkit.config import Config
from debkit.errors import BuildError
from debkit.run import Command, Processes
from tests.command import CHECKOUT
from tests.parts import make_part
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEBKIT = '#!/bin/sh\nprintf "%s\\n" "$@"\n'
BAD = "a $(shell touch made) b $(info told) `touch made`; touch made; $$HOME \" ' -x"
WORDS = "--one * $(shell:touch) ;touch `made` $$HOME \" '"


@pytest.fixture(params=["Makefile", "debkit.mk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., list[str]]:
    """Run a target in a project, with a debkit that prints what it is given, a line each."""
    tree = make_tree(tmp_path / "tree")
    makefile = CHECKOUT / "Makefile"
    if request.param == "debkit.mk":
        makefile = tmp_path / "debkit.mk"
        config = Config(project=tree)
        drafts, _ = project.draft(project.look(Processes(), tree, config), config, action=project.Action("o/n", "v1"), stanzas=())
        makefile.write_text(next(draft.text for draft in drafts if draft.name == "debkit.mk"))
    fake = tmp_path / "debkit"
    fake.write_text(DEBKIT)
    fake.chmod(0o755)
    for part in ("one", "two"):
        (tree / "parts" / part).mkdir(parents=True)

    def run(target: str, how: str = "environment", **chosen: str) -> list[str]:
        given = tuple(f"{name}={value}" for name, value in chosen.items()) if how == "command line" else ()
        env = tuple(chosen.items()) if how == "environment" else ()
        argv = ("make", "-s", "-f", os.fspath(makefile), f"DEBKIT={fake}", *given, target)
        before = sorted(tree.rglob("*"))
        lines = Processes()(Command(argv=argv, cwd=tree, env=env)).stdout.splitlines()
        assert sorted(tree.rglob("*")) == before
        return lines

    return run


@pytest.mark.parametrize("how", ["environment", "command line"])
def test_nothing_in_what_is_chosen_is_run(make: Callable[..., list[str]], how: str) -> None:
    build = make("build", how, SOURCE=BAD, ARCH=WORDS, SUITE="* a;b", FLAGS=WORDS)
    arches = [word for arch in WORDS.split() for word in ("--arch", arch)]
    assert build == ["build", "--no-publish", *arches, "--suite", "*", "--suite", "a;b", *WORDS.split(), "--", BAD]
    assert make("restore", how, SITE=BAD) == ["repo", "restore", BAD]
    assert make("deployed", how, SITE=BAD) == ["ci", "pages", "fetch", BAD]
    assert make("pages", how, SITE=BAD) == ["repo", "deploy", "--preset", "pages", BAD, "ci", "pages", "push", BAD]
    assert make("release", how, SOURCE=BAD, FLAGS=WORDS) == ["release", "github", *WORDS.split(), "--", BAD]
    assert make("onboard", how, FLAGS=WORDS) == ["repo", "onboard", *WORDS.split()]
    assert make("publish", how, FLAGS=WORDS, PARTS="parts/* ;touch") == [
        "publish", *WORDS.split(), "parts/one", "parts/two", ";touch"
    ]  # fmt: skip


def test_by_default(make: Callable[..., list[str]]) -> None:
    assert make("build") == ["build", "--no-publish", "--", "."]
    assert make("publish") == ["publish", "parts/one", "parts/two"]
    assert make("verify-parts") == ["ci", "verify-parts", "parts/one", "parts/two"]
    assert make("release") == ["release", "github", "--", "."]
    assert make("restore") == ["repo", "restore", "site"]
    assert make("part") == ["ci", "part", "--", "parts/here"]


def test_what_was_built_is_kept_as_a_part_and_nothing_is_written_over(tmp_path: Path) -> None:
    def part(where: str, code: int) -> str:
        argv = ("make", "-s", "-f", os.fspath(CHECKOUT / "Makefile"), "part")
        done = Processes()(Command(argv=argv, cwd=tmp_path, env=(("PART", where),), ok=frozenset({0, 2})))
        assert done.code == code, done.stdout
        return done.stdout

    assert "par ts/none has no report of a build" in part("par ts/none", 2)
    assert not (tmp_path / "par ts").exists()
    make_part(tmp_path / "dist", "amd64")
    before = {path.name for path in (tmp_path / "dist").iterdir()}
    assert "par ts/one has hello-debkit 1.0: trixie/amd64, built at 2" in part("par ts/one", 0)
    assert {path.name for path in (tmp_path / "par ts/one").iterdir()} == before
    part("par ts/one", 2)
    make_part(tmp_path / "other/dist", "amd64", failure=BuildError("trixie/amd64: package failed", cause="why", hint="next"))
    (tmp_path / "other/dist/report.json").replace(tmp_path / "dist/report.json")
    (tmp_path / "dist/SHA256SUMS").unlink()
    said = part("par ts/two", 2)
    assert "par ts/two is kept, and is of a build that did not succeed" in said
    assert "its last run failed: trixie/amd64: package failed" in said
    assert "part] Error 8" in said
    assert {path.name for path in (tmp_path / "par ts/two").iterdir()} == before - {"SHA256SUMS"}


def test_modules_of_the_project_are_not_debkits(tmp_path: Path) -> None:
    for name in ("click", "json", "debkit", "os", "rich"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the project was run')\n")
    argv = ("make", "-s", "-f", os.fspath(CHECKOUT / "Makefile"), "build")
    done = Processes()(Command(argv=argv, cwd=tmp_path, env=(("FLAGS", "--help"),)))
    assert "Usage: " in done.stdout
