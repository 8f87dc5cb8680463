"""A report is read back as it was written, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from debkit.errors import BuildError
from debkit.model import BuildResult, CheckReport, Source, Target
from debkit.pipeline.plan import Job
from debkit.report import plain
from debkit.report.read import read_report, revived
from tests.unit.test_report import filled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    data = filled(path, BuildError("it failed", cause="why", hint="next"))
    report = read_report(path)
    assert (report.outcome, report.error, report.checks_planned) == ("failed", "it failed", ("lintian",))
    for name, kind in (("sources", Source), ("builds", BuildResult), ("checks", CheckReport)):
        values = getattr(report, name)
        assert [type(value) for value in values] == [kind]
        assert [plain(value) for value in values] == data[name]
    assert revived(Job, report.jobs[0]).target == Target("trixie", "arm64")


def drop(data: dict[str, Any]) -> None:
    del data["builds"][0]["layer"]


def add(data: dict[str, Any]) -> None:
    data["sources"][0]["colour"] = "green"


def other_schema(data: dict[str, Any]) -> None:
    data["schema"] = 2


def other_type(data: dict[str, Any]) -> None:
    data["sources"][0]["format"] = 3


def one_short(data: dict[str, Any]) -> None:
    data["checks"] = {}


@pytest.mark.parametrize("spoil", [drop, add, other_schema, other_type, one_short])
def test_what_was_written_by_another_debkit_is_not_read(tmp_path: Path, spoil: Callable[[dict[str, Any]], None]) -> None:
    path = tmp_path / "report.json"
    data = filled(path)
    spoil(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r"layer|colour|schema|3 is not|checks"):
        read_report(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": 1}'])
def test_what_is_no_report_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 (what jsonschema and json say of it)
        read_report(tmp_path / "report.json")
