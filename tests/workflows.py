"""The workflows as GitHub's Actions understand them: jobs with their matrices spread out, and expressions.

Strict: of expressions it knows what the workflows here use, and of all else, a misspelt name included, it says so.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).parents[1]
WORKFLOWS = CHECKOUT / ".github/workflows"
SELF = "$/.github/workflows/"
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\d+)|([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)|(&&|\|\||==|!=|!|\(|\)|,))")
LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}

Names = dict[str, Any]  # the contexts: github, inputs, job, matrix, needs, runner, secrets, steps


class Unknown(Exception):
    """An expression has what nobody has said."""


class Skipped(dict[str, Any]):
    """The outputs of a step that was skipped: whatever is asked for is null."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Job:
    """A job for one entry of its matrix. `about` is how the workflow has it, `names` what its expressions may name."""

    workflow: str
    name: str
    about: dict[str, Any]
    names: Names

    @property
    def title(self) -> str:
        return "-".join((self.workflow, self.name, *self.names["matrix"].values()))


def read(path: Path) -> dict[str, Any]:
    """Read a workflow or an action; YAML takes the key "on" for a truth."""
    data: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in data.items()}


def names_of_workflows() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in WORKFLOWS.glob("*.yml")))


def jobs(workflow: str, names: Names, given: Mapping[str, Any] | None = None) -> Iterator[Job]:
    """Give a workflow's jobs, and those of the workflows it calls, each after what it needs.

    `given` are a call's inputs, to which the defaults are added; without a call every input is null.
    """
    data = read(WORKFLOWS / f"{workflow}.yml")
    declared: dict[str, Any] = (data["on"].get("workflow_call") or {}).get("inputs", {}) if isinstance(data["on"], dict) else {}
    if unknown := set(given or {}) - set(declared):
        raise Unknown(f"{workflow} has no input {', '.join(sorted(unknown))}")
    inputs = {
        name: None if given is None else given[name] if name in given else about["default"] for name, about in declared.items()
    }
    names = {**names, "inputs": inputs, "matrix": {}, "steps": {}}
    seen: set[str] = set()
    for name, about in data["jobs"].items():
        needs = about.get("needs", [])
        if late := {needs} - seen if isinstance(needs, str) else set(needs) - seen:
            raise Unknown(f"{workflow}: {name} needs {', '.join(late)}, which comes later")
        seen.add(name)
        if called := about.get("uses"):
            with_ = {key: resolved(value, names) for key, value in about.get("with", {}).items()}
            yield from jobs(called.removeprefix(SELF).removesuffix(".yml"), names, with_)
        else:
            for matrix in entries(about.get("strategy", {}).get("matrix", {}), names):
                yield Job(workflow, name, about, {**names, "matrix": matrix, "steps": {}})


def entries(matrix: dict[str, Any], names: Names) -> list[dict[str, str]]:
    """Spread a matrix out."""
    values = [resolved(value, names) for value in matrix.values()]
    return [dict(zip(matrix, entry, strict=True)) for entry in product(*values)]


def resolved(value: Any, names: Names) -> Any:
    """Resolve what is in ${{ }}: a whole value keeps its type, a part of a text becomes text."""
    if not isinstance(value, str):
        return value
    if (whole := EXPRESSION.fullmatch(value.strip())) and "}}" not in whole[1]:
        return evaluate(whole[1], names)
    return EXPRESSION.sub(lambda found: text(evaluate(found[1], names)), value)


def text(value: Any) -> str:
    """Put a value into a text or an environment, as Actions do."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def holds(condition: Any, names: Names) -> bool:
    """Tell what an `if:` comes to, with or without ${{ }} around it."""
    whole = EXPRESSION.fullmatch(str(condition).strip())
    return bool(evaluate(whole[1] if whole else str(condition), names))


def evaluate(expression: str, names: Names) -> Any:
    """Evaluate an expression. Raises Unknown for what is not known."""
    tokens, at = [], 0
    rest = expression.rstrip()
    while at < len(rest):
        found = TOKEN.match(rest, at)
        if not found:
            raise Unknown(f"cannot read {rest[at:]!r} in {expression!r}")
        tokens.append(found[0].strip())
        at = found.end()
    parser = _Parser(tokens, names)
    value = parser.either()
    if parser.left:
        raise Unknown(f"cannot read {' '.join(parser.left)!r} in {expression!r}")
    return value


class _Parser:
    """Of the operators || binds least, then &&, then == and !=, then !."""

    def __init__(self, tokens: list[str], names: Names) -> None:
        self.left = tokens
        self.names = names

    def take(self, *tokens: str) -> str:
        return self.left.pop(0) if self.left and (not tokens or self.left[0] in tokens) else ""

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> Any:
        value = self.equal()
        while self.take("&&"):
            other = self.equal()
            value = value and other
        return value

    def equal(self) -> Any:
        value = self.single()
        while operator := self.take("==", "!="):
            value = (value == self.single()) == (operator == "==")
        return value

    def single(self) -> Any:
        if self.take("!"):
            return not self.single()
        if self.take("("):
            return self.closed(self.either())
        token = self.take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.isdigit():
            return int(token)
        if self.take("("):
            return self.call(token)
        return LITERALS[token] if token in LITERALS else self.named(token)

    def call(self, function: str) -> Any:
        if function == "fromJSON":
            return json.loads(self.closed(self.either()))
        if function == "join":
            parts = self.either()
            if not self.take(","):
                raise Unknown("join is not told what to put between")
            return self.closed(self.either()).join(parts)
        if function == "cancelled":
            return self.closed(False)  # noqa: FBT003
        raise Unknown(f"the function {function} is not known")

    def closed(self, value: Any) -> Any:
        if not self.take(")"):
            raise Unknown("a parenthesis is not closed")
        return value

    def named(self, token: str) -> Any:
        value: Any = self.names
        for part in token.split("."):
            if not isinstance(value, dict) or part not in value:
                raise Unknown(f"{token or 'a value'} is not known")
            value = value[part]
        return value
