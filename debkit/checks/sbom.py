"""The bills of materials of a build, in SPDX 2.3 and in CycloneDX 1.6: the packages, their source, and all that they need.

CycloneDX is written by python3-cyclonedx-lib. Debian has it since trixie, and what it writes does not depend on the suite that is
told of: a root of trixie serves every target and every machine. Where none can be had there is the SPDX one alone.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import checks
from debkit.checks import _bill, _debs, _licence, _needs, _spdx
from debkit.errors import ChrootError, DependencyError, NetworkError
from debkit.model import CheckReport, Outcome, Step
from debkit.run import Command
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from debkit.checks import Bench
    from debkit.checks._bill import Bill
    from debkit.model import BuildResult

PACKAGES: tuple[str, ...] = ()  # the root with the library is of another suite than the other tools'
LIBRARY = ("python3-cyclonedx-lib", "python3-jsonschema")  # the latter is what it validates with
LIBRARY_SUITE = "trixie"
SCRIPT = Path(__file__).with_name("_cyclonedx.py")
INSIDE = "/srv/sbom"
SPDX, CYCLONEDX = "sbom.spdx.json", "sbom.cdx.json"


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Write both files beside the packages. What is missing of one is told; the other is written all the same."""
    for name in (SPDX, CYCLONEDX):
        bench.fresh_log(name)
    if not result.changes:
        return CheckReport(
            check="sbom", target=result.target, outcome=Outcome.SKIPPED, seconds=0.0, reason="the build left no .changes"
        )
    try:
        needs = _needs.of(bench, result)
    except DependencyError as problem:
        return _needs.fault("sbom", result, problem)
    if not needs.members:
        return checks.not_run("sbom", result, _needs.NOTHING)
    licence = _licence.of(_debs.read(bench.run, result.debs))
    bill = _bill.draw(needs, read_changes(result.changes), bench.dsc, licence, result.target)
    steps = (_write_spdx(bench, bill), _write_cyclonedx(bench, bill))
    outcome = checks.worst(step.outcome for step in steps)
    return CheckReport(
        check="sbom",
        target=result.target,
        outcome=outcome,
        seconds=0.0,
        reason="; ".join(step.text for step in steps if step.outcome is not Outcome.PASS),
        steps=steps,
    )


def _write_spdx(bench: Bench, bill: Bill) -> Step:
    started = time.monotonic()
    file = bench.work / SPDX
    file.write_text(json.dumps(_spdx.document(bill), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Step(name="SPDX", outcome=Outcome.PASS, seconds=time.monotonic() - started, text=_told(file, bill))


def _write_cyclonedx(bench: Bench, bill: Bill) -> Step:
    """Have the library write it; it holds the document against the schema of its own before that counts."""
    started = time.monotonic()
    try:
        with bench.tools(LIBRARY_SUITE, LIBRARY) as root:
            done = bench.run(
                Command(
                    argv=root.argv(("python3", "-I", f"{INSIDE}/{SCRIPT.name}"), read_only=((SCRIPT.parent, INSIDE),)),
                    stdin=json.dumps(asdict(bill)).encode(),
                    timeout=bench.config.timeout,
                    separate=True,
                    name="python3-cyclonedx-lib",
                )
            )
    except (ChrootError, NetworkError) as problem:
        text = f"no CycloneDX: {LIBRARY[0]} of {LIBRARY_SUITE} cannot be had: {problem.what}"
        return Step(name="CycloneDX", outcome=Outcome.SKIPPED, seconds=time.monotonic() - started, text=text)
    file = bench.work / CYCLONEDX
    file.write_text(done.stdout, encoding="utf-8")
    return Step(name="CycloneDX", outcome=Outcome.PASS, seconds=time.monotonic() - started, text=_told(file, bill))


def _told(file: Path, bill: Bill) -> str:
    return f"{file}: built {len(bill.built)}, needed {len(bill.packages) - len(bill.built)}"
