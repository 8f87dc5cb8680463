"""The real autopkgtest, with its unshare backend in the tool root's namespace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.config import ChecksConfig
from debkit.model import CheckReport, Outcome
from tests.debs import make_package, make_result
from tests.sources import make_tested

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import Target

GOOD = 'test "$(hello-debkit)" = hello && test "$(id -un)" != root'
BAD = "hello-debkit; echo 'the frobnicator is missing' >&2; exit 3"


def judge(bench: checks.Bench, target: Target, tmp_path: Path, control: str, **tests: str) -> CheckReport:
    deb = make_package(tmp_path, files={"/usr/bin/hello-debkit": "#!/bin/sh\necho hello\n"})
    dsc = make_tested(tmp_path / "source/tree", control, tests)
    bench = replace(bench, config=replace(bench.config, run=("autopkgtest",)), dsc=dsc)
    return checks.judge("autopkgtest", bench, make_result(tmp_path, deb, target=target))


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_each_test_is_told(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    control = """\
Tests: good, bad
Depends: @

Tests: machine
Restrictions: isolation-machine

Tests: unlucky
Restrictions: skippable

Tests: rooted
Depends: @, less
Restrictions: needs-root
"""
    rooted = 'test "$(id -u)" = 0; less --version; test "$(hello-debkit)" = hello'
    report = judge(bench, target, tmp_path, control, good=GOOD, bad=BAD, machine="true", unlucky="exit 77", rooted=rooted)
    assert {step.name: step.outcome for step in report.steps} == {
        "good": Outcome.PASS,
        "bad": Outcome.FAIL,
        "machine": Outcome.SKIPPED,
        "unlucky": Outcome.SKIPPED,
        "rooted": Outcome.PASS,
    }
    texts = {step.name: step.text for step in report.steps}
    assert "isolation-machine" in texts["machine"]
    assert texts["unlucky"] == "exit status 77 and marked as skippable"
    assert (report.outcome, report.reason) == (Outcome.FAIL, "bad: non-zero exit status 3")
    assert [(f.tag, f.package, f.text) for f in report.findings] == [
        ("test-fails", "hello-debkit", "bad: non-zero exit status 3")
    ]
    assert report.log
    assert "the frobnicator is missing" in report.log.read_text()


@pytest.mark.slow
def test_a_test_that_needs_what_is_nowhere_fails(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    control = "Tests: good\nDepends: @\n\nTests: lacks\nDepends: @, no-such-package\n"
    report = judge(bench, target, tmp_path, control, good=GOOD, lacks="true")
    assert report.outcome is Outcome.FAIL
    text = "lacks: its packages cannot be installed: Depends: no-such-package but it is not installable"
    assert report.reason == text


@pytest.mark.slow
def test_when_all_are_skipped_so_is_the_check(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    report = judge(bench, target, tmp_path, "Tests: vm\nRestrictions: isolation-machine\n", vm="true")
    assert report.outcome is Outcome.SKIPPED
    assert report.reason.startswith('vm: Test restriction "isolation-machine"')


def test_a_source_without_tests_is_not_run(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    report = judge(bench, target, tmp_path, "")
    assert (report.outcome, report.reason) == (Outcome.NOT_RUN, "the source has no tests")


@pytest.mark.usefixtures("nothing_left")
def test_a_mirror_out_of_reach_is_an_environment_error(
    bench: checks.Bench, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with replace(bench, config=ChecksConfig(run=("autopkgtest",))).tools(target.suite):  # what is cached already needs no mirror
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        report = judge(bench, target, tmp_path, "Tests: good\nDepends: @\n", good=GOOD)
    assert report.outcome is Outcome.ERROR
    assert report.reason.startswith("autopkgtest exited with 16: ")


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_a_test_that_hangs_is_an_environment_error(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    bench = replace(bench, config=ChecksConfig(timeout=12))
    report = judge(bench, target, tmp_path, "Tests: hangs\nDepends:\n", hangs="sleep 3600")
    assert report.outcome is Outcome.ERROR
    assert report.reason.startswith("autopkgtest was ended after 12 s, the [checks] timeout")
