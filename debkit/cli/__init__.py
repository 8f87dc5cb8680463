"""The command line: one thin file a verb, found by its name. Errors become exit codes here and nowhere else."""

from __future__ import annotations

import ast
import functools
import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import debkit
from debkit.errors import ConfigError, DebkitError, Interrupted, MissingTool, defect, disk_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.config import Config
    from debkit.console import Console
    from debkit.run import Processes


@dataclass
class Session:
    """What every verb is given. Its parts are made when first asked for, so that `--help` imports none of them."""

    project: Path
    config_file: Path | None
    verbose: bool

    @cached_property
    def console(self) -> Console:
        from debkit.console import Console  # noqa: PLC0415

        return Console(verbose=self.verbose)

    @cached_property
    def config(self) -> Config:
        from debkit.config import load  # noqa: PLC0415

        return load(self.project, self.config_file)

    @cached_property
    def accelerate(self) -> bool:
        """Whether the environment lets programs of other architectures have native twins. Raises ConfigError."""
        value = os.environ.get("DEBKIT_ACCEL", "")
        if value not in {"", "on", "off"}:
            raise ConfigError(
                f"DEBKIT_ACCEL is {value!r}", cause="it may be on or off", hint="DEBKIT_ACCEL=off, or: unset DEBKIT_ACCEL"
            )
        return value != "off"

    @cached_property
    def run(self) -> Processes:
        from debkit.run import Processes  # noqa: PLC0415

        return Processes()


class Verbs(click.Group):
    """Takes its subcommands from the files of its package: a docstring, whose first line is the help, and a `command` each."""

    def __init__(self, *args: Any, package: str = "debkit.cli", **options: Any) -> None:
        super().__init__(*args, **options)
        self.package = package

    @property
    def directory(self) -> Path:
        return Path(__file__).parent.joinpath(*self.package.split(".")[2:])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        files = (path for path in self.directory.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
        return sorted(path.stem.replace("_", "-") for path in files if path.stem != "__init__")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{self.package}.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them: help must be quick."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._first_line(name)) for name in self.list_commands(ctx)])

    def _first_line(self, name: str) -> str:
        """Give the verb's help, read from its file without running it."""
        path = self.directory / name.replace("-", "_")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="build, judge, sign and publish Debian packages",
)
@click.version_option(debkit.__version__, prog_name="debkit")
@click.option("-C", "--project", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", show_default=True,
              help="The project whose config/, dist/ and repo/ are used.")  # fmt: skip
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Another configuration than config/debkit.toml.")
@click.option("-v", "--verbose", is_flag=True, help="Say more, such as how long each step took.")
@click.option("--debug", is_flag=True, help="Show where in debkit an error came from.")
@click.pass_context
def debkit_command(ctx: click.Context, *, project: Path, config_file: Path | None, verbose: bool, debug: bool) -> None:
    """Build, judge, sign and publish Debian packages for several architectures."""
    del debug  # read by main(), which also has to show errors that come before this
    ctx.obj = Session(project.resolve(), config_file, verbose)


def with_passphrase(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that say where a passphrase comes from; it is called with what they come to as `passphrase`."""

    @click.option("--passphrase-fd", type=int, metavar="N", help="Read the key's passphrase from this file descriptor.")
    @click.option(
        "--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Read the key's passphrase from this file."
    )
    @functools.wraps(callback)
    def command(*given: Any, passphrase_fd: int | None, passphrase_file: Path | None, **named: Any) -> Any:
        from debkit.keys import Passphrase  # noqa: PLC0415

        if passphrase_fd is not None and passphrase_file:
            raise click.UsageError("--passphrase-fd and --passphrase-file exclude each other")
        return callback(*given, passphrase=Passphrase(fd=passphrase_fd, file=passphrase_file), **named)

    return command


def main() -> NoReturn:
    """Run the command line and exit: 0, 1 for a defect in debkit, 2 for a wrong command line, else the error's own code."""
    debug = "--debug" in sys.argv
    try:
        code = debkit_command.main(standalone_mode=False, prog_name="debkit")
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _show(Interrupted(2), debug=debug)
    except DebkitError as failure:
        _show(failure, debug=debug)
    except OSError as problem:
        _show(disk_error(problem) or defect(problem), debug=debug)
    except ModuleNotFoundError as problem:
        what = f"the Python module {problem.name} is not installed for {sys.executable}"
        _show(MissingTool(what, cause="debkit runs on Debian's own Python modules", hint="make setup"), debug=debug)
    except Exception as problem:  # noqa: BLE001
        _show(defect(problem), debug=debug)
    sys.exit(code if isinstance(code, int) else 0)


def _show(failure: DebkitError, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    try:
        from debkit.console import Console  # noqa: PLC0415
    except ModuleNotFoundError:  # what is missing is what we show errors with
        sys.stderr.write(f"error: {failure.what}\n  likely cause: {failure.cause}\n  next: {failure.hint}\n")
    else:
        Console().error(failure)
    sys.exit(failure.exit_code)
