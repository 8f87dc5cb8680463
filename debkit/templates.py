"""Text made from templates, NAME.jinja in a directory of the room that they are for. Owns jinja2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment


def environment(directory: Path) -> Environment:
    """Make what fills in the templates of a directory. What goes into HTML is escaped; a fact that is missing is a defect."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 (slow to come, and seldom needed)

    return Environment(
        loader=FileSystemLoader(directory),
        autoescape=lambda name: name is None or name.endswith(".html.jinja"),  # noqa: S701 (the others make no HTML)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
