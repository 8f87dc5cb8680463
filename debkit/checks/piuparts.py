"""piuparts: install the packages on a clean system of the target's suite and architecture, purge them, and see what stays; then
the same by way of an upgrade from the version that the archive has now.

piuparts itself comes from the native tool root; what it installs, and apt and dpkg, run in the clean system, emulated where that
is of another architecture. It believes itself root, being uid 0 of a user namespace, so a user and root go the same way.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import checks
from debkit.checks import _apt, _debs, _supply, _upgrade
from debkit.checks._piuparts_log import INSTALL, PREPARED, UPGRADE, Verdict, read_log
from debkit.chroot import namespace, store
from debkit.errors import DependencyError
from debkit.model import ARCHES, CheckReport, Finding, Outcome, Severity, Step
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.checks import Bench
    from debkit.checks._debs import Deb
    from debkit.chroot.roots import ToolRoot
    from debkit.model import BuildResult, Chroot, Target

PACKAGES = ("piuparts",)
INSIDE = "/srv/piuparts"  # one mount for the root and the place it is linked to: no hard link goes from one mount to another
ROOM = f"{INSIDE}/room"
TOOLBOX = "/mnt/native"  # in the tool root; `chroot` binds it where the clean system's programs look for it
PATH = f"{INSIDE}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CHROOT = Path(__file__).with_name("chroot")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
RESOLVER = Path("/etc/resolv.conf")  # piuparts copies the tool root's, which is as old as that
NOTHING = "the build made nothing to install: only debug symbols, udebs or packages for other architectures"
NO_PREVIOUS = "no previous version is published"
EVERY_CODE = frozenset(range(-64, 256))  # the log tells a bad package from a bad environment, the exit code does not

PREPARE = "#!/bin/sh\nexec apt-get --yes --allow-downgrades --reinstall --no-install-recommends install /srv/debkit/*.deb\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What every round of a target shares. `previous` is published; `deadline` is by the monotonic clock."""

    bench: Bench
    tools: ToolRoot
    clean: Chroot
    previous: tuple[Deb, ...]
    log: Path
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where one run happens: `work` with the clean system in `root`, and the names of the packages that it has already."""

    work: Path
    root: Path
    standing: frozenset[str]


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Test all packages of the build together, but for debug symbols; those that conflict with each other in rounds."""
    target = result.target
    debs = _debs.installable(_debs.read(bench.run, (*result.debs, *bench.siblings)), target)
    if not debs:
        return checks.not_run("piuparts", result, NOTHING)
    previous = _debs.installable(_debs.read(bench.run, bench.previous), target)
    log = bench.fresh_log("piuparts.log")
    deadline = time.monotonic() + bench.config.timeout
    with bench.tools(target.suite) as tools, bench.clean(target) as clean:
        lab = Lab(bench=bench, tools=tools, clean=clean, previous=previous, log=log, deadline=deadline)
        verdicts = [*([compare(lab, debs)] if previous else []), *(attempt(lab, each) for each in _debs.rounds(debs))]
    outcome = checks.worst(verdict.outcome for verdict in verdicts)
    worst = next(verdict for verdict in verdicts if verdict.outcome is outcome)
    return CheckReport(
        check="piuparts",
        target=target,
        outcome=outcome,
        seconds=0.0,
        reason=worst.reason,
        findings=tuple(dict.fromkeys(finding for verdict in verdicts for finding in verdict.findings)),
        steps=steps(verdicts),
        log=log if log.exists() else None,
    )


def steps(verdicts: list[Verdict]) -> tuple[Step, ...]:
    """Lay the steps of all rounds together, the worst of each kind being what counts."""
    found = []
    for name, none in ((INSTALL, ""), (UPGRADE, NO_PREVIOUS)):
        same = [step for verdict in verdicts for step in verdict.steps if step.name == name]
        outcome = checks.worst(step.outcome for step in same)
        text = next((step.text for step in same if step.outcome is outcome), none)
        found.append(Step(name=name, outcome=outcome, seconds=round(sum(step.seconds for step in same), 1), text=text))
    return tuple(found)


