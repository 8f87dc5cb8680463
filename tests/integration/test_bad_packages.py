"""The corpus of bad packages (tests/corpus.py): each is caught by its own check, which says what is wrong, and by no other; the
good ones pass them all.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.config import ChecksConfig, ChrootConfig, ServiceConfig, VulnerabilitiesConfig, rooms
from debkit.console import Quiet
from debkit.model import BuildResult, CheckReport, Outcome, Severity, Target
from debkit.run import Command, Processes
from tests import corpus
from tests.conftest import SUITE
from tests.leaks import judged as judged_twice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

EVERY = rooms(Path(checks.__file__).parent)
CASES = {name: corpus.read(name) for name in corpus.names()}
BAD = [case for case in CASES.values() if case.gate]
# What is tried soon: of cases that are told in the same way one, and of those that must be installed one for each check.
QUICK = ("equivalence", "lintian", "vulnerabilities")
SOON = {
    (case.gate, case.said["tag"] if case.gate in QUICK else ""): case.name
    for case in reversed(BAD)
    if not {"leak", "arch"} & case.said.keys()
}
OWN = '#!/bin/sh\ndpkg-deb --info "$1"\n'


@dataclass(frozen=True, slots=True)
class Table:
    """The place where cases are made and judged, two at a time."""

    run: Processes
    home: Path
    program: bytes
    target: Target

    def judge(self, name: str, gates: tuple[str, ...]) -> dict[str, CheckReport]:
        """Make a case, and have some checks judge it."""
        case, home = CASES[name], self.home / f"{name}-{len(gates)}"
        home.mkdir()
        if "leak" in case.said:
            twice = judged_twice(self.run, home, {"it": case.said["leak"]})
            reports = {gate: self._report(gate, case, twice.bench, twice.result) for gate in gates if gate != "reproducible"}
            return {**reports, "reproducible": twice.report}
        made = corpus.make(case, home, replace(self.target, arch=case.said.get("arch", self.target.arch)), self.program)
        bench = checks.Bench(
            run=self.run,
            config=ChecksConfig(),
            chroot=ChrootConfig(),
            progress=Quiet(),
            work=home / "dist",
            previous=made.previous,
            project=None if case.gate else home,
        )
        if not case.gate:
            (home / "config/checks.d").mkdir(parents=True)
            (home / "config/checks.d/readable").write_text(OWN)
            (home / "config/checks.d/readable").chmod(0o755)
        # The other architecture is compared with this machine's; packages are installed where they run without emulation.
        ours, theirs = sorted((made.result, made.twin), key=lambda each: each.target.arch == self.target.arch)
        with_peer = replace(bench, peer=theirs)
        return {
            gate: self._report(gate, case, with_peer, ours) if gate == "equivalence" else
            self._report(gate, case, bench, made.result)
            for gate in gates
        }  # fmt: skip

    def _report(self, gate: str, case: corpus.Case, bench: checks.Bench, result: BuildResult) -> CheckReport:
        """Have one check judge, with its tools in a root that other tests have too."""
        usual = ChecksConfig()
        config = replace(
            usual,
            run=usual.run if gate in usual.run else (gate,),
            service=ServiceConfig(health=case.probes, stable=4, install_time=case.patience),
            vulnerabilities=VulnerabilitiesConfig(tracker=str(corpus.tracker(case, self.home / "tracker", SUITE))),
        )
        return checks.judge(gate, replace(bench, config=config), result)


Verdicts = dict[tuple[str, tuple[str, ...]], "Future[dict[str, CheckReport]]"]


@pytest.fixture(scope="module")
def table(run: Processes, debkit_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Table:
    target = Target(SUITE, run(Command(argv=("dpkg", "--print-architecture"))).stdout.strip())
    home = tmp_path_factory.mktemp("bad")
    (home / "tracker").mkdir()
    bench = checks.Bench(run=run, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=home)
    with bench.tools(SUITE) as root:
        return Table(run, home, (root.path / "usr/bin/dash").read_bytes(), target)


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest, table: Table) -> Iterator[Verdicts]:
    """Have everything that the selected tests ask for judged, two cases at a time."""
    asked = [item.callspec.params for item in request.session.items if item.nodeid.startswith(request.node.nodeid)]  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as pool:
        futures = {(each["name"], each["gates"]): pool.submit(table.judge, each["name"], each["gates"]) for each in asked}
        yield futures
        pool.shutdown(cancel_futures=True)


def demand_caught(case: corpus.Case, report: CheckReport) -> None:
    """Demand that a check fails the case and says why, as the case has it."""
    blamed = [f for f in report.findings if f.severity is Severity.ERROR and not f.accepted]
    assert report.outcome is Outcome.FAIL, report.reason
    told = [f"{finding.tag}: {finding.text}" for finding in blamed]
    assert any(f.tag == case.said["tag"] and re.search(case.said["text"], f.text) for f in blamed), told


@pytest.mark.parametrize(("name", "gates"), [(name, (gate,)) for (gate, _), name in sorted(SOON.items())])
def test_what_is_wrong_is_told_by_its_check(verdicts: Verdicts, name: str, gates: tuple[str, ...]) -> None:
    (report,) = verdicts[name, gates].result().values()
    demand_caught(CASES[name], report)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "gates"), [(case.name, EVERY) for case in BAD])
def test_it_is_told_by_no_other_check(verdicts: Verdicts, name: str, gates: tuple[str, ...]) -> None:
    case, reports = CASES[name], verdicts[name, gates].result()
    demand_caught(case, reports[case.gate])
    well = {Outcome.PASS, Outcome.NOT_RUN}
    ill = {gate: f"{each.outcome.value}: {each.reason}" for gate, each in reports.items() if each.outcome not in well}
    assert ill.keys() == {case.gate, *case.also}, ill


@pytest.mark.slow
@pytest.mark.parametrize(("name", "gates"), [("good-service", EVERY), ("good-files", EVERY)])
def test_a_good_one_passes(verdicts: Verdicts, name: str, gates: tuple[str, ...]) -> None:
    reports = verdicts[name, gates].result()
    passed = {gate for gate, report in reports.items() if report.outcome is Outcome.PASS}
    idle = {"autopkgtest", "reproducible"} | (set() if CASES[name].health else {"service"})  # no source, and no service
    assert passed == set(EVERY) - idle, {gate: report.reason for gate, report in reports.items()}
    assert {reports[gate].outcome for gate in idle} == {Outcome.NOT_RUN}
