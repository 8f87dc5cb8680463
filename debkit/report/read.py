"""A report read back: the values that `Ledger` was given, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path, PurePath
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from debkit.model import BuildResult, CheckReport, Source
from debkit.report import SCHEMA

# What `model` imports for its annotations alone.
NAMES = {"Mapping": Mapping, "Path": Path}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was read. `error` is what was told of a run that failed, and `exit_code` how it ended; of the plan there are the
    `jobs`, as it has them, and which checks were planned.
    """

    debkit: str
    started: str
    outcome: str
    error: str
    exit_code: int
    jobs: tuple[dict[str, Any], ...]
    checks_planned: tuple[str, ...]
    sources: tuple[Source, ...]
    builds: tuple[BuildResult, ...]
    checks: tuple[CheckReport, ...]
    tools: dict[str, str]


def read_report(path: Path) -> Report:
    """Read a report.json. Raises ValueError for what is none, or none that this debkit understands; OSError."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 (slow to come, and seldom needed)

    data = json.loads(path.read_text(encoding="utf-8"))
    wrong = next(Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).iter_errors(data), None)
    if wrong:
        writer = data.get("debkit") if isinstance(data, dict) else None
        raise ValueError(f"{'.'.join(map(str, wrong.path)) or 'it'}: {wrong.message[:200]} (written by debkit {writer})")
    plan = data["plan"] or {"jobs": [], "checks": []}
    return Report(
        debkit=data["debkit"],
        started=data["started"],
        outcome=data["outcome"],
        error=(data["error"] or {}).get("what", ""),
        exit_code=(data["error"] or {}).get("exit_code", 0),
        jobs=tuple(plan["jobs"]),
        checks_planned=tuple(plan["checks"]),
        sources=revived(tuple[Source, ...], data["sources"]),
        builds=revived(tuple[BuildResult, ...], data["builds"]),
        checks=revived(tuple[CheckReport, ...], data["checks"]),
        tools=data["tools"],
    )


def revived(kind: Any, data: Any) -> Any:
    """Turn what JSON has back into a frozen value, as `plain` has written it. Raises ValueError where it is another."""
    origin, inner = get_origin(kind), get_args(kind)
    value = data
    if origin is UnionType:  # X | None is the only one there is
        value = None if data is None else revived(inner[0], data)
    elif origin is tuple and isinstance(data, list):
        kinds = inner[:1] * len(data) if inner[-1] is Ellipsis else inner
        value = tuple(revived(one, item) for one, item in zip(kinds, data, strict=True))
    elif origin is Mapping and isinstance(data, dict):
        value = {name: revived(inner[1], item) for name, item in data.items()}
    elif is_dataclass(kind) and isinstance(data, dict):
        value = _filled(kind, data)
    elif isinstance(kind, type) and issubclass(kind, Enum | PurePath):
        value = kind(data)
    elif kind is float and type(data) is int:
        value = float(data)
    elif type(data) is not kind:
        raise ValueError(f"{data!r} is not {kind}")
    return value


def _filled(kind: Any, data: dict[str, Any]) -> Any:
    if unlike := data.keys() ^ {field.name for field in fields(kind)}:
        raise ValueError(f"one of the two versions of debkit has no {', '.join(sorted(unlike))} in {kind.__name__}")
    hints = get_type_hints(kind, localns=NAMES)
    return kind(**{name: revived(hints[name], item) for name, item in data.items()})
