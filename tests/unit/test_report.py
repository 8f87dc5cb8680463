from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from debkit.errors import BuildError
from debkit.model import (
    BuildResult,
    BuildState,
    CheckReport,
    Excerpt,
    FileRef,
    Finding,
    Outcome,
    Phase,
    Published,
    Severity,
    Sighting,
    SignedUpload,
    Source,
    Target,
    Via,
)
from debkit.pipeline.plan import Job, Plan, Request, SourceFacts
from debkit.report import SCHEMA, Ledger
from debkit.run import Command, Completed

if TYPE_CHECKING:
    from debkit.errors import DebkitError

TARGET = Target("trixie", "arm64")
FILE = FileRef("hello_1.0.tar.xz", 12, "0" * 64)


def filled(path: Path, failure: DebkitError | None = None) -> dict[str, Any]:
    """Write a report in which every field has something."""
    ledger = Ledger(path)
    job = Job(target=TARGET, via=Via.EMULATED, tried=Via.EMULATED, reason="amd64 machine", build_all=True)
    request = Request(where=".", suites=("trixie",), arches=("arm64",))
    ledger.put(
        "plan",
        Plan(
            request=request,
            source=SourceFacts(name="hello"),
            backend="sbuild",
            jobs=(job,),
            checks=("lintian",),
            notes=("a note",),
        ),
    )
    ledger.put("tools", {"sbuild": "0.85.0"})
    ledger.add(
        "sources",
        Source(name="hello", version="1.0", suite="trixie", dsc=Path("x.dsc"), changes=Path("x.changes"), format="3.0 (native)",
               architectures=("any",), binaries=("hello",), files=(FILE,), snapshot=True),
    )  # fmt: skip
    ledger.add(
        "builds",
        BuildResult(target=TARGET, via=Via.EMULATED, backend="sbuild", state=BuildState.FAILED, phases=(Phase("build", 1.5),),
                    disk_bytes=10, log=Path("x.build"), argv=("sbuild", "x.dsc"), error=Excerpt(3, ("x.c:1: error: no",))),
    )  # fmt: skip
    finding = Finding(severity=Severity.ERROR, tag="no-copyright-file", package="hello", text="")
    ledger.add(
        "checks",
        CheckReport(check="lintian", target=TARGET, outcome=Outcome.FAIL, seconds=1, reason="1 error", findings=(finding,)),
    )
    ledger.add(
        "uploads", SignedUpload(suite="trixie", changes=Path("x.changes"), files=(FILE,), signer="A" * 40, development=True)
    )
    ledger.add(
        "published",
        Published(
            suite="trixie",
            source="hello",
            version="1.0",
            arches=("arm64",),
            packages=("hello",),
            unchanged=False,
            signer="B" * 40,
        ),
    )
    ledger.add("sightings", Sighting(target=TARGET, packages=("hello",), version="1.0", installed=True, seconds=3))
    ledger.add("files", FILE)
    ledger.command(Completed(command=Command(argv=("true",)), code=0, seconds=0.1, stdout="", tail=()))
    ledger.finish(failure)
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def test_a_full_report_is_what_the_schema_documents(tmp_path: Path) -> None:
    data = filled(tmp_path / "report.json", BuildError("it failed", cause="why", hint="next", log=Path("x.build")))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(data)
    assert data["error"] == {"exit_code": 8, "what": "it failed", "cause": "why", "hint": "next", "log": "x.build"}
    assert data["outcome"] == "failed"
    assert data["builds"][0]["state"] == "package failed"


def test_the_schema_tells_when_something_is_amiss(tmp_path: Path) -> None:
    data = filled(tmp_path / "report.json")
    data["checks"][0]["outcome"] = "green"
    del data["files"][0]["sha256"]
    assert len(list(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(data))) == 2


def test_the_file_is_whole_after_every_step_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "report.json")
    for name in ("one", "two"):
        ledger.add("sources", {"name": name})
        assert json.loads((tmp_path / "report.json").read_text())["outcome"] == "running"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_disk_that_refuses_is_recorded_as_what_the_command_line_says(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "report.json")
    ledger.put("plan", {"jobs": []})
    with pytest.raises(OSError, match="No space"), ledger.recording():
        raise OSError(errno.ENOSPC, "No space left on device", "/dist/x")
    recorded = json.loads(ledger.path.read_text())
    assert (recorded["outcome"], recorded["error"]["exit_code"]) == ("failed", 17)


def test_a_defect_is_recorded_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "report.json")
    ledger.put("plan", {"jobs": []})
    with pytest.raises(ZeroDivisionError), ledger.recording():
        raise ZeroDivisionError
    assert json.loads(ledger.path.read_text())["error"]["exit_code"] == 1


def test_a_run_that_fails_at_once_tells_so_where_a_report_of_another_run_is(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    failure = BuildError("what", cause="why", hint="next")
    with pytest.raises(BuildError), Ledger(path).recording():
        raise failure
    assert not path.exists()
    with Ledger(path).recording():
        pass
    assert json.loads(path.read_text())["outcome"] == "succeeded"
    with pytest.raises(BuildError), Ledger(path).recording():
        raise failure
    assert json.loads(path.read_text())["error"]["what"] == "what"


@pytest.mark.parametrize("begins", [False, True])
def test_a_run_that_is_sparing_leaves_the_report_of_another_until_it_begins(tmp_path: Path, *, begins: bool) -> None:
    path = tmp_path / "report.json"
    with Ledger(path).recording(sparing=True):
        pass
    before = path.read_bytes()

    def fail(ledger: Ledger) -> None:
        ledger.put("plan", {"jobs": []})
        if begins:
            ledger.begin()
            assert json.loads(path.read_text())["plan"] == {"jobs": []}
        raise BuildError("what", cause="why", hint="next")

    ledger = Ledger(path)
    with pytest.raises(BuildError), ledger.recording(sparing=True):
        fail(ledger)
    assert (path.read_bytes() == before) is not begins
    with Ledger(path).recording(sparing=True):
        pass
    assert json.loads(path.read_text())["outcome"] == "succeeded"


def test_a_command_keeps_its_white_space_and_a_long_word_its_beginning(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "report.json")
    command = Command(argv=("sh", "-c", "a  b\n\tc\n", "x" * 600))
    ledger.command(Completed(command=command, code=0, seconds=0, stdout="", tail=()))
    ledger.finish(None)
    (recorded,) = json.loads(ledger.path.read_text())["commands"]
    assert recorded["argv"] == ["sh", "-c", "a  b\n\tc\n", "x" * 499 + "…"]
