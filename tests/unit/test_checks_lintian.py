from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.checks import lintian
from debkit.chroot import roots
from debkit.chroot.roots import ToolRoot
from debkit.config import ChecksConfig, ChrootConfig, LintianConfig, Suppression
from debkit.console import Quiet
from debkit.errors import EnvironmentFailure
from debkit.model import BuildResult, BuildState, CheckReport, Finding, Outcome, Severity, Target, Via
from tests.recorder import Reply, contains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data" / "lintian"
NO_COPYRIGHT = Finding(severity=Severity.ERROR, tag="no-copyright-file", package="hello-debkit", text="")
NO_MANUAL = Finding(severity=Severity.WARNING, tag="no-manual-page", package="hello-debkit", text="[usr/bin/hello-debkit]")


def recorded(name: str) -> str:
    return (DATA / f"{name}.json").read_text()


@pytest.fixture
def judge(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CheckReport]:
    """Judge a build of which lintian says what was recorded under a name."""

    @contextlib.contextmanager
    def tools(*_: object, **__: object) -> Iterator[ToolRoot]:
        yield ToolRoot(Path("/cache/tools"))

    monkeypatch.setattr(roots, "tools", tools)

    def judged(name: str, *, files: tuple[str, ...] = ("hello-debkit_1.0_all.deb",), source: Path | None = None,
               **config: object) -> CheckReport:  # fmt: skip
        recorder.replies.insert(0, Reply(("lintian",), recorded(name)))
        bench = checks.Bench(
            run=recorder,
            config=ChecksConfig(lintian=LintianConfig(**config)),  # type: ignore[arg-type]
            chroot=ChrootConfig(),
            progress=Quiet(),
            work=tmp_path / "dist",
            source=source,
        )
        result = BuildResult(
            target=Target("trixie", "arm64"),
            via=Via.EMULATED,
            backend="sbuild",
            state=BuildState.SUCCEEDED,
            phases=(),
            disk_bytes=0,
            log=tmp_path / "build.log",
            argv=(),
            changes=tmp_path / "hello-debkit_1.0_amd64.changes",
            debs=tuple(tmp_path / file for file in files),
        )
        return lintian.judge(bench, result)

    return judged


@pytest.mark.parametrize(
    ("tag", "note", "severity"),
    [
        ("elevated-privileges", "4755 root/root", Severity.ERROR),
        ("non-standard-file-perm", "0666 != 0644", Severity.ERROR),
        ("non-standard-dir-perm", "0777 != 0755", Severity.ERROR),
        ("non-standard-dir-perm", "1777 != 0755", Severity.WARNING),
        ("non-standard-file-perm", "0664 != 0644", Severity.WARNING),
    ],
)
def test_what_gives_rights_away_is_an_error(tag: str, note: str, severity: Severity) -> None:
    hint = {"tag": tag, "note": note, "visibility": "warning", "pointer": {"item": {"name": "usr/bin/hello"}}}
    text = json.dumps({"groups": [{"input_files": [{"path": "/srv/0/hello_1.0_amd64.deb", "hints": [hint]}]}]})
    (finding,) = lintian.parse(text).findings
    assert (finding.severity, finding.text) == (severity, f"{note} [usr/bin/hello]")


@pytest.mark.parametrize("name", ["error", "error-bookworm"])
def test_an_error_fails(judge: Callable[..., CheckReport], name: str) -> None:
    report = judge(name)
    assert (report.outcome, report.reason) == (Outcome.FAIL, "1 finding: hello-debkit: no-copyright-file")
    assert report.findings == (NO_COPYRIGHT, NO_MANUAL)


def test_warnings_and_infos_pass_unless_the_threshold_is_lower(judge: Callable[..., CheckReport]) -> None:
    files = ("hello-debkit_1.0_amd64.deb",)
    report = judge("pass-sid", files=files)
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert [finding.severity for finding in report.findings] == [Severity.WARNING, Severity.INFO]
    assert judge("pass-sid", files=files, fail_on="warning").outcome is Outcome.FAIL


def test_a_suppressed_tag_is_accepted_for_its_reason(judge: Callable[..., CheckReport]) -> None:
    report = judge("error", suppress=(Suppression(tag="no-copyright-file", reason="a test"),))
    assert report.outcome is Outcome.PASS
    assert [(finding.tag, finding.accepted) for finding in report.findings] == [
        ("no-copyright-file", "a test"),
        ("no-manual-page", ""),
    ]


def test_a_suppression_counts_for_its_package_only(judge: Callable[..., CheckReport]) -> None:
    other = Suppression(tag="no-copyright-file", reason="a test", package="hello-debkit-data")
    assert judge("error", suppress=(other,)).outcome is Outcome.FAIL


