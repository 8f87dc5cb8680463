"""The references of config/debkit.toml and of report.json, from their schemas and from the sections that hold the defaults."""

from __future__ import annotations

import dataclasses
import json
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit import config, report
from debkit.config.read import BYTES, KINDS
from debkit.model import Repository
from docs.commands import GENERATED

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]
CONFIGURATION = """\
What a project chooses. Every key is optional.

Paths are relative to the project, the directory that holds `config/`. A mistake is told with every other one at once, and nothing
is started. [What the checks do](../checks.md) and [what acceleration is](../acceleration.md) have pages of their own; what is
handed over in the environment is told on [that of debkit](debkit.md)."""
REPORT = """\
Every run leaves its record in `dist/report.json`, whichever way it ends, and keeps it up to date while it works. Where an earlier
run has left one, that stays, with its packages and `SHA256SUMS`, until the first build begins or the parts are found fit to be
published. `[]` stands for each of a list."""


def pages() -> dict[str, str]:
    """Give both pages by name."""
    return {
        "debkit.toml": "\n\n".join(_configuration(json.loads(config.SCHEMA.read_text(encoding="utf-8")))) + "\n",
        "report": "\n\n".join(_report(json.loads(report.SCHEMA.read_text(encoding="utf-8")))) + "\n",
    }


def _configuration(whole: Schema) -> Iterator[str]:
    yield "# debkit.toml"
    yield GENERATED
    yield CONFIGURATION
    yield "## An example with every key"
    yield f"```toml\n{example(whole)}```"
    yield "## Keys"
    for name, path, table in _tables(whole, whole, ()):
        yield f"### {name}"
        if "description" in table:
            yield table["description"]
        kind = _kind(path)
        required = table.get("items", table).get("required", ())
        yield "\n".join(_key(whole, key, value, kind, required=key in required) for key, value in _values(whole, table))


def _tables(whole: Schema, schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], Schema]]:
    """Walk all tables of a configuration, each with its heading; those that have only tables are not told."""
    for key, value in _properties(schema).items():
        table = _resolved(whole, value)
        below = (*path, key)
        if not _is_table(table):
            continue
        if _values(whole, table):
            dotted = ".".join(below)
            yield f"[[{dotted}]]" if table["type"] == "array" else f"[{dotted}]", below, table
        yield from _tables(whole, table, below)


def _resolved(whole: Schema, schema: Schema) -> Schema:
    """Give a schema with what it refers to; what it says itself has the last word."""
    return {**whole["$defs"][schema["$ref"].rpartition("/")[2]], **schema} if "$ref" in schema else schema


def _properties(table: Schema) -> Schema:
    found: Schema = table.get("items", table).get("properties", {})
    return found


def _is_table(schema: Schema) -> bool:
    return bool(_properties(schema))


def _values(whole: Schema, table: Schema) -> list[tuple[str, Schema]]:
    """List the keys of a table that hold a value and not another table."""
    return [(key, value) for key, value in _properties(table).items() if not _is_table(_resolved(whole, value))]


def _kind(path: tuple[str, ...]) -> type:
    """Give the class that holds a table's values: the type of the field of that name, or of each in it."""
    kind: type = config.Config
    for key in path:
        found = typing.get_type_hints(kind, localns={"Repository": Repository})[key.replace("-", "_")]
        kind = next(iter(typing.get_args(found)), found)
    return kind


def _key(whole: Schema, key: str, value: Schema, kind: type, *, required: bool) -> str:
    (field,) = (field for field in dataclasses.fields(kind) if field.name == key.replace("-", "_"))
    default = _default(_resolved(whole, value), field.default)
    notes = "; ".join(filter(None, (_type(whole, value), "required" if required else "", default and f"by default `{default}`")))
    return f"- `{key}`: {_resolved(whole, value)['description']} ({notes})"


def _type(whole: Schema, value: Schema) -> str:
    """Say what a key takes, in the words in which an error says it."""
    resolved = _resolved(whole, value)
    if "enum" in resolved:
        return "one of " + ", ".join(f'`"{choice}"`' for choice in resolved["enum"])
    if resolved["type"] == "array":
        each = whole["$defs"][resolved["items"]["$ref"].rpartition("/")[2]] if "$ref" in resolved["items"] else {}
        return f"a list, each {each['description']}" if "pattern" in each else "a list of texts"
    if "pattern" in resolved:
        told: str = whole["$defs"][value["$ref"].rpartition("/")[2]]["description"]
        return told
    return KINDS[resolved["type"]]


def _default(schema: Schema, value: Any) -> str:
    """Write a default as the file would have it; empty where that says nothing."""
    if value is dataclasses.MISSING or value in (None, "", ()):
        return ""
    if str(schema.get("pattern", "")).endswith("[smhd]$"):
        unit = max((unit for unit, size in config.SECONDS.items() if value % size == 0), key=lambda unit: config.SECONDS[unit])
        return f'"{value / config.SECONDS[unit]:.0f}{unit if value else "s"}"'
    if "[MGT]" in str(schema.get("pattern", "")):
        unit = max((unit for unit, size in BYTES.items() if value % size == 0), key=lambda unit: BYTES[unit])
        return f'"{value // BYTES[unit]}{unit}"'
    return _toml(str(value) if isinstance(value, Path) else value)


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def example(whole: Schema) -> str:
    """Write a configuration with the example of each key; those that exclude each other are entries of their own."""
    parts = []
    for name, _, table in _tables(whole, whole, ()):
        values = _values(whole, table)
        apart = {key for option in table.get("items", {}).get("oneOf", ()) for key in option["required"]}
        groups: list[list[tuple[str, Schema]]] = [[]]
        for key, value in values:
            if key in apart and groups[-1]:
                groups.append([])
            groups[-1].append((key, value))
        for group in groups:
            lines = (f"{key} = {_toml(_resolved(whole, value)['examples'][0])}" for key, value in group)
            parts.append("\n".join((name, *lines)) + "\n")
    return "\n".join(parts)


def _report(whole: Schema) -> Iterator[str]:
    yield "# report.json"
    yield GENERATED
    yield REPORT
    yield "\n".join(f"- `{path}`: {_meaning(field)}" for path, field in _fields(whole, whole, ""))


def _fields(whole: Schema, schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    for key, value in schema.get("properties", {}).items():
        field = _resolved(whole, value)
        name = f"{path}.{key}" if path else key
        yield name, field
        yield from _below(whole, field, name)


def _below(whole: Schema, field: Schema, name: str) -> Iterator[tuple[str, Schema]]:
    yield from _fields(whole, field, name)
    if "items" in field:
        yield from _below(whole, _resolved(whole, field["items"]), f"{name}[]")


def _meaning(field: Schema) -> str:
    return f"{field['description']} ({_takes(field)})" if "description" in field else _takes(field)


def _takes(field: Schema) -> str:
    if "const" in field or "enum" in field:
        return ", ".join(f"`{_toml(choice)}`" for choice in field.get("enum", [field.get("const")]))
    kinds = field["type"]
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)
