"""What one job of a build matrix leaves for another to sign and publish: a directory such as dist/, and SHA256SUMS over it.

The sums are sha256sum(1)'s, and its `--check` can be asked too. They tell what belongs to the run; files of earlier ones, which
dist/ may have as well, are not listed.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import debkit
from debkit.errors import ArchiveError, BuildError, ConfigError, EnvironmentFailure
from debkit.paths import put
from debkit.pipeline.plan import Job
from debkit.report import REPORT
from debkit.report.read import Report, read_report, revived
from debkit.sign import file_ref
from debkit.source import read_changes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from debkit.model import BuildResult, CheckReport, Source
    from debkit.report import Ledger

SUMS = "SHA256SUMS"
TOLD = 20
AGAIN = "debkit build --no-publish, where that was built, and all of its dist/ once more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part as it was verified. The paths in `report` are those that the files have here; `jobs` are those of its plan."""

    root: Path
    report: Report
    jobs: tuple[Job, ...]


def files(sources: Iterable[Source], builds: Iterable[BuildResult], checks: Iterable[CheckReport]) -> tuple[Path, ...]:
    """Give the files of a run: the source packages, what was built, and the logs."""
    found: list[Path] = []
    for source in sources:
        found += [source.dsc, source.changes, *read_changes(source.changes).paths]
    for build in builds:
        found += [build.log, *((build.changes, *read_changes(build.changes).paths) if build.changes else ())]
    found += [check.log for check in checks if check.log and check.log.exists()]
    return tuple(dict.fromkeys(found))


def forget(ledger: Ledger) -> None:
    """Remove the sums of an earlier run, and let its report go: what they speak of is about to be replaced."""
    ledger.path.with_name(SUMS).unlink(missing_ok=True)
    ledger.begin()


def write_sums(dist: Path, made: Iterable[Path]) -> None:
    """Write the sums over files below `dist`; those elsewhere, such as a log of a check's own, are nobody else's business."""
    base = dist.resolve()
    inside = {path.resolve() for path in made if path.resolve().is_relative_to(base)}
    lines = (f"{file_ref(path).sha256}  {path.relative_to(base).as_posix()}\n" for path in sorted(inside))
    put(dist / SUMS, "".join(lines).encode())


def demand_part(root: Path) -> None:
    """Refuse what is no part at all. Raises ConfigError."""
    if not root.is_dir() and "*" in root.name:
        raise ConfigError(
            f"there is no part: nothing is called {root}",
            cause="no build was kept as a part here, or none was downloaded",
            hint="make build part, or name the directories: debkit publish PART...",
        )
    if not root.is_dir():
        raise ConfigError(
            f"{root} is no directory", cause="a part is what a build has left in its dist/", hint=f"ls {root.parent}"
        )
    if not (root / SUMS).is_file():
        raise ConfigError(f"{root} has no {SUMS}", cause=_why_without(root), hint=AGAIN)


def demand_built(root: Path) -> Report:
    """Give the report of a part that was kept, whatever had come of its build.

    Raises ConfigError where nothing was built, or not to be published elsewhere, and for a build that failed an error that ends
    with the exit code which that one ended with.
    """
    try:
        report = read_report(root / REPORT)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        nothing = "dist/ has none: its build was refused before it began, or nothing was built here"
        raise ConfigError(
            f"{root} has no report of a build",
            cause=nothing if isinstance(problem, FileNotFoundError) else f"{problem}",
            hint="make build part",
        ) from problem
    if report.outcome != "succeeded":
        failed = BuildError(
            f"{root} is kept, and is of a build that did not succeed",
            cause=_why_without(root),
            hint=f"ls {shlex.quote(str(root))}, for its logs; mend what that error names, then: make build part",
        )
        failed.exit_code = report.exit_code or EnvironmentFailure.exit_code  # what was cut off has none
        raise failed
    demand_part(root)
    return report


def read_part(root: Path) -> Part:
    """Verify a part and read its report. Raises ConfigError for what is none, ArchiveError for one that is not as it was left."""
    demand_part(root)
    sums = read_sums(root)
    wrong = [*_wrong(root, sums), *([f"{REPORT}: not listed"] if REPORT not in sums else [])]
    if wrong:
        raise ArchiveError(f"{root} is not what its {SUMS} says", cause="\n".join(wrong[:TOLD]), hint=AGAIN)
    try:
        report = read_report(root / REPORT)
        jobs = tuple(revived(Job, job) for job in report.jobs)
    except (ValueError, KeyError, TypeError) as problem:
        raise ArchiveError(
            f"{root / REPORT} cannot be read",
            cause=f"{problem}; this is debkit {debkit.__version__}",
            hint="build and publish with one and the same debkit: debkit --version",
        ) from problem
    report = _here(root, report, sums)
    lacking = [path for path in files(report.sources, report.builds, ()) if path.relative_to(root).as_posix() not in sums]
    if lacking:
        raise ArchiveError(
            f"{root / SUMS} does not list all that is to be signed",
            cause="\n".join(f"{path.relative_to(root)}: not listed" for path in lacking[:TOLD]),
            hint=AGAIN,
        )
    return Part(root=root, report=report, jobs=jobs)


def read_sums(root: Path) -> dict[str, str]:
    """Read the sums by the files' paths. Raises ArchiveError for a line that is none, or that names what is elsewhere."""
    sums = {}
    for number, line in enumerate((root / SUMS).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        found = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        path = PurePosixPath(found[2]) if found else PurePosixPath("/")
        if not found or path.is_absolute() or ".." in path.parts:
            raise ArchiveError(
                f"{root / SUMS} cannot be used",
                cause=f"line {number} names no file below {root}: {line[:100]}",
                hint=f"sed -n {number}p {shlex.quote(str(root / SUMS))}",
            )
        sums[path.as_posix()] = found[1]
    return sums


def _wrong(root: Path, sums: dict[str, str]) -> Iterable[str]:
    for name, sha256 in sums.items():
        path = root / name
        if not path.resolve().is_relative_to(root.resolve()):
            yield f"{name}: a link to elsewhere"
        elif not path.is_file():
            yield f"{name}: missing"
        elif file_ref(path).sha256 != sha256:
            yield f"{name}: changed"


def _why_without(root: Path) -> str:
    """Say why a directory has no sums: a build that failed leaves none."""
    try:
        report = read_report(root / REPORT)
    except (OSError, ValueError, KeyError, TypeError):
        return "it is not what debkit build --no-publish leaves in dist/, or not all of it"
    if report.outcome == "succeeded":
        return "its build has published by itself, or is not what debkit build --no-publish leaves in dist/"
    return f"its last run {'was cut off' if report.outcome == 'running' else f'failed: {report.error}'}"


def _here(root: Path, report: Report, sums: dict[str, str]) -> Report:
    """Give the paths that a report's files have below `root`: they were made elsewhere."""

    def found(path: Path) -> Path:
        names = ("/".join(path.parts[start:]) for start in range(len(path.parts)))
        name = next((name for name in names if name in sums), None)
        return root / (name or path.name)

    return replace(
        report,
        sources=tuple(replace(source, dsc=found(source.dsc), changes=found(source.changes)) for source in report.sources),
        builds=tuple(
            replace(
                build,
                log=found(build.log),
                changes=found(build.changes) if build.changes else None,
                buildinfo=found(build.buildinfo) if build.buildinfo else None,
                debs=tuple(map(found, build.debs)),
            )
            for build in report.builds
        ),
        checks=tuple(replace(check, log=found(check.log) if check.log else None) for check in report.checks),
    )
