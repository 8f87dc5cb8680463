"""Root without privileges: commands in a user namespace, and directory trees whose files belong to subordinate ids.

Inside, uid 0 is the caller and 1 to 65535 are the caller's subordinate ids (subuid(5)); as root it is the same (but see
`confined`), so that there is one way. Needs util-linux 2.38 and newuidmap; `debkit doctor` proves both.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import DebkitError, Interrupted
from debkit.model import ARCHES
from debkit.paths import scratch_home
from debkit.run import Command, end_at_home, sweep, temporary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from debkit.model import Arch, Toolbox
    from debkit.run import Run

ENTER = Path(__file__).with_name("enter")
REGISTER = Path(__file__).with_name("register")
NEST = Path(__file__).with_name("nest")
NATIVE = "/.native"  # where the toolbox is seen: its programs' loader and libraries are named with it
PASSABLE = 0o711  # a chroot's own root, who is a subordinate id, must pass through
# ioctl_iflags(2): read and write what chattr(1) sets, here its T.
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_TOPDIR_FL = 0x80086601, 0x40086602, 0x00020000
LIMIT = Path("/proc/sys/user/max_user_namespaces")
SUBORDINATE = (Path("/etc/subuid"), Path("/etc/subgid"))
LAST_ID = 65535
# unshare(1) blocks SIGTERM while it waits, and the namespace's first process ignores it as every init does. So a shell that
# dies of it stands before them, and its death kills unshare, which takes the whole namespace along: at once, and also when
# debkit is killed.
MORTAL = ("sh", "-c", 'setpriv --pdeathsig KILL -- "$@"; exit $?', "sh")


def confined() -> bool:
    """Whether root here is root of a user namespace: always, but for the machine's own root where these are switched off."""
    return os.geteuid() != 0 or not LIMIT.exists() or LIMIT.read_text().strip() != "0"


def mapping() -> tuple[str, ...]:
    """Say which subordinate ids a namespace gets: the caller's, or, where a container's root passes on its own, each as itself.

    --map-auto starts with 0, which is root's already, and so leaves out the last: of a container's 65536, in the namespace that
    sbuild makes in an accelerated one, that would be nogroup.
    """
    if os.geteuid() == 0 and (counts := [_passed_on(file) for file in SUBORDINATE]) and all(counts):
        return tuple(f"--map-{kind}=1,1,{count}" for kind, count in zip(("users", "groups"), counts, strict=True))
    return ("--map-auto",)


