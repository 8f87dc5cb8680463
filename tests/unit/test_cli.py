from __future__ import annotations

import errno
import inspect
import re
import subprocess  # noqa: TID251  # what is measured is a fresh process
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import pytest
from click.testing import CliRunner

from debkit import cli, errors
from debkit.errors import ConfigError, DebkitError, Interrupted, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).parents[2]
ALL_ERRORS = {name: e for name, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, DebkitError)}


def ends(monkeypatch: pytest.MonkeyPatch, problem: BaseException, *argv: str) -> int:
    """Run main() with a command line that raises, and give its exit code."""

    def raise_it(**_: object) -> None:
        raise problem

    monkeypatch.setattr(cli.debkit_command, "main", raise_it)
    monkeypatch.setattr(sys, "argv", ["debkit", *argv])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (SourceError("x", cause="why", hint="next"), 5),
        (Interrupted(2), 130),
        (Interrupted(15), 143),
        (click.UsageError("x"), 2),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 17),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 17),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 17),
        (PermissionError(errno.EPERM, "Operation not permitted"), 1),
        (ModuleNotFoundError("No module named 'gnupg'", name="gnupg"), 18),
        (ZeroDivisionError(), 1),
    ],
)
def test_every_error_has_its_exit_code(monkeypatch: pytest.MonkeyPatch, problem: BaseException, code: int) -> None:
    assert ends(monkeypatch, problem) == code


@pytest.mark.parametrize(("value", "expected"), [("", True), ("on", True), ("off", False)])
def test_the_environment_switches_acceleration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, *, expected: bool
) -> None:
    monkeypatch.setenv("DEBKIT_ACCEL", value)
    assert cli.Session(project=tmp_path, config_file=None, verbose=False).accelerate is expected


def test_a_switch_that_is_no_switch_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DEBKIT_ACCEL", "of")
    with pytest.raises(ConfigError, match="DEBKIT_ACCEL is 'of'"):
        _ = cli.Session(project=tmp_path, config_file=None, verbose=False).accelerate


def test_a_traceback_shows_only_with_debug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ends(monkeypatch, ZeroDivisionError("oh"))
    assert "Traceback" not in capsys.readouterr().err
    ends(monkeypatch, ZeroDivisionError("oh"), "--debug")
    assert "Traceback" in capsys.readouterr().err


def test_an_error_is_told_where_the_module_that_shows_them_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cast("dict[str, object]", sys.modules), "debkit.console", None)
    assert ends(monkeypatch, ModuleNotFoundError("No module named 'rich'", name="rich")) == 18
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"error: the Python module rich is not installed for {sys.executable}"
    assert said[-1] == "  next: make setup"


def test_exit_codes_are_unique_and_start_at_three() -> None:
    codes = [e.exit_code for e in ALL_ERRORS.values() if e is not DebkitError]
    assert len(set(codes)) == len(codes)
    assert min(codes) >= 3


def test_the_reference_lists_every_exit_code() -> None:
    rows = dict(re.findall(r"^- `(\d+)`: (.+)$", (CHECKOUT / "docs/reference/debkit.md").read_text(), re.MULTILINE))
    assert {int(code): text for code, text in rows.items() if int(code) not in {0, 2}} == {
        e.exit_code: e.meaning for e in ALL_ERRORS.values()
    }


def help_of(command: click.Command, *path: str) -> str:
    return command.get_help(click.Context(command, info_name=" ".join(path)))


def test_every_verb_helps() -> None:
    context = click.Context(cli.debkit_command)
    for name in cli.debkit_command.list_commands(context):
        verb = cli.debkit_command.get_command(context, name)
        assert verb is not None
        assert "Usage:" in help_of(verb, "debkit", name)
        assert name in help_of(cli.debkit_command, "debkit")


def test_help_imports_no_room() -> None:
    script = (
        "import sys; from debkit.cli import debkit_command as c; c.main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    assert not {"rich", "jsonschema", "apt", "gnupg", "debkit.pipeline.execute"} & set(out.splitlines()[-1].split())


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*argv: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["debkit", *argv])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return int(caught.value.code or 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (("bulid",), 2, "No such command 'bulid'"),
        (("build", "--arhc", "arm64"), 2, "No such option: --arhc"),
        (("build", "--via", "magic"), 2, "magic"),
        (("-C", "/nowhere", "build"), 2, "/nowhere"),
        (("build", "--passphrase-fd", "3", "--passphrase-file", "x"), 2, "exclude each other"),
        (("build", "--arch", "arm46"), 3, "unknown architecture: arm46 (did you mean arm64?)"),
        (("build", "--suite", "trixi"), 3, "unknown suite: trixi (did you mean trixie?)"),
        (("build", "--backend", "pbulder"), 3, "unknown backend: pbulder (did you mean pbuilder?)"),
        (("build", "--suite", "trixe", "--arch", "arm46", "--backend", "pbulder"), 3, "3 names on the command line are unknown"),
        (("chroot", "create", "--suite", "trixe", "--arch", "arm46"), 3, "2 names on the command line are unknown"),
        (("doctor", "--arch", "arm46"), 3, "unknown architecture: arm46 (did you mean arm64?)"),
    ],
)
def test_a_wrong_command_line(invoke: Callable[..., tuple[int, str]], argv: tuple[str, ...], code: int, text: str) -> None:
    assert invoke(*argv)[0] == code
    assert text in invoke(*argv)[1]


def test_a_file_is_no_copy_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = CliRunner().invoke(cli.debkit_command, ["-C", str(tmp_path), "repo", "restore", str(tmp_path / "file")])
    assert ended.exit_code == 2
    assert "is a file" in ended.output
