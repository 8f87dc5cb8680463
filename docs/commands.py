"""The reference of the command line, as click has it: a page for debkit and one for each of its verbs."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

import click

from debkit import errors
from debkit.cli import debkit_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GENERATED = "<!-- Generated from the code; what mends it: /usr/bin/python3 -m docs.generate -->"
OTHER_CODES = {0: "all done", 2: "a wrong command line"}


def verbs(group: click.Group) -> dict[str, click.Command]:
    """Give the verbs of a group by their names."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: verb for name, verb in found.items() if verb}


def pages(environment: Path) -> dict[str, str]:
    """Give each page by its name, which is that of the man page. `environment` has what click does not know."""
    tops = verbs(debkit_command)
    told = {f"debkit-{name}": "\n\n".join(_verb(name, verb)) + "\n" for name, verb in tops.items()}
    return {"debkit": "\n\n".join(_front(tops, environment)) + "\n", **told}


def _front(tops: dict[str, click.Command], environment: Path) -> Iterator[str]:
    yield from _page(("debkit",), debkit_command)
    yield "## Commands"
    yield "\n".join(f"- [debkit {name}](debkit-{name}.md): {_summary(verb)}" for name, verb in tops.items())
    yield "## Exit status"
    yield "`make` itself exits with 2 whenever a command failed; debkit's own codes are:"
    codes = {**OTHER_CODES, **{kind.exit_code: kind.meaning for kind in failures()}}
    yield "\n".join(f"- `{code}`: {codes[code]}" for code in sorted(codes))
    yield environment.read_text(encoding="utf-8").partition("\n\n")[2].strip()
    yield "## See also"
    yield "[debkit.toml](debkit.toml.md)(5), apt(8), sbuild(1), reprepro(1)"


def failures() -> list[type[errors.DebkitError]]:
    """List every kind of failure that debkit tells of."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in kinds if issubclass(kind, errors.DebkitError)]


def _page(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    """Write what is told of debkit itself or of one of its verbs, in the order of a man page."""
    yield f"# {' '.join(path)}"
    yield GENERATED
    yield _summary(command)
    yield "## Synopsis"
    yield f"    {_usage(path, command)}"
    text = _text(command)
    if text != _summary(command):
        yield "## Description"
        yield text
    if options := _options(command):
        yield "## Options"
        yield options


def _verb(name: str, command: click.Command) -> Iterator[str]:
    yield from _page(("debkit", name), command)
    if isinstance(command, click.Group):
        yield "## Commands"
        for below, verb in verbs(command).items():
            path = ("debkit", name, below)
            yield f"### {' '.join(path)}"
            yield f"    {_usage(path, verb)}"
            yield _text(verb)
            yield from filter(None, [_options(verb)])
    yield "## See also"
    yield "[debkit](debkit.md)(1), [debkit.toml](debkit.toml.md)(5)"


def _text(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _options(command: click.Command) -> str:
    return "\n".join(_option(param) for param in command.params if isinstance(param, click.Option))


def _summary(command: click.Command) -> str:
    """Give what `debkit --help` says of a verb: the first line of its file."""
    file = sys.modules[command.callback.__module__].__doc__ or "" if command.callback and command is not debkit_command else ""
    return (file or command.help or "").partition("\n")[0]


def _usage(path: tuple[str, ...], command: click.Command) -> str:
    options = any(isinstance(param, click.Option) for param in command.params)
    arguments = [_argument(param) for param in command.params if isinstance(param, click.Argument)]
    more = ["COMMAND [ARGUMENT]..."] if isinstance(command, click.Group) else []
    return " ".join((*path, *(["[OPTION]..."] if options else []), *arguments, *more))


def _argument(argument: click.Argument) -> str:
    if argument.metavar:
        return argument.metavar
    name = argument.human_readable_name.upper()
    return f"{name if argument.required else f'[{name}]'}{'...' if argument.nargs < 0 else ''}"


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    default = f" By default `{option.default}`." if option.show_default else ""
    return f"- {names}{'' if option.is_flag else f' {_value(option)}'}: {option.help}{default}"


def _value(option: click.Option) -> str:
    match option.type:
        case _ if option.metavar:
            return f"*{option.metavar}*"
        case click.Choice(choices=choices):
            return "|".join(f"`{choice}`" for choice in choices)
        case click.Path(file_okay=False):
            return "*DIR*"
        case click.Path():
            return "*FILE*"
        case _:
            return "*N*"
