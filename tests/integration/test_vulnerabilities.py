"""Real packages of the suite, resolved on its clean system, against data that says one of them is vulnerable."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import apt, checks
from debkit.chroot import store
from debkit.config import ChecksConfig, VulnerabilitiesConfig
from debkit.model import BuildResult, CheckReport, Outcome, Severity, Target
from tests.archives import serve
from tests.conftest import SUITE
from tests.debs import make_package, make_result

if TYPE_CHECKING:
    from pathlib import Path

CLOSED = "http://127.0.0.1:9/tracker.json"


@pytest.fixture
def result(target: Target, tmp_path: Path) -> BuildResult:
    """A build whose package needs libjansson4."""
    return make_result(tmp_path, make_package(tmp_path, arch=target.arch, depends="libjansson4"), target=target)


def tracker(path: Path, source: str, **release: str) -> Path:
    path.write_text(json.dumps({source: {"CVE-2026-0001": {"releases": {SUITE: {"urgency": "high", **release}}}}}))
    return path


def judged(bench: checks.Bench, result: BuildResult, where: Path | str) -> CheckReport:
    settings = VulnerabilitiesConfig(tracker=str(where))
    return checks.judge("vulnerabilities", replace(bench, config=ChecksConfig(vulnerabilities=settings)), result)


def test_a_vulnerable_dependency_fails(bench: checks.Bench, result: BuildResult, tmp_path: Path) -> None:
    report = judged(bench, result, tracker(tmp_path / "tracker.json", "jansson", status="open"))
    assert report.outcome is Outcome.FAIL
    (found,) = report.findings
    assert (found.severity, found.tag, found.package) == (Severity.ERROR, "CVE-2026-0001", "jansson")
    assert found.text.endswith(f"is vulnerable: high; not fixed in {SUITE}; installed as libjansson4")


def test_what_the_clean_system_has_counts_where_it_is_needed(bench: checks.Bench, result: BuildResult, tmp_path: Path) -> None:
    """glibc is there, and libjansson4 needs it; apt is there too, and nothing of the package's needs it."""
    release = {"status": "resolved", "fixed_version": "99"}
    assert judged(bench, result, tracker(tmp_path / "glibc.json", "glibc", **release)).outcome is Outcome.FAIL
    report = judged(bench, result, tracker(tmp_path / "apt.json", "apt", **release))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")


def test_data_is_fetched_once_and_serves_where_the_network_fails(
    bench: checks.Bench, result: BuildResult, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.clean(target) as clean:
        root = store.apt_root(clean)
    monkeypatch.setattr(store, "ensure", lambda *_, **__: clean)  # the cache of chroots is another one than this test's
    monkeypatch.setattr(store, "apt_root", lambda _: root)
    monkeypatch.setattr(apt, "update", lambda *_, **__: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site_root = tmp_path / "site"
    site_root.mkdir()
    tracker(site_root / "tracker.json", "jansson", status="open")
    with serve(site_root) as site:
        url = f"{site.url}/tracker.json"
        assert [judged(bench, result, url).outcome for _ in range(2)] == [Outcome.FAIL, Outcome.FAIL]
        assert site.asked == ["/tracker.json"]
        missing = judged(bench, result, f"{site.url}/elsewhere.json")
        assert missing.outcome is Outcome.SKIPPED
        assert "404" in missing.reason
    settings = VulnerabilitiesConfig(tracker=url, max_age=0)
    report = checks.judge("vulnerabilities", replace(bench, config=ChecksConfig(vulnerabilities=settings)), result)
    assert report.outcome is Outcome.FAIL
    assert "a copy that is 0.0 hours old" in report.steps[0].text
    assert "Connection refused" in report.steps[0].text


def test_a_closed_port_is_skipped(bench: checks.Bench, result: BuildResult) -> None:
    report = judged(bench, result, CLOSED)
    assert report.outcome is Outcome.SKIPPED
    assert "Connection refused" in report.reason


def test_a_dependency_that_the_suite_lacks_is_the_packages_fault(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    deb = make_package(tmp_path, depends="no-such-thing")
    where = tracker(tmp_path / "tracker.json", "jansson", status="open")
    report = judged(bench, make_result(tmp_path, deb, target=target), where)
    assert report.outcome is Outcome.FAIL
    assert "no-such-thing" in report.reason
