"""A package's services on a clean system with a real systemd: installed, healthy, restarted, booted anew, upgraded, purged.

What it needs to know it finds in the packages. The system has what apt pulls in and a network of its own, and all that it
installs comes from a signed archive beside it. `service-guest` is what is done in it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import boot, checks
from debkit.checks import _debs, _staged, _supply, _units
from debkit.chroot import namespace, store
from debkit.errors import EnvironmentFailure
from debkit.model import ARCHES, CheckReport, Finding, Outcome, Severity, Step
from debkit.run import Command

if TYPE_CHECKING:
    from debkit.checks import Bench
    from debkit.checks._debs import Deb
    from debkit.checks._units import Unit
    from debkit.config import Probe, ServiceConfig, Suppression
    from debkit.model import BuildResult, Chroot

PACKAGES: tuple[str, ...] = ()
INIT = ("systemd-sysv",)
EMULATOR = ("qemu-user-static",)
GUEST = Path(__file__).with_name("service-guest")
SHARE = "/run/debkit"
ARCHIVE = f"{SHARE}/archive"
UNCONFINED = "; services are not confined, since qemu-user knows no namespaces and no seccomp (--strict boots a full machine)"
NOTHING = "no package of it brings a unit that is to be enabled"
JOURNAL = "journal"
PHASES = ("first", "second")  # with a reboot between them
FIELD = "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at: packages that go together, their units, and the published version, where there is one.

    `made` are the paths that systemd-tmpfiles makes for them, `before` the units that the published version had.
    """

    debs: tuple[Deb, ...]
    previous: tuple[Deb, ...]
    units: tuple[Unit, ...]
    conffiles: tuple[str, ...]
    made: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What was done, and where a step ended it, the last lines of the units' journal."""

    steps: tuple[Step, ...]
    journal: str = ""


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Look at all packages of the build that can be installed together and bring units."""
    target = result.target
    debs = _debs.installable(_debs.read(bench.run, (*result.debs, *bench.siblings)), target)
    previous = _debs.installable(_debs.read(bench.run, bench.previous), target)
    subjects = [subject for each in _debs.rounds(debs) if (subject := _subject(bench, each, previous)).units]
    if not subjects:
        return checks.not_run("service", result, NOTHING)
    log = bench.fresh_log("service.log")
    with bench.clean(target, *INIT) as clean:
        seen = [look_at(bench, clean, subject, log) for subject in subjects]
    return report(result, seen, bench.config.service, log)


def report(result: BuildResult, seen: list[Seen], config: ServiceConfig, log: Path) -> CheckReport:
    """Make a report of the steps: those that failed are findings, unless they are accepted, with what the journal says."""
    steps = tuple(step for each in seen for step in each.steps)
    findings = tuple(_finding(step, config.accept) for step in steps if step.outcome is Outcome.FAIL)
    journal = "\n".join(each.journal for each in seen if each.journal)
    notes = (Finding(severity=Severity.INFO, tag="journal-of-the-units", package="", text=journal),) if journal else ()
    blamed = [finding for finding in findings if not finding.accepted]
    outcome = Outcome.FAIL if blamed else checks.worst(step.outcome for step in steps if step.outcome is not Outcome.FAIL)
    if blamed:
        reason = f"{blamed[0].tag}: {blamed[0].text}"
    else:
        reason = "" if outcome.settled else "; ".join(step.text for step in steps if step.outcome is outcome)
    return CheckReport(
        check="service",
        target=result.target,
        outcome=outcome,
        seconds=0.0,
        reason=reason,
        findings=(*findings, *notes),
        steps=steps,
        log=log,
    )


def look_at(bench: Bench, clean: Chroot, subject: Subject, log: Path) -> Seen:
    """Boot the clean system twice and have all done in it; where none boots, try by hand what the units start."""
    deadline = time.monotonic() + bench.config.timeout
    target, config = clean.spec.target, bench.config.service
    foreign = bench.is_foreign(target)
    machine = foreign and config.strict
    with namespace.scratch(bench.run, "service") as work:
        root, share = work / "root", work / "share"
        for directory in (root, share, share / "archive"):
            directory.mkdir(mode=0o755)
        with store.held(clean):
            namespace.unpack(bench.run, clean.tarball, root)
        bench.progress.phase("service, what it needs")
        with bench.needed(target, _supply.group(subject.debs), _supply.group(subject.previous)) as needed:
            packages = needed | {deb.path.name: deb.path for deb in (*subject.previous, *subject.debs)}
            _staged.fill(bench.run, share / "archive", packages)
        _staged.sign(bench.run, share / "archive")
        _staged.add(root, ARCHIVE, name="debkit", text=_staged.SIGNED, alone=True)
        shutil.copy(GUEST, share / "main")
        emulator = _emulator(bench, clean, work) if clean.toolbox and not machine else None
        guest = boot.Guest(root=root, share=share, chroot=clean, tools=bench.tools, emulator=emulator)
        boot.furnish(guest, emulated=foreign and not machine)
        ways: tuple[str, ...] = (boot.MACHINE,) if machine else boot.WAYS
        steps: tuple[Step, ...] = ()
        for phase in PHASES:
            (share / "settings").write_text(settings(phase, subject, config), encoding="utf-8")
            bench.progress.phase(f"service, {'booted again' if steps else 'booted'}")
            left = max(deadline - time.monotonic(), 0)
            try:
                ways = (boot.boot(bench.run, guest, ways=ways, log=log, timeout=left, on_line=bench.progress.line),)
            except boot.CannotBoot as problem:
                if config.require_systemd:
                    raise
                return Seen(by_hand(bench, guest, subject, problem, log, timeout=left))
            finally:
                _append(share / "log", log)
            told, ended = read_results(share / "results")
            (share / "results").unlink(missing_ok=True)
            steps = (*steps, *told)
            if any(step.outcome is Outcome.FAIL for step in told) and not ended:
                journal = share / JOURNAL
                return Seen(steps, journal.read_text(encoding="utf-8", errors="replace") if journal.exists() else "")
            if not ended:
                raise EnvironmentFailure(
                    f"the booted {target} ended before all was done",
                    cause=f"the last step was {told[-1].name}" if told else "not a step was done",
                    hint=f"less {log}",
                    log=log,
                )
    return Seen(steps)


def by_hand(
    bench: Bench, guest: boot.Guest, subject: Subject, problem: boot.CannotBoot, log: Path, *, timeout: float
) -> tuple[Step, ...]:
    """Start what the units start without a systemd, which proves little: it is told as skipped, whatever comes of it."""
    bench.progress.phase("service, by hand")
    (guest.share / "settings").write_text(settings("fallback", subject, bench.config.service), encoding="utf-8")
    command = Command(
        argv=namespace.inside(
            guest.root, ("bash", f"{SHARE}/main"), binds=((guest.share, SHARE),), network=False, toolbox=guest.toolbox
        ),
        timeout=timeout,
        ok=frozenset(range(-64, 256)),
        log=log,
        name="service-guest",
    )
    bench.run(command, bench.progress.line)
    told, _ = read_results(guest.share / "results")
    cause = "; ".join(problem.cause.splitlines())
    degraded = Step(name="boot", outcome=Outcome.SKIPPED, text=f"degraded, without systemd: {problem.what}: {cause}")
    return (degraded, *told)


def settings(phase: str, subject: Subject, config: ServiceConfig) -> str:
    """Write what the script in the system needs to know, as bash reads it."""
    units = [unit for unit in subject.units if unit.enabled]
    before = [unit.name for unit in units if unit.name in subject.before]
    names = {deb.name for deb in subject.debs}
    old = [deb for deb in subject.previous if deb.name in names and before]  # a service that is new has nothing to upgrade
    lists = {
        "PACKAGES": [deb.name for deb in subject.debs],
        "OLD": [f"{deb.name}={deb.version}" for deb in old],
        "NEW": [f"{deb.name}={deb.version}" for deb in subject.debs],
        "UNITS": [unit.name for unit in units],
        "BEFORE": before,
        "USERS": [f"{unit.name}={'' if unit.privileged else unit.user}" for unit in units if unit.name.endswith(".service")],
        "CONFFILES": list(subject.conffiles),
        "STATE": sorted({*subject.made, *(directory for unit in subject.units for directory in unit.state)}),
        "PROBES": [FIELD.join(_probe(probe)) for probe in config.health if probe.package in {"", *names}],
    }
    lines = [f"{name}=({shlex.join(words)})" for name, words in lists.items()]
    return "\n".join(
        (
            f"PHASE={phase}",
            f"NOTE={shlex.quote(UNCONFINED)}",
            *lines,
            f"STABLE={config.stable:g}",
            f"LIMIT={config.install_time:.0f}",
            "",
        )
    )


def read_results(file: Path) -> tuple[tuple[Step, ...], bool]:
    """Read the steps that were told, and whether the script came to its end."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    parts = [line.split("\t") for line in lines if "\t" in line]
    return (
        tuple(Step(name=name, outcome=Outcome(outcome), seconds=float(taken), text=text) for name, outcome, taken, text in parts),
        lines[-1:] == ["done"],
    )


