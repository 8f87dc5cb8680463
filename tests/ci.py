"""`make ci`: the workflows' own steps on this machine, read from the workflows, so that both do the same in the same order.

Each job has a directory below build/ci/, as it has a machine of its own in GitHub's Actions. The actions of others that the steps
use have stand-ins here; what needs GitHub or a secret is not done, and told at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit.errors import DebkitError
from debkit.run import Command, Processes
from tests import workflows
from tests.workflows import CHECKOUT, Job, Names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = CHECKOUT / "build/ci"
OURSELVES = "debkit/debkit"
# Jobs that are not run here, and why.
LEFT_OUT = {
    "test-test": "make test: it takes up to 25 minutes by itself",
    "accel-verify-verify-trixie": "make accel-verify for trixie: it builds a compiler, and the corpus twice, which takes hours",
    "accel-verify-verify-bookworm": "make accel-verify for bookworm: as for trixie",
    "accel-verify-tests": "make test-accel: it takes hours",
    "release-attest": "attestations: only GitHub can sign them",
}
# The same targets, with other variables, and why.
OTHERWISE: dict[str, tuple[dict[str, str], str]] = {
    "deployed": ({}, "the branch gh-pages is not fetched: the archive begins anew"),
    "verify-parts": ({}, "attestations are not verified: none were made"),
    "onboard": ({"FLAGS": ""}, ""),
    "publish": ({"FLAGS": ""}, "the release key: signed with a development key, unless this machine's configuration names one"),
    "release": ({"FLAGS": "--dry-run --tag debian/{version}"}, "the GitHub release: a dry run told what it would be"),
    "pages": ({}, "the push of gh-pages: build/ci has what would be pushed"),
}
# What else is not as on GitHub.
UNLIKE = (
    "packages are built once, as a tag has it: what a change, or an update of the chroots, has built runs the same steps",
    "one machine for all jobs, and of its architecture: arm64 is accelerated or emulated, in the job test-arm64 too",
    "caches: chroots are this machine's own",
)
OTHER_SOURCE = "the package of this very tree, which GitHub builds: {source} in its place, which takes a fraction of the time"
OURS = ("GITHUB_", "RUNNER_", "DEBKIT_SIGNING_KEY", "DEBKIT_ARCHIVE_KEY", "MAKE", "MFLAGS", "SOURCE", "ARCH", "SUITE",
        "FLAGS", "PART", "SITE")  # fmt: skip


class Machine:
    """What stands in for the machines of GitHub's Actions. `repositories` are those there beside this checkout, by name."""

    def __init__(
        self,
        root: Path,
        github: dict[str, str],
        *,
        repositories: Mapping[str, Path] | None = None,
        otherwise: Mapping[str, tuple[dict[str, str], str]] = OTHERWISE,
    ) -> None:
        self.root = root
        self.github = github
        self.repositories = {OURSELVES: CHECKOUT, **(repositories or {})}
        self.otherwise = otherwise
        self.run = Processes()
        self.not_done: list[str] = []
        self.actions: dict[str, Callable[[Path, Names], Names]] = {
            "actions/checkout": self.checkout,
            "actions/cache/restore": lambda _at, _with: {"cache-matched-key": "", "cache-primary-key": ""},
            "actions/cache/save": lambda _at, _with: {},
            "actions/upload-artifact": self.upload,
            "actions/download-artifact": self.download,
        }

    def job(self, job: Job) -> None:
        """Run one job's steps in a directory of its own."""
        if job.title in LEFT_OUT:
            self.tell(LEFT_OUT[job.title])
            return
        home = self.root / job.title
        home.mkdir(parents=True)
        github = {**self.github, "workspace": os.fspath(home / "work")}
        (home / "work").mkdir()
        names = {**job.names, "github": {**job.names["github"], **github}, "steps": {}}
        if workflows.holds(job.about.get("if", "true"), names):
            self.steps(home, job.about["steps"], names, env=job.about.get("env", {}))

    def steps(self, home: Path, steps: list[dict[str, Any]], names: Names, *, env: Names) -> None:
        for step in steps:
            if not workflows.holds(step.get("if", "true"), names):
                names["steps"][step.get("id")] = {"outputs": workflows.Skipped()}
                continue
            with_ = {key: workflows.resolved(value, names) for key, value in step.get("with", {}).items()}
            if "run" in step:
                both = {**env, **step.get("env", {})}
                outputs = self.command(home, step, {key: workflows.resolved(value, names) for key, value in both.items()}, names)
            elif step["uses"].startswith("./"):
                outputs = self.composite(home, home / "work" / step["uses"], with_, names, env=env)
            else:
                outputs = self.actions[step["uses"].partition("@")[0]](home / "work", with_)
            if "id" in step:
                names["steps"][step["id"]] = {"outputs": outputs}

    def tell(self, what: str) -> None:
        """Keep what is not done, or not as it is on GitHub, for the end."""
        if what not in self.not_done:
            self.not_done.append(what)

    def composite(self, home: Path, where: Path, given: Names, names: Names, *, env: Names | None = None) -> Names:
        """Run an action's own steps, and give its outputs."""
        action = workflows.read(where / "action.yml")
        inputs = {name: given.get(name, about["default"]) for name, about in action["inputs"].items()}
        inner = {**names, "inputs": inputs, "steps": {}}
        self.steps(home, action["runs"]["steps"], inner, env={**(env or {}), "GITHUB_ACTION_PATH": os.fspath(where.resolve())})
        return {name: workflows.resolved(about["value"], inner) for name, about in action["outputs"].items()}

    def command(self, home: Path, step: dict[str, Any], env: Names, names: Names) -> Names:
        """Run a `run:` step as its shell would, with files for what it tells the next ones; give its outputs."""
        target = step["run"].split()[-1]
        if target in self.otherwise:
            instead, why = self.otherwise[target]
            env = {**env, **{key: value.format(version=self.version) for key, value in instead.items()}}
            if why:
                self.tell(why)
        files = {name: home / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        files["GITHUB_OUTPUT"].unlink(missing_ok=True)
        for path in files.values():
            path.touch()
        told = {f"GITHUB_{key.upper()}": value for key, value in names["github"].items() if key != "token"}
        more = [*files["GITHUB_PATH"].read_text().splitlines(), os.environ["PATH"]]
        around = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        said = {key: workflows.text(value) for key, value in env.items()}
        whole = {**around, **told, **{name: os.fspath(path) for name, path in files.items()}, "CI": "true",
                 "PATH": ":".join(more), **said}  # fmt: skip
        where = home / "work" / workflows.resolved(step.get("working-directory", "."), names)
        show(f"{home.name}: {' '.join(f'{key}={value}' for key, value in said.items() if value)} {step['run']}")
        self.run(Command(argv=("sh", "-ec", step["run"]), cwd=where, env=tuple(whole.items()), name=step["run"]), print_now)
        return dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())

    @property
    def version(self) -> str:
        """Give the version that was built, as a tag has it (DEP-14)."""
        report = next((self.root / "artifacts").glob("*/*/report.json"))
        return str(json.loads(report.read_text())["plan"]["source"]["version"]).replace(":", "%").replace("~", "_")

    def checkout(self, work: Path, given: Names) -> Names:
        into = work / given.get("path", ".")
        theirs = self.repositories[given.get("repository", self.github["repository"])]
        self.run(Command(argv=("git", "clone", "--quiet", os.fspath(theirs), os.fspath(into))))
        return {}

    def upload(self, work: Path, given: Names) -> Names:
        """Keep files, less what is hidden, by their names below the deepest directory that all lines of `path` have in common.

        So does the action, for which a line's directory ends before its first wildcard; and it refuses a name that is taken.
        """
        into = self.root / "artifacts" / given["name"]
        if into.exists() and not given.get("overwrite"):
            raise FileExistsError(into)
        shutil.rmtree(into, ignore_errors=True)
        lines = given["path"].splitlines()
        top = Path(os.path.commonpath([work / f"{line}/".partition("*")[0].rpartition("/")[0] for line in lines]))
        top = top.parent if top.is_file() else top
        for path in sorted({path for line in lines for found in work.glob(line) for path in (found, *found.rglob("*"))}):
            name = path.relative_to(top)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, into / name)
        return {}

    def download(self, work: Path, given: Names) -> Names:
        """Unpack artifacts side by side; one alone, as the action does since version 5, straight into `path`."""
        found = sorted((self.root / "artifacts").glob(given["pattern"]))
        for artifact in found:
            merged = given.get("merge-multiple") or len(found) == 1
            shutil.copytree(artifact, work / given["path"] / ("" if merged else artifact.name), dirs_exist_ok=True)
        return {}


