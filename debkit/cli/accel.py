"""Make, list and remove the toolboxes that make foreign builds quick; show what a build emulated; prove that nothing differs.

A toolbox is made by itself when a build needs one; `build` is for doing it beforehand.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from debkit.accel.stock import Stocked
    from debkit.cli import Session
    from debkit.model import Emulated
    from debkit.pipeline.verify import Trial

ARCH = click.option("-a", "--arch", "arches", multiple=True, metavar="ARCH", help="Foreign architecture; may be given again.")
SUITE = click.option("-d", "--suite", "suites", multiple=True, metavar="SUITE", help="Suite; may be given again.")
JSON = click.option("--json", "as_json", is_flag=True, help="For programs: sizes in bytes, times in seconds.")


@click.group(name="accel")
def command() -> None:
    """Make, list and remove toolboxes for foreign builds; show what a build emulated; prove that nothing differs."""


@command.command()
@SUITE
@ARCH
@click.option(
    "--compiler",
    is_flag=True,
    help="Build the suite's gcc for them, for C and C++, where no package has it: takes half an hour or more.",
)
@click.pass_obj
def build(session: Session, *, suites: tuple[str, ...], arches: tuple[str, ...], compiler: bool) -> None:
    """Make the toolboxes of the given, else of all configured suites and foreign architectures, and print where they are.

    A foreign compiler can only be replaced by one of the same source. Where the suite's cross compiler is another version, that
    has to be built once (--compiler); until then it is emulated.
    """
    from debkit import accel  # noqa: PLC0415
    from debkit.chroot import store  # noqa: PLC0415
    from debkit.model import ChrootKind, Target  # noqa: PLC0415
    from debkit.pipeline import verify  # noqa: PLC0415

    config, run = session.config, session.run
    with run.interruptible():
        suites, arches = _meant(session, suites, arches)
        machine_arch = verify.demand_acceleration(run, arches)
        console = session.console
        by = accel.Accelerator(native=machine_arch, insists=True, tell=console.info, warn=console.warn, build_compiler=compiler)
        for target in (Target(suite, arch) for suite in suites for arch in arches):
            with session.console.jobs((str(target),)) as rows:
                row, spec = rows[str(target)], store.wanted(ChrootKind.BUILD, target, config.chroot)
                with accel.opened(run, spec, by=by, config=config.chroot, progress=row, warn=console.warn) as chroot:
                    row.done("ready")
            if chroot.toolbox:
                console.result(str(chroot.toolbox.path))


@command.command(name="list")
@JSON
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """List the toolboxes that are cached, and the packages that have no twins in them because of their version, or because
    debkit's edits do not fit them.

    Compilers that `build --compiler` has made are listed too, with the number of their programs.
    """
    from debkit.accel import stock  # noqa: PLC0415
    from debkit.report import plain  # noqa: PLC0415

    found = stock.listing()
    if as_json:
        session.console.result(json.dumps(plain(found), indent=1))
        return
    session.console.table([("NAME", "SUITE", "ARCH", "TWINS", "SIZE", "AGE", "USED", "NOTE"), *map(_row, found)])
    for item in found:
        if item.compiler:
            session.console.result(f"{item.name}: native compiler: {item.compiler}")
        for line in stock.shortened(item.differing):
            session.console.result(f"{item.name}: no twins of {line}")
        if item.unfit:
            session.console.result(f"{item.name}: no twins of {', '.join(item.unfit)}, which the table's edits do not fit")


@command.command()
@click.argument("names", nargs=-1)
@SUITE
@ARCH
@click.option("--all", "everything", is_flag=True, help="Remove every toolbox and compiler.")
@click.pass_obj
def remove(
    session: Session, *, names: tuple[str, ...], suites: tuple[str, ...], arches: tuple[str, ...], everything: bool
) -> None:
    """Remove toolboxes, and compilers built for them, by name, suite or architecture, but for those in use."""
    from debkit.accel import stock  # noqa: PLC0415
    from debkit.chroot import upkeep  # noqa: PLC0415
    from debkit.config import parse_names  # noqa: PLC0415
    from debkit.errors import ConfigError, LockedError  # noqa: PLC0415

    if not (names or suites or arches or everything):
        raise click.UsageError("say which: a NAME from `debkit accel list`, --suite, --arch or --all")
    found = stock.listing()
    if unknown := set(names) - {item.name for item in found}:
        raise ConfigError(
            f"no toolbox or compiler is called {', '.join(sorted(unknown))}",
            cause="it was removed, or never made",
            hint="debkit accel list",
        )
    meant = parse_names(suites=suites, arches=arches)
    doomed = names or [
        item.name for item in found if (not suites or item.suite in meant.suites) and (not arches or item.arch in meant.arches)
    ]
    with session.run.interruptible():
        removal = upkeep.remove(session.run, doomed)
    for name in removal.gone:
        session.console.info(f"removed {name}")
    if removal.kept:
        raise LockedError(
            f"{', '.join(removal.kept)} not removed",
            cause="a build is using it",
            hint="wait for the build to end, then run the same command again",
        )


@command.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@JSON
@click.pass_obj
def trace(session: Session, *, file: Path | None, as_json: bool) -> None:
    """Show the ten costliest of the programs that an accelerated build emulated; FILE is that of the project's last one."""
    from debkit.accel import trace as traces  # noqa: PLC0415
    from debkit.report import plain  # noqa: PLC0415

    file = file or traces.latest(session.config.dist)
    programs = traces.load(file)
    if as_json:
        session.console.result(json.dumps(plain(programs), indent=1))
        return
    session.console.info(str(file))
    session.console.table([("CPU", "RUNS", "PROGRAM", "TWIN"), *map(_cost, traces.costliest(programs).emulated)])
    session.console.info(traces.sentence(programs))


