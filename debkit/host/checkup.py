"""Tell what this machine lacks for building, and mend it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import DebkitError, HostError, Interrupted
from debkit.host.binfmt import acceleration_fact, arch_fact, mount_fact
from debkit.host.elf import runs_natively
from debkit.host.fact import Fact, State
from debkit.host.machine import facts as describe
from debkit.host.machine import why_unaccelerated
from debkit.host.namespaces import find_trouble, ids_fact, namespaces_fact
from debkit.host.room import clock_fact, room_facts
from debkit.host.tools import keyring_fact, python_fact, tool_facts
from debkit.model import ARCHES
from debkit.run import Command, find_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.host.fact import Step
    from debkit.run import Run

ROUNDS = 4  # a package, a mount, a handler: each can show what is to be mended next
STEP_SECONDS = 1800.0


def doctor(run: Run, *, arches: tuple[str, ...], backend: str = "sbuild", root: Path = Path("/")) -> tuple[Fact, ...]:
    """Tell the facts that decide whether `backend` can build packages for `arches` here. Changes nothing."""
    here = describe(run, arches=(), root=root)
    trouble = find_trouble(run, root)
    foreign = any(not runs_natively(here.arch, arch) for arch in arches)
    return (
        Fact(name="machine", state=State.OK, text=str(here)),
        *tool_facts(run, backend),
        python_fact(run),
        keyring_fact(root),
        ids_fact(root),
        namespaces_fact(trouble),
        *((mount_fact(root),) if foreign else ()),
        *(arch_fact(run, ARCHES[arch], machine=here.arch, isolated=trouble is None, root=root) for arch in arches),
        *((acceleration_fact(why_unaccelerated(run, trouble)),) if foreign else ()),
        *room_facts(),
        clock_fact(root),
    )


def fix(run: Run, look: Callable[[], tuple[Fact, ...]], *, tell: Callable[[str], None], terminal: bool) -> tuple[Fact, ...]:
    """Mend what can be mended, telling each command before it runs; give the facts as they are then.

    `look` tells the facts anew. As root the commands run as they are, else through sudo, which may ask on the `terminal` if there
    is one. Nothing is tried twice, and a command that fails is told and leaves its fact bad.
    """
    tried: set[Step] = set()
    facts = look()
    for _ in range(ROUNDS):
        todo = [fact for fact in facts if fact.mend and not tried.issuperset(fact.mend)]
        if not todo or not _may_mend(run, terminal=terminal, tell=tell):
            break
        for fact in todo:
            steps = [step for step in fact.mend if step not in tried]
            tried.update(steps)
            _mend(run, steps, terminal=terminal, tell=tell)
        facts = look()
    return facts


def require(facts: tuple[Fact, ...], *, mended: bool) -> None:
    """Raise HostError naming each fact that keeps a build from working; `mended` is whether `--fix` has been tried."""
    bad = [fact for fact in facts if fact.state is State.BAD]
    if not bad:
        return
    remedies = [remedy for fact in bad if (remedy := fact.remedy(root=os.geteuid() == 0))]
    raise HostError(
        "this machine cannot build yet",
        cause="\n".join(f"{fact.name}: {fact.text}" for fact in bad),
        hint="\n".join(dict.fromkeys(remedies)) if mended else "debkit doctor --fix",
    )


def _mend(run: Run, steps: list[Step], *, terminal: bool, tell: Callable[[str], None]) -> None:
    root = os.geteuid() == 0
    for step in steps:
        tell(f"$ {step.shell(root=root)}")
        try:
            run(
                Command(
                    argv=(*_become_root(terminal=terminal), *step.argv),
                    stdin=f"{step.writes}\n".encode() if step.writes else b"",
                    stdin_file=step.reads,
                    timeout=STEP_SECONDS,
                    terminal=terminal,
                )
            )
        except Interrupted:
            raise
        except DebkitError as problem:
            tell(f"{problem.what}: {problem.cause}" if problem.cause else problem.what)
            return


def _may_mend(run: Run, *, terminal: bool, tell: Callable[[str], None]) -> bool:
    """Whether commands can be run as root; says so where not."""
    if os.geteuid() == 0:
        return True
    if find_tool("sudo") is None:
        tell("only root can mend this machine, and there is no sudo here: type the commands below as root")
        return False
    if terminal:
        tell("mending this machine takes root: sudo may ask for your password")
    try:
        run(Command(argv=(*_become_root(terminal=terminal), "true"), terminal=terminal))
    except Interrupted:
        raise
    except DebkitError as problem:
        tell(f"only root can mend this machine, and sudo refuses: {problem.cause or problem.what}")
        return False
    return True


def _become_root(*, terminal: bool) -> tuple[str, ...]:
    if os.geteuid() == 0:
        return ()
    return ("sudo", "--") if terminal else ("sudo", "--non-interactive", "--")
