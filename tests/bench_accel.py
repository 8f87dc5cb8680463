"""Measure accelerated builds against native and emulated ones: `make bench-accel`.

For each source of the corpus whole sbuild runs, the installing of build dependencies included: native (amd64) and accelerated
(arm64) in turn, then emulated once, without the package's own tests; then accelerated once with them, since these stay emulated
and are told apart. CPU seconds are user and system time of a run and of all that it started (getrusage(2)). The packages of the
emulated run and of an accelerated one are compared byte by byte. Then the making of a chroot, and piuparts. Takes hours;
BENCH_CORPUS names fewer (trixie/bzip2 bookworm/hello), and BENCH_EMULATED=no and BENCH_TESTS=no leave out the emulated runs and
those with the package's own tests, which take most of the time. A suite's compiler that no package has for this machine is built
before all else, once. TMPDIR=/dev/shm leaves the disk out of the figures: a new file takes long on an ext4 from which as many
have lately been removed, and every run unpacks a chroot and removes it.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess  # noqa: TID251  # debkit is measured from outside
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from debkit.accel import foretold
from debkit.chroot import upkeep
from debkit.config import ChrootConfig
from debkit.model import Target
from debkit.paths import scratch_home
from tests.bench import CHECKOUT, debkit, report

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))
CORPUS = [line for line in (CHECKOUT / "tests/data/accel-corpus").read_text().splitlines() if line and line[0] != "#"]
EMULATED, TESTS = (os.environ.get(name) != "no" for name in ("BENCH_EMULATED", "BENCH_TESTS"))
NATIVE, FOREIGN = "amd64", "arm64"
WIDTHS = ("<28", ">15", ">15", ">17", ">8", ">8", ">7", "<9")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took, in seconds: of all processors together, and by the clock."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.cpu:.1f} ({self.wall:.1f})"


@dataclass(frozen=True, slots=True)
class Line:
    """One source's figures."""

    native: Cost
    accelerated: Cost
    emulated: Cost | None
    tested: Cost | None
    differing: tuple[str, ...]

    @property
    def ratio(self) -> float:
        return self.accelerated.cpu / self.native.cpu

    @property
    def gain(self) -> float | None:
        return self.emulated.cpu / self.accelerated.cpu if self.emulated else None

    @property
    def tests(self) -> float | None:
        return self.tested.cpu - self.accelerated.cpu if self.tested else None


def measured(project: Path, *argv: str) -> Cost:
    """Run debkit to the end. Raises CalledProcessError with the end of what it printed."""
    command = [sys.executable, "-m", "debkit", "-C", os.fspath(project), *argv]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        environment = {**os.environ, "PYTHONPATH": os.fspath(CHECKOUT)}
        child = subprocess.Popen(command, cwd=project, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            output.seek(0)
            raise subprocess.CalledProcessError(child.returncode, command, output.read()[-3000:])
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - started)


def make_project(parent: Path, suite: str, *, tests: bool = False, checks: str = "") -> Path:
    """Make a project in which every build is a whole one: no layer has its dependencies. With or without the package's tests."""
    options = "" if tests else '"nocheck"'
    project = Path(tempfile.mkdtemp(prefix=f"{suite}.", dir=parent))
    (project / "config").mkdir()
    (project / "config" / "debkit.toml").write_text(
        f'[build]\nsuites = ["{suite}"]\nlayers = false\noptions = [{options}]\n[checks]\nrun = [{checks}]\n'
    )
    return project