def compare(lab: Lab, debs: tuple[Deb, ...]) -> Verdict:
    """Compare what the packages ship with what the published ones do, and name those that are new."""
    found = _upgrade.findings(lab.bench.run, lab.previous, debs)
    old = {deb.name for deb in lab.previous}
    notes = tuple(
        Finding(severity=Severity.INFO, tag="new-package", package=deb.name, text="there is no published version to upgrade from")
        for deb in debs
        if deb.name not in old
    )
    blamed = [finding for finding in found if finding.severity is Severity.ERROR]
    outcome = Outcome.FAIL if blamed else Outcome.NOT_RUN
    reason = f"{blamed[0].package}: {blamed[0].tag}: {blamed[0].text}" if blamed else ""
    text = reason or "every package is new in this version"
    return Verdict(outcome, reason, (*found, *notes), (Step(name=UPGRADE, outcome=outcome, text=text),))


def attempt(lab: Lab, debs: tuple[Deb, ...]) -> Verdict:
    """Test one round of packages, and say whose the leftovers are.

    A dependency that leaves files behind is not the package's fault. To tell costs piuparts another installation, so it is asked
    (--warn-on-others) only when something was left and there are dependencies that may have done it.
    """
    verdict, others = once(lab, debs)
    if verdict.only_leftovers and others and any((s.name, s.outcome) == (INSTALL, Outcome.FAIL) for s in verdict.steps):
        lab.bench.progress.phase("piuparts, to see whose the leftovers are")
        verdict, _ = once(lab, debs, "--warn-on-others")
    return verdict


def once(lab: Lab, debs: tuple[Deb, ...], *options: str) -> tuple[Verdict, bool]:
    """Run piuparts once; say too whether the packages have dependencies that the clean system lacks."""
    bench, target = lab.bench, lab.clean.spec.target
    with stage(bench, lab.clean) as place:
        supply(lab, place, debs)
        tested = tuple(deb for deb in debs if deb.name not in place.standing)
        standing = tuple(deb for deb in debs if deb.name in place.standing)
        if not tested:
            names = ", ".join(deb.name for deb in standing)
            reason = f"{names}: part of every clean system, so not to be purged"
            return Verdict(Outcome.SKIPPED, reason, steps=(Step(name=INSTALL, outcome=Outcome.SKIPPED, text=reason),)), False
        old = {deb.name for deb in lab.previous}
        kept = [deb.name for deb in standing if deb.name in old]
        upgrade = not kept and any(deb.name in old for deb in tested)
        equip(place, tested, standing)
        # Unless told so piuparts tries one from what the suite has under the same name, which need not be an ancestor.
        tests = () if upgrade else ("--no-upgrade-test",)
        if upgrade:
            _upgrade.lay(bench.run, place.root, place.work / "scripts", lab.previous, tested)
        bench.progress.phase("piuparts")
        done = bench.run(
            Command(
                argv=lab.tools.argv(
                    command(tested, target, scripts=bool(standing) or upgrade, options=(*tests, *options)),
                    binds=((place.work, INSIDE),),
                    read_only=((RESOLVER.resolve(), os.fspath(RESOLVER)),) if RESOLVER.exists() else (),
                    network=True,
                    toolbox=lab.clean.toolbox,
                    at=TOOLBOX,
                ),
                env=ARCHES[target.arch].qemu_env,
                timeout=max(lab.deadline - time.monotonic(), 0),
                ok=EVERY_CODE,
                log=lab.log,
            ),
            bench.progress.line,
        )
    names, accepted = ", ".join(deb.name for deb in tested), bench.config.piuparts.accept
    verdict = read_log(done.stdout, code=done.code, packages=names, upgrade=upgrade, accepted=accepted)
    if kept:
        verdict = beyond_upgrade(verdict, ", ".join(kept))
    notes = tuple(_standing(deb) for deb in standing)
    there = place.standing | {deb.name for deb in debs}
    others = any(relation.name not in there for deb in tested for group in deb.depends for relation in group)
    return replace(verdict, findings=(*verdict.findings, *notes)), others


