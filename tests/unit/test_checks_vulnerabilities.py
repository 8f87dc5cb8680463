from __future__ import annotations

import gzip
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.apt import Member
from debkit.checks import _needs
from debkit.checks._needs import Needs
from debkit.checks._tracker import Tracker
from debkit.config import ChecksConfig, ChrootConfig, Suppression, VulnerabilitiesConfig
from debkit.console import Quiet
from debkit.errors import DependencyError, NetworkError
from debkit.model import BuildResult, BuildState, CheckReport, Finding, Outcome, Severity, Target, Via
from tests.recorder import contains

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.run import Command
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data/tracker/tracker.json"
TRACKER = Tracker(json.loads(DATA.read_text()), "recorded")
URL = "https://tracker.example.org/data.json"
UNREACHABLE = (
    f"Err:1 {URL}\n  Could not resolve 'tracker.example.org'\n"
    f"E: Failed to fetch {URL}  Could not resolve 'tracker.example.org'\nE: Download Failed\n"
)


def member(name: str, version: str, source: str, source_version: str = "") -> Member:
    return Member(
        name=name,
        version=version,
        arch="amd64",
        source=source,
        source_version=source_version or version,
        maintainer="Test Writer <test@example.org>",
        sha256="",
    )


NEEDS = Needs(
    frozenset({"hello-debkit"}),
    (
        member("hello-debkit", "1.0-1", "hello-debkit"),
        member("libc6", "2.41-12", "glibc"),
        member("libjansson4", "2.14-2+b3", "jansson", "2.14-2"),
    ),
)