@command.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@SUITE
@ARCH
@click.option("--no-layers", is_flag=True, help="Install the build dependencies anew, both ways.")
@JSON
@click.pass_obj
def verify(
    session: Session,
    *,
    sources: tuple[str, ...],
    suites: tuple[str, ...],
    arches: tuple[str, ...],
    no_layers: bool,
    as_json: bool,
) -> None:
    """Build each SOURCE emulated and accelerated and compare every byte of every package; diffoscope explains differences.

    A SOURCE is what `debkit build` takes. What was built, and the explanations, are in dist/verify/.
    """
    from dataclasses import replace  # noqa: PLC0415

    from debkit.pipeline.verify import verify as prove  # noqa: PLC0415
    from debkit.report import plain  # noqa: PLC0415

    config = session.config
    config = replace(config, build=replace(config.build, layers=config.build.layers and not no_layers))
    suites, arches = _meant(session, suites, arches)

    def tell(trials: tuple[Trial, ...]) -> None:
        if as_json:
            session.console.result(json.dumps(plain(trials), indent=1))

    prove(sources, config, session.console, suites=suites, arches=arches, tell=tell)


def _meant(session: Session, suites: tuple[str, ...], arches: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from debkit import host  # noqa: PLC0415
    from debkit.config import parse_names  # noqa: PLC0415
    from debkit.pipeline.verify import foreign  # noqa: PLC0415

    config, names = session.config, parse_names(suites=suites, arches=arches)
    return names.suites or config.build.suites, names.arches or foreign(config, host.native_arch(session.run))


def _row(item: Stocked) -> tuple[str, ...]:
    from debkit.console import age, megabytes  # noqa: PLC0415

    now = time.time()
    note = "in use" if item.in_use else ""
    times = (age(now - item.created), age(now - item.used))
    return (item.name, item.suite, item.arch, str(item.count), megabytes(item.size), *times, note)


def _cost(program: Emulated) -> tuple[str, ...]:
    from debkit.model import Twin  # noqa: PLC0415

    told = {Twin.REFUSED: "has one, not for this use or version", Twin.NONE: "none", Twin.OWN: "none: the package's own program"}
    return (f"{program.seconds:.1f} s", str(program.count), program.path, told[program.twin])
