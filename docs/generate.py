"""Write the man pages and shell completions that the command line itself describes: `python3 docs/generate.py DIRECTORY`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from click.shell_completion import get_completion_class
from click_man.core import write_man_pages

from debkit import __version__
from debkit.cli import debkit_command

COMPLETIONS = {"bash": "debkit.bash", "zsh": "_debkit", "fish": "debkit.fish"}


def fill(group: click.Group) -> None:
    """Have a group and those in it hold their verbs, which they look for in files."""
    context = click.Context(group)
    for name in group.list_commands(context):
        if verb := group.get_command(context, name):
            group.commands[name] = verb
            if isinstance(verb, click.Group):
                fill(verb)


def generate(into: Path) -> None:
    """Write one man page a verb, and one completion a shell, into `into`."""
    into.mkdir(parents=True, exist_ok=True)
    fill(debkit_command)
    write_man_pages("debkit", debkit_command, version=__version__, target_dir=os.fspath(into))
    for shell, name in COMPLETIONS.items():
        completion = get_completion_class(shell)
        assert completion is not None
        text = completion(debkit_command, {}, "debkit", "_DEBKIT_COMPLETE").source()
        (into / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
