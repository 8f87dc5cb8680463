"""What the check says of a second build: the same, another one, one that failed, and one that tells nothing of the package."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.checks import reproducible
from debkit.checks._culprit import GZIP, Period, culprits
from debkit.checks._differ import differences, side
from debkit.checks.reproducible import CLOCK, PATH, choose, unmet
from debkit.config import ChecksConfig, ChrootConfig, ReproducibleConfig, Unvaried
from debkit.console import Quiet
from debkit.errors import Interrupted, TimeoutFailure
from debkit.model import BuildResult, BuildState, Excerpt, Outcome, Target, Variation, Via
from debkit.run import Processes
from tests.debs import make_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.model import CheckReport

    Judged = Callable[..., CheckReport]

TARGET = Target("trixie", "amd64")
BUILDINFO = """\
Format: 1.0
Source: hello-debkit
Version: 1.0
Architecture: all
Build-Architecture: amd64
Checksums-Sha256:
 {sum} 1 hello-debkit_1.0_all.deb
Installed-Build-Depends: {installed}
"""
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
VARIED = Variation(path=PATH, clock=CLOCK, timezone="GMT-14", locale="fr_CH.UTF-8", host="localhost", processors=1)
PERIOD = Period(began=NOON, ended=NOON + 60)
SAME = {"hello-debkit": "exit 0"}


def built(where: Path, made: dict[str, str], *, installed: str = "gcc-14 (= 1)") -> BuildResult:
    """A build that has made these packages, each with its postinst."""
    where.mkdir(parents=True)
    room = where.with_name(f"{where.name}.made")
    room.mkdir()
    debs = tuple(make_package(room, name, scripts={"postinst": text}) for name, text in made.items())
    for deb in debs:
        shutil.copy(deb, where)
    (where / "x.buildinfo").write_text(BUILDINFO.format(sum="0" * 64, installed=installed))
    (where / "x.build").write_text("dpkg-buildpackage\n")
    return BuildResult(
        target=TARGET,
        via=Via.NATIVE,
        backend="sbuild",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=where / "x.build",
        argv=(),
        buildinfo=where / "x.buildinfo",
        debs=tuple(where / deb.name for deb in debs),
    )


@dataclass
class Second:
    """A second build: what it makes, how it ends, and how its surroundings are not what they were to be."""

    made: dict[str, str] = field(default_factory=lambda: SAME)
    state: BuildState = BuildState.SUCCEEDED
    found: dict[str, str] = field(default_factory=dict)
    installed: str = "gcc-14 (= 1)"
    started: bool = True

    def __call__(self, variation: Variation, into: Path) -> BuildResult:
        result = built(into, self.made, installed=self.installed)
        if self.started:
            words = " ".join(f"{name}={value}" for name, value in (seen(variation) | self.found).items())
            result.log.write_text(f"dpkg-buildpackage\ndebkit varied: {words}\n")
        error = None if self.state is BuildState.SUCCEEDED else Excerpt(9, ("date: too late", "make: *** Error 1"))
        return replace(result, state=self.state, error=error)


def seen(variation: Variation) -> dict[str, str]:
    return {
        "clock": str(variation.clock + 2),
        "timezone": variation.timezone,
        "locale": f"{variation.locale}/UTF-8",
        "host": variation.host,
        "processors": str(variation.processors),
    }


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judged:
    """Judge a build by a second one; diffoscope is not run."""
    monkeypatch.setattr(reproducible, "explained", lambda *_: "what diffoscope says")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})

    def judge(second: Second | None, first: dict[str, str] = SAME, *unvaried: Unvaried) -> CheckReport:
        bench = checks.Bench(
            run=Processes(),
            config=ChecksConfig(reproducible=ReproducibleConfig(unvaried=unvaried)),
            chroot=ChrootConfig(),
            progress=Quiet(),
            work=tmp_path / "dist",
            dsc=tmp_path / "hello_1.0.dsc",
            rebuild=second,
        )
        return checks.judge("reproducible", bench, built(tmp_path / "first", first))

    return judge


def test_identical_packages_pass_and_nothing_but_a_log_is_left(judged: Judged, tmp_path: Path) -> None:
    report = judged(Second())
    assert (report.outcome, report.reason, report.findings) == (Outcome.PASS, "", ())
    assert report.log == tmp_path / "dist/reproducible.log"
    assert report.log.read_text().splitlines()[1:] == ["hello-debkit_1.0_all.deb: identical"]
    assert [path.name for path in (tmp_path / "dist/reproducible").iterdir()] == ["x.build"]
    assert [(step.name, step.text) for step in report.steps][1:] == [("comparison", "0 of 1 packages differ")]


def test_packages_that_differ_fail_each_by_its_name(judged: Judged) -> None:
    report = judged(
        Second({"a": f"ls {PATH}/x", "b": "exit 0", "d": "exit 1"}),
        {"a": "ls /build/x", "b": "exit 0", "c": "exit 0", "d": "exit 0"},
    )
    assert report.outcome is Outcome.FAIL
    assert report.reason == f"a: build-path-in-package (and 2 more): {report.findings[0].text}"
    assert [(finding.package, finding.tag, finding.text) for finding in report.findings] == [
        ("a", "build-path-in-package", f"differs in DEBIAN/postinst; its build path {PATH} is in it"),
        ("c", "not-reproducible", "it is made by the first build alone"),
        ("d", "not-reproducible", "differs in DEBIAN/postinst"),
    ]
    assert report.log
    assert report.log.read_text().splitlines()[1:] == [
        "a_1.0_all.deb: differs",
        "what diffoscope says",
        "b_1.0_all.deb: identical",
        "c_1.0_all.deb: is made by the first build alone",
        "d_1.0_all.deb: differs",
        "what diffoscope says",
    ]


def test_a_source_that_builds_as_usual_only_fails(judged: Judged, tmp_path: Path) -> None:
    report = judged(Second(state=BuildState.FAILED))
    assert report.outcome is Outcome.FAIL
    (finding,) = report.findings
    assert (finding.package, finding.tag) == ("hello", "fails-to-build-varied")
    assert finding.text.startswith("it builds, but not with another build path")
    assert finding.text.endswith(":\ndate: too late\nmake: *** Error 1")
    assert report.log == tmp_path / "dist/reproducible/x.build"


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (Second(state=BuildState.ENVIRONMENT), "gave nothing to compare: environment failed: date: too late"),
        (Second(state=BuildState.TIMED_OUT), "gave nothing to compare: timed out"),
        (Second(state=BuildState.FAILED, started=False), "gave nothing to compare: package failed"),
        (Second(started=False), "gave nothing to compare: succeeded: dpkg-buildpackage was not started"),
        (Second(found={"clock": "0"}), "was to be varied, and was not: clock: in its chroot was found clock=0"),
        (Second(found={"host": "sbuild", "locale": "fr_CH.UTF-8/ANSI_X3.4-1968"}), "was not: locale, host"),
        (Second(installed="gcc-14 (= 2), make (= 1)"), "had other packages: gcc-14 (= 1), gcc-14 (= 2), make (= 1)"),
    ],
)
def test_what_tells_nothing_of_the_package_is_an_environment_error(judged: Judged, second: Second, reason: str) -> None:
    report = judged(second)
    assert report.outcome is Outcome.ERROR
    assert reason in report.reason
    assert report.findings == ()


def test_where_nothing_was_built_there_is_nothing_to_judge(judged: Judged) -> None:
    assert judged(None).outcome is Outcome.NOT_RUN


def test_what_is_not_varied_is_told_with_its_reason(judged: Judged) -> None:
    report = judged(Second(), SAME, Unvaried(variation="clock", reason="a certificate ends"))
    assert report.outcome is Outcome.PASS
    assert "clock that is" not in report.steps[0].text
    assert report.steps[0].text.endswith("1 processor; not varied: clock (a certificate ends)")


def test_a_second_build_that_is_not_varied_at_all_is_compared_too(judged: Judged) -> None:
    names = ("path", "clock", "timezone", "locale", "host", "processors")
    report = judged(Second(started=False), SAME, *(Unvaried(variation=name, reason="so") for name in names))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert report.steps[0].text.startswith("with nothing varied; not varied: path (so)")


def test_that_diffoscope_does_not_end_lets_nothing_pass(
    judged: Judged, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.undo()

    def tools(*_: object) -> None:
        raise TimeoutFailure("diffoscope took longer than 9 s", cause="it hangs", hint="wait")

    monkeypatch.setattr(checks.Bench, "tools", tools)
    report = judged(Second({"hello-debkit": "exit 1"}))
    assert report.outcome is Outcome.FAIL
    assert report.log
    assert "diffoscope could not explain it: diffoscope took longer than 9 s: it hangs" in report.log.read_text()


def test_an_interrupt_while_diffoscope_runs_is_one(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def tools(*_: object) -> None:
        raise Interrupted(2)

    monkeypatch.setattr(checks.Bench, "tools", tools)
    with pytest.raises(Interrupted):
        judged(Second({"hello-debkit": "exit 1"}))


def chosen(tmp_path: Path, via: Via = Via.NATIVE, *, processors: int = 4, hour: int = 12) -> tuple[Variation, dict[str, str]]:
    result = replace(built(tmp_path / f"{via}{processors}{hour}", {}), via=via)
    result.log.unlink()
    began = datetime(2026, 11, 27, hour, 30, tzinfo=UTC).timestamp()
    return choose(ReproducibleConfig(), result, began=began, processors=processors)


def test_all_is_varied_as_far_as_it_can_be(tmp_path: Path) -> None:
    assert chosen(tmp_path) == (replace(VARIED, processors=3), {})
    variation, kept = chosen(tmp_path, Via.EMULATED, processors=1)
    assert (variation.processors, kept) == (0, {"processors": "this machine has but one"})
    variation, kept = chosen(tmp_path, Via.ACCELERATED)
    assert (variation.clock, set(kept)) == (0, {"clock"})


@pytest.mark.parametrize("hour", range(24))
def test_by_the_time_zone_it_is_always_another_day(tmp_path: Path, hour: int) -> None:
    variation, _ = chosen(tmp_path, hour=hour)
    ahead = {"GMT+12": -12, "GMT-14": 14}[variation.timezone]
    moment = datetime(2026, 11, 27, hour, 30, tzinfo=UTC)
    assert (moment + timedelta(hours=ahead)).date() != moment.date()


def test_what_is_in_force_is_read_in_the_log() -> None:
    assert unmet(VARIED, seen(VARIED)) == ()
    assert unmet(VARIED, {}) == ("clock", "timezone", "locale", "host", "processors")
    assert unmet(Variation(path=PATH), {}) == ()


@pytest.mark.parametrize(
    ("first", "second", "tag"),
    [
        ("/build/reproducible-path/x", f"{PATH}/x", "build-path-in-package"),
        ("on sbuild", "on localhost.", "host-name-in-package"),
        ("listens on localhost, 2", "listens on localhost, 1", ""),
        ("Fri Nov 27 12:00:01 UTC 2026", "jeu 30 déc 2027 18:23:01 UTC", "timestamp-in-package"),
        ("Fri Nov 27 12:00:01 UTC 2026", "ven 31 déc 2027 08:23:01", "timestamp-in-package"),  # by the time zone
        ("2026-11-27T12:00", "2027-12-30T18:23", "timestamp-in-package"),
        ("20261127", "20271230", "timestamp-in-package"),
        ("27.11.2026", "30.12.2027", "timestamp-in-package"),
        ("1795780801", f"{NOON + CLOCK + 9:.0f}", "timestamp-in-package"),
        ("1795780801", f"{NOON + 30:.0f}", "timestamp-in-package"),  # of a file, whose time is the real one
        ("Nov 27 2026 11:50", "Nov 27 2026 12:01", "timestamp-in-package"),
        ("Nov 27 2026", "Nov 27 2026, and more", ""),
        ("1795780801", "1234567890", ""),
        ("2", "1", ""),
    ],
)
def test_the_culprit_is_told_where_it_stands_in_the_file(first: str, second: str, tag: str) -> None:
    found = culprits(first.encode(), second.encode(), VARIED, PERIOD)
    assert [each.tag for each in found] == ([tag] if tag else [])


def test_the_time_in_a_header_of_gzip_is_found() -> None:
    stamps = [GZIP + b"\0" + int(moment).to_bytes(4, "little") for moment in (NOON - 900, NOON + 9, NOON + 86400)]
    assert [each.tag for each in culprits(stamps[0], stamps[1], VARIED, PERIOD)] == ["timestamp-in-package"]
    assert culprits(stamps[0], stamps[2], VARIED, PERIOD) == ()


def test_modes_differ_too_and_what_is_only_packed_in_another_way_does_not(tmp_path: Path) -> None:
    first, second = (built(tmp_path / name, SAME).debs[0] for name in ("first", "second"))
    assert differences(first, second) == ()
    (other,) = built(tmp_path / "other", {"hello-debkit": "exit 1"}).debs
    (found,) = differences(first, other)
    assert (found.name, found.first, found.second) == (
        "DEBIAN/postinst", b"#!/bin/sh\nset -e\nexit 0\n", b"#!/bin/sh\nset -e\nexit 1\n",
    )  # fmt: skip


def test_the_sides_of_what_diffoscope_says_are_told_apart() -> None:
    text = "--- /mnt/first/x.deb\n├── data.tar.xz\n│ ├── x.gz\n│ │ │ @@ -1 +1 @@\n│ │ │ -old\n│ │ │ +new\n"
    assert side(text, "-").splitlines()[-1] == b"old"
    assert side(text, "+") == b"new"
