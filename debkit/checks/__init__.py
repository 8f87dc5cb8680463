"""Judging what a build made. One file a check: its name is the check's, and `find` looks for the file, so that there is no list.

A check is a module with `PACKAGES`, the Debian packages it runs from a cached native tool root, and `judge(bench, result)`.
A report is a pass, a failure of the package, not run (there is nothing to judge), skipped, or an error of the environment; only
a pass is green. Checks of one target run beside each other, each in a thread of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from debkit import accel
from debkit.checks import _debs, _supply
from debkit.checks._supply import Supplies
from debkit.chroot import roots, store
from debkit.config import rooms
from debkit.errors import ConfigError, DebkitError, Interrupted, TimeoutFailure
from debkit.host import native_arch, runs_natively
from debkit.model import BuildState, CheckReport, ChrootKind, Finding, Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from debkit.accel import Accelerator
    from debkit.checks._supply import Group, Loan
    from debkit.chroot.roots import ToolRoot
    from debkit.config import ChecksConfig, ChrootConfig
    from debkit.console import Progress
    from debkit.model import BuildResult, Chroot, Target, Variation
    from debkit.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a check works with.

    Logs go to `work`, under the check's name. `siblings` are the source's `Architecture: all` packages where another job has
    built them; `source` is the .dsc, given to one job of a suite, so that its findings are told once; `dsc` is it for every job.
    `peer` is what the suite's other job has built that this one is to be like, `previous` the .debs of the version that the
    archive has now; `rebuild` builds the same once more, varied. `project` is the directory that holds `config/`. `note_tool`,
    where there is one, is told "PACKAGE/SUITE" and the version of each tool that is used. Foreign systems are accelerated by the
    `accelerator`, if there is one. `supplies` keeps what all checks of a target need.
    """

    run: Run
    config: ChecksConfig
    chroot: ChrootConfig
    progress: Progress
    work: Path
    siblings: tuple[Path, ...] = ()
    source: Path | None = None
    dsc: Path | None = None
    peer: BuildResult | None = None
    previous: tuple[Path, ...] = ()
    rebuild: Callable[[Variation, Path], BuildResult] | None = None
    project: Path | None = None
    supplies: Supplies = field(default_factory=Supplies)
    note_tool: Callable[[str, str], None] | None = None
    accelerator: Accelerator | None = None

    def clean(self, target: Target, *packages: str) -> contextlib.AbstractContextManager[Chroot]:
        """Have a clean system of the target, with its toolbox where it is accelerated, and with these packages besides."""
        spec = replace(store.wanted(ChrootKind.CLEAN, target, self.chroot), packages=packages)
        return accel.opened(self.run, spec, by=self.accelerator, config=self.chroot, progress=self.progress)

    def is_foreign(self, target: Target) -> bool:
        """Whether this machine's kernel does not run the target's programs by itself."""
        return not runs_natively(native_arch(self.run), target.arch)

    @contextlib.contextmanager
    def needed(self, target: Target, *groups: Group) -> Iterator[dict[str, Path]]:
        """Have what each group of packages needs on a clean system: `_supply.needed` tells how."""
        with (
            self.clean(target) as clean,
            _supply.needed(self.run, clean, *groups, supplies=self.supplies, progress=self.progress) as found,
        ):
            yield found

    def lent(self, clean: Chroot, *groups: Group) -> contextlib.AbstractContextManager[Loan]:
        """Have what is bound in a clean system so that its apt downloads nothing anew: `_supply.lent` tells how."""
        return _supply.lent(self.run, clean, *groups, supplies=self.supplies, progress=self.progress)

    @contextlib.contextmanager
    def tools(self, suite: str, packages: tuple[str, ...] = ()) -> Iterator[ToolRoot]:
        """Have the root that holds the tools of every configured check: one for all, since they share most of what they need.

        With `packages` it is one that holds just these.
        """
        packages = packages or tuple(sorted({package for name in self.config.run for package in find(name).PACKAGES}))
        with roots.tools(self.run, suite, packages, config=self.chroot, progress=self.progress) as root:
            if self.note_tool:
                for package, version in root.versions(packages).items():
                    self.note_tool(f"{package}/{suite}", version)
            yield root

    def fresh_log(self, name: str) -> Path:
        """Give the path of a log, with what an earlier run wrote there taken away."""
        log = self.work / name
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        return log


class Check(Protocol):
    """What a module of this package offers."""

    PACKAGES: tuple[str, ...]

    def judge(self, bench: Bench, result: BuildResult) -> CheckReport:
        """Judge a successful build. What is the package's fault is reported; what is the environment's may be raised."""


def find(name: str) -> Check:
    """Load a check by the name of its file. Raises ConfigError for one that does not exist."""
    known = [each for directory in __path__ for each in rooms(Path(directory))]
    if name not in known:
        raise ConfigError(
            f"there is no check {name}", cause=f"there are {', '.join(known)}", hint="editor config/debkit.toml, [checks] run"
        )
    return cast("Check", importlib.import_module(f"{__name__}.{name}"))


def judge(name: str, bench: Bench, result: BuildResult) -> CheckReport:
    """Have one check judge a build. Whatever keeps it from a verdict, a timeout too, is an environment error, never a pass.

    But for a damaged package: what a tool says of half a package would mislead, so that is looked for where all is not well.
    Raises ConfigError for an unknown check and Interrupted; a defect of the check itself is not caught either.
    """
    check = find(name)
    started = time.monotonic()
    if result.state is not BuildState.SUCCEEDED:
        return CheckReport(
            check=name, target=result.target, outcome=Outcome.SKIPPED, seconds=0.0, reason="there is no successful build"
        )
    bench.progress.phase(name)
    try:
        report = check.judge(bench, result)
    except Interrupted:
        raise
    except TimeoutFailure as problem:
        limit = f"{name} was ended after {bench.config.timeout:.0f} s, the [checks] timeout: it hangs, or the machine is slow"
        report = broken(name, result, limit, problem.log)
    except DebkitError as problem:
        cause = " ".join(problem.cause.split())
        report = broken(name, result, f"{problem.what}: {cause}" if cause else problem.what, problem.log)
    except OSError as problem:
        report = broken(name, result, str(problem), None)
    if report.outcome in {Outcome.FAIL, Outcome.ERROR} and (findings := tuple(_damages(bench, result))):
        report = replace(report, outcome=Outcome.FAIL, reason=f"damaged-package: {findings[0].text}", findings=findings, steps=())
    return replace(report, seconds=time.monotonic() - started)


def _damages(bench: Bench, result: BuildResult) -> Iterator[Finding]:
    for deb, said in _debs.damaged(bench.run, (*result.debs, *bench.siblings)):
        text = f"{deb.name} cannot be unpacked: {said}"
        yield Finding(severity=Severity.ERROR, tag="damaged-package", package=deb.name.partition("_")[0], text=text)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Give what counts of several: a failure before all else, and what was not run only where nothing else was."""
    order = tuple(Outcome)
    return max(outcomes, key=order.index, default=Outcome.NOT_RUN)


def not_run(name: str, result: BuildResult, reason: str) -> CheckReport:
    """Make the report of a check that has nothing to judge."""
    return CheckReport(check=name, target=result.target, outcome=Outcome.NOT_RUN, seconds=0.0, reason=reason)


def broken(name: str, result: BuildResult, reason: str, log: Path | None) -> CheckReport:
    """Make the report of a check that came to no verdict."""
    return CheckReport(check=name, target=result.target, outcome=Outcome.ERROR, seconds=0.0, reason=reason, log=log)