def _subject(bench: Bench, debs: tuple[Deb, ...], previous: tuple[Deb, ...]) -> Subject:
    """Unpack packages and read what of them counts. Of the previous version it is what an administrator may have changed."""
    units: list[Unit] = []
    conffiles: list[str] = []
    made: list[str] = []
    before: list[str] = []
    with namespace.scratch(bench.run, "units") as work:
        for deb in (*debs, *previous):
            tree = work / f"{deb.name}_{deb.version.replace(':', '%')}"
            bench.run(Command(argv=("dpkg-deb", "--raw-extract", os.fspath(deb.path), os.fspath(tree))))
            listed = tree / "DEBIAN/conffiles"
            if deb in debs:
                units += _units.read(deb.name, tree)
                made += _units.made(tree)
                continue
            before += [unit.name for unit in _units.read(deb.name, tree)]
            if listed.exists():
                conffiles += [line for line in listed.read_text(encoding="utf-8").splitlines() if line.startswith("/")]
    enabled = any(unit.enabled for unit in units)
    return Subject(
        debs=debs,
        previous=previous,
        units=tuple(units) if enabled else (),
        conffiles=tuple(conffiles),
        made=tuple(made),
        before=tuple(before),
    )


def _emulator(bench: Bench, clean: Chroot, work: Path) -> Path:
    """Copy qemu-user from the target's own suite: systemd from Debian 13 on starts nothing under that of Debian 12."""
    emulator = work / "qemu"
    with bench.tools(clean.spec.target.suite, EMULATOR) as tools:
        qemu = f"qemu-{ARCHES[clean.spec.target.arch].qemu}"
        shutil.copy(
            next(path for name in (f"{qemu}-static", qemu) if (path := tools.path / "usr/bin" / name).is_file()), emulator
        )
    return emulator


def _probe(probe: Probe) -> tuple[str, str, str, str]:
    kind = "http" if probe.http else "tcp" if probe.tcp else "command"
    return kind, probe.http or probe.tcp or probe.command, str(probe.status), probe.body


def _finding(step: Step, accept: tuple[Suppression, ...]) -> Finding:
    tag = step.name.replace(" ", "-")
    reason = next((each.reason for each in accept if each.tag == tag), "")
    return Finding(severity=Severity.ERROR, tag=tag, package="", text=step.text, accepted=reason)


def _append(part: Path, log: Path) -> None:
    if part.exists():
        with log.open("ab") as whole, part.open("rb") as file:
            shutil.copyfileobj(file, whole)
        part.unlink()
