"""The summary of a run, word for word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from debkit.errors import BuildError
from debkit.model import CheckReport, Outcome, Target
from debkit.report import Ledger
from debkit.report.summary import VARIABLE, rendered, text
from tests.unit.test_report import filled

if TYPE_CHECKING:
    from pathlib import Path

FULL = """\
### hello 1.0 for trixie

**Failed:** trixie/arm64\\: package failed

- likely cause: the build ended \\| with \\*this\\*
- next: debkit doctor --fix

| target | build | lintian | piuparts |
| --- | --- | --- | --- |
| trixie/arm64 | package failed 1.5 s | fail 1.0 s | skipped 0.0 s |
| trixie/amd64 | - | - | - |

- **lintian on trixie/arm64: fail**: hello\\: no-copyright-file &lt;b&gt;
- **piuparts on trixie/arm64: skipped**: no \\`root\\`

- published to trixie (arm64): hello

"""


def full(path: Path) -> dict[str, Any]:
    data = filled(
        path, BuildError("trixie/arm64: package failed", cause="the build ended | with\n*this*", hint="debkit doctor --fix")
    )
    data["checks"][0]["findings"][0]["text"] = "<b>"
    data["checks"].append(
        data["checks"][0] | {"check": "piuparts", "outcome": "skipped", "seconds": 0, "reason": "no `root`", "findings": []}
    )
    data["plan"]["jobs"].append(data["plan"]["jobs"][0] | {"target": {"suite": "trixie", "arch": "amd64"}})
    return data


def test_a_run_that_failed_tells_why_and_what_to_do(tmp_path: Path) -> None:
    assert rendered(full(tmp_path / "report.json")) == FULL


def test_a_run_that_went_well_is_a_table_and_where_it_went(tmp_path: Path) -> None:
    data = filled(tmp_path / "report.json")
    data["checks"][0] |= {"outcome": "pass", "findings": []}
    data["builds"][0]["state"] = "succeeded"
    data["published"][0]["unchanged"] = True
    assert rendered(data) == (
        "### hello 1.0 for trixie\n\n"
        "| target | build | lintian |\n| --- | --- | --- |\n| trixie/arm64 | succeeded 1.5 s | pass 1.0 s |\n\n"
        "- already in trixie (arm64): hello\n\n"
    )


def test_a_run_that_failed_at_once_has_its_error_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "report.json")
    with pytest.raises(BuildError), ledger.recording({VARIABLE: str(tmp_path / "summary")}):
        raise BuildError("what", cause="why", hint="next")
    assert (tmp_path / "summary").read_text() == ("### debkit\n\n**Failed:** what\n\n- likely cause: why\n- next: next\n\n")
    assert not ledger.path.exists()


def test_each_run_is_appended_and_only_where_a_file_is_named(tmp_path: Path) -> None:
    for environ in ({VARIABLE: str(tmp_path / "summary")}, {}, {VARIABLE: ""}, {VARIABLE: str(tmp_path / "summary")}):
        with Ledger(tmp_path / "report.json").recording(environ):
            pass
    assert (tmp_path / "summary").read_text() == "### debkit\n\n" * 2


def test_a_summary_that_cannot_be_written_spoils_no_run(tmp_path: Path) -> None:
    with Ledger(tmp_path / "report.json").recording({VARIABLE: str(tmp_path / "no/such/place")}):
        pass
    assert json.loads((tmp_path / "report.json").read_text())["outcome"] == "succeeded"


def test_foreign_text_is_neither_markdown_nor_html_and_stays_on_its_line() -> None:
    assert text("a|b\n# <script>&amp; [x](y) ~~z~~ `c` \\") == (r"a\|b \# &lt;script&gt;&amp;amp; \[x\]\(y\) \~\~z\~\~ \`c\` \\")
    assert text("x" * 400) == "x" * 299 + "…"


def test_the_first_accepted_finding_is_not_what_is_told(tmp_path: Path) -> None:
    data = filled(tmp_path / "report.json")
    found = data["checks"][0]["findings"]
    found.insert(0, found[0] | {"tag": "harmless", "accepted": "as it should be"})
    assert "fail**: hello\\: no-copyright-file\n" in rendered(data)


def test_a_check_that_was_not_planned_has_a_column_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "report.json")
    ledger.add("checks", CheckReport(check="own", target=Target("sid", "amd64"), outcome=Outcome.NOT_RUN, seconds=0))
    ledger.finish(None)
    assert "| target | build | own |\n| --- | --- | --- |\n| sid/amd64 | - | not-run 0.0 s |\n" in rendered(
        json.loads(ledger.path.read_text())
    )
