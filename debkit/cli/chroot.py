"""Make, list, renew and remove the cached chroots, or open a shell in one.

Base chroots are made anew by themselves once they are a week old; these commands are for doing it by hand.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.accel import Accelerator
    from debkit.chroot.upkeep import Cached
    from debkit.cli import Session
    from debkit.model import ChrootSpec

ARCH = click.option("-a", "--arch", "arches", multiple=True, metavar="ARCH", help="Architecture; may be given again.")
SUITE = click.option("-d", "--suite", "suites", multiple=True, metavar="SUITE", help="Suite; may be given again.")
KIND = click.option("--kind", type=click.Choice(["build", "clean"]), default="build", show_default=True,
                    help="With build-essential, or bare for trying an installation.")  # fmt: skip


@click.group(name="chroot")
def command() -> None:
    """Make, list, renew and remove the cached chroots, or open a shell in one."""


@command.command()
@SUITE
@ARCH
@KIND
@click.option("--refresh", is_flag=True, help="Make it anew although it is not old.")
@click.pass_obj
def create(session: Session, *, suites: tuple[str, ...], arches: tuple[str, ...], kind: str, refresh: bool) -> None:
    """Make the chroots of the given, else of all configured suites and architectures, and print where they are."""
    from debkit import accel  # noqa: PLC0415
    from debkit.chroot import store  # noqa: PLC0415

    with session.run.interruptible():
        by = _accelerator(session)
        for spec in _specs(session, suites, arches, kind):
            name = store.name_of(spec)
            with session.console.jobs((name,)) as rows:
                first = partial(accel.lent, session.run, spec.target, by=by, config=session.config.chroot, progress=rows[name])
                made = store.ensure(
                    session.run,
                    spec,
                    config=session.config.chroot,
                    refresh=refresh,
                    progress=rows[name],
                    warn=session.console.warn,
                    toolboxes=first,
                )
                rows[name].done("ready")
            session.console.result(str(made.tarball))


@command.command()
@click.argument("names", nargs=-1)
@SUITE
@ARCH
@click.pass_obj
def update(session: Session, *, names: tuple[str, ...], suites: tuple[str, ...], arches: tuple[str, ...]) -> None:
    """Make chroots anew: those named, or of the given suites and architectures, else all; then prune the cache."""
    from debkit import accel  # noqa: PLC0415
    from debkit.chroot import upkeep  # noqa: PLC0415
    from debkit.errors import NetworkError  # noqa: PLC0415

    failed: list[str] = []
    with session.run.interruptible():
        by, config = _accelerator(session), session.config.chroot
        for item in _chosen(session, names, suites, arches):
            if item.kind in {upkeep.LAYER, upkeep.TOOLBOX, upkeep.COMPILER}:
                continue
            with session.console.jobs((item.name,)) as rows:
                row = rows[item.name]
                lent = partial(accel.lent, session.run, by=by, config=config, progress=row)
                newer = upkeep.renew(session.run, item.name, config=config, progress=row, warn=failed.append, toolboxes=lent)
                rows[item.name].done("renewed" if newer else "kept as it was")
        for name in upkeep.prune(session.run, session.config.chroot):
            session.console.info(f"removed {name}")
    if failed:
        raise NetworkError(
            f"{len(failed)} chroot(s) could not be renewed",
            cause="\n".join(failed),
            hint="check the network and the mirror, then: debkit chroot update",
        )


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="For programs: sizes in bytes, times in seconds since the epoch.")
@click.option("--outdated", is_flag=True, help="Only chroots and layers of which the mirror has newer packages.")
@click.pass_obj
def list_(session: Session, *, as_json: bool, outdated: bool) -> None:
    """List what is in the cache: chroots, build-dependency layers, tool roots, toolboxes."""
    from debkit.chroot import upkeep  # noqa: PLC0415

    found = upkeep.listing(session.config.chroot)
    waiting = _waiting(session, found) if outdated else {}
    if outdated:
        found = tuple(item for item in found if item.name in waiting)
    if as_json:
        more = {name: {"newer": packages} for name, packages in waiting.items()}
        rows = [{**asdict(item), "path": str(item.path), **more.get(item.name, {})} for item in found]
        session.console.result(json.dumps(rows, indent=1))
        return
    notes = {name: f"newer: {', '.join(packages)}" for name, packages in waiting.items()}
    session.console.table([("NAME", "AGE", "USED", "SIZE", "PACKAGES", "NOTE"), *(_row(item, notes) for item in found)])


@command.command()
@click.argument("names", nargs=-1)
@SUITE
@ARCH
@click.option("--all", "everything", is_flag=True, help="Remove everything, downloaded packages too.")
@click.pass_obj
def remove(
    session: Session, *, names: tuple[str, ...], suites: tuple[str, ...], arches: tuple[str, ...], everything: bool
) -> None:
    """Remove chroots by name, suite or architecture, with the layers that stand on them."""
    from debkit.chroot import upkeep  # noqa: PLC0415
    from debkit.console import megabytes  # noqa: PLC0415
    from debkit.errors import LockedError  # noqa: PLC0415

    if not (names or suites or arches or everything):
        raise click.UsageError("say which: a NAME from `debkit chroot list`, --suite, --arch or --all")
    with session.run.interruptible():
        removal = upkeep.remove(session.run, [item.name for item in _chosen(session, names, suites, arches)])
    for name in removal.gone:
        session.console.info(f"removed {name}")
    if everything and (size := upkeep.remove_downloads()):
        session.console.info(f"removed {megabytes(size)} of downloaded packages")
    if removal.kept:
        raise LockedError(
            f"{', '.join(removal.kept)} not removed",
            cause="a build is using it",
            hint="wait for the build to end, then run the same command again",
        )


@command.command(context_settings={"ignore_unknown_options": True})
@click.option("--name", metavar="NAME", help="A chroot or layer from `debkit chroot list`.")
@SUITE
@ARCH
@KIND
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def shell(
    session: Session, *, name: str | None, suites: tuple[str, ...], arches: tuple[str, ...], kind: str, argv: tuple[str, ...]
) -> None:
    """Open a root shell in a copy of a chroot, made where it is not there; or run ARGV in it. The copy is thrown away."""
    from debkit import accel  # noqa: PLC0415
    from debkit.chroot import upkeep  # noqa: PLC0415
    from debkit.chroot.shell import shell as open_shell  # noqa: PLC0415

    with session.run.interruptible(), contextlib.ExitStack() as stack:
        if argv and not name and argv[0] in {item.name for item in upkeep.listing(session.config.chroot)}:
            raise click.UsageError(f"{argv[0]} is no command but the name of a chroot: --name {argv[0]}")
        if name:
            chroot = upkeep.find(_known(session, (name,))[0].name)
            if not chroot:
                raise click.UsageError(f"{name} is no system of its own: a shell needs a chroot or a layer")
        else:
            spec = _specs(session, suites, arches, kind)[0]
            by, config = _accelerator(session), session.config.chroot
            chroot = stack.enter_context(accel.opened(session.run, spec, by=by, config=config, warn=session.console.warn))
        session.console.info(f"root in a copy of {chroot.tarball.name}; what you change is gone when you leave")
        code = open_shell(session.run, chroot, argv)
    sys.exit(code if code >= 0 else 128 - code)


def _accelerator(session: Session) -> Accelerator:
    """Have what accelerates foreign chroots, or tells why the configuration or this machine is against it."""
    from debkit import accel, host  # noqa: PLC0415
    from debkit.pipeline.plan import why_nothing_is  # noqa: PLC0415

    machine, console = host.facts(session.run), session.console
    against = why_nothing_is(machine, session.config, accelerate=session.accelerate)
    return accel.Accelerator(native=machine.arch, insists=False, tell=console.info, warn=console.warn, against=against)


def _specs(session: Session, suites: tuple[str, ...], arches: tuple[str, ...], kind: str) -> list[ChrootSpec]:
    from debkit.chroot import store  # noqa: PLC0415
    from debkit.config import parse_names  # noqa: PLC0415
    from debkit.model import ChrootKind, Target  # noqa: PLC0415

    config, names = session.config, parse_names(suites=suites, arches=arches)
    return [
        store.wanted(ChrootKind(kind), Target(suite, arch), config.chroot)
        for suite in names.suites or config.build.suites
        for arch in names.arches or config.build.arches
    ]


def _chosen(session: Session, names: tuple[str, ...], suites: tuple[str, ...], arches: tuple[str, ...]) -> list[Cached]:
    """Give what is cached and meant: by name, else by suite and architecture, each of which may be left open."""
    from debkit.chroot import upkeep  # noqa: PLC0415
    from debkit.config import parse_names  # noqa: PLC0415

    if names:
        return _known(session, names)
    meant = parse_names(suites=suites, arches=arches)
    return [
        item
        for item in upkeep.listing(session.config.chroot)
        if (not suites or item.suite in meant.suites) and (not arches or item.arch in meant.arches)
    ]


def _known(session: Session, names: tuple[str, ...]) -> list[Cached]:
    from debkit.chroot import upkeep  # noqa: PLC0415
    from debkit.errors import ConfigError  # noqa: PLC0415

    cached = {item.name: item for item in upkeep.listing(session.config.chroot)}
    for name in names:
        if name not in cached:
            near = difflib.get_close_matches(name, cached, n=1)
            raise ConfigError(
                f"nothing in the cache is called {name}",
                cause=f"did you mean {near[0]}?" if near else "it was removed, or never made",
                hint="debkit chroot list",
            )
    return [cached[name] for name in names]


def _waiting(session: Session, found: tuple[Cached, ...]) -> dict[str, tuple[str, ...]]:
    """Give the packages that each outdated chroot or layer could have newer, by its name."""
    from debkit.chroot.outdated import newer  # noqa: PLC0415

    with session.run.interruptible():
        waiting = {item.name: newer(session.run, item) for item in found}
    return {name: packages for name, packages in waiting.items() if packages}


def _row(item: Cached, notes: dict[str, str]) -> tuple[str, ...]:
    from debkit.console import age, megabytes  # noqa: PLC0415

    now = time.time()
    note = notes.get(item.name) or (f"for {item.source}" if item.source else "")
    if not item.fresh:
        note = "its chroot is gone" if item.base else "made anew at its next use"
    return (item.name, age(now - item.created), age(now - item.used), megabytes(item.size), str(item.package_count), note)