@pytest.fixture
def bench(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> checks.Bench:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return checks.Bench(
        run=recorder,
        config=ChecksConfig(vulnerabilities=VulnerabilitiesConfig(tracker=str(DATA))),
        chroot=ChrootConfig(),
        progress=Quiet(),
        work=tmp_path / "dist",
    )


@pytest.fixture
def judge(bench: checks.Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CheckReport]:
    """Judge a build that needs NEEDS, or `fresh` once its lists are fetched anew."""

    def judged(suite: str = "trixie", *, fresh: Needs | NetworkError = NEEDS, **config: object) -> CheckReport:
        def of(*_: object, fresh: bool = False, again: Needs | NetworkError = fresh) -> Needs:
            if not fresh:
                return NEEDS
            if isinstance(again, NetworkError):
                raise again
            return again

        monkeypatch.setattr(_needs, "of", of)
        settings = replace(bench.config.vulnerabilities, **config)  # type: ignore[arg-type]
        return checks.judge(
            "vulnerabilities", replace(bench, config=ChecksConfig(vulnerabilities=settings)), result(tmp_path, suite)
        )

    return judged


def result(where: Path, suite: str = "trixie") -> BuildResult:
    return BuildResult(
        target=Target(suite, "amd64"),
        via=Via.NATIVE,
        backend="sbuild",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=where / "build.log",
        argv=(),
        debs=(where / "hello-debkit_1.0-1_amd64.deb",),
    )


def errors(report: CheckReport) -> set[str]:
    return {f.tag for f in report.findings if f.severity is Severity.ERROR and not f.accepted}


# What a version is vulnerable to


@pytest.mark.parametrize(
    ("suite", "version", "holes"),
    [
        ("trixie", "2.14-2", {"0001": "high", "0002": "medium", "0007": "low", "0008": "medium", "0009": "", "ABCDEF": "low"}),
        ("trixie", "2.14-2+deb13u1", {"0001": "high", "0007": "low", "0008": "medium", "0009": "", "ABCDEF": "low"}),
        ("trixie", "2.13-1", {"0001": "high", "0002": "medium", "0003": "high", "0007": "low", "0008": "medium", "0009": "",
                              "ABCDEF": "low"}),
        ("bookworm", "2.14-2", {"0004": "high"}),
        ("sid", "2.15~rc1-1", {"0001": "high"}),
        ("sid", "2.15-1", {}),
    ],
)  # fmt: skip
def test_what_a_version_is_vulnerable_to(suite: str, version: str, holes: dict[str, str]) -> None:
    found = TRACKER.holes(suite, "jansson", version)
    assert {hole.cve.rpartition("-")[2]: hole.level for hole in found} == holes


def test_a_source_that_the_tracker_does_not_know_has_nothing() -> None:
    assert TRACKER.holes("trixie", "no-such-source", "1") == ()


# The verdict


def test_a_vulnerable_dependency_fails_and_is_named_by_its_source(judge: Callable[..., CheckReport]) -> None:
    report = judge()
    assert report.outcome is Outcome.FAIL
    assert errors(report) == {"CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0008"}
    assert report.findings[1:3] == (
        Finding(
            severity=Severity.ERROR,
            tag="CVE-2026-0001",
            package="jansson",
            text="jansson 2.14-2 is vulnerable: high; not fixed in trixie; installed as libjansson4",
        ),
        Finding(
            severity=Severity.ERROR,
            tag="CVE-2026-0002",
            package="jansson",
            text="jansson 2.14-2 is vulnerable: not yet assigned; fixed in 2.14-2+deb13u1; installed as libjansson4",
        ),
    )
    assert report.reason.startswith("3 findings, the first: jansson: CVE-2026-0001 jansson 2.14-2 is vulnerable")
    assert report.log
    assert "libjansson4 2.14-2+b3: jansson 2.14-2\n" in report.log.read_text()
    assert "3 packages of 3 sources" in [step.text for step in report.steps]


def test_what_fails_is_the_configured_urgency(judge: Callable[..., CheckReport]) -> None:
    assert errors(judge(fail_on="high")) == {"CVE-2026-0001"}
    low = judge(fail_on="low")
    numbers = (1, 2, 7, 8, 10)  # the last one is in the package itself
    assert errors(low) == {*(f"CVE-2026-{n:04}" for n in numbers), "TEMP-0000000-ABCDEF"}
    assert [f.severity for f in low.findings if f.tag == "CVE-2026-0009"] == [Severity.INFO]


def test_what_is_accepted_passes_and_what_is_accepted_in_vain_is_told(judge: Callable[..., CheckReport]) -> None:
    accepted = [Suppression(tag=f"CVE-2026-000{n}", reason="a test", package="jansson") for n in (1, 2, 8)]
    report = judge(accept=(*accepted, Suppression(tag="CVE-2020-9999", reason="once")))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert [f.tag for f in report.findings if f.accepted] == ["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0008"]
    assert report.findings[-1].tag == "CVE-2020-9999"
    elsewhere = replace(accepted[0], package="glibc")
    assert "CVE-2026-0001" in errors(judge(accept=(elsewhere, *accepted[1:])))


def test_a_version_that_newer_lists_have_mended_is_not_blamed(judge: Callable[..., CheckReport]) -> None:
    mended = Needs(NEEDS.built, (*NEEDS.members[:2], member("libjansson4", "2.14-2+deb13u1", "jansson")))
    assert "CVE-2026-0002" not in errors(judge(fresh=mended))
    assert "CVE-2026-0002" in errors(judge(fresh=NetworkError("no mirror", cause="it is down", hint="wait")))


def test_a_package_that_cannot_be_installed_is_a_failure_of_its_own(
    judge: Callable[..., CheckReport], bench: checks.Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(*_: object, **__: object) -> Needs:
        raise DependencyError("hello cannot be installed", cause="there is no package nowhere", hint="name a repository")

    monkeypatch.setattr(_needs, "of", of)
    report = checks.judge("vulnerabilities", bench, result(tmp_path))
    assert (report.outcome, errors(report)) == (Outcome.FAIL, {"uninstallable"})
    assert report.reason == "hello cannot be installed: there is no package nowhere"


# What is no verdict


@pytest.mark.parametrize(
    ("suite", "config", "reason"),
    [
        ("trixie", {"tracker": ""}, "no security tracker's data is configured"),
        ("noble", {}, "the security tracker's data has nothing of noble"),
    ],
)
def test_without_data_of_the_suite_it_is_skipped(
    judge: Callable[..., CheckReport], suite: str, config: dict[str, str], reason: str
) -> None:
    report = judge(suite, **config)
    assert report.outcome is Outcome.SKIPPED
    assert report.reason.startswith(reason)


def test_a_url_out_of_reach_is_skipped(judge: Callable[..., CheckReport], recorder: Recorder) -> None:
    recorder.reply("download-file", stdout=UNREACHABLE, code=100)
    report = judge(tracker=URL)
    assert report.outcome is Outcome.SKIPPED
    assert report.reason == f"{URL} could not be fetched: Could not resolve 'tracker.example.org'"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>log in</html>",
        "[]",
        "{}",
        '{"jansson": {"CVE-2026-1": {}}}',
        '{"jansson": {"CVE-2026-1": {"releases": {"trixie": {"status": "resolved"}}}}}',
        "\x1f\x8bbroken",
    ],
)
def test_data_that_is_none_is_an_environment_error(judge: Callable[..., CheckReport], tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text, encoding="latin-1")
    report = judge(tracker=str(tmp_path / "broken.json"))
    assert report.outcome is Outcome.ERROR
    assert "broken.json is no data of Debian's security tracker" in report.reason


