"""A run in a page of Markdown, for GitHub Actions: what a job appends to GITHUB_STEP_SUMMARY is shown on the page of its run.

Rendered from the report alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit import templates

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "GITHUB_STEP_SUMMARY"
TEMPLATES = Path(__file__).parent
# CommonMark takes a backslash before any of these for the sign itself (2.4); a table's cell ends at an unescaped bar (GFM, 4.10).
SIGNS = re.compile(r"([\\`*_{}\[\]()#~|!@:$])")
LONGEST = 300  # characters of one text


def append(report: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Append a run's summary to the file that the environment names, if any. Raises OSError."""
    if environ.get(VARIABLE):
        with Path(environ[VARIABLE]).open("a", encoding="utf-8") as stream:
            stream.write(rendered(report))


def rendered(report: Mapping[str, Any]) -> str:
    """Write a report, or one that is still being made, as Markdown."""
    environment = templates.environment(TEMPLATES)  # no HTML, but Markdown: `text` escapes for both
    environment.filters |= {"text": text, "seconds": seconds, "target": target}
    plan = report["plan"] or {"jobs": [], "checks": []}
    checks = {(target(check["target"]), check["check"]): check for check in report["checks"]}
    columns = list(dict.fromkeys((*plan["checks"], *(name for _, name in checks))))
    return environment.get_template("summary.md.jinja").render(
        report=report,
        sources=report["sources"] or ([plan["source"] | {"suite": ""}] if plan.get("source") else []),
        targets=list(dict.fromkeys((*(target(job["target"]) for job in plan["jobs"]), *(name for name, _ in checks)))),
        builds={target(build["target"]): build for build in report["builds"]},
        checks=checks,
        columns=columns,
        failures=[check for check in report["checks"] if check["outcome"] not in {"pass", "not-run"}],
        first=first,
    )


def first(check: Mapping[str, Any]) -> str:
    """Say what a check found first: its first error that is not accepted, else its reason."""
    for finding in check["findings"]:
        if finding["severity"] == "error" and not finding["accepted"]:
            return f"{finding['package']}: {finding['tag']} {finding['text']}".rstrip()
    return str(check["reason"])


def text(value: object) -> str:
    """Write foreign text so that neither Markdown nor HTML finds anything in it, on one line."""
    words = " ".join(str(value).split())
    words = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
    return SIGNS.sub(r"\\\1", words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def seconds(value: object) -> str:
    return f"{float(str(value)):.1f} s"


def target(value: Mapping[str, str]) -> str:
    return f"{value['suite']}/{value['arch']}"