def _passed_on(file: Path) -> int:
    """Give how many ids from 1 on are root's subordinate ones; 0 where its first range is another."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    first = next((line for line in lines if line.startswith(("root:", "0:"))), "")
    found = re.fullmatch(r"\w+:1:(\d+)", first)
    return min(int(found[1]), LAST_ID) if found else 0


def as_root(
    argv: tuple[str, ...],
    *,
    network: bool = True,
    toolbox: Toolbox | None = None,
    at: Path | None = None,
    trace: Path | None = None,
    cgroup: bool = False,
    read_only: tuple[Path, ...] = (),
) -> tuple[str, ...]:
    """Wrap `argv` to run as root of a new user namespace, with mounts and processes of its own that end with it.

    With `cgroup` it sees nothing of control groups above its own. To what is `read_only` nobody can write in the namespaces that
    `argv` makes, whatever is mounted there anew.
    With a toolbox programs of its architecture are started by its dispatcher; `at` is an empty directory where it is bound,
    read-only (default: onto itself), and `trace` a file that everybody may write to, for the dispatcher's trace.
    """
    if toolbox or read_only:
        argv = (os.fspath(NEST), *map(os.fspath, read_only), "--", *argv)
    if toolbox:
        where = os.fspath(at or toolbox.path)
        entry = binfmt_entry(ARCHES[toolbox.arch])
        argv = (os.fspath(REGISTER), os.fspath(toolbox.path), where, os.fspath(trace or ""), *entry, "--", *argv)
    user = ("--user", *mapping(), "--map-root-user") if confined() else ()
    private = () if network else ("--net",)
    return (
        *MORTAL, "unshare", *user, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--uts", *private,
        *(("--cgroup",) if cgroup else ()), "--", *argv,
    )  # fmt: skip


def inside(
    root: Path,
    argv: tuple[str, ...],
    *,
    binds: tuple[tuple[Path, str], ...] = (),
    read_only: tuple[tuple[Path, str], ...] = (),
    network: bool = True,
    sealed: bool = False,
    toolbox: Toolbox | None = None,
    at: str = NATIVE,
) -> tuple[str, ...]:
    """Wrap `argv` to run with `root` as its root directory; `binds` and `read_only` are (outer path, inner path).

    What is `read_only` is bound in a namespace around that of `argv`, whose root can then not make it writable (but for the
    machine's own: see `confined`), and so is a toolbox, seen `at` a path: another one than its own where the foreign programs are
    in a root below this one. With `sealed` the root itself is read-only: inner paths must then be below the directories that
    `enter` makes private. All that is a guard against accidents there, since its programs are tools of our choice.
    """
    mounts: list[str] = []
    guarded = () if sealed else tuple(outer for outer, _ in read_only)
    if toolbox:
        read_only = (*read_only, (toolbox.path, at))
    for option, pairs in (("--bind", binds), ("--ro-bind", read_only)):
        for outer, inner in pairs:
            mounts += [option, os.fspath(outer), inner]
    seal = ("--sealed",) if sealed else ()
    entered = as_root((os.fspath(ENTER), *seal, os.fspath(root), *mounts, "--", *argv), network=network)
    return as_root(entered, toolbox=toolbox, read_only=guarded) if toolbox or guarded else entered


def binfmt_entry(arch: Arch) -> tuple[str, str, str]:
    """Describe ELF programs of an architecture to binfmt_misc: a name, and the magic and mask of the first 20 bytes.

    As qemu's own entries do, any OS ABI and both kinds of programs, ET_EXEC and ET_DYN, are taken.
    """
    order: Literal["little", "big"] = "little" if arch.elf_little else "big"
    ident = b"\x7fELF" + bytes((arch.elf_bits // 32, 1 if arch.elf_little else 2, 1)) + bytes(9)
    magic = ident + (2).to_bytes(2, order) + arch.elf_machine.to_bytes(2, order)
    mask = b"\xff" * 7 + b"\0" + b"\xff" * 8 + 0xFFFE.to_bytes(2, order) + b"\xff\xff"
    return f"debkit-{arch.qemu}", _escaped(magic), _escaped(mask)


def _escaped(text: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text)


def unpack(run: Run, tarball: Path, root: Path) -> None:
    """Unpack a chroot tarball into the empty directory `root`, device files left out (mknod is refused in the namespace)."""
    run(
        Command(
            argv=as_root(
                ("tar", "--extract", "--auto-compress", "--file", os.fspath(tarball), "--directory", os.fspath(root),
                 "--numeric-owner", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*"),
            ),
            name="tar",
        )
    )  # fmt: skip


def pack(run: Run, root: Path, tarball: Path) -> None:
    """Pack `root` into a zstd tarball that `unpack`, sbuild and pbuilder read."""
    run(
        Command(
            argv=as_root(
                ("tar", "--create", "--use-compress-program=zstd -T0 -3", "--file", os.fspath(tarball), "--directory",
                 os.fspath(root), "--numeric-owner", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*",
                 f"--exclude=.{NATIVE}", "."),
            ),
            name="tar",
        )
    )  # fmt: skip


def remove_tree(run: Run, path: Path) -> None:
    """Remove a tree whose files may belong to subordinate ids, also once the run was asked to stop. Nothing there is no error."""
    if not path.exists():
        return
    command = Command(
        argv=as_root(("rm", "--recursive", "--force", "--one-file-system", "--", os.fspath(path))), cleanup=True, name="rm"
    )
    try:
        run(command)
    except Interrupted:  # the first Ctrl-C came just now; a second one changes nothing
        run(command)
        raise
    except DebkitError:  # where there are no namespaces, nothing in it can be another's
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            raise


@contextlib.contextmanager
def scratch(run: Run, purpose: str) -> Iterator[Path]:
    """Make a directory for build trees, removed at the end; all that killed runs have left there goes at the start."""
    home = scratch_home()
    sweep("debkit-*.", home, partial(_remove_left, run))
    with temporary(f"debkit-{purpose}.", home, mode=PASSABLE, remove=partial(remove_tree, run)) as room:
        _spread(room.parent)
        yield room


def _spread(path: Path) -> None:
    """Have the file system lay each directory made in this one apart from all others, where it knows how to (ext4).

    ext4 puts a tree next to its parent, so where the last one was, and takes minutes to use a deleted file's inode again
    (recently_deleted() in fs/ext4/ialloc.c), which it looks for anew with each file: a chroot took 20 s to unpack and not 1.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flags = int.from_bytes(fcntl.ioctl(handle, FS_IOC_GETFLAGS, bytes(8)), sys.byteorder)
        fcntl.ioctl(handle, FS_IOC_SETFLAGS, (flags | FS_TOPDIR_FL).to_bytes(8, sys.byteorder))
    except OSError:
        pass  # another file system
    finally:
        os.close(handle)


def _remove_left(run: Run, path: Path) -> None:
    """End what a killed run has left running there, and remove the rest."""
    end_at_home(path)
    remove_tree(run, path)