def test_a_version_that_is_none_is_an_environment_error(judge: Callable[..., CheckReport], tmp_path: Path) -> None:
    release = {"status": "resolved", "fixed_version": "no version"}
    text = json.dumps({"jansson": {"CVE-2026-1": {"releases": {"trixie": release}}}})
    (tmp_path / "odd.json").write_text(text)
    report = judge(tracker=str(tmp_path / "odd.json"))
    assert report.outcome is Outcome.ERROR
    assert "an entry of the security tracker's data" in report.reason


# The cached copy


def deliver(recorder: Recorder, content: bytes) -> None:
    """Have the downloader write this."""

    def write(command: Command) -> None:
        assert contains(command.argv, ("download-file", URL))
        Path(command.argv[-1]).write_bytes(content)

    recorder.replies.clear()
    recorder.reply("download-file", action=write)


def copies(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache/debkit/tracker").glob("*.json"))


def test_the_copy_is_used_until_it_is_too_old(judge: Callable[..., CheckReport], recorder: Recorder, tmp_path: Path) -> None:
    deliver(recorder, gzip.compress(DATA.read_bytes()))
    assert "CVE-2026-0001" in errors(judge(tracker=URL))
    deliver(recorder, b'{"hello": {"CVE-1": {"releases": {"trixie": {"status": "open", "urgency": "high"}}}}}')
    assert "CVE-2026-0001" in errors(judge(tracker=URL))
    (copy,) = copies(tmp_path)
    os.utime(copy, (time.time() - 90000,) * 2)
    assert judge(tracker=URL).outcome is Outcome.PASS


def test_an_old_copy_serves_on_and_its_age_is_told(judge: Callable[..., CheckReport], recorder: Recorder, tmp_path: Path) -> None:
    deliver(recorder, DATA.read_bytes())
    judge(tracker=URL)
    (copy,) = copies(tmp_path)
    os.utime(copy, (time.time() - 3 * 86400,) * 2)
    recorder.reply("download-file", stdout=UNREACHABLE, code=100)
    report = judge(tracker=URL)
    assert "CVE-2026-0001" in errors(report)
    assert report.steps[0].text == (
        f"{URL}, a copy that is 3.0 days old; {URL} could not be fetched: Could not resolve 'tracker.example.org'"
    )


def test_what_is_no_data_never_takes_the_place_of_the_copy(
    judge: Callable[..., CheckReport], recorder: Recorder, tmp_path: Path
) -> None:
    deliver(recorder, DATA.read_bytes())
    judge(tracker=URL)
    (copy,) = copies(tmp_path)
    os.utime(copy, (0, 0))
    deliver(recorder, b"<html>log in</html>")
    assert judge(tracker=URL).outcome is Outcome.ERROR
    assert copies(tmp_path) == [copy]
    assert copy.read_bytes() == DATA.read_bytes()
