"""What a build's packages need at run time on an up-to-date clean system of the target: the ground of what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit import apt
from debkit.checks import _debs
from debkit.chroot import store
from debkit.model import CheckReport, Finding, Outcome, Severity

if TYPE_CHECKING:
    from debkit.apt import Member
    from debkit.checks import Bench
    from debkit.errors import DependencyError
    from debkit.model import BuildResult

NOTHING = "the build made nothing to install: only udebs or packages for other architectures"


@dataclass(frozen=True, slots=True)
class Needs:
    """The names of the packages that the build made, and these with all that they depend on, by name.

    What the clean system has already is among them where a package depends on it, and only there.
    """

    built: frozenset[str]
    members: tuple[Member, ...]


def of(bench: Bench, result: BuildResult, *, fresh: bool = False) -> Needs:
    """Resolve the packages of the build; those that conflict with each other in rounds. With `fresh` lists are fetched before.

    Raises DependencyError where they cannot be installed, which `fault` makes a report of.
    """
    made = _debs.read(bench.run, (*result.debs, *bench.siblings))
    debs = tuple(deb for deb in made if deb.path.suffix == ".deb" and deb.arch in {result.target.arch, "all"})
    built = frozenset(deb.name for deb in debs if deb.path in result.debs)
    if not built:
        return Needs(built, ())
    found: dict[str, Member] = {}
    with bench.clean(result.target) as clean, store.held(clean):
        root = store.apt_root(clean)
        if fresh:
            apt.update(bench.run, root, progress=bench.progress)
        for each in _debs.rounds(debs):
            for member in apt.closure(bench.run, root, tuple(deb.path for deb in each)):
                found.setdefault(member.name, member)
    return Needs(built, tuple(found[name] for name in sorted(found)))


def fault(name: str, result: BuildResult, problem: DependencyError) -> CheckReport:
    """Make the report of a check whose packages depend on what cannot be had."""
    text = f"{problem.what}: {' '.join(problem.cause.split())}"
    package = ", ".join(sorted({deb.name.partition("_")[0] for deb in result.debs}))
    return CheckReport(
        check=name,
        target=result.target,
        outcome=Outcome.FAIL,
        seconds=0.0,
        reason=text,
        findings=(Finding(severity=Severity.ERROR, tag="uninstallable", package=package, text=text),),
    )