def beyond_upgrade(verdict: Verdict, names: str) -> Verdict:
    """Tell of an upgrade that cannot be tried, since the clean system is at this build's version already."""
    reason = f"{names}: part of every clean system, so the upgrade is not tried"
    step = Step(name=UPGRADE, outcome=Outcome.SKIPPED, text=reason)
    if verdict.outcome is Outcome.PASS:
        verdict = replace(verdict, outcome=Outcome.SKIPPED, reason=reason)
    return replace(verdict, steps=(*verdict.steps, step))


def command(debs: tuple[Deb, ...], target: Target, *, scripts: bool, options: tuple[str, ...]) -> tuple[str, ...]:
    """Build piuparts's argv, in the tool root. The clean system's own sources serve (--keep-sources-list)."""
    return (
        "env", f"PATH={PATH}", "piuparts", f"--existing-chroot={INSIDE}/root", "--hard-link", f"--tmpdir={ROOM}",
        "--keep-sources-list", f"--distribution={target.suite}", *options,
        *((f"--scriptsdir={INSIDE}/scripts",) if scripts else ()),
        *(f"{INSIDE}/debs/{deb.path.name}" for deb in debs),
    )  # fmt: skip


@contextlib.contextmanager
def stage(bench: Bench, clean: Chroot) -> Iterator[Stage]:
    """Unpack a clean system that may be spoiled, gone at the end."""
    with namespace.scratch(bench.run, "piuparts") as work:
        root = work / "root"
        root.mkdir(mode=0o755)
        with store.held(clean):
            namespace.unpack(bench.run, clean.tarball, root)
        lay_devices(root)
        if clean.toolbox:
            (root / namespace.NATIVE.lstrip("/")).mkdir(mode=0o755)
        (root / _apt.CONF).write_text(_apt.settings(bench.run), encoding="utf-8")
        yield Stage(work=work, root=root, standing=frozenset(store.installed(root)))


def supply(lab: Lab, place: Stage, debs: tuple[Deb, ...]) -> None:
    """Lay what the packages need into the clean system; where they cannot be installed, piuparts is to say so by itself."""
    with (
        contextlib.suppress(DependencyError),
        lab.bench.needed(lab.clean.spec.target, _supply.group(debs), _supply.group(lab.previous)) as packages,
    ):
        _supply.stock(lab.bench.run, place.root, packages)


def lay_devices(root: Path) -> None:
    """Put what devices can be bound over into /dev, and the links that a shell needs. Uid 0 of the root is the caller."""
    dev = root / "dev"
    dev.mkdir(exist_ok=True)
    for name in DEVICES:
        (dev / name).touch(mode=0o666)
    for name, where in LINKS.items():
        (dev / name).symlink_to(where)


def equip(place: Stage, tested: tuple[Deb, ...], standing: tuple[Deb, ...]) -> None:
    """Lay the packages and the `chroot` that binds devices where piuparts finds them.

    What the clean system has already cannot be purged. It is brought to the build's version before piuparts looks at the system
    first, so that the build's other packages find it there and nothing of it counts as changed. Piuparts overlooks /srv.
    """
    for name in ("bin", "debs", "scripts", "room"):
        (place.work / name).mkdir()
        (place.work / name).chmod(0o755)
    shutil.copy(CHROOT, place.work / "bin/chroot")
    for deb in tested:
        shutil.copyfile(deb.path, place.work / "debs" / deb.path.name)
    if standing:
        (place.root / "srv/debkit").mkdir()
        for deb in standing:
            shutil.copyfile(deb.path, place.root / "srv/debkit" / deb.path.name)
        script = place.work / "scripts" / PREPARED
        script.write_text(PREPARE, encoding="utf-8")
        script.chmod(0o755)


def _standing(deb: Deb) -> Finding:
    return Finding(
        severity=Severity.INFO,
        tag="part-of-clean-system",
        package=deb.name,
        text=f"{os.fspath(deb.path.name)} was installed over the suite's; it cannot be purged",
    )
