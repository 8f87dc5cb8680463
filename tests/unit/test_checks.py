from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.chroot import roots
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.errors import ConfigError, EnvironmentFailure, Interrupted, NetworkError, TimeoutFailure
from debkit.model import BuildResult, BuildState, CheckReport, Finding, Outcome, Severity, Target, Via
from tests.recorder import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Run
    from tests.recorder import Recorder

CHECKOUT = Path(__file__).parents[2]
CHECK = """
from debkit.model import CheckReport, Outcome

PACKAGES = ("a-tool",)


def judge(bench, result):
    if bench.raises:
        raise bench.raises
    return CheckReport(check="fresh", target=result.target, outcome=Outcome.PASS, seconds=0.0)
"""


class Fields(dict[str, str]):
    """A .deb of which only the control fields are read."""

    def debcontrol(self) -> Fields:
        return self


@pytest.fixture
def bench(recorder: Recorder, tmp_path: Path) -> checks.Bench:
    return checks.Bench(run=recorder, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist")


@pytest.fixture
def result(tmp_path: Path) -> BuildResult:
    return BuildResult(
        target=Target("trixie", "arm64"),
        via=Via.EMULATED,
        backend="sbuild",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=tmp_path / "build.log",
        argv=(),
        changes=tmp_path / "hello_1.0_arm64.changes",
    )


def failing_check(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> None:
    class Failing:
        PACKAGES = ()

        def judge(self, bench: checks.Bench, result: BuildResult) -> CheckReport:
            raise problem

    monkeypatch.setattr(checks, "find", lambda name: Failing())


def test_a_new_check_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fresh.py").write_text(CHECK)
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    assert checks.find("fresh").PACKAGES == ("a-tool",)


def test_the_worked_example_of_a_new_check_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: checks.Bench, result: BuildResult
) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", (CHECKOUT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "size.py").write_text(example)
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    sizes = {"small.deb": "100", "large.deb": "2000000"}
    size = checks.find("size")
    monkeypatch.setattr(size, "DebFile", lambda name: Fields({"Package": name, "Installed-Size": sizes[name]}))
    assert size.judge(bench, replace(result, debs=(Path("small.deb"),))).outcome is Outcome.PASS
    judged = size.judge(bench, replace(result, debs=(Path("small.deb"), Path("large.deb"))))
    assert judged.outcome is Outcome.FAIL
    assert [finding.package for finding in judged.findings] == ["large.deb"]


def test_the_checks_that_are_there() -> None:
    assert checks.find("lintian").PACKAGES == ("lintian",)
    assert checks.find("piuparts").PACKAGES == ("piuparts",)


@pytest.mark.parametrize("name", ["lintain", "_debs", "__init__", "../run"])
def test_an_unknown_check_is_a_mistake_in_the_configuration(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no check"):
        checks.find(name)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (NetworkError("apt-get failed", cause="no\nroute", hint="next"), "apt-get failed: no route"),
        (
            TimeoutFailure("sh ran longer than 3599 s and was ended", cause="why", hint="next"),
            "lintian was ended after 3600 s, the [checks] timeout: it hangs, or the machine is slow",
        ),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_trouble_with_the_environment_is_never_a_pass(
    bench: checks.Bench, result: BuildResult, monkeypatch: pytest.MonkeyPatch, problem: Exception, reason: str
) -> None:
    failing_check(monkeypatch, problem)
    report = checks.judge("lintian", bench, result)
    assert (report.check, report.target) == ("lintian", Target("trixie", "arm64"))
    assert (report.outcome, report.reason) == (Outcome.ERROR, reason)


TRUNCATED = """\
dpkg-deb (subprocess): cannot copy archive member from 'hello.deb' to decompressor pipe: unexpected end of file or stream
tar: Unexpected EOF in archive
dpkg-deb: error: tar subprocess returned error exit status 2
"""


@pytest.mark.parametrize("damaged", [True, False])
def test_what_keeps_a_check_from_a_verdict_may_be_a_damaged_package(
    bench: checks.Bench,
    result: BuildResult,
    recorder: Recorder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    damaged: bool,
) -> None:
    failing_check(monkeypatch, EnvironmentFailure("lintian broke off", cause="why", hint="next"))
    deb = tmp_path / "hello_1.0_arm64.deb"
    deb.write_bytes(b"")
    recorder.replies.append(Reply(("dpkg-deb", "--contents"), TRUNCATED if damaged else "", 2 if damaged else 0))
    report = checks.judge("lintian", bench, replace(result, debs=(deb, tmp_path / "gone_1.0_arm64.deb")))
    if damaged:
        text = "hello_1.0_arm64.deb cannot be unpacked: unexpected end of file or stream"
        assert (report.outcome, report.reason) == (Outcome.FAIL, f"damaged-package: {text}")
        assert report.findings == (Finding(severity=Severity.ERROR, tag="damaged-package", package="hello", text=text),)
    else:
        assert (report.outcome, report.reason) == (Outcome.ERROR, "lintian broke off: why")


def test_an_interrupt_passes_through(bench: checks.Bench, result: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_check(monkeypatch, Interrupted(2))
    with pytest.raises(Interrupted):
        checks.judge("lintian", bench, result)


def test_a_defect_is_not_hidden(bench: checks.Bench, result: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_check(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        checks.judge("lintian", bench, result)


def test_what_was_not_built_is_not_judged(bench: checks.Bench, result: BuildResult, recorder: Recorder) -> None:
    report = checks.judge("lintian", bench, replace(result, state=BuildState.FAILED))
    assert (report.outcome, report.reason) == (Outcome.SKIPPED, "there is no successful build")
    assert not recorder.commands


def test_one_tool_root_serves_every_configured_check(bench: checks.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    @contextlib.contextmanager
    def tools(run: Run, suite: str, packages: tuple[str, ...], **_: object) -> Iterator[None]:
        asked.append((suite, packages))
        yield

    monkeypatch.setattr(roots, "tools", tools)
    with replace(bench, config=ChecksConfig(run=("piuparts", "lintian"))).tools("trixie"):
        pass
    assert asked == [("trixie", ("lintian", "piuparts"))]
