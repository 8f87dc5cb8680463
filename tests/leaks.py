"""Sources whose packages have in them what they find around themselves, built and judged for being reproducible."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from debkit import checks
from debkit.config import BuildConfig, ChecksConfig, Config, ReproducibleConfig, Unvaried
from debkit.console import Console, JobProgress, Quiet
from debkit.model import BuildState, Target, Via
from debkit.pipeline import jobs
from debkit.pipeline.execute import workshop
from debkit.pipeline.plan import Job
from debkit.source import open_source
from tests.shifts import shift_of
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import BuildResult, CheckReport
    from debkit.run import Processes

# What each package has in its one file; GOOD are as they should be.
LEAKS = {
    "date": "date -u +%F",
    "seconds": "date +%s",
    "zipped": ": >debian/zipped; gzip -c debian/zipped",
    "path": "pwd",
    "processors": "nproc",
    "host": "uname -n",
    "sorted": "printf 'a\\nB\\nc\\n' | LC_COLLATE= sort",
    "language": "locale day",
    "zone": "date +%z",
    "epoch": "echo $SOURCE_DATE_EPOCH",
    "version": "dpkg-parsechangelog -S Version",
}
GOOD = ("leak-epoch", "leak-version")


@dataclass(frozen=True, slots=True)
class Twice:
    """What the check says of a source that was built twice, where it works, and which files it keeps of the second build; with
    the first build and the bench, for other checks.
    """

    report: CheckReport
    work: Path
    kept: set[str]
    result: BuildResult
    bench: checks.Bench

    @property
    def tags(self) -> dict[str, str]:
        return {finding.package: finding.tag for finding in self.report.findings}


def make_leaking(tree: Path, leaks: dict[str, str], *, arch: str, rules_requires_root: str) -> Path:
    """Make a source of packages leak-NAME."""
    make_tree(tree, name="leaks", distribution="trixie", kind="all")
    source, _, binary = (tree / "debian/control").read_text().partition("\nPackage: leaks\n")
    binary = binary.replace("Architecture: all", f"Architecture: {arch}")
    source = source.replace("Requires-Root: no", f"Requires-Root: {rules_requires_root}")
    (tree / "debian/control").write_text(source + "".join(f"\nPackage: leak-{name}\n{binary}" for name in leaks))
    (tree / "debian/rules").write_text("#!/usr/bin/make -f\n%:\n\tdh $@\noverride_dh_auto_install:\n\tsh -e debian/leak\n")
    lines = [f"f=debian/leak-{name}/usr/share/leak-{name}; mkdir -p $f; {{ {leak}; }} >$f/found" for name, leak in leaks.items()]
    (tree / "debian/leak").write_text("\n".join((*lines, "")))
    return tree


def judged(
    run: Processes,
    home: Path,
    leaks: dict[str, str],
    *,
    backend: str = "sbuild",
    arch: str = "amd64",
    via: Via = Via.NATIVE,
    unvaried: tuple[Unvaried, ...] = (),
    rules_requires_root: str = "no",
) -> Twice:
    """Build a source of these leaks, and have it checked as the pipeline does."""
    config = Config(
        project=home,
        build=BuildConfig(backend=backend),
        checks=ChecksConfig(run=("reproducible",), reproducible=ReproducibleConfig(unvaried=unvaried)),
    )
    arches = "all" if via is Via.NATIVE else "any"
    tree = make_leaking(home / "leaks", leaks, arch=arches, rules_requires_root=rules_requires_root)
    source = open_source(run, os.fspath(tree), suite="trixie", first_suite=True, config=config, staging=home / "source")
    shift = replace(shift_of(home, None, accelerate=via is Via.ACCELERATED), config=config, run=run)
    shop, row = workshop(shift), JobProgress("x", Console())
    job = Job(target=Target("trixie", arch), via=via, tried=via, reason="a test", build_all=True)
    result = jobs.build(job, source, shop, row)
    assert result.state is BuildState.SUCCEEDED, result.log.read_text()
    assert result.via is via
    bench = checks.Bench(
        run=run,
        config=config.checks,
        chroot=config.chroot,
        progress=Quiet(),
        work=shop.into(result.target),
        dsc=source.dsc,
        rebuild=partial(jobs.rebuild, job=job, source=source, shop=shop, progress=row),
    )
    report = checks.judge("reproducible", bench, result)
    kept = {path.name for path in (bench.work / "reproducible").iterdir()}
    return Twice(report, bench.work, kept, result, bench)
