"""autopkgtest: the tests that the source brings along, on a clean system that the packages are installed on.

It runs from the native tool root, with its unshare backend, which unpacks the clean system's tarball and enters it in namespaces
of its own, emulated where that is of another architecture. So it needs no privileges, and no test reaches this machine's files.
What the tests need apt chooses there, anew for each test that wants a fresh system, out of what has been downloaded before.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from debian.deb822 import Dsc

from debkit import checks
from debkit.checks import _apt, _debs, _supply
from debkit.chroot import namespace, store
from debkit.model import ARCHES, CheckReport, Finding, Outcome, Severity, Step
from debkit.run import Command
from debkit.source.dsc import read_dsc
from debkit.source.place import PACKAGE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from debkit.checks import Bench
    from debkit.checks._debs import Deb
    from debkit.chroot.roots import ToolRoot
    from debkit.model import BuildResult, Chroot
    from debkit.run import Completed

# autodep8 makes the tests of "Testsuite: autopkgtest-pkg-python" and its like; the last four are the unshare backend's.
PACKAGES = ("autodep8", "autopkgtest", "dpkg-dev", "mount", "passwd", "uidmap", "zstd")
WANTED = ("apt-utils",)  # for apt-ftparchive, with which autopkgtest makes a repository of the packages
TESTBED = Path(__file__).with_name("testbed")
INSIDE = "/srv/autopkgtest"
TARBALL = "/srv/clean"
LENT = "/srv/lent"  # in the tool root; the backend binds what is below where apt looks for it
TOOLBOX = "/mnt/native"  # in the tool root; the backend binds it where the clean system's programs look for it
RESOLVER = Path("/etc/resolv.conf")
PATIENCE = 4  # times autopkgtest's own limits, for emulated systems; [checks] timeout is what ends a test that hangs
PROXIES = ("http_proxy", "https_proxy", "no_proxy")

# autopkgtest(1), EXIT STATUS and OUTPUT FORMAT. Codes below 16 are verdicts, of which the summary tells more.
GREEN = frozenset({0, 2, 8})  # nothing failed
VERDICTS = GREEN | {4, 6, 12, 14}
EVERY_CODE = frozenset(range(-64, 256))
LINE = re.compile(r"(\S+)\s+(PASS|FAIL|SKIP|FLAKY)\b\s*(.*)")
UNMET = re.compile(r"(?: ?(?:satisfy:command-line|autopkgtest-satdep)\S* : |E: )(Depends: .*|Unable to locate package .*)")
PREPARING = re.compile(r"autopkgtest \[[\d:]+\]: test (\S+): preparing testbed")
ERRONEOUS = re.compile(r"erroneous package: (.*)")
OUTCOMES = {"PASS": Outcome.PASS, "FAIL": Outcome.FAIL, "SKIP": Outcome.SKIPPED, "FLAKY": Outcome.SKIPPED}
NO_TESTS = "no tests in this package"
UNREACHABLE = re.compile(r"E: (?:Failed to fetch|Unable to fetch) .*")
TROUBLE = re.compile(r"(?:autopkgtest \[[\d:]+\]: ERROR: |<VirtSubproc>: failure: |(?=testbed failure: ))(.*)")


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Run the tests of the source on the build's packages, the other job's `Architecture: all` ones among them."""
    target = result.target
    if not (bench.dsc and has_tests(bench.dsc)):
        return checks.not_run("autopkgtest", result, "the source has no tests")
    debs = _debs.installable(_debs.read(bench.run, (*result.debs, *bench.siblings)), target)
    log = bench.fresh_log("autopkgtest.log")
    with (
        bench.tools(target.suite) as tools,
        bench.clean(target) as clean,
        namespace.scratch(bench.run, "autopkgtest") as work,
        bench.lent(clean, wants(bench.dsc, debs)) as loan,
    ):
        given = (bench.dsc, *(bench.dsc.parent / file.name for file in read_dsc(bench.dsc).files), *(deb.path for deb in debs))
        lay(work, given, loan.settings + _apt.settings(bench.run))
        bench.progress.phase("autopkgtest")
        with store.held(clean):
            done = bench.run(
                Command(
                    argv=command(tools, clean, work, loan),
                    env=ARCHES[target.arch].qemu_env,
                    timeout=bench.config.timeout,
                    ok=EVERY_CODE,
                    log=log,
                ),
                bench.progress.line,
            )
        summary = work / "summary"
        text = summary.read_text(encoding="utf-8", errors="replace") if summary.exists() else ""
    return report(result, done, text, source=read_dsc(bench.dsc).name, log=log)


def has_tests(dsc: Path) -> bool:
    """Whether a source says that it has tests; dpkg-source says so where there is a debian/tests/control."""
    suites = str(Dsc(dsc.read_text(encoding="utf-8").splitlines()).get("Testsuite", "")).replace(",", " ").split()
    return any(suite == "autopkgtest" or suite.startswith("autopkgtest-pkg-") for suite in suites)


def wants(dsc: Path, debs: tuple[Deb, ...]) -> _supply.Group:
    """Say what all tests and autopkgtest need. dpkg-source lists it (dsc(5), Testsuite-Triggers) without versions, alternatives
    and build dependencies: apt in the testbed chooses, and downloads what else it wants.
    """
    triggers = str(Dsc(dsc.read_text(encoding="utf-8").splitlines()).get("Testsuite-Triggers", "")).replace(",", " ").split()
    return _supply.group(debs, *(name for name in triggers if PACKAGE_NAME.fullmatch(name)), *WANTED, upgrade=True)