def test_a_suppression_that_nothing_calls_for_is_told(judge: Callable[..., CheckReport]) -> None:
    unused = Suppression(tag="never-seen", reason="once upon a time", package="hello-debkit")
    elsewhere = Suppression(tag="never-seen", reason="built in another job", package="hello-debkit-data")
    *_, last = judge("error", suppress=(unused, elsewhere)).findings
    assert (last.severity, last.tag, last.package) == (Severity.INFO, "never-seen", "hello-debkit")
    assert last.text == "is suppressed in the configuration, but lintian does not report it"


def test_the_packages_own_overrides_are_respected_and_told(judge: Callable[..., CheckReport]) -> None:
    report = judge("overridden")
    found = {finding.tag: finding for finding in report.findings}
    assert found["no-copyright-file"].accepted == "overridden by the package: it is a test, and nobody reads it"
    assert found["alien-tag"].text == "unknown-foo [usr/share/lintian/overrides/hello-debkit:4]"
    assert report.outcome is Outcome.FAIL  # the unknown tag in the overrides is an error of its own
    assert report.reason.startswith("2 findings, the first: hello-debkit: alien-tag never-seen-tag")


def test_experimental_and_screened_tags_never_fail() -> None:
    hints = [
        {"tag": "a-trial", "visibility": "error", "experimental": True, "note": ""},
        {"tag": "screened", "visibility": "error", "experimental": False, "note": "", "masks": [{"screen": "x"}]},
        {"tag": "fussy", "visibility": "pedantic", "experimental": False, "note": ""},
    ]
    files = [{"path": "/srv/0/hello_1.0.dsc", "hints": hints}]
    answer = lintian.parse(json.dumps({"groups": [{"input_files": files}]}))
    assert answer.findings == (Finding(severity=Severity.INFO, tag="a-trial", package="hello source", text=""),)


def test_a_file_that_lintian_passed_over_is_no_pass(judge: Callable[..., CheckReport]) -> None:
    with pytest.raises(EnvironmentFailure, match=r"lintian did not look at hello-debkit-data_1.0_all.deb"):
        judge("error", files=("hello-debkit_1.0_all.deb", "hello-debkit-data_1.0_all.deb"))


def test_a_lintian_that_breaks_off_says_why_in_its_first_line(judge: Callable[..., CheckReport], recorder: Recorder) -> None:
    recorder.reply("--profile", stdout="Could not find a profile matching: none/main\n at Profile.pm line 595.\n", code=2)
    with pytest.raises(EnvironmentFailure, match="lintian broke off: Could not find a profile matching: none/main"):
        judge("error", profile="none")


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"groups": [{}]}'])
def test_an_answer_that_is_none_is_no_pass(text: str) -> None:
    with pytest.raises(EnvironmentFailure, match="cannot read"):
        lintian.parse(text)


def test_it_runs_in_the_tool_root_without_a_network_and_reads_only(
    judge: Callable[..., CheckReport], recorder: Recorder, tmp_path: Path
) -> None:
    judge("error", profile="debian/extra", fail_on="warning")
    (command,) = recorder.commands
    assert "--net" in command.argv
    assert "/cache/tools" in command.argv
    assert contains(command.argv, ("--ro-bind", str(tmp_path), "/srv/0"))
    assert "--bind" not in command.argv
    assert command.argv[command.argv.index("lintian") :] == (
        "lintian", "--allow-root", "--exp-output", "format=json", "--fail-on", "none", "--display-info", "--show-overrides",
        "--profile", "debian/extra", "/srv/0/hello-debkit_1.0_amd64.changes",
    )  # fmt: skip
    assert command.timeout == ChecksConfig().timeout


def test_the_source_is_judged_along(recorder: Recorder, judge: Callable[..., CheckReport], tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"did not look at hello-debkit_1.0.dsc"):
        judge("error", source=tmp_path / "source" / "hello-debkit_1.0.dsc")
    assert recorder.argvs[0][-2:] == ("/srv/0/hello-debkit_1.0_amd64.changes", "/srv/1/hello-debkit_1.0.dsc")


def test_the_log_holds_the_answer_and_its_lines_for_people(judge: Callable[..., CheckReport]) -> None:
    report = judge("error")
    again = judge("error", suppress=(Suppression(tag="no-copyright-file", reason="a test"),))
    assert report.log == again.log
    assert again.log
    text = again.log.read_text()
    assert text.startswith(recorded("error"))
    assert text.endswith("O: hello-debkit: no-copyright-file (a test)\nW: hello-debkit: no-manual-page [usr/bin/hello-debkit]\n")
