from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.model import Chroot, ChrootKind, ChrootSpec, Outcome, Target, Toolbox
from tests.fake_bench import control, result
from tests.recorder import contains

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.model import CheckReport
    from debkit.run import Command
    from tests.recorder import Recorder

    Judge = Callable[..., CheckReport]

DATA = Path(__file__).parent.parent / "data" / "autopkgtest"
TESTBED = "/srv/autopkgtest/testbed"
DSC = """\
Format: 3.0 (native)
Source: hello-debkit
Version: 1.0
Architecture: all
{more}Checksums-Sha256:
 7e8d89117b2ad622a4f0e8c6bd80688f1d333924c99165c0180d81a8b472913c 1448 hello-debkit_1.0.tar.xz
"""


def recorded(name: str) -> str:
    path = DATA / name
    return path.read_text() if path.exists() else ""


@pytest.fixture
def judge(clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> Judge:
    """Judges a run whose summary and log are recorded under a name; `look` is shown the directory that the tool root sees."""

    def judge(
        name: str,
        *,
        code: int,
        summary: str = "",
        log: str = "",
        suites: str = "autopkgtest",
        look: Callable[[Path], None] | None = None,
    ) -> CheckReport:
        def run(command: Command) -> None:
            work = Path(command.argv[command.argv.index("/srv/autopkgtest") - 1])
            (work / "summary").write_text(summary or recorded(f"{name}.summary"))
            if look:
                look(work)

        source = tmp_path / "source"
        source.mkdir()
        (source / "hello-debkit_1.0.tar.xz").touch()
        dsc = source / "hello-debkit_1.0.dsc"
        dsc.write_text(DSC.format(more=f"Testsuite: {suites}\n" if suites else ""))
        recorder.reply("dpkg-deb", stdout=control("hello-debkit"))
        dbgsym = control("hello-debkit-dbgsym", auto_built_package="debug-symbols")
        recorder.reply("dpkg-deb", "--field", str(tmp_path / "hello-debkit-dbgsym_1.0_all.deb"), stdout=dbgsym)
        recorder.reply(TESTBED, stdout=log or recorded(f"{name}.log"), code=code, action=run)
        built = result(tmp_path, "hello-debkit_1.0_all.deb", "hello-debkit-dbgsym_1.0_all.deb")
        return checks.judge("autopkgtest", replace(clean_bench, dsc=dsc), built)

    return judge


def outcomes(report: CheckReport) -> dict[str, Outcome]:
    return {step.name: step.outcome for step in report.steps}


# What the summary and the exit code say


def test_one_test_that_fails_fails_the_check(judge: Judge) -> None:
    report = judge("mixed", code=6)
    assert outcomes(report) == {
        "vm": Outcome.SKIPPED,
        "good": Outcome.PASS,
        "bad": Outcome.FAIL,
        "lucky": Outcome.SKIPPED,
        "shaky": Outcome.SKIPPED,
        "rooted": Outcome.PASS,
    }
    texts = {step.name: step.text for step in report.steps}
    assert texts["vm"] == 'Test restriction "isolation-machine" requires testbed capability "isolation-machine"'
    assert texts["shaky"] == "flaky: non-zero exit status 1"
    assert (report.outcome, report.reason) == (Outcome.FAIL, "bad: non-zero exit status 3")
    assert [(f.tag, f.package, f.text) for f in report.findings] == [
        ("test-fails", "hello-debkit", "bad: non-zero exit status 3")
    ]


def test_one_that_passes_makes_up_for_those_that_are_skipped(judge: Judge) -> None:
    report = judge("local-rag", code=2)
    assert outcomes(report) == {"service": Outcome.SKIPPED, "daemon": Outcome.PASS}
    assert (report.outcome, report.reason) == (Outcome.PASS, "")


@pytest.mark.parametrize("name", ["badpkg", "badpkg-bookworm"])
def test_packages_that_a_test_cannot_have_are_named(judge: Judge, name: str) -> None:
    report = judge(name, code=12)
    assert outcomes(report) == {"good": Outcome.FAIL, "bad": Outcome.FAIL}
    wanted = "Depends: no-such-package but it is not installable"
    told = wanted if name == "badpkg" else "Unable to locate package no-such-package"
    assert report.steps[0].text == f"its packages cannot be installed: {told}"
    assert report.outcome is Outcome.FAIL


def test_an_outcome_that_is_printed_late_changes_nothing(judge: Judge) -> None:
    lines = recorded("badpkg.log").splitlines()
    lines.sort(key=lambda line: line == "good                 FAIL badpkg")
    report = judge("badpkg", code=12, log="\n".join(lines))
    assert report.steps[0].text == "its packages cannot be installed: Depends: no-such-package but it is not installable"


def test_a_broken_suite_of_tests_fails(judge: Judge) -> None:
    report = judge("invalid", code=12)
    assert (report.outcome, report.reason, report.steps) == (Outcome.FAIL, "debian/tests/nonesuch does not exist", ())
    assert [finding.text for finding in report.findings] == ["the tests: debian/tests/nonesuch does not exist"]


def test_when_all_are_skipped_so_is_the_check(judge: Judge) -> None:
    report = judge("skipped", code=8, summary="vm SKIP no machine\nshaky  FLAKY non-zero exit status 1\n")
    assert (report.outcome, report.reason) == (Outcome.SKIPPED, "vm: no machine; shaky: flaky: non-zero exit status 1")


def test_a_superficial_pass_is_a_pass(judge: Judge) -> None:
    report = judge("superficial", code=8, summary="good                 PASS (superficial)\n")
    assert (report.outcome, [step.text for step in report.steps]) == (Outcome.PASS, ["(superficial)"])


def test_no_tests_at_all_are_not_run(judge: Judge) -> None:
    report = judge("none", code=8, summary="*                    SKIP no tests in this package\n")
    assert (report.outcome, report.reason, report.steps) == (Outcome.NOT_RUN, "no tests in this package", ())


@pytest.mark.parametrize("code", [16, 20, 1, -9])
def test_a_testbed_that_breaks_is_an_environment_error_even_if_a_test_passed(judge: Judge, code: int) -> None:
    report = judge("unreachable", code=code, summary="good PASS\ntestbed failure: failed testbed apt update\n")
    assert report.outcome is Outcome.ERROR
    assert report.reason == f"autopkgtest exited with {code}: testbed failure: failed testbed apt update"


def test_a_test_that_failed_before_the_testbed_broke_is_a_failure(judge: Judge) -> None:
    assert judge("unreachable", code=16, summary="bad FAIL non-zero exit status 3\n").outcome is Outcome.FAIL


def test_packages_that_cannot_be_fetched_are_not_the_packages_fault(judge: Judge) -> None:
    fetch = "E: Failed to fetch http://deb.example.org/less.deb  404  Not Found"
    report = judge("x", code=12, summary="good FAIL badpkg\nbadpkg: Test dependencies are unsatisfiable.\n", log=fetch)
    assert (report.outcome, report.findings) == (Outcome.ERROR, ())
    assert report.reason == f"good: its packages cannot be installed: {fetch}"


def test_without_a_word_it_is_no_pass(judge: Judge) -> None:
    report = judge("silent", code=0)
    assert (report.outcome, report.reason) == (Outcome.ERROR, "autopkgtest exited with 0 and tells of no test")


@pytest.mark.parametrize("code", [4, 6, 12, 14])
def test_a_failure_that_the_summary_does_not_tell_is_no_pass(judge: Judge, code: int) -> None:
    assert judge("local-rag", code=code).outcome is Outcome.ERROR


# What is run


@pytest.mark.parametrize(("suites", "runs"), [("", False), ("other", False), ("autopkgtest-pkg-python, x", True)])
def test_a_source_that_has_no_tests_is_not_run(judge: Judge, recorder: Recorder, suites: str, *, runs: bool) -> None:
    report = judge("local-rag", code=0, suites=suites)
    assert any(TESTBED in argv for argv in recorder.argvs) is runs
    if not runs:
        assert (report.outcome, report.reason) == (Outcome.NOT_RUN, "the source has no tests")


def test_what_the_testbed_is_given(judge: Judge, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def look(work: Path) -> None:
        seen["in"] = {path.name: (path.stat().st_nlink, path.stat().st_mode & 0o777) for path in (work / "in").iterdir()}
        seen["testbed"] = os.access(work / "testbed", os.X_OK)
        seen["apt"] = (work / "apt.conf").read_text().splitlines()[-2:]

    for name in ("https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://localhost:8080")
    judge("local-rag", code=2, look=look)
    names = ("hello-debkit_1.0.dsc", "hello-debkit_1.0.tar.xz", "hello-debkit_1.0_all.deb")
    assert seen == {
        "in": dict.fromkeys(names, (1, 0o644)),
        "testbed": True,
        "apt": [f'Acquire::http::Proxy "{url}";' for url in ("http://localhost:8080", "http://proxy.example.org:3142")],
    }
    (command,) = [command for command in recorder.commands if TESTBED in command.argv]
    start = command.argv.index(TESTBED)
    assert command.argv[start:] == (
        TESTBED, "/srv/autopkgtest", "--output-dir=/srv/autopkgtest/out", "--summary=/srv/autopkgtest/summary", "--apt-upgrade",
        "--timeout-factor=4", "--copy=/srv/autopkgtest/apt.conf:/etc/apt/apt.conf.d/50debkit",
        "--copy=/etc/resolv.conf:/etc/resolv.conf", "--env=http_proxy=http://localhost:8080", "--", "unshare",
        "--release=trixie", "--arch=arm64", "--tarball=/srv/clean/clean.tar", "--unpack-dir=/srv/autopkgtest/root",
        "--bind", "/srv/lent/var/cache/apt/archives", "/var/cache/apt/archives",
        "--bind", "/srv/lent/var/lib/apt/lists", "/var/lib/apt/lists",
        "--bind", "/srv/lent/srv/debkit-cache", "/srv/debkit-cache",
    )  # fmt: skip
    assert contains(command.argv, ("--ro-bind", str(tmp_path / "clean.tar"), "/srv/clean/clean.tar"))
    assert command.env == (("QEMU_CPU", "max,pauth=off"),)
    assert "--net" not in command.argv


def test_an_accelerated_systems_toolbox_is_bound(
    judge: Judge, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chroot = Chroot(
        spec=ChrootSpec(kind=ChrootKind.CLEAN, target=Target("trixie", "arm64")),
        tarball=tmp_path / "clean.tar",
        created=0.0,
        toolbox=Toolbox(path=tmp_path / "toolbox", arch="arm64"),
    )
    monkeypatch.setattr(checks.Bench, "clean", lambda *_: contextlib.nullcontext(chroot))
    judge("local-rag", code=2)
    (argv,) = [argv for argv in recorder.argvs if TESTBED in argv]
    assert argv[-3:] == ("--bind", "/mnt/native", "/.native")
    assert contains(argv, ("--ro-bind", str(tmp_path / "toolbox"), "/mnt/native"))
