"""Joining what the jobs of a build matrix left: of each suite one source and one build a target, fit to be one upload.

Each job has built the Architecture: all packages, since none knew of the others; one build's are published.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from debkit.errors import ArchiveError
from debkit.keys import unsigned_text
from debkit.model import BuildState, CheckReport, Outcome
from debkit.source import read_changes
from debkit.source.narrowed import PACKAGES, is_all, narrowed

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import BuildResult, Source, Target
    from debkit.pipeline.parts import Part
    from debkit.pipeline.plan import Job

COMPARE = "build all parts of one and the same source, a tag's say, and publish these"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One target of a part: its job, what that has built, if anything, and how that was judged."""

    part: Part
    job: Job
    build: BuildResult | None
    checks: tuple[CheckReport, ...]

    @property
    def target(self) -> Target:
        return self.job.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All that goes into one suite: the source, which is the same in all parts, and the targets in the order of `arches`."""

    source: Source
    pieces: tuple[Piece, ...]


def join(parts: tuple[Part, ...], arches: tuple[str, ...]) -> tuple[Suite, ...]:
    """Sort what the parts have by suite. Raises ArchiveError where they do not belong together."""
    pieces: dict[Target, Piece] = {}
    for part in parts:
        for piece in _pieces(part):
            if piece.target in pieces:
                raise ArchiveError(
                    f"{piece.target} is in two parts",
                    cause=f"{pieces[piece.target].part.root} and {part.root} both have it",
                    hint="name one of the two",
                )
            pieces[piece.target] = piece
    order = {arch: number for number, arch in enumerate(arches)}
    found = sorted(pieces.values(), key=lambda piece: (order.get(piece.target.arch, len(order)), piece.target.arch))
    return tuple(
        Suite(source=_source(suite, parts), pieces=tuple(piece for piece in found if piece.target.suite == suite))
        for suite in dict.fromkeys(piece.target.suite for piece in pieces.values())
    )


def _pieces(part: Part) -> tuple[Piece, ...]:
    report = part.report
    if report.outcome != "succeeded":
        raise ArchiveError(
            f"{part.root} is of a run that did not succeed",
            cause=report.error or "it was cut off",
            hint="build it once more: debkit build --no-publish",
        )
    builds = {build.target: build for build in report.builds if build.state is BuildState.SUCCEEDED and build.changes}
    lacking = [str(job.target) for job in part.jobs if job.builds and job.target not in builds]
    if lacking or not part.jobs or builds.keys() - {job.target for job in part.jobs}:
        raise ArchiveError(
            f"{part.root} does not have what it was to build",
            cause=f"its report has no build of {', '.join(lacking)}" if lacking else "its report has other builds than its plan",
            hint="build it once more: debkit build --no-publish",
        )
    return tuple(
        Piece(
            part=part,
            job=job,
            build=builds.get(job.target),
            checks=tuple(check for check in report.checks if check.target == job.target),
        )
        for job in part.jobs
    )


def _source(suite: str, parts: tuple[Part, ...]) -> Source:
    """Give a suite's source. Raises ArchiveError where it is not the same in all parts."""
    found = [(part, source) for part in parts for source in part.report.sources if source.suite == suite]
    if not found:
        raise ArchiveError(f"no part has a source for {suite}", cause="its report tells of none", hint=COMPARE)
    first_part, first = found[0]
    text = unsigned_text(first.dsc.read_text(encoding="utf-8"))
    for part, source in found[1:]:
        if unsigned_text(source.dsc.read_text(encoding="utf-8")) != text:
            raise ArchiveError(
                f"the parts for {suite} are not of one source",
                cause=f"{first_part.root} has {first.name} {first.version}, and {part.root} {source.name} {source.version}"
                + ("; the versions are the same, but not the files" if source.version == first.version else ""),
                hint=f"{COMPARE}; to see how they differ: diff {first.dsc} {source.dsc}",
            )
    return first


def verdicts(suites: tuple[Suite, ...], wanted: tuple[str, ...]) -> tuple[CheckReport, ...]:
    """Give how all targets were judged. What is `wanted`, or was planned, and was not made counts as skipped."""
    found: list[CheckReport] = []
    for piece in (piece for suite in suites for piece in suite.pieces):
        found += piece.checks
        made = {check.check for check in piece.checks}
        found += [
            CheckReport(
                check=name, target=piece.target, outcome=Outcome.SKIPPED, seconds=0.0,
                reason=f"it was not made where {piece.part.root} was built",
            )
            for name in dict.fromkeys((*wanted, *piece.part.report.checks_planned))
            if name not in made
        ]  # fmt: skip
    return tuple(found)


def share(suite: Suite, desk: Path) -> tuple[BuildResult, ...]:
    """Give a suite's builds so that no two make the same file: of Architecture: all packages the first build's are taken.

    What a build has beside those is in a .changes of its own in `desk`; a build that has made nothing else is left out.
    """
    taken: dict[str, None] = {}
    results = []
    for build in (piece.build for piece in suite.pieces if piece.build):
        if not build.changes:
            continue
        files = read_changes(build.changes).files
        left_out = frozenset(file.name for file in files if is_all(file.name) and file.name in taken)
        taken |= dict.fromkeys(file.name for file in files if is_all(file.name))
        if not left_out:
            results.append(build)
        elif any(file.name.endswith(PACKAGES) and file.name not in left_out for file in files):
            results.append(
                replace(build, changes=_rewritten(build.changes, left_out, desk / suite.source.suite / build.target.arch))
            )
    return tuple(results)


def _rewritten(changes: Path, left_out: frozenset[str], into: Path) -> Path:
    """Write a .changes anew in `into`, and link the files that it lists beside it."""
    into.mkdir(parents=True)
    new = into / changes.name
    new.write_text(narrowed(changes, left_out), encoding="utf-8")
    for file in read_changes(new).files:
        (into / file.name).symlink_to((changes.parent / file.name).absolute())
    return new
