from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.checks import own
from debkit.errors import ConfigError, TimeoutFailure
from debkit.model import CheckReport, Outcome
from tests.fake_bench import control, result
from tests.recorder import contains

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Command
    from tests.recorder import Recorder


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "project/config/checks.d"
    path.mkdir(parents=True)
    return path


def add(directory: Path, *names: str, mode: int = 0o755) -> None:
    for name in names:
        (directory / name).touch()
        (directory / name).chmod(mode)


def judge(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> CheckReport:
    recorder.reply("dpkg-deb", stdout=control("hello", "arm64"))
    recorder.reply("dpkg-deb", "--field", str(tmp_path / "hello-dbgsym_1.0_arm64.deb"),
                   stdout=control("hello-dbgsym", "arm64", auto_built_package="debug-symbols"))  # fmt: skip
    (tmp_path / "hello.changes").write_text("Source: greeting\nVersion: 1:1.0-1\n")
    built = replace(result(tmp_path, "hello_1.0_arm64.deb", "hello-dbgsym_1.0_arm64.deb"), changes=tmp_path / "hello.changes")
    return checks.judge("own", replace(bench, project=tmp_path / "project"), built)


def test_each_executable_is_a_step_in_the_order_of_names(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path, directory: Path
) -> None:
    add(directory, "20-second", "10-first")
    report = judge(clean_bench, recorder, tmp_path)
    assert (report.outcome, report.reason, report.findings) == (Outcome.PASS, "", ())
    assert [(step.name, step.outcome) for step in report.steps] == [("10-first", Outcome.PASS), ("20-second", Outcome.PASS)]


def test_what_a_check_is_given(clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path, directory: Path) -> None:
    add(directory, "runs")
    seen: list[str] = []

    def look(command: Command) -> None:
        (conf,) = tmp_path.rglob("50debkit")
        seen.append(conf.read_text().splitlines()[-1])

    recorder.reply("/srv/debkit/checks.d/runs", action=look)
    judge(clean_bench, recorder, tmp_path)
    update, command = [command for command in recorder.commands if any(str(directory) in word for word in command.argv)]
    assert update.argv[-2:] == ("apt-get", "update")
    assert command.argv[-2:] == ("/srv/debkit/checks.d/runs", "/srv/debkit/packages/hello_1.0_arm64.deb")
    assert contains(command.argv, ("--ro-bind", str(directory), "/srv/debkit/checks.d"))
    assert contains(
        command.argv, ("--ro-bind", str(tmp_path / "hello_1.0_arm64.deb"), "/srv/debkit/packages/hello_1.0_arm64.deb")
    )
    assert "--net" not in command.argv
    assert {
        ("DEBKIT_SUITE", "trixie"),
        ("DEBKIT_ARCH", "arm64"),
        ("DEBKIT_SOURCE", "greeting"),
        ("DEBKIT_VERSION", "1:1.0-1"),
    } <= set(command.env)
    assert seen == ['Acquire::http::Proxy "http://proxy.example.org:3142";']


VERDICTS = {0: Outcome.PASS, 77: Outcome.SKIPPED, 1: Outcome.FAIL, 127: Outcome.FAIL, -9: Outcome.ERROR}


@pytest.mark.parametrize("code", VERDICTS)
def test_the_exit_code_is_the_verdict(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path, directory: Path, code: int
) -> None:
    outcome = VERDICTS[code]
    add(directory, "good", "runs")
    recorder.reply("/srv/debkit/checks.d/runs", stdout="first word\nlast word\n\n", code=code)
    report = judge(clean_bench, recorder, tmp_path)
    assert (report.outcome, report.steps[1].outcome) == (outcome, outcome)
    text = {0: "", -9: "was killed by SIGKILL"}.get(code, "last word")
    assert report.steps[1].text == text
    assert report.reason == (f"runs: {text}" if code else "")
    assert [(f.tag, f.package, f.text) for f in report.findings] == (
        [("own-check-fails", "greeting", "runs: last word")] if outcome is Outcome.FAIL else []
    )
    assert report.log == tmp_path / "dist" / ("own-runs.log" if code else "own-good.log")


def test_one_that_hangs_is_an_environment_error_and_the_next_still_runs(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path, directory: Path
) -> None:
    def hang(command: Command) -> None:
        raise TimeoutFailure("it hangs", cause="it hangs", hint="wait")

    add(directory, "hangs", "runs")
    recorder.reply("/srv/debkit/checks.d/hangs", action=hang)
    report = judge(clean_bench, recorder, tmp_path)
    assert [step.outcome for step in report.steps] == [Outcome.ERROR, Outcome.PASS]
    assert (report.outcome, report.reason) == (Outcome.ERROR, "hangs: it was ended after 3600 s, the [checks] timeout")


def test_a_mirror_out_of_reach_is_not_the_packages_fault(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path, directory: Path
) -> None:
    add(directory, "runs")
    recorder.reply("apt-get", "update", stdout="E: Failed to fetch x  Could not resolve 'y'\n", code=100)
    report = judge(clean_bench, recorder, tmp_path)
    assert report.outcome is Outcome.ERROR
    assert report.reason.startswith("runs: apt-get failed: E: Failed to fetch")


@pytest.mark.parametrize("names", [(), ("README", ".hidden", "runs~")])
def test_without_executables_it_is_not_run(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path, directory: Path, names: tuple[str, ...]
) -> None:
    add(directory, *names)
    (directory / "data").mkdir()
    report = judge(clean_bench, recorder, tmp_path)
    assert (report.outcome, report.reason) == (Outcome.NOT_RUN, "config/checks.d has no executables")


def test_what_would_not_be_run_is_never_passed_over(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path, directory: Path
) -> None:
    add(directory, "forgotten", mode=0o644)
    add(directory, "runs.sh")
    with pytest.raises(ConfigError) as caught:
        own.found(directory)
    assert caught.value.cause.splitlines() == [
        f"{directory}/forgotten is not executable",
        "runs.sh: a name of letters, digits, - and _ is wanted",
    ]
    report = judge(clean_bench, recorder, tmp_path)
    assert report.outcome is Outcome.ERROR
    assert report.reason.startswith("config/checks.d has files that cannot be run: ")
