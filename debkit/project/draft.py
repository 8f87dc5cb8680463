"""The files that a project needs, made from the templates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import templates
from debkit.project.action import WORKFLOW
from debkit.project.write import demand_place
from debkit.source.ours import MARK

if TYPE_CHECKING:
    from debkit.config import Config
    from debkit.project.action import Action
    from debkit.project.facts import Facts

TEMPLATES = Path(__file__).with_name("templates")
FILES = {
    WORKFLOW: "release.yml",
    "config/debkit.toml": "debkit.toml",
    "debkit.mk": "debkit.mk",
    "repo/conf/distributions": "distributions",
    "repo/conf/options": "options",
    "repo/conf/uploaders": "uploaders",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A file to be: its name in the project and all that it will hold. `added` is whether it is there and gets lines more."""

    name: str
    text: str
    added: bool = False


def draft(facts: Facts, config: Config, *, action: Action, stanzas: tuple[str, ...]) -> tuple[tuple[Draft, ...], tuple[str, ...]]:
    """Give the files that the project lacks, and the names of those that stay as they are.

    `config` is what the project's configuration says or is to say, `action` the debkit that releases it, and `stanzas` those
    of conf/distributions. What is there stays, but for two files of lines, which get those that they lack. Raises SourceError
    where something else than a file stands in a file's place.
    """
    said = {"facts": facts, "config": config, "debkit": action, "stanzas": stanzas, "mark": MARK}
    lines = {".gitignore": "gitignore"}
    if facts.quilt:
        lines[f"{facts.packaging}/source/local-options"] = "local-options"
    for name in (*FILES, *lines):
        demand_place(facts.path, name)
    drafts, kept = [], []
    for name, template in FILES.items():
        if (facts.path / name).exists():
            kept.append(name)
        else:
            drafts.append(Draft(name, _render(template, said)))
    for name, template in lines.items():
        file = facts.path / name
        there = file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else ""
        if MARK in there:
            kept.append(name)
        else:
            above = f"{there.rstrip()}\n\n" if there.strip() else ""
            drafts.append(Draft(name, above + _render(template, said), added=file.exists()))
    return tuple(drafts), tuple(kept)


def _render(template: str, said: dict[str, object]) -> str:
    return templates.environment(TEMPLATES).get_template(f"{template}.jinja").render(said)
