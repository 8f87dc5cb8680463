"""Packages that are built twice for real, varied the second time: what leaks the environment fails, by its name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from debkit.checks.reproducible import PATH
from debkit.config import Unvaried
from debkit.model import Outcome
from tests.leaks import GOOD, LEAKS, Twice, judged

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes

pytestmark = pytest.mark.slow  # each source is built twice


@pytest.fixture(scope="module")
def leaking(run: Processes, debkit_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Twice:
    return judged(run, tmp_path_factory.mktemp("leaking"), LEAKS)


def test_each_leak_is_found_and_what_leaks_nothing_is_left_alone(leaking: Twice) -> None:
    assert leaking.report.outcome is Outcome.FAIL
    assert leaking.tags == {
        "leak-date": "timestamp-in-package",
        "leak-seconds": "timestamp-in-package",
        "leak-zipped": "timestamp-in-package",
        "leak-path": "build-path-in-package",
        "leak-host": "host-name-in-package",
        "leak-processors": "not-reproducible",
        "leak-sorted": "not-reproducible",
        "leak-language": "not-reproducible",
        "leak-zone": "not-reproducible",
    }
    texts = {finding.package: finding.text for finding in leaking.report.findings}
    assert texts["leak-path"] == f"differs in usr/share/leak-path/found; its build path {PATH} is in it"


def test_diffoscope_tells_how_and_of_the_second_build_only_the_log_stays(leaking: Twice) -> None:
    assert leaking.report.log == leaking.work / "reproducible.log"
    text = leaking.report.log.read_text()
    assert f"+{PATH}/leaks-1.0\n" in text
    assert "leak-epoch_1.0_all.deb: identical" in text
    assert leaking.kept == {"leaks_1.0_amd64.build"}
    assert (leaking.work / "leak-path_1.0_all.deb").exists()


def test_what_is_varied_is_told(leaking: Twice) -> None:
    second, comparison = leaking.report.steps
    assert second.text.startswith(f"with another build path ({PATH}), a clock that is 398 days ahead, the time zone GMT")
    assert second.text.endswith("the locale fr_CH.UTF-8, the host name localhost, 1 processor")
    assert comparison.text == "9 of 11 packages differ"


@pytest.mark.parametrize("rules_requires_root", ["no", "binary-targets"])
def test_a_good_package_passes(run: Processes, tmp_path: Path, debkit_cache: Path, rules_requires_root: str) -> None:
    found = judged(run, tmp_path, {"none": "echo $SOURCE_DATE_EPOCH"}, rules_requires_root=rules_requires_root)
    assert (found.report.outcome, found.report.reason) == (Outcome.PASS, "")
    assert found.report.steps[1].text == "0 of 1 packages differ"


def test_pbuilder_varies_the_same(run: Processes, tmp_path: Path, debkit_cache: Path) -> None:
    found = judged(run, tmp_path, LEAKS, backend="pbuilder")
    assert {f"leak-{name}" for name in LEAKS} - set(found.tags) == {*GOOD}


def test_a_source_that_builds_as_usual_only_fails(run: Processes, tmp_path: Path, debkit_cache: Path) -> None:
    tomorrow = int(time.time()) + 86400
    found = judged(run, tmp_path, {"late": f"test $(date +%s) -lt {tomorrow} || {{ echo 'leak: error: too late' >&2; exit 1; }}"})
    assert found.report.outcome is Outcome.FAIL
    assert found.tags == {"leaks": "fails-to-build-varied"}
    assert "error: too late" in found.report.reason
    assert found.report.log == found.work / "reproducible/leaks_1.0_amd64.build"


def test_what_is_not_to_be_varied_is_not_and_is_told_with_its_reason(run: Processes, tmp_path: Path, debkit_cache: Path) -> None:
    names = ("path", "clock", "timezone", "locale", "host", "processors")
    usual = tuple(Unvaried(variation=name, reason=f"as the {name} is") for name in names)
    leaks = {name: leak for name, leak in LEAKS.items() if name not in {"seconds", "zipped", "date"}}
    found = judged(run, tmp_path, leaks, unvaried=usual)
    assert (found.report.outcome, found.report.reason) == (Outcome.PASS, "")
    assert "not varied: clock (as the clock is)" in found.report.steps[0].text
