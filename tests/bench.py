"""Measure debkit's own costs: `make bench`. Prints a table of ratios; nothing here is asserted, since machines differ.

Every figure compares two runs made here, one after the other, so that a slow machine slows both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess  # noqa: TID251  # debkit is measured from outside
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from debkit.chroot.namespace import scratch
from debkit.run import Processes

CHECKOUT = Path(__file__).parents[1]
SOURCE = os.environ.get("BENCH_SOURCE", "bzip2")
SUITE = os.environ.get("BENCH_SUITE", "trixie")
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


@dataclass(frozen=True, slots=True)
class Timed:
    """One run from outside: wall time in seconds and the peak resident memory of the process itself in bytes."""

    seconds: float
    memory: int
    output: str


def timed(argv: list[str], cwd: Path, env: dict[str, str] | None = None) -> Timed:
    """Run to the end. Raises CalledProcessError with the output when it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(argv, cwd=cwd, env={**os.environ, **(env or {})}, stdout=output, stderr=output)
        memory = 0
        while child.poll() is None:
            memory = max(memory, high_water(child.pid))
            time.sleep(0.05)
        output.seek(0)
        text = output.read()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, argv, text)
    return Timed(time.monotonic() - started, memory, text)


def high_water(pid: int) -> int:
    """Read a process's peak resident memory (VmHWM, proc(5)), without its children's."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        return 0


def debkit(project: Path, *argv: str, env: dict[str, str] | None = None) -> Timed:
    command = [sys.executable, "-m", "debkit", "-C", os.fspath(project), *argv]
    return timed(command, project, {"PYTHONPATH": os.fspath(CHECKOUT), **(env or {})})


def make_project(parent: Path, name: str, checks: str = "[checks]\nrun = []\n") -> Path:
    """Make a project, one whose builds are not checked unless `checks` says so: what is measured is mostly the build."""
    project = parent / name
    (project / "config").mkdir(parents=True)
    (project / "config" / "debkit.toml").write_text(f'[build]\nsuites = ["{SUITE}"]\n{checks}')
    shutil.copytree(CHECKOUT / "repo" / "conf", project / "repo" / "conf")
    return project


def report(project: Path) -> dict[str, list[dict[str, object]]]:
    data: dict[str, list[dict[str, object]]] = json.loads((project / "dist" / "report.json").read_text())
    return data


def raw_sbuild(project: Path, work: Path, arch: str) -> float:
    """Time sbuild alone, on the chroot tarball and the .dsc that debkit has just used, and in a place of the same kind."""
    tarball = next(str(word).partition("=")[2] for word in argv_of(project) if str(word).startswith("--chroot="))
    offline = [word for word in argv_of(project) if word.startswith("--no-apt")]
    dsc = next((project / "dist" / "source").rglob("*.dsc"))
    into = Path(tempfile.mkdtemp(dir=work))
    argv = ["sbuild", "--chroot-mode=unshare", f"--chroot={tarball}", f"--arch={arch}", "-d", SUITE, "--no-run-lintian"]
    with scratch(Processes(), "bench") as roots:
        roots.chmod(0o1777)
        (into / "sbuildrc").write_text(f"$unshare_tmpdir_template = '{roots}/root.XXXXXXXXXX';\n1;\n")
        env = {"SBUILD_CONFIG": os.fspath(into / "sbuildrc")}
        return timed([*argv, "--arch-all", *offline, os.fspath(dsc)], into, env).seconds


def argv_of(project: Path) -> list[str]:
    argv = report(project)["builds"][0]["argv"]
    assert isinstance(argv, list)
    return argv


def forget_layer(project: Path) -> None:
    """Have debkit remove the layer that its last build stood on, and leave all others in the user's cache alone."""
    build = report(project)["builds"][0]
    target = build["target"]
    assert isinstance(target, dict)
    if build["layer"]:
        debkit(project, "chroot", "remove", f"{target['suite']}-{target['arch']}-layer-{build['layer']}")


def row(name: str, measured: str, ratio: float, goal: str) -> None:
    print(f"{name:<58} {measured:>24} {ratio:>8.2f}  {goal}", flush=True)


def checks(work: Path) -> None:
    """Compare what all default checks of the example service take after its build, on both architectures, its first run aside."""
    source = os.fspath(CHECKOUT / "examples/local-rag")
    config = (CHECKOUT / "config/debkit.toml").read_text()
    judged = make_project(work, "judged", checks=config[config.index("[[checks") :])
    unjudged = make_project(work, "unjudged")
    taken = {}
    for arch in ("amd64", "arm64"):
        build = ("build", source, "--no-publish", "--arch", arch)
        debkit(judged, *build)
        whole, bare = (min(debkit(project, *build).seconds for _ in range(ROUNDS)) for project in (judged, unjudged))
        taken[arch] = whole - bare
        row(f"local-rag: all default checks on {arch} ÷ 60 s", f"{whole:.1f} - {bare:.1f}", taken[arch] / 60, "amd64 ≤ 1.00")
    ratio = taken["arm64"] / taken["amd64"]
    row("local-rag: checks on arm64 ÷ on amd64", f"{taken['arm64']:.1f} / {taken['amd64']:.1f}", ratio, "≤ 1.5")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="bench.", dir="/var/tmp") as directory:
        work = Path(directory)
        project = make_project(work, "project")
        build = ("build", SOURCE, "--no-publish")
        print(f"{'what':<58} {'seconds':>24} {'ratio':>8}  goal")

        helped = min(timed([sys.executable, "-m", "debkit", "--help"], CHECKOUT).seconds for _ in range(5))
        bare = min(timed([sys.executable, "-c", ""], CHECKOUT).seconds for _ in range(5))
        row("debkit --help ÷ an empty python", f"{helped:.2f} / {bare:.2f}", helped / bare, "≤ 0.3 s")

        debkit(project, *build, "--arch", "amd64")  # the chroot and the source are there from here on
        forget_layer(project)
        first = debkit(project, *build, "--arch", "amd64")
        seconds = [debkit(project, *build, "--arch", "amd64") for _ in range(ROUNDS)]
        second = min(run.seconds for run in seconds)
        row(f"{SOURCE}: second build ÷ first", f"{second:.1f} / {first.seconds:.1f}", second / first.seconds, "≤ 0.70")

        raw = min(raw_sbuild(project, work, "amd64") for _ in range(ROUNDS))
        row(f"{SOURCE}: debkit ÷ the same raw sbuild", f"{second:.1f} / {raw:.1f} (+{second - raw:.1f})", second / raw, "+ ≤ 3 s")
        whole = make_project(work, "whole", checks="")
        memory = (
            debkit(whole, "build", SOURCE, "--arch", "amd64", env={"XDG_STATE_HOME": os.fspath(work / "state")}).memory / 10**6
        )
        row("peak memory of debkit's own process, all stages ÷ 150 MB", f"{memory:.0f} MB", memory / 150, "≤ 1.00")

        debkit(project, *build, "--arch", "arm64")
        alone = {arch: debkit(project, *build, "--arch", arch).seconds for arch in ("amd64", "arm64")}
        both = debkit(project, *build, "--arch", "amd64", "--arch", "arm64").seconds
        slower = max(alone.values())
        row(f"{SOURCE}: both at once ÷ the slower alone", f"{both:.1f} / {slower:.1f}", both / slower, "≤ 1.15")
        checks(work)


if __name__ == "__main__":
    main()
