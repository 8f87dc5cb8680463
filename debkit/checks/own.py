"""Own checks: the executables in the project's config/checks.d, each run as root of a clean system of its own.

docs/checks.md is what their authors are promised. The clean system is writable and thrown away, apt's lists are fetched, and the
packages are there as files: whether and how they are installed is the check's own affair. What that takes apt has already.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from debian.deb822 import Changes

from debkit import checks
from debkit.checks import _apt, _debs, _supply
from debkit.chroot import namespace, roots
from debkit.errors import ConfigError, DebkitError, Interrupted, TimeoutFailure
from debkit.model import ARCHES, CheckReport, Finding, Outcome, Severity, Step
from debkit.run import Command
from debkit.run.command import explain_code

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.checks import Bench
    from debkit.checks._debs import Deb
    from debkit.model import BuildResult, Chroot

PACKAGES: tuple[str, ...] = ()
DIRECTORY = "config/checks.d"
NAME = re.compile(r"[A-Za-z0-9_-]+")  # run-parts(8)
NO_CHECK = re.compile(r"\..*|README.*|.*~")
CHECKS = "/srv/debkit/checks.d"
SHELF = "/srv/debkit/packages"
SKIPPED = 77  # as autopkgtest and Automake have it
EVERY_CODE = frozenset(range(-64, 256))


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Run every own check; the worst counts. Raises ConfigError for files that cannot be run."""
    executables = found(bench.project / DIRECTORY) if bench.project else ()
    if not executables:
        return checks.not_run("own", result, f"{DIRECTORY} has no executables")
    debs = _debs.installable(_debs.read(bench.run, (*result.debs, *bench.siblings)), result.target)
    if not debs:
        return checks.not_run("own", result, "the build made nothing to install")
    fields = Changes(result.changes.read_text(encoding="utf-8")) if result.changes else {}
    target, source = result.target, str(fields.get("Source", ""))
    env = (
        ("DEBKIT_SUITE", target.suite),
        ("DEBKIT_ARCH", target.arch),
        ("DEBKIT_SOURCE", source),
        ("DEBKIT_VERSION", str(fields.get("Version", ""))),
        ("DEBIAN_FRONTEND", "noninteractive"),
        *ARCHES[target.arch].qemu_env,
    )
    with bench.clean(target) as clean:
        steps = tuple(attempt(bench, clean, path, debs, env) for path in executables)
    outcome = checks.worst(step.outcome for step in steps)
    worst = next(step for step in steps if step.outcome is outcome)
    return CheckReport(
        check="own",
        target=target,
        outcome=outcome,
        seconds=0.0,
        reason="" if outcome is Outcome.PASS else f"{worst.name}: {worst.text}",
        findings=tuple(
            Finding(severity=Severity.ERROR, tag="own-check-fails", package=source, text=f"{step.name}: {step.text}")
            for step in steps
            if step.outcome is Outcome.FAIL
        ),
        steps=steps,
        log=bench.work / log_name(worst.name),
    )


def found(directory: Path) -> tuple[Path, ...]:
    """List the executables by name. What looks like a check and would not be run is a ConfigError, never passed over."""
    files = sorted(path for path in directory.glob("*") if path.is_file() and not NO_CHECK.fullmatch(path.name))
    problems = [
        *(f"{path} is not executable" for path in files if not os.access(path, os.X_OK)),
        *(f"{path.name}: a name of letters, digits, - and _ is wanted" for path in files if not NAME.fullmatch(path.name)),
    ]
    if problems:
        raise ConfigError(
            f"{DIRECTORY} has files that cannot be run",
            cause="\n".join(problems),
            hint=f"chmod +x {directory}/*, or mv them away",
        )
    return tuple(files)


def attempt(bench: Bench, clean: Chroot, path: Path, debs: tuple[Deb, ...], env: tuple[tuple[str, str], ...]) -> Step:
    """Run one check. What keeps it from a verdict, a timeout too, is the step's environment error."""
    started = time.monotonic()
    bench.progress.phase(path.name)
    try:
        outcome, text = once(bench, clean, path, debs, env)
    except Interrupted:
        raise
    except TimeoutFailure:
        outcome, text = Outcome.ERROR, f"it was ended after {bench.config.timeout:.0f} s, the [checks] timeout"
    except DebkitError as problem:
        outcome, text = Outcome.ERROR, f"{problem.what}: {' '.join(problem.cause.split())}"
    return Step(name=path.name, outcome=outcome, seconds=round(time.monotonic() - started, 1), text=text)


def once(bench: Bench, clean: Chroot, path: Path, debs: tuple[Deb, ...], env: tuple[tuple[str, str], ...]) -> tuple[Outcome, str]:
    """Run one check in a clean system of its own, and give its verdict, with its last word unless it passed."""
    log = bench.fresh_log(log_name(path.name))
    shelf = tuple((deb.path.resolve(), f"{SHELF}/{deb.path.name}") for deb in debs)
    names = ((roots.RESOLVER.resolve(), os.fspath(roots.RESOLVER)),) if roots.RESOLVER.exists() else ()

    with bench.lent(clean, *map(_supply.group, _debs.rounds(debs))) as loan, roots.opened(bench.run, clean) as root:
        (root / _apt.CONF).write_text(loan.settings + _apt.settings(bench.run), encoding="utf-8")

        def inside(*argv: str) -> tuple[str, ...]:
            read_only = (*shelf, (path.parent.resolve(), CHECKS), *names, *loan.read_only)
            return namespace.inside(root, argv, binds=loan.binds, read_only=read_only, toolbox=clean.toolbox)

        bench.run(Command(argv=inside("apt-get", "update"), env=env, timeout=bench.config.timeout, log=log, name="apt-get"))
        done = bench.run(
            Command(
                argv=inside(f"{CHECKS}/{path.name}", *(there for _, there in shelf)),
                env=env,
                timeout=bench.config.timeout,
                ok=EVERY_CODE,
                log=log,
                name=path.name,
            ),
            bench.progress.line,
        )
    last = next((line.strip() for line in reversed(done.tail) if line.strip()), explain_code(done.code))
    if done.code < 0:
        return Outcome.ERROR, explain_code(done.code)
    return {0: (Outcome.PASS, ""), SKIPPED: (Outcome.SKIPPED, last)}.get(done.code, (Outcome.FAIL, last))


def log_name(check: str) -> str:
    return f"own-{check}.log"
