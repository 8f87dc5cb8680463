"""Parts of a build matrix as `debkit build --no-publish` leaves them, of tiny packages, with nothing compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from debkit.model import CheckReport, Outcome, Target, Via
from debkit.pipeline import parts
from debkit.pipeline.plan import Job, Plan, Request, SourceFacts
from debkit.report import REPORT, Ledger
from tests.uploads import make_build, make_source

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.errors import DebkitError

PROGRAM = '#!/bin/sh\necho "hello $1"\n'


def make_part(
    root: Path,
    arch: str,
    *,
    suite: str = "trixie",
    checks: tuple[CheckReport, ...] | None = None,
    planned: tuple[str, ...] = ("lintian",),
    failure: DebkitError | None = None,
    noise: str = "",
    distribution: str = "unstable",
    **source: str,
) -> Path:
    """Make a part of one target. Without `checks` those that were `planned` have passed; with a `failure` the run ended with it.

    Its report has the paths of the machine that it was built on.
    """
    target = Target(suite, arch)
    made = make_source(root / "source/hello-debkit_1.0", suite=suite, distribution=distribution, **source)
    build = make_build(root / suite / arch, made, arch, build_all=True, program=PROGRAM, noise=noise, distribution=distribution)
    if checks is None:
        checks = tuple(CheckReport(check=name, target=target, outcome=Outcome.PASS, seconds=1.5) for name in planned)
    ledger = Ledger(root / REPORT)
    job = Job(target=target, via=Via.NATIVE, tried=Via.NATIVE, reason="", build_all=True)
    request = Request(where=".", suites=(suite,), arches=(arch,), publish=False)
    facts = SourceFacts(name=made.name, version=made.version, architectures=made.architectures)
    ledger.put("plan", Plan(request=request, source=facts, backend="sbuild", jobs=(job,), checks=planned, notes=()))

    def there(path: Path | None) -> Path:
        assert path
        return root.parent / "elsewhere/dist" / path.relative_to(root)

    ledger.add("sources", replace(made, dsc=there(made.dsc), changes=there(made.changes)))
    ledger.add(
        "builds",
        replace(
            build,
            log=there(build.log),
            changes=there(build.changes),
            buildinfo=there(build.buildinfo),
            debs=tuple(map(there, build.debs)),
        ),
    )
    ledger.add("checks", *checks)
    ledger.finish(failure)
    if not failure:
        parts.write_sums(root, (*parts.files((made,), (build,), checks), ledger.path))
    return root
