"""What will be done and why: pure, so that it can be shown before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit import backends
from debkit.accel import why_uncompared
from debkit.errors import HostError, SourceError
from debkit.host import runs_natively
from debkit.model import ARCHES, Target, Via
from debkit.source import builds_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.config import Config
    from debkit.host import Host
    from debkit.source import Whence

ALL_BUILDER = "amd64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the caller asked for. `where` is a tree, a .dsc or a source package's name; `via` None lets the plan choose.

    `publish` False stops after the checks; `accept_incomplete` publishes although a check was skipped or broke. `shell` opens one
    where a build fails.
    """

    where: str
    suites: tuple[str, ...]
    arches: tuple[str, ...]
    via: Via | None = None
    publish: bool = True
    release: bool = False
    accept_incomplete: bool = False
    refresh: bool = False
    accelerate: bool = True
    shell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What planning must know of the source. `version` is empty and `architectures` a guess until an archive's is fetched.

    `why` says why it has this version, and `orig` where a tree's upstream tarball will be taken from, if it has one.
    """

    name: str
    version: str = ""
    architectures: tuple[str, ...] = ("any", "all")
    why: str = ""
    orig: Whence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One target: how its programs run and why, and whether it makes the `Architecture: all` packages of its suite.

    Where the source has nothing of the architecture's own it `builds` nothing: it is there to check and install what the suite's
    other job has made. `tried` is how programs run on the clean systems where packages are checked and installed: after a
    cross build these are of the target's architecture too.
    """

    target: Target
    via: Via
    tried: Via
    reason: str
    build_all: bool
    builds: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a run will do. `notes` tell choices that are not a job's own."""

    request: Request
    source: SourceFacts
    backend: str
    jobs: tuple[Job, ...]
    checks: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def suites(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(job.target.suite for job in self.jobs))


def plan(
    request: Request,
    source: SourceFacts,
    machine: Host,
    config: Config,
    foretold: Callable[[Target], tuple[str, ...]] = lambda _target: (),
) -> Plan:
    """Choose the jobs; `foretold` says what is to be known of the compiler of a target that is accelerated.

    Raises SourceError when nothing can be built, HostError when an architecture cannot run here.
    """
    unaccelerated = why_unaccelerated(request, source, machine, config)
    ways = {arch: choose_via(arch, machine, request.via, unaccelerated) for arch in request.arches}
    trials = dict(ways)
    for arch, (via, _) in ways.items():
        demand_backend(config.build.backend, via, machine)
        if via is Via.CROSS and (config.checks.run or request.publish):
            demand_programs(arch, machine, needed="its checks and the installation from the archive run them")
            trials[arch] = choose_via(arch, machine, None, unaccelerated)
    has_all = "all" in source.architectures
    builder = ALL_BUILDER if ALL_BUILDER in request.arches else request.arches[0]
    own = tuple(arch for arch in request.arches if builds_on(source.architectures, arch))
    arches = request.arches if has_all else own
    if not arches:
        raise SourceError(
            f"{source.name} has nothing to build for {', '.join(request.arches)}",
            cause=f"its Architecture is {' '.join(source.architectures)}",
            hint="name another architecture: make deb ARCH=…",
        )
    jobs = tuple(
        Job(
            target=Target(suite, arch),
            via=ways[arch][0],
            tried=trials[arch][0],
            reason=ways[arch][1],
            build_all=has_all and arch == builder,
            builds=arch in own or arch == builder,
        )
        for suite in request.suites
        for arch in arches
    )
    left_out = tuple(arch for arch in request.arches if arch not in arches)
    trial_notes = (
        f"{arch}: packages are tried {trials[arch][0]}: {trials[arch][1]}" for arch in arches if trials[arch] != ways[arch]
    )
    told = (f"{job.target}: {line}" for job in jobs if job.via is Via.ACCELERATED for line in foretold(job.target))
    return Plan(
        request=request,
        source=source,
        backend=config.build.backend,
        jobs=jobs,
        checks=config.checks.run,
        notes=(*told, *trial_notes, *_notes(request, source, machine, config, left_out=left_out)),
    )


def _notes(request: Request, source: SourceFacts, machine: Host, config: Config, *, left_out: tuple[str, ...]) -> Iterator[str]:
    """Tell what is not a job's own."""
    for arch in left_out:
        yield f"{arch}: the source makes nothing for it (its Architecture is {' '.join(source.architectures)})"
    if further := [suite for suite in request.suites if suite != config.build.suites[0]]:
        yield (
            f"versions for {', '.join(further)} get the suffix ~SUITE1: one pool serves all suites, and those of "
            f"{config.build.suites[0]}, the first of build.suites, have none"
        )
    if notice := backends.find(config.build.backend).notice(direct=machine.direct, namespaces=not machine.namespaces):
        yield notice
    if not request.publish:
        yield "nothing is signed or published"
    elif config.archive.stream:
        yield f"published into {', '.join(map(config.archive.suite, request.suites))}: debkit repo promote takes it from there"


