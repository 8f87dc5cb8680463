"""Boot a root directory: its own init as the first process of a system of its own. One file a way, and no list.

What is to be done in the booted system is a script, which runs as a unit of it; what it wants to say, it writes beside itself.
Every way is the same to it. Which way works on a machine is found out by trying: no file's existence tells.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from debkit.errors import DebkitError, EnvironmentFailure, Interrupted, TimeoutFailure
from debkit.run import Command

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.chroot.roots import ToolRoot
    from debkit.model import Chroot, Target, Toolbox
    from debkit.run import Completed, Run

# Has a root of a suite, of this machine's architecture, with these packages.
Tools = Callable[[str, tuple[str, ...]], AbstractContextManager["ToolRoot"]]

MACHINE = "machine"
WAYS = ("direct", "nspawn", MACHINE)  # in the order of preference
BOOTED = "booted"
KERNEL_LOG = "kmsg"  # what init says before there is a journal
UNIT = """\
[Unit]
Description=What debkit has come for
After=multi-user.target

[Service]
Type=exec
ExecStartPre=/bin/touch /run/debkit/booted
ExecStart=/bin/bash /run/debkit/main
StandardOutput=append:/run/debkit/log
StandardError=inherit
TimeoutStartSec=infinity
"""
# What qemu-user cannot do, for every service. It hides statx(2)'s mount ids, so systemd does not change the root of a namespace
# that it has made, and it has no credentials. Its seccomp is none either, and systemd sees that by itself.
UNCONFINED = """\
[Service]
LoadCredential=
SetCredential=
ImportCredential=
PrivateTmp=no
PrivateDevices=no
PrivateNetwork=no
PrivateIPC=no
PrivateUsers=no
PrivateMounts=no
ProtectHome=no
ProtectSystem=no
ProtectProc=default
ProcSubset=all
ProtectControlGroups=no
ProtectKernelTunables=no
ProtectKernelModules=no
ProtectKernelLogs=no
ProtectClock=no
ProtectHostname=no
ReadWritePaths=
ReadOnlyPaths=
InaccessiblePaths=
ExecPaths=
NoExecPaths=
TemporaryFileSystem=
BindPaths=
BindReadOnlyPaths=
"""
EMULATED = "service.d/zz-debkit.conf"  # a unit file of it, for a guest whose programs qemu-user runs
# Of systemd's own units, these are for the machine, which is not the guest's, and for people, of whom there are none.
FOREIGN = ("systemd-modules-load.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "getty.target")
EVERY_CODE = frozenset(range(-64, 256))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A system to be booted: its unpacked root, and the directory that it sees at /run/debkit, with the script `main` in it.

    Both are the guest's to write to, so nothing else may be linked there; beside the root a way may keep what is its own. The
    root is the `chroot`'s. The `emulator` is what runs programs of a foreign one with a toolbox, in place of the toolbox's own.
    """

    root: Path
    share: Path
    chroot: Chroot
    tools: Tools
    emulator: Path | None = None

    @property
    def target(self) -> Target:
        return self.chroot.spec.target

    @property
    def toolbox(self) -> Toolbox | None:
        return self.chroot.toolbox


class CannotBoot(EnvironmentFailure):
    """No way to boot a system works on this machine; the cause tells what became of each."""


class Way(Protocol):
    """What a module of this package offers."""

    def ready(self, run: Run, guest: Guest) -> AbstractContextManager[tuple[str, ...]]:
        """Have the command that boots the guest, and that ends when its system does; at the end the share is what the guest left.

        A guest may be booted several times, one after another.
        """


def find(name: str) -> Way:
    return cast("Way", importlib.import_module(f"{__name__}.{name}"))


def furnish(guest: Guest, *, emulated: bool) -> None:
    """Lay the units into the share that start the script; they are the system's without a change of its root.

    In an `emulated` system no service is confined in namespaces of its own.
    """
    units = guest.share / "units"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "debkit.service").write_text(UNIT, encoding="utf-8")
    (units / "multi-user.target.wants/debkit.service").symlink_to("../debkit.service")
    for name in FOREIGN:
        (units / name).symlink_to("/dev/null")
    if emulated:
        (units / EMULATED).parent.mkdir()
        (units / EMULATED).write_text(UNCONFINED, encoding="utf-8")


def boot(
    run: Run,
    guest: Guest,
    *,
    ways: tuple[str, ...],
    log: Path,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Boot a guest the first way that starts its script, wait until its system has ended, and say which way that was.

    `timeout` is in seconds. What its console prints is added to `log`. Raises TimeoutFailure, and CannotBoot when no way works.
    """
    troubles = []
    for name in ways:
        (guest.share / BOOTED).unlink(missing_ok=True)
        (guest.share / KERNEL_LOG).write_bytes(b"")
        try:
            with find(name).ready(run, guest) as argv:
                command = Command(argv=argv, timeout=timeout, ok=EVERY_CODE, log=log, name=f"the booted {guest.target}")
                done = run(command, on_line)
        except (Interrupted, TimeoutFailure):
            raise
        except DebkitError as problem:
            troubles.append(f"{name}: {problem.what}")
            continue
        if (guest.share / BOOTED).exists():
            return name
        troubles.append(f"{name}: {_said(done, guest)}")
    raise CannotBoot(f"no {guest.target} boots on this machine", cause="\n".join(troubles), hint="debkit doctor", log=log)


def _said(done: Completed, guest: Guest) -> str:
    """Tell the last that was said, by the way itself or by an init that gave up."""
    kernel = (guest.share / KERNEL_LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in (*kernel, *done.tail) if line.strip()]
    return said[-1] if said else f"it ended with {done.code} and said nothing"