def lay(work: Path, given: Iterable[Path], settings: str) -> None:
    """Lay copies of the source and the packages for the testbed: a hard link to another user's file may be refused (proc(5))."""
    (work / "in").mkdir()
    for path in given:
        shutil.copyfile(path, work / "in" / path.name)
        (work / "in" / path.name).chmod(0o644)
    shutil.copy(TESTBED, work / "testbed")
    (work / "apt.conf").write_text(settings, encoding="utf-8")


def command(tools: ToolRoot, clean: Chroot, work: Path, loan: _supply.Loan) -> tuple[str, ...]:
    """Build the argv. Without --apt-upgrade the lists are empty; Debian 12's backend brings no name server along."""
    target = clean.spec.target
    copies = [(f"{INSIDE}/apt.conf", f"/{_apt.CONF}"), *([(os.fspath(RESOLVER),) * 2] if RESOLVER.exists() else [])]
    lent = [inner for _, inner in (*loan.binds, *loan.read_only)]
    return tools.argv(
        (
            f"{INSIDE}/testbed", INSIDE, f"--output-dir={INSIDE}/out", f"--summary={INSIDE}/summary", "--apt-upgrade",
            f"--timeout-factor={PATIENCE}", *(f"--copy={here}:{there}" for here, there in copies),
            *(f"--env={name}={os.environ[name]}" for name in PROXIES if name in os.environ),
            "--", "unshare", f"--release={target.suite}", f"--arch={target.arch}", f"--tarball={TARBALL}/{clean.tarball.name}",
            f"--unpack-dir={INSIDE}/root", *(word for inner in lent for word in ("--bind", f"{LENT}{inner}", inner)),
            *(("--bind", TOOLBOX, namespace.NATIVE) if clean.toolbox else ()),
        ),
        binds=((work, INSIDE), *((outer, f"{LENT}{inner}") for outer, inner in loan.binds)),
        read_only=(
            (clean.tarball, f"{TARBALL}/{clean.tarball.name}"),
            *((outer, f"{LENT}{inner}") for outer, inner in loan.read_only),
        ),
        network=True,
        toolbox=clean.toolbox,
        at=TOOLBOX,
    )  # fmt: skip


def report(result: BuildResult, done: Completed, summary: str, *, source: str, log: Path) -> CheckReport:
    """Judge a run by its exit code and summary: it fails with any test, and passes where one has passed and none failed."""
    steps = read_summary(summary, done.stdout)
    failed = [(step.name, step.text) for step in steps if step.outcome is Outcome.FAIL]
    blamed = [("the tests", match[1]) for line in summary.splitlines() if (match := ERRONEOUS.fullmatch(line))]
    outcome = checks.worst(step.outcome for step in steps if step.outcome is not Outcome.SKIPPED)
    reason = "; ".join(f"{step.name}: {step.text}" for step in steps if step.outcome is outcome)
    if outcome is not Outcome.FAIL and done.code not in VERDICTS:
        outcome, reason = Outcome.ERROR, f"autopkgtest exited with {done.code}: {_trouble(done, summary)}"
    elif blamed:
        outcome, reason = Outcome.FAIL, blamed[0][1]
    elif outcome in {Outcome.PASS, Outcome.NOT_RUN} and done.code not in GREEN:
        outcome, reason = Outcome.ERROR, f"autopkgtest exited with {done.code} and tells of no test that failed"
    elif outcome is Outcome.PASS:
        reason = ""
    elif outcome is Outcome.NOT_RUN and steps:
        outcome, reason = Outcome.SKIPPED, "; ".join(f"{step.name}: {step.text}" for step in steps)
    elif outcome is Outcome.NOT_RUN and NO_TESTS in summary:
        reason = NO_TESTS
    elif outcome is Outcome.NOT_RUN:
        outcome, reason = Outcome.ERROR, f"autopkgtest exited with {done.code} and tells of no test"
    return CheckReport(
        check="autopkgtest",
        target=result.target,
        outcome=outcome,
        seconds=0.0,
        reason=reason,
        findings=tuple(
            Finding(severity=Severity.ERROR, tag="test-fails", package=source, text=f"{name}: {text}")
            for name, text in (*failed, *blamed)
        ),
        steps=steps,
        log=log,
    )


def read_summary(summary: str, log: str) -> tuple[Step, ...]:
    """Read the lines of a summary. For a test whose packages cannot be installed it only has advice to autopkgtest's users."""
    lacking = unmet(log)
    unreachable = next((line for line in log.splitlines() if UNREACHABLE.match(line)), "")
    steps = []
    for line in summary.splitlines():
        if not (match := LINE.fullmatch(line)) or (match[1] == "*" and NO_TESTS in match[3]):
            continue
        name, word, text = match.groups()
        outcome = OUTCOMES[word]
        if text == "badpkg":
            outcome = Outcome.ERROR if unreachable else outcome
            text = f"its packages cannot be installed: {unreachable or lacking.get(name, 'the log tells why')}"
        steps.append(Step(name=name, outcome=outcome, text=f"flaky: {text}" if word == "FLAKY" else text))
    return tuple(steps)


def unmet(log: str) -> dict[str, str]:
    """Find what apt said of the packages that a test could not have, by the test's name.

    The line with a test's outcome may come late: autopkgtest prints it past what collects the rest.
    """
    said: dict[str, list[str]] = {}
    test = ""
    for line in log.splitlines():
        if match := PREPARING.match(line):
            test = match[1]
        elif match := UNMET.match(line):
            said.setdefault(test, []).append(match[1])
    return {name: "; ".join(dict.fromkeys(lines)) for name, lines in said.items()}


def _trouble(done: Completed, summary: str) -> str:
    """Give autopkgtest's own word on what ended it."""
    words = [match[1] for line in (*done.stdout.splitlines(), *summary.splitlines()) if (match := TROUBLE.match(line))]
    return words[0] if words else next((line for line in reversed(done.tail) if line.strip()), "it printed nothing")