def show(line: str) -> None:
    sys.stderr.write(f"\n── {line}\n")


def print_now(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def here(run: Processes) -> dict[str, str]:
    """Tell of this checkout what Actions tell of a repository."""

    def git(*argv: str) -> str:
        return run(Command(argv=("git", "-C", os.fspath(CHECKOUT), *argv), ok=frozenset({0, 1, 128}))).stdout.strip()

    tag = git("describe", "--tags", "--exact-match")
    name = tag or git("rev-parse", "--abbrev-ref", "HEAD")
    if git("status", "--porcelain"):
        sys.stderr.write("what is not committed is left out, as it is in GitHub's Actions\n")
    return {
        "repository": OURSELVES,
        "sha": git("rev-parse", "HEAD"),
        "ref": f"refs/{'tags' if tag else 'heads'}/{name}",
        "ref_name": name,
        "ref_type": "tag" if tag else "branch",
        "api_url": "https://api.github.com",
        "server_url": "https://github.com",
        "event_name": "push",
        "run_id": "0",
        "token": "",
    }


def contexts(github: Names, **secrets: str) -> Names:
    """Give what expressions may name, in a job of a workflow of debkit's own."""
    return {
        "github": github,
        "job": {"workflow_repository": OURSELVES, "workflow_sha": github["sha"]},
        "secrets": {"DEBKIT_SIGNING_KEY": "", "DEBKIT_ARCHIVE_KEY": "", **secrets},
        "runner": {"arch": "X64"},
        "needs": {},
    }


def plan(github: Names, inputs: dict[str, str]) -> list[Job]:
    """Give what a change has to pass, what a tag brings about, and what is done from time to time; packages are built once."""
    names = contexts(github)

    def own(name: str) -> list[Job]:
        return [job for job in workflows.jobs(name, names) if job.workflow == name]

    return [*own("test"), *workflows.jobs("release", names, inputs), *own("rebuild"), *own("accel-verify")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make ci")
    parser.add_argument("--source", default="examples/local-rag")
    parser.add_argument("--suite", action="append")
    parser.add_argument("--arch", action="append")
    asked = parser.parse_args()
    inputs = {"source": asked.source}
    for name, values in (("suites", asked.suite), ("arches", asked.arch)):
        if values:
            inputs[name] = json.dumps(values)
    started = time.monotonic()
    shutil.rmtree(ROOT, ignore_errors=True)
    run = Processes()
    machine = Machine(ROOT, here(run))
    try:
        with machine.run.interruptible():
            for job in plan(machine.github, inputs):
                machine.job(job)
    except DebkitError as failed:
        sys.exit(f"error: {failed.what}\n  likely cause: {failed.cause}\n  next: {failed.hint}")
    show(f"done in {(time.monotonic() - started) / 60:.0f} min; not done here, or not as on GitHub:")
    other = (OTHER_SOURCE.format(source=asked.source),) if asked.source != "." else ()
    for what in (*machine.not_done, *other, *UNLIKE):
        print_now(f"  {what}")


if __name__ == "__main__":
    main()
