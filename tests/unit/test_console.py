from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import click
import pytest
from rich.console import Console as Rich

from debkit.cli import debkit_command
from debkit.console import Console, JobProgress, _table, as_typed, counted, duration
from debkit.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


@pytest.mark.parametrize(("number", "said"), [(0, "0 files"), (1, "1 file"), (2000, "2,000 files")])
def test_how_many_there_are(number: int, said: str) -> None:
    assert counted(number, "file") == said


def test_an_error_shows_its_three_parts_its_log_and_the_lines_that_matter(
    plain: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Console().error(
        BuildError("it broke", cause="one\ntwo", hint="try [this]", log=tmp_path / "log", excerpt=("x.c:100:5: error",))
    )
    assert capsys.readouterr().err.splitlines() == [
        "error: it broke",
        "  likely cause: one",
        "    two",
        "  next: try [this]",
        f"  log: {tmp_path}/log",
        "",
        "  | x.c:100:5: error",
    ]


def test_every_command_in_a_hint_is_typed_as_debkit_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/src/debkit/__main__.py"])
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    assert isinstance(debkit_command, click.Group)
    for name in debkit_command.list_commands(click.Context(debkit_command)):
        assert as_typed(f"debkit {name}") == f"/usr/bin/python3 -m debkit {name}"


@pytest.mark.parametrize(
    ("called", "typed"),
    [
        ("/usr/bin/debkit", "debkit doctor --fix; ls debkit"),
        ("/src/debkit/__main__.py", "/usr/bin/python3 -m debkit doctor --fix; ls debkit"),
    ],
)
def test_a_hint_names_debkit_as_it_was_called(
    plain: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, called: str, typed: str
) -> None:
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    Console().error(BuildError("it broke", cause="unknown", hint="debkit doctor --fix; ls debkit"))
    assert f"  next: {typed}\n" in capsys.readouterr().err


def test_in_ci_a_failure_is_annotated_and_a_log_folded(github: None, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.error(BuildError("100% broken\nreally", cause="why", hint="next"))
    console.fold("the log's end", ("[a]", "b"))
    with console.step("sign"):
        console.info("signing")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "::error::100%25 broken%0Areally"
    assert lines[lines.index("::group::the log's end") :][:4] == ["::group::the log's end", "[a]", "b", "::endgroup::"]
    assert lines[-3:] == ["::group::sign", "signing", "::endgroup::"]


def test_without_a_terminal_each_phase_is_one_plain_line(plain: None, capsys: pytest.CaptureFixture[str]) -> None:
    with Console().jobs(("trixie/arm64",)) as rows:
        rows["trixie/arm64"].phase("build")
        rows["trixie/arm64"].phase("build")
        rows["trixie/arm64"].line("gcc -c x.c")
        rows["trixie/arm64"].done("built")
    build, built = capsys.readouterr().err.splitlines()
    assert build == "[trixie/arm64] build"
    assert re.fullmatch(r"\[trixie/arm64\] built \(\d+\.\d s\)", built)


def test_a_narrow_terminal_cuts_what_is_long_but_never_the_name_or_the_time(plain: None) -> None:
    row = JobProgress("trixie/arm64", Console(), current="installing " + "x" * 80, last="Setting up " + "y" * 80, seconds=3400)
    screen = Rich(width=60, file=io.StringIO(), force_terminal=False)
    screen.print(_table((row,)))
    (line,) = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]  # it is the StringIO above
    assert line.startswith("trixie/arm64  installing x")
    assert "…  56 min 40 s  Setting up" in line
    assert len(line) == 60


def test_what_was_asked_for_goes_to_standard_output(plain: None, capsys: pytest.CaptureFixture[str]) -> None:
    Console().result("[bold]a[/bold]")
    assert capsys.readouterr().out == "[bold]a[/bold]\n"


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (3725, "62 min 05 s")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
