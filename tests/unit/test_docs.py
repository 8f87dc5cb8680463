"""The documentation, held to the code."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

import debkit
from debkit import config
from debkit.cli import debkit_command
from docs import commands, generate, schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]
PAGES = sorted((CHECKOUT / "docs").rglob("*.md"))
SYMPTOMS = re.findall(r"^### `(.+)`$", (CHECKOUT / "docs/troubleshooting.md").read_text(), re.MULTILINE)


def test_the_reference_says_what_the_code_says() -> None:
    drifted = ", ".join(str(path.relative_to(CHECKOUT)) for path in generate.drift())
    assert not drifted, f"{drifted}: {generate.MENDS}"


def test_a_file_that_differs_or_is_not_wanted_is_drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "TOP", tmp_path)
    monkeypatch.setattr(
        generate, "reference", lambda: {tmp_path / "docs/reference/a.md": "new", tmp_path / "docs/reference/c.md": ""}
    )
    place = tmp_path / "docs/reference"
    place.mkdir(parents=True)
    (place / "a.md").write_text("old")
    (place / "b.md").touch()
    (tmp_path / "README.md").write_text("# debkit\n\nVersion 0.0.\n\nVersion of what.\n")
    assert [path.name for path in generate.drift()] == ["a.md", "b.md", "c.md"]
    with pytest.raises(SystemExit, match=r"a\.md\n.*b\.md\n.*c\.md\n.*README\.md\n.*docs\.generate"):
        generate.check()
    generate.write()
    generate.check()
    assert (tmp_path / "README.md").read_text() == f"# debkit\n\nVersion {debkit.__version__}.\n\nVersion of what.\n"


def parts(command: click.Command) -> Iterator[click.Parameter]:
    yield from command.params
    for verb in commands.verbs(command).values() if isinstance(command, click.Group) else ():
        yield from parts(verb)


def test_every_option_says_what_it_does() -> None:
    assert not [option.opts for option in parts(debkit_command) if isinstance(option, click.Option) and not option.help]


def test_every_key_has_a_meaning_and_an_example() -> None:
    whole = json.loads(config.SCHEMA.read_text())
    values = [value for _, _, table in schemas._tables(whole, whole, ()) for _, value in schemas._values(whole, table)]
    assert len(values) > 50
    assert all({"description", "examples"} <= schemas._resolved(whole, value).keys() for value in values)


@pytest.mark.parametrize(
    ("pattern", "value", "text"),
    [
        ("^[0-9]+[smhd]$", 4 * 3600.0, '"4h"'),
        ("^[0-9]+[smhd]$", 90.0, '"90s"'),
        ("^[0-9]+[smhd]$", 0, '"0s"'),
        ("^[0-9]+[MGT]B?$", 20 * 10**9, '"20G"'),
        ("", ("amd64", "arm64"), '["amd64", "arm64"]'),
        ("", Path("repo"), '"repo"'),
        ("", True, "true"),
        ("", (), ""),
        ("", None, ""),
    ],
)
def test_a_default_is_told_as_the_file_would_have_it(pattern: str, value: Any, text: str) -> None:
    assert schemas._default({"pattern": pattern}, value) == text


def templates() -> set[str]:
    """Every text of the code, with … for what is filled in."""
    found = set()
    for file in (CHECKOUT / "debkit").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.add("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(re.sub(r"\{\w+\}", "…", node.value))
    return found


def test_what_a_person_sees_is_quoted_as_the_code_says_it() -> None:
    known = templates()
    assert len(SYMPTOMS) > 40
    assert not [text for text in SYMPTOMS if text not in known]
    assert len(set(SYMPTOMS)) == len(SYMPTOMS)


def test_every_symptom_comes_with_a_command() -> None:
    text = (CHECKOUT / "docs/troubleshooting.md").read_text()
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    assert all(re.search(r"^    \S", section, re.MULTILINE) for section in sections)


def shown(text: str) -> Iterator[list[str]]:
    """Every command of debkit's that a page shows, in a block or in a line."""
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    for line in (*re.findall(r"^ {4,}debkit (.+)$", text, re.MULTILINE), *re.findall(r"`debkit ([^`]+)`", text)):
        yield line.partition(" # ")[0].replace("\n", " ").split()


def wrong(words: list[str]) -> str:
    """Tell the first word of a command that debkit does not know."""
    command: click.Command = debkit_command
    path: tuple[click.Command, ...] = (debkit_command,)
    for word in words:
        if word == "--":
            return ""
        if word.startswith("-"):
            options = {name for each in path for param in each.params for name in (*param.opts, *param.secondary_opts)}
            if word.partition("=")[0] not in {*options, "--help"}:
                return word
        elif isinstance(command, click.Group) and not word.isupper() and not word.startswith(("[", "…", "ANOTHER")):
            below = commands.verbs(command).get(word)
            if not below:
                return word
            command, path = below, (*path, below)
    return ""


@pytest.mark.parametrize("page", [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *PAGES], ids=lambda page: page.stem)
def test_a_command_that_is_shown_exists(page: Path) -> None:
    assert not [(words, word) for words in shown(page.read_text()) if (word := wrong(words))]


def test_a_command_that_does_not_exist_is_told() -> None:
    assert list(shown("text\n\n    debkit bulid --arch arm64   # twice\n")) == [["bulid", "--arch", "arm64"]]
    assert wrong(["bulid"]) == "bulid"
    assert wrong(["repo", "histroy"]) == "histroy"
    assert wrong(["build", "--arhc", "arm64"]) == "--arhc"
    assert wrong(["build", "-C", "x"]) == ""
    assert wrong(["chroot", "shell", "--", "ls", "-z"]) == ""


def test_every_page_that_is_named_is_there() -> None:
    named = {
        name
        for place in ("debkit", "config", "packaging", "debian", "tests/bad")
        for file in (CHECKOUT / place).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
        for name in re.findall(r"\bdocs/[\w./-]+\.md\b", file.read_text(errors="replace"))
    }
    assert named
    assert not [name for name in named if not (CHECKOUT / name).exists()]
