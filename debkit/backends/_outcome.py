"""From a builder's end to a BuildResult: what came out is judged, and moved into place whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from debkit.accel import stock, trace
from debkit.backends._disk import Gauge
from debkit.backends._elf import misfits
from debkit.backends._errors import FirstError
from debkit.backends._logs import read
from debkit.chroot.namespace import scratch
from debkit.errors import SourceError, TimeoutFailure, disk_error
from debkit.model import BuildResult, BuildState, Excerpt
from debkit.source import read_changes

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from debkit.backends._job import Job
    from debkit.backends._logs import Reading, Watch
    from debkit.model import Toolbox
    from debkit.run import Command, Run

ANY_CODE = frozenset(range(-64, 256))  # a builder's log decides how it ended
TAIL_LINES = 12
PACKAGES = (".deb", ".udeb", ".ddeb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where one build goes on: `work` is scratch, with `results` in it; `into` is where all ends; `log` grows in `into`."""

    work: Path
    into: Path
    log: Path

    @property
    def results(self) -> Path:
        return self.work / "results"

    @property
    def vary(self) -> Path:
        """What a varied build finds in its chroot."""
        return self.work / "vary"

    @property
    def trace(self) -> Path:
        """What the dispatcher of an accelerated build writes to, whichever user it runs as."""
        return self.work / "trace"


@contextlib.contextmanager
def opened(run: Run, job: Job, into: Path, backend: str) -> Iterator[Site]:
    """Make the directories and room for the log. Raises DiskError for whatever a disk refuses until the end."""
    try:
        into.mkdir(parents=True, exist_ok=True)
        log = into / job.log_name
        log.unlink(missing_ok=True)
        log.touch()
        with scratch(run, backend) as work:
            site = Site(work=work, into=into, log=log)
            site.results.mkdir()
            site.trace.touch()
            site.trace.chmod(0o666)
            yield site
    except OSError as problem:
        if refused := disk_error(problem):
            raise refused from problem
        raise


def carry_out(
    run: Run,
    job: Job,
    site: Site,
    command: Command,
    *,
    backend: str,
    watch: Watch,
    judge: Callable[[int, Reading], BuildState],
    signs: Mapping[str, re.Pattern[str]],
) -> BuildResult:
    """Run the builder, judge how it ended and what it left and, when all is well, move that into place."""
    gauge, sampler, toolbox = Gauge(run, site.work), trace.Sampler(site.work), job.chroot.toolbox
    try:
        with gauge, sampler if toolbox else contextlib.nullcontext():
            code = run(command, watch.line).code
        reading = read(site.log, signs)
        state = judge(code, reading)
    except TimeoutFailure:
        noted(site.log, f"the build took longer than {job.config.timeout:.0f} s and was ended")
        reading, state = read(site.log, signs), BuildState.TIMED_OUT
    result = BuildResult(
        target=job.target,
        via=job.via,
        backend=backend,
        state=state,
        phases=watch.phases(),
        disk_bytes=max(gauge.peak, reading.disk_bytes),
        log=site.log,
        argv=command.argv,
        layer=job.chroot.layer,
        disk_full=state is BuildState.ENVIRONMENT and "disk" in reading.signs,
    )
    if state is BuildState.SUCCEEDED:
        result = _accept(run, job, site, result)
    else:
        result = replace(result, error=first_error(site.log) or tail(site.log))
    return _traced(site, result, toolbox, sampler.seconds) if toolbox else result


def _traced(site: Site, result: BuildResult, toolbox: Toolbox, seconds: Mapping[str, float]) -> BuildResult:
    """Tell how the programs of an accelerated build ran: in the result, in the log, and in a file beside it."""
    programs = trace.tally(*trace.read(site.trace), seconds, stock.twins(toolbox.path))
    with contextlib.suppress(OSError):  # where the disk is full, the build itself tells of it
        noted(site.log, trace.sentence(programs, named=trace.LOGGED))
        trace.save(programs, site.log.with_suffix(trace.SUFFIX))
    return replace(result, programs=trace.costliest(programs))


def _accept(run: Run, job: Job, site: Site, result: BuildResult) -> BuildResult:
    """Take what came out, unless something is missing or of another architecture."""
    changes = next(iter(site.results.glob("*.changes")), None)
    listed = read_changes(changes) if changes else None
    files = listed.paths if listed else ()
    missing = [file.name for file in files if not file.is_file()]
    if missing or not changes or not listed:
        error = noted(site.log, f"the builder left no {', '.join(missing) or '.changes file'}")
        return replace(result, state=BuildState.ENVIRONMENT, error=error)
    debs = tuple(file for file in files if file.suffix in PACKAGES)
    if wrong := misfits(run, debs, job.target.arch, site.work):
        return replace(result, state=BuildState.FAILED, error=noted(site.log, *wrong))
    deliver((*files, changes), site.into, name=job.source.name, log=site.log)
    return replace(
        result,
        changes=site.into / changes.name,
        buildinfo=next((site.into / file.name for file in files if file.suffix == ".buildinfo"), None),
        debs=tuple(site.into / deb.name for deb in debs),
        files=listed.files,
    )


def deliver(files: tuple[Path, ...], into: Path, *, name: str, log: Path) -> None:
    """Put the files into `into` in place of what an earlier build of the source `name` left there, the last file last.

    They are copied to the same file system first, so that a full disk is met while the old ones still stand.
    """
    incoming = into / f".incoming-{name}"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    try:
        for file in files:
            shutil.copyfile(file, incoming / file.name)
        for old in earlier(into, name):
            if old != log:
                old.unlink(missing_ok=True)
        for file in files:
            (incoming / file.name).replace(into / file.name)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def earlier(into: Path, name: str) -> tuple[Path, ...]:
    """Find what earlier builds of the source `name` left: .changes, all they list, logs, traces."""
    found = [*into.glob(f"{name}_*.build"), *into.glob(f"{name}_*{trace.SUFFIX}")]
    for path in into.glob("*.changes"):
        with contextlib.suppress(SourceError):
            changes = read_changes(path)
            if changes.source == name:
                found += [path, *changes.paths]
    return tuple(found)


def noted(log: Path, *lines: str) -> Excerpt:
    """Append what debkit itself found wrong to the log, and give it as the error."""
    with log.open(encoding="utf-8", errors="replace") as file:
        count = sum(1 for _ in file)
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"debkit: {line}\n" for line in lines)
    return Excerpt(count + 1, lines)


def first_error(log: Path) -> Excerpt | None:
    """Find the first real error of a log file."""
    search = FirstError()
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            search.feed(line.rstrip("\n"))
    return search.found()


def tail(log: Path) -> Excerpt | None:
    """Give the end of a log in which no error was recognised."""
    last: deque[str] = deque(maxlen=TAIL_LINES)
    count = 0
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            count += 1
            last.append(line.rstrip("\n"))
    return Excerpt(count - len(last) + 1, tuple(last)) if last else None