def packages(project: Path) -> dict[str, str]:
    """Give the sums of the packages that the last build made."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (project / "dist").rglob("*.*deb")}


def cheaper(costs: list[Cost]) -> Cost:
    """Give the run that was disturbed least."""
    return min(costs, key=lambda cost: cost.cpu)


def measure(work: Path, suite: str, source: str) -> Line:
    """Build one source in all ways."""
    ways = {way: make_project(work, suite, tests=way == "tested") for way in ("native", "accelerated", "emulated", "tested")}
    location = os.fspath(CHECKOUT / source) if "/" in source else source

    def build(way: str, *options: str) -> Cost:
        return measured(ways[way], "build", location, "--no-publish", *options)

    native, accelerated = [], []
    for _ in range(ROUNDS):
        native.append(build("native", "--arch", NATIVE))
        accelerated.append(build("accelerated", "--arch", FOREIGN, "--via", "accelerated"))
    emulated = build("emulated", "--arch", FOREIGN, "--via", "emulated") if EMULATED else None
    tested = build("tested", "--arch", FOREIGN, "--via", "accelerated") if TESTS else None
    ours, theirs = (packages(ways[way]) for way in ("accelerated", "emulated" if EMULATED else "accelerated"))
    differing = tuple(name for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name))
    return Line(cheaper(native), cheaper(accelerated), emulated, tested, differing)


def compare_chroots(work: Path, suite: str) -> None:
    """Time the making of the chroots to build in, in turn."""
    project = make_project(work, suite)
    names = {item.arch: item.name for item in upkeep.listing(ChrootConfig()) if (item.suite, item.kind) == (suite, "build")}
    costs: dict[str, list[Cost]] = {NATIVE: [], FOREIGN: []}
    for _ in range(ROUNDS):
        for arch, found in costs.items():
            found.append(measured(project, "chroot", "update", names[arch]))
    tell_pair(f"chroot of {suite}", costs)


def compare_piuparts(work: Path, suite: str, source: str) -> None:
    """Time piuparts on the packages of both architectures, in turn."""
    seconds: dict[str, list[float]] = {NATIVE: [], FOREIGN: []}
    project = make_project(work, suite, checks='"piuparts"')
    for _ in range(1 + ROUNDS):  # the first makes the clean roots, and what piuparts runs in
        for arch, found in seconds.items():
            debkit(project, "build", source, "--no-publish", "--arch", arch)
            found.append(float(str(report(project)["checks"][0]["seconds"])))
    ours, theirs = (min(seconds[arch][1:]) for arch in (NATIVE, FOREIGN))
    print(
        f"piuparts on {source}, {suite}: {ours:.1f} s, {FOREIGN} {theirs:.1f} s, ratio {theirs / ours:.2f} (goal ≤ 1.50)",
        flush=True,
    )


def tell_pair(what: str, costs: dict[str, list[Cost]]) -> None:
    ours, theirs = (cheaper(costs[arch]) for arch in (NATIVE, FOREIGN))
    print(
        f"{what}: {ours}, {FOREIGN} {theirs}, ratio {theirs.cpu / ours.cpu:.2f} ({theirs.wall / ours.wall:.2f}) (goal ≤ 1.50)",
        flush=True,
    )


def prepare(work: Path, suite: str) -> None:
    """Make what the runs find made: the chroots, and the toolbox with the suite's compiler. Say which that is: it costs most."""
    project = make_project(work, suite)
    for arch in (NATIVE, FOREIGN):
        debkit(project, "chroot", "create", "--suite", suite, "--arch", arch)
    debkit(project, "accel", "build", "--compiler", "--suite", suite, "--arch", FOREIGN)
    target = Target(suite, FOREIGN)
    print(f"{target}: {'; '.join(foretold(target))}", flush=True)


def show(*cells: object) -> None:
    print(*(f"{cell!s:{width}}" for cell, width in zip(cells, WIDTHS, strict=True)), flush=True)


def summary(lines: list[Line]) -> None:
    """Print what all sources come to."""
    ratios, gains = [line.ratio for line in lines], [line.gain for line in lines if line.gain]
    print(f"accelerated ÷ native: median {statistics.median(ratios):.2f} (goal ≤ 1.25), worst {max(ratios):.2f} (goal ≤ 1.5)")
    if gains:
        print(f"emulated ÷ accelerated: median {statistics.median(gains):.1f} (goal ≥ 6)")
    if EMULATED:
        print(f"identical packages: {sum(not line.differing for line in lines)} of {len(lines)}", flush=True)


def main() -> None:
    """Print a line a source, and what they come to."""
    lines = []
    corpus = [name.partition("/")[::2] for name in os.environ.get("BENCH_CORPUS", " ".join(CORPUS)).split()]
    with tempfile.TemporaryDirectory(prefix="bench-accel.", dir=scratch_home()) as directory:
        work = Path(directory)
        for suite in dict(corpus):
            prepare(work, suite)
        print("CPU seconds (wall seconds) of whole sbuild runs without the package's own tests; the CPU seconds of these")
        show("source", "native", "accelerated", "emulated", "acc/nat", "emu/acc", "tests", "bytes")
        for suite, source in corpus:
            name = f"{suite}/{source}"
            try:
                line = measure(work, suite, source)
            except subprocess.CalledProcessError as failure:
                print(f"{name} fails:\n{failure.output}", flush=True)
                continue
            lines.append(line)
            gain, tests = (f"{figure:.1f}" if figure is not None else "-" for figure in (line.gain, line.tests))
            same = "identical" if EMULATED else "-"
            show(name, line.native, line.accelerated, line.emulated or "-", f"{line.ratio:.2f}", gain, tests,
                 f"differ: {' '.join(line.differing)}" if line.differing else same)  # fmt: skip
        if lines:
            summary(lines)
        for suite in dict(corpus):
            compare_chroots(work, suite)
            compare_piuparts(work, suite, "tinyxml2")  # whose library no tool of the system loads


if __name__ == "__main__":
    main()
