"""Text made from the templates of this room."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from debkit import templates

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **facts: object) -> str:
    """Fill in templates/TEMPLATE.jinja. What goes into HTML is escaped. A fact that is missing is a defect."""
    return _environment().get_template(f"{template}.jinja").render(facts)


def prepare() -> None:
    """Make ready what the front page is made from, so that it takes no time any more."""
    for template in ("page.html", "source.html", "install.md"):
        _environment().get_template(f"{template}.jinja")


@cache
def _environment() -> Environment:
    environment = templates.environment(TEMPLATES)
    environment.filters |= {"quote": quote, "day": _day, "enumerated": _enumerated, "grouped": _grouped}
    return environment


def _day(date: str) -> str:
    """Give the day of a changelog's date as 2024-01-02, or the date as it is where it is none."""
    try:
        return parsedate_to_datetime(date).date().isoformat()
    except ValueError:
        return date


def _enumerated(words: list[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def _grouped(fingerprint: str) -> str:
    """Write a fingerprint as GnuPG prints it, to be compared by eye."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, len(fingerprint), 4))
