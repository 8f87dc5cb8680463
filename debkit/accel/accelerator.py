"""The one way in which the rest of debkit comes to a toolbox: with a base chroot, which is itself made with one."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from debkit.accel import stock, toolbox
from debkit.chroot import cache, store
from debkit.chroot.upkeep import TOOLBOXES
from debkit.errors import DebkitError, DiskError, Interrupted, NetworkError
from debkit.host import runs_natively
from debkit.model import ChrootKind
from debkit.paths import cache_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Chroot, ChrootSpec, Target, Toolbox
    from debkit.run import Run


# Pairs (machine, guest) whose tools have been seen to do the same.
COMPARED = frozenset({("amd64", "arm64")})
BUILD = " (debkit accel build --compiler has it built for this machine, once)"
RENEW = " (debkit chroot update brings the libraries together where the suite has)"


@dataclass(slots=True)
class Notebook:
    """What a run knows by now, for jobs beside each other: the lines that were `told`, the targets that do without a toolbox."""

    told: set[str] = field(default_factory=set)
    given_up: set[Target] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_down(self, line: str) -> bool:
        """Take down a line that is to be told; give whether it was not before."""
        with self.lock:
            new = line not in self.told
            self.told.add(line)
        return new


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """What accelerates the foreign chroots of a run on a machine of the architecture `native`.

    Where a toolbox cannot be made, programs are emulated and `warn` is told why, once a target, unless the user `insists`: then
    it is an error. Only who insists has one for an architecture whose tools were not compared with the machine's own.
    `tell` is told, once too, which compiler runs, and what is emulated in a chroot although it is known; and why all is, where
    nobody compared the tools, or where something is `against` accelerating anything. With `build_compiler` the suite's own
    compiler is built for this machine where no package has it.
    """

    native: str
    insists: bool
    tell: Callable[[str], None]
    warn: Callable[[str], None]
    against: str = ""
    build_compiler: bool = False
    notebook: Notebook = field(default_factory=Notebook)


@contextlib.contextmanager
def opened(
    run: Run,
    spec: ChrootSpec,
    *,
    by: Accelerator | None,
    config: ChrootConfig,
    refresh: bool = False,
    progress: Progress = store.QUIET,
    warn: Callable[[str], None] | None = None,
) -> Iterator[Chroot]:
    """Have a base chroot as `store.ensure` gives it, with its toolbox, held, where it is foreign and accelerated `by` something.

    Raises AccelError where the accelerator insists on a toolbox that cannot be made, and what `store.ensure` does.
    """
    by = None if spec.kind is ChrootKind.EMULATED else by
    first = partial(lent, run, spec.target, by=by, config=config, progress=progress)
    chroot = store.ensure(run, spec, config=config, refresh=refresh, progress=progress, warn=warn, toolboxes=first)
    found = None
    if by:
        ensure = partial(
            toolbox.ensure,
            run,
            chroot,
            native=by.native,
            config=config,
            build_compiler=by.build_compiler,
            progress=progress,
        )
        found = _attempt(by, spec.target, ensure)
        lines = told(stock.compiler(found.path), stock.differing(found.path)) if found else ()
        for line in lines if spec.kind.builds else lines[1:]:  # a clean system has no compiler
            _tell_once(by, f"{spec.target}: {line}")
    with _held(found):
        yield replace(chroot, toolbox=found)


@contextlib.contextmanager
def lent(
    run: Run, target: Target, *, by: Accelerator | None, config: ChrootConfig, progress: Progress = store.QUIET
) -> Iterator[Toolbox | None]:
    """Have a toolbox, held, to make a chroot with, where the target is foreign and accelerated.

    Without the network no chroot can be made either, and an old one may serve on: so NetworkError is raised.
    """
    found = None
    if by:
        first = partial(toolbox.ensure_first, run, target, native=by.native, config=config, progress=progress)
        found = _attempt(by, target, first, passed_on=(Interrupted, NetworkError))
    with _held(found):
        yield found


def _attempt(
    by: Accelerator,
    target: Target,
    make: Callable[[], Toolbox],
    passed_on: tuple[type[DebkitError], ...] = (Interrupted,),
) -> Toolbox | None:
    if target in by.notebook.given_up or runs_natively(by.native, target.arch):
        return None
    if by.against:
        _tell_once(by, f"foreign chroots are emulated, not accelerated: {by.against}")
        return None
    if not by.insists and (uncompared := why_uncompared(by.native, target.arch)):
        _tell_once(by, f"{target.arch} is emulated, not accelerated: {uncompared}")
        return None
    try:
        return _made(make, target)
    except passed_on:
        raise
    except DebkitError as problem:
        if by.insists:
            raise
        by.notebook.given_up.add(target)
        by.warn(f"{target} is emulated, not accelerated: {problem.what}: {problem.cause}")
        return None


def _made(make: Callable[[], Toolbox], target: Target) -> Toolbox:
    """Make a toolbox; that a file of it can be neither read nor written is as good a reason as any to do without."""
    try:
        return make()
    except OSError as problem:
        raise DiskError(
            f"the toolbox for {target} could not be made: {problem}",
            cause="the disk is full or read-only, or somebody changed the cache meanwhile",
            hint=f"df -h {cache_home()}",
        ) from problem


def why_uncompared(native: str, arch: str) -> str:
    """Say why nobody knows whether a machine's tools do the same as those of `arch`; empty where they do."""
    return "" if (native, arch) in COMPARED else f"its tools have not been compared with {native}'s"


def foretold(target: Target) -> tuple[str, ...]:
    """Say what `told` does of the toolbox that the target used last, before anything is made."""
    entries = cache.entries(cache_home() / TOOLBOXES)
    found = [entry for entry in entries if (entry.record.suite, entry.record.arch) == (target.suite, target.arch)]
    if not found:
        return ("whether its compiler is native is known once its toolbox is made",)
    last = max(found, key=attrgetter("used")).content
    return told(stock.compiler(last), stock.differing(last))


def told(compiler: str, differing: tuple[str, ...]) -> tuple[str, ...]:
    """Say which compiler runs, since it costs most, and what is emulated because the architectures' versions differ."""
    compilers = tuple(line for line in differing if stock.COMPILER.match(line))
    others = tuple(line for line in differing if line not in compilers)
    why = f": {'; '.join(stock.shortened(compilers))}" if compilers else ""
    hint = RENEW if stock.library_differs(compilers) else BUILD
    first = f"native compiler: {compiler}" if compiler else f"the compiler is emulated{why}{hint}"
    return (first, f"emulated too: {'; '.join(stock.shortened(others))}") if others else (first,)


def _tell_once(by: Accelerator, line: str) -> None:
    if by.notebook.take_down(line):
        by.tell(line)


def _held(found: Toolbox | None) -> contextlib.AbstractContextManager[None]:
    return cache.held(found.path) if found else contextlib.nullcontext()
