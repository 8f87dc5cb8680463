"""Whether programs of another architecture run here: the kernel's binfmt_misc handlers, and the proof by running one.

Handlers are registered one by one, from the line that the qemu package itself ships: `systemd-binfmt` would first drop every
handler of the machine, those of builds under way included, and a minimal machine does not have it.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import MissingTool, TimeoutFailure
from debkit.host.elf import ANSWER, program, runs_natively
from debkit.host.fact import ANY_CODE, Fact, State, Step, install, write
from debkit.model import ARCHES
from debkit.paths import scratch_home
from debkit.run import Command, temporary

if TYPE_CHECKING:
    from debkit.model import Arch
    from debkit.run import Run

MOUNT_POINT = Path("proc/sys/fs/binfmt_misc")
# binfmt.d(5), highest precedence first.
CONF_DIRECTORIES = (Path("etc/binfmt.d"), Path("run/binfmt.d"), Path("usr/local/lib/binfmt.d"), Path("usr/lib/binfmt.d"))
# Before 9.1 only qemu-user-static is static and registered with flag F; from then on qemu-user is, and its -binfmt registers it.
QEMU = "qemu-user-binfmt (>= 1:9.1) | qemu-user-static"
PROOF_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """What the kernel says of one registered handler. Flag F: the interpreter is open already, so it works in any chroot."""

    enabled: bool
    interpreter: str
    flags: str


def parse_handler(text: str) -> Handler:
    """Read a file of /proc/sys/fs/binfmt_misc."""
    words = dict(line.partition(" ")[::2] for line in text.splitlines())
    return Handler(enabled="enabled" in words, interpreter=words.get("interpreter", ""), flags=words.get("flags:", ""))


def read_handler(arch: Arch, root: Path) -> Handler | None:
    """Read how `arch` is registered with the kernel. None: not at all."""
    try:
        return parse_handler((root / MOUNT_POINT / f"qemu-{arch.qemu}").read_text(encoding="utf-8"))
    except OSError:
        return None


def is_mounted(root: Path) -> bool:
    """Whether binfmt_misc is mounted; where systemd has an automount, looking mounts it."""
    return (root / MOUNT_POINT / "register").exists()


def proof_argv(root: Path, *, privileged: bool) -> tuple[str, ...]:
    """Run the program in a root that holds nothing else, so that only an interpreter the kernel holds open (flag F) does it."""
    namespace = () if privileged else ("unshare", "--user", "--map-root-user", "--")
    return (*namespace, "chroot", os.fspath(root), "/program")


def prove(run: Run, arch: Arch, *, isolated: bool) -> str:
    """Run a program of `arch`; say what went wrong, or nothing.

    `isolated` False runs it beside the machine's own files, for a user whose namespaces do not work (yet).
    """
    privileged = os.geteuid() == 0
    try:
        with temporary("debkit-proof.", scratch_home()) as home:
            path = home / "program"
            path.write_bytes(program(arch))
            path.chmod(0o755)
            argv = proof_argv(home, privileged=privileged) if isolated or privileged else (os.fspath(path),)
            done = run(Command(argv=argv, env=arch.qemu_env, ok=ANY_CODE, timeout=PROOF_SECONDS))
    except (MissingTool, TimeoutFailure) as problem:
        return problem.what
    except OSError as problem:
        return f"{problem.filename or scratch_home()}: {problem.strerror}"
    if done.code == ANSWER:
        return ""
    said = next((line for line in reversed(done.tail) if line.strip()), f"it exited with {done.code}")
    return said.replace(os.fspath(path), "program")


def obstacle(run: Run, arch: Arch, *, machine: str, isolated: bool, root: Path) -> str:
    """Say why programs of `arch` cannot run in chroots of this machine, or nothing.

    It must run, and its handler must be seen with flag F: mmdebstrap looks for that, and else copies qemu into the chroot.
    """
    if runs_natively(machine, arch.name):
        failed = prove(run, arch, isolated=isolated)
        return failed and f"a test program failed: {failed}"
    if not is_mounted(root):
        return "binfmt_misc is not mounted"
    handler = read_handler(arch, root)
    if handler is None:
        return f"no emulator is registered for it (qemu-{arch.qemu})"
    if not handler.enabled:
        return f"its emulator qemu-{arch.qemu} is registered but disabled"
    if "F" not in handler.flags:
        return f"its emulator {handler.interpreter} is registered without flag F, so it is not found inside chroots"
    failed = prove(run, arch, isolated=isolated)
    return failed and f"its emulator {handler.interpreter} is registered, but a test program failed: {failed}"


def own_handlers_trouble(run: Run) -> str:
    """Say why a user namespace has no binfmt_misc of its own, or nothing. Linux has it since 6.7."""
    where = os.fspath(Path("/") / MOUNT_POINT)
    argv = ("unshare", "--user", "--map-root-user", "--mount", "--", "mount", "-t", "binfmt_misc", "binfmt_misc", where)
    try:
        done = run(Command(argv=argv, ok=ANY_CODE, timeout=PROOF_SECONDS))
    except TimeoutFailure as problem:
        return problem.what
    if done.code == 0:
        return ""
    said = next((line.strip() for line in reversed(done.tail) if line.strip()), f"mount exited with {done.code}")
    return (
        f"user namespaces have no binfmt_misc of their own here (from Linux 6.7 on they do, this is {platform.release()}): {said}"
    )


def mount_fact(root: Path) -> Fact:
    """Tell whether binfmt_misc is mounted."""
    where = root / MOUNT_POINT
    if is_mounted(root):
        return Fact(name="binfmt_misc", state=State.OK, text=f"mounted on {where}")
    load = () if where.is_dir() else (Step(argv=("modprobe", "binfmt_misc")),)
    mend = (*load, Step(argv=("mount", "-t", "binfmt_misc", "binfmt_misc", os.fspath(where))))
    return Fact(name="binfmt_misc", state=State.BAD, text="not mounted: nobody can tell which emulators are there", mend=mend)


def acceleration_fact(trouble: str) -> Fact:
    """Tell whether foreign builds can be accelerated, or the `trouble` with it: they work all the same, emulated."""
    possible = "possible: user namespaces have binfmt_misc of their own"
    text = f"none, foreign builds are emulated: {trouble}" if trouble else possible
    return Fact(name="acceleration", state=State.OK, text=text)


def arch_fact(run: Run, arch: Arch, *, machine: str, isolated: bool, root: Path) -> Fact:
    """Tell whether programs of `arch` run here, proven by running one."""
    name = f"{arch.name} programs"
    why_not = obstacle(run, arch, machine=machine, isolated=isolated, root=root)
    if not why_not:
        handler = read_handler(arch, root)
        how = "natively" if runs_natively(machine, arch.name) or not handler else f"through {handler.interpreter}"
        return Fact(name=name, state=State.OK, text=f"run {how}{' in an empty root' if isolated else ''}")
    if runs_natively(machine, arch.name) or is_the_place(run, arch, machine=machine, isolated=isolated, root=root):
        by_hand = "export TMPDIR=/a/directory/that/may/hold/programs"
        return Fact(name=name, state=State.BAD, text=f"do not run: {why_not}", by_hand=by_hand)
    return Fact(name=name, state=State.BAD, text=f"do not run: {why_not}", mend=_mend(arch, root))


def is_the_place(run: Run, arch: Arch, *, machine: str, isolated: bool, root: Path) -> bool:
    """Whether a good handler fails because of TMPDIR, where not even the machine's own program runs: nothing mends it then."""
    handler = read_handler(arch, root)
    good = handler and handler.enabled and "F" in handler.flags
    return bool(good and prove(run, ARCHES[machine], isolated=isolated))


def _mend(arch: Arch, root: Path) -> tuple[Step, ...]:
    """Say what makes programs of `arch` run: the package, then its handler, registered anew where the old one is no good."""
    conf = find_conf(arch, root)
    if conf is None:
        return install(QEMU)
    if "F" not in conf.read_text(encoding="utf-8").rpartition(":")[2]:
        return install(QEMU)
    if not is_mounted(root):
        return mount_fact(root).mend
    where = root / MOUNT_POINT
    register = Step(argv=("tee", os.fspath(where / "register")), reads=conf)
    handler = read_handler(arch, root)
    if handler is None:
        return (register,)
    own = where / f"qemu-{arch.qemu}"
    if not handler.enabled:
        return (write(own, "1"),)
    return (write(own, "-1"), register)


def find_conf(arch: Arch, root: Path) -> Path | None:
    """Where the installed qemu says how it is to be registered."""
    return next((path for d in CONF_DIRECTORIES if (path := root / d / f"qemu-{arch.qemu}.conf").is_file()), None)
