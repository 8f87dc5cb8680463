"""Runs of the pipeline for arm64, on an amd64 machine that can accelerate it, in which nothing is built."""

from __future__ import annotations

from pathlib import Path

from debkit.config import Config
from debkit.console import Console
from debkit.host import Host
from debkit.model import BuildResult, BuildState, Target, Via
from debkit.pipeline.execute import Shift, accelerator_for
from debkit.pipeline.jobs import hands
from debkit.pipeline.plan import Request, SourceFacts, plan
from debkit.report import Ledger
from debkit.run import Processes

TARGET = Target("trixie", "arm64")


def shift_of(project: Path, via: Via | None, *, accelerate: bool = True, arches: tuple[str, ...] = ("arm64",)) -> Shift:
    config, console, ledger = Config(project=project), Console(), Ledger(project / "dist/report.json")
    machine = Host(
        arch="amd64",
        obstacles=(("arm64", ""),),
        namespaces="",
        system="debian",
        version="13",
        kernel="6.12",
        unaccelerated="",
        direct=False,
        cpus=2,
        memory=2**33,
    )
    request = Request(where=".", suites=("trixie",), arches=arches, via=via, accelerate=accelerate)
    return Shift(
        plan=plan(request, SourceFacts(name="sample"), machine, config),
        config=config,
        console=console,
        ledger=ledger,
        run=Processes(ledger.command),
        machine=machine,
        accelerator=accelerator_for(request, machine, console),
        hands=hands(machine),
    )


def built(via: Via) -> BuildResult:
    return BuildResult(
        target=TARGET,
        via=via,
        backend="sbuild",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=Path("x.build"),
        argv=("sbuild",),
    )
