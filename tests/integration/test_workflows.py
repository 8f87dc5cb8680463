"""What the workflows say is what runs: `make ci`, from nothing, in a container that has nothing."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import debkit
from debkit.chroot import namespace, roots
from debkit.run import Command, Processes
from tests import ci
from tests.clients import clean
from tests.command import CHECKOUT, make_project
from tests.parts import make_part
from tests.trees import make_tree

if TYPE_CHECKING:
    from tests.clients import Client

# A machine whose network has an authority of its own says so here; pip and apt go by it.
TRUSTED = ("etc/ssl/certs", "usr/local/share/ca-certificates")
CONFIG = '[archive]\nurl = "https://o.github.io/n"\n[build]\narches = ["amd64", "arm64"]\n[checks]\nrun = ["lintian"]\n'
SCRIPT = (
    "apt-get update -q && apt-get install -q --yes --no-install-recommends ca-certificates git make && cd /root/debkit && make ci"
)


def furnish(run: Processes, client: Client) -> None:
    """Give the container a checkout, and the machine's trust."""
    for name in TRUSTED:
        if Path("/", name).is_dir():
            shutil.copytree(Path("/", name), client.root / name, dirs_exist_ok=True)
    run(Command(argv=("git", "clone", "--quiet", os.fspath(CHECKOUT), os.fspath(client.root / "root/debkit"))))


def test_the_action_puts_debkit_on_path_and_runs_a_target_for_a_project(
    run: Processes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    make_tree(work / "project")
    (work / "debkit").symlink_to(CHECKOUT)
    machine = ci.Machine(tmp_path, {})
    given = {"target": "build", "project": "project", "arch": "amd64", "suite": "bookworm", "flags": "--dry-run"}
    outputs = machine.composite(tmp_path, work / "debkit", given, {"github": {}})
    assert re.fullmatch(r"\d{4}-W\d\d", outputs["week"])
    assert "bookworm/amd64" in capfd.readouterr().err
    (place,) = (tmp_path / "GITHUB_PATH").read_text().splitlines()
    told = run(Command(argv=(f"{place}/debkit", "--version"), cwd=tmp_path)).stdout
    assert told == f"debkit, version {debkit.__version__}\n"


@pytest.mark.slow
def test_a_job_that_is_run_again_has_the_bytes_that_the_first_has_pushed(
    tmp_path: Path, debkit_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    part, site = os.fspath(make_part(tmp_path / "part", "amd64")), os.fspath(tmp_path / "site")
    steps = (("repo", "restore", site), ("publish", part), ("repo", "onboard"), ("repo", "deploy", "--preset", "pages", site))
    states = []
    for job in ("first", "again"):
        project = make_project(tmp_path / job, CONFIG)
        for words in steps:
            ended = project.debkit(*words)
            assert ended.code == 0, ended.err
            if words[0] == "publish":
                assert [done["unchanged"] for done in project.report["published"]] == [job == "again"]
        pools = (project.archive / "pool", tmp_path / "site/pool")
        states += [{path.relative_to(pool): path.read_bytes() for path in pool.rglob("*") if path.is_file()} for pool in pools]
    assert {path.suffix for path in states[0]} >= {".deb", ".dsc", ".changes", ".buildinfo"}
    assert all(state == states[0] for state in states)


@pytest.mark.slow
def test_make_ci_does_from_nothing_what_the_workflows_do(run: Processes, debkit_cache: Path) -> None:
    with clean(run, "trixie") as client:
        furnish(run, client)
        argv = namespace.inside(client.root, ("sh", "-c", SCRIPT), read_only=((roots.RESOLVER, os.fspath(roots.RESOLVER)),))
        done = run(Command(argv=argv, env=(("DEBIAN_FRONTEND", "noninteractive"),), ok=frozenset(range(256))))
        checkout = client.root / "root/debkit"
        assert done.code == 0, done.stdout[-6000:]
        ran = re.findall(r"^── (\S+): .*?make (?:-f \S+ )?([a-z-]+)$", done.stdout, re.MULTILINE)
        assert [pair for pair in ran if pair[1] != "setup-action"] == [
            (job.title, step["run"].split()[-1])
            for job in ci.plan({"ref": "", "event_name": "push", "repository": "", "sha": "", "token": "", "run_id": ""}, {})
            for step in job.about["steps"]
            if "run" in step and job.title not in ci.LEFT_OUT
        ]
        site = checkout / "build/ci/release-publish/work/site"
        assert (site / "dists/trixie/InRelease").is_file()
        assert {path.name.rpartition("_")[2] for path in site.glob("pool/main/l/local-rag/local-rag_*.deb")} == {
            "amd64.deb",
            "arm64.deb",
        }
        assert all(f"\n  {what}\n" in done.stdout for what in (*ci.LEFT_OUT.values(), *ci.UNLIKE))
        assert all(f"\n  {what}\n" in done.stdout for _, what in ci.OTHERWISE.values() if what)
        assert not (checkout / "dist").exists()
        assert [path.name for path in (checkout / "repo").iterdir()] == ["conf"]