def why_unaccelerated(request: Request, source: SourceFacts, machine: Host, config: Config) -> str:
    """Say why builds for foreign architectures are not accelerated, empty when they are."""
    reasons = (
        (request.via is Via.EMULATED, "--via emulated asks for it"),
        (source.name in config.build.emulate, "[build] emulate names the source"),
    )
    found = next((reason for holds, reason in reasons if holds), "")
    return found or why_nothing_is(machine, config, accelerate=request.accelerate)


def why_nothing_is(machine: Host, config: Config, *, accelerate: bool) -> str:
    """Say why no foreign chroot is accelerated here, whatever is done in it; empty when they are."""
    reasons = (
        (not accelerate, "DEBKIT_ACCEL is off"),
        (not config.build.accelerate, "[build] accelerate is false"),
        (bool(machine.unaccelerated), machine.unaccelerated),
    )
    return next((reason for holds, reason in reasons if holds), "")


def choose_via(arch: str, machine: Host, forced: Via | None, unaccelerated: str) -> tuple[Via, str]:
    """How programs of `arch` run on this machine, and the reason; `unaccelerated` is why emulated ones have no native twins.

    Raises HostError when they cannot.
    """
    here = runs_natively(machine.arch, arch)
    if forced is Via.CROSS:
        if here:
            raise HostError(
                f"{arch} cannot be cross-built here",
                cause=f"this machine is {machine.arch} itself",
                hint="leave --via cross out",
            )
        return Via.CROSS, f"asked for with --via; the compiler runs on {machine.arch}, tests do not run"
    if forced is Via.NATIVE and not here:
        raise HostError(
            f"{arch} cannot be built natively here",
            cause=f"this machine is {machine.arch}",
            hint="leave --via native out: emulation is chosen by itself",
        )
    if here and forced not in {Via.EMULATED, Via.ACCELERATED}:
        return Via.NATIVE, f"this machine is {machine.arch}"
    if here:
        raise HostError(f"{arch} is not {forced} here", cause="it runs natively", hint=f"leave --via {forced} out")
    demand_programs(arch, machine)
    if not unaccelerated and forced is not Via.ACCELERATED and (uncompared := why_uncompared(machine.arch, arch)):
        unaccelerated = f"{uncompared} (--via accelerated tries it)"
    if not unaccelerated:
        return Via.ACCELERATED, f"native twins of {arch}'s known tools run, all else through qemu-{ARCHES[arch].qemu}"
    if forced is Via.ACCELERATED:
        raise HostError(f"{arch} cannot be accelerated here", cause=unaccelerated, hint="leave --via accelerated out")
    how = f"{machine.arch} runs {arch} programs through qemu-{ARCHES[arch].qemu}"
    return Via.EMULATED, how if forced is Via.EMULATED else f"{how}; not accelerated: {unaccelerated}"


def demand_programs(arch: str, machine: Host, *, needed: str = "") -> None:
    """Raise HostError where programs of `arch` do not run here."""
    if obstacle := machine.obstacle(arch):
        raise HostError(
            f"{arch} programs do not run on this machine",
            cause=f"{obstacle}; {needed}" if needed else obstacle,
            hint=f"debkit doctor --fix --arch {arch}",
        )


def demand_backend(name: str, via: Via, machine: Host) -> None:
    """Raise HostError where the backend cannot build this way here."""
    if obstacle := backends.find(name).obstacle(via=via, direct=machine.direct, namespaces=not machine.namespaces):
        raise HostError(
            f"{name} cannot do a {via} build on this machine",
            cause="; ".join(filter(None, (obstacle, machine.namespaces))),
            hint="debkit doctor --fix" if machine.namespaces else "choose another way: --backend, --via",
        )


def rendered(plan: Plan) -> tuple[str, ...]:
    """Write the plan as lines for a person."""
    source = " ".join(filter(None, (plan.source.name, plan.source.version or "(version known once fetched)")))
    lines = [f"source   {source}" + (f" ({plan.source.why})" if plan.source.why else "")]
    if orig := plan.source.orig:
        fetched = f": it will be fetched from the archive of {', '.join(plan.suites)}, if that has this upstream version"
        lines.append(f"upstream {orig.told}{fetched if orig.archive else ''}")
    for job in plan.jobs:
        also = ", with the Architecture: all packages" if job.build_all else ""
        how = f"{job.via} with {plan.backend}{also}" if job.builds else f"{job.via}, nothing of its own to build"
        lines.append(f"{'build' if job.builds else 'try':<8} {job.target}  {how}: {job.reason}")
    lines.append(f"check    {', '.join(plan.checks) or 'nothing'}")
    lines += [f"note     {note}" for note in plan.notes]
    return tuple(lines)
