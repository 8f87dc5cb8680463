"""What the tests of the dispatcher share: it compiled in a clean root, a toolbox made by hand, and a foreign root to enter."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.chroot import namespace
from debkit.model import ARCHES
from debkit.run import Command

if TYPE_CHECKING:
    from debkit.run import Completed, Processes

SOURCES = Path(__file__).parent / "accel"
HEADS = Path(__file__).parent / "data/elf"
ANY_CODE = frozenset(range(256))
NATIVE = 7  # the exit code of probe.c
# elf(5): three words, in the byte order of the program, and the name before the 20 bytes of a GNU build-id.
BUILD_ID = re.compile(rb"(?:\x04\0\0\0\x14\0\0\0\x03\0\0\0|\0\0\0\x04\0\0\0\x14\0\0\0\x03)GNU\0(.{8})", re.DOTALL)
# NATIVE ROOT TRACE NAME MAGIC MASK COMMAND...: register the dispatcher with the namespace that this runs in, and run COMMAND.
ENTER = r"""
set -eu
native=$1 root=$2 trace=$3 entry=$4:M::$5:$6
shift 6
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s ":$entry:$native/dispatch:POF" >/proc/sys/fs/binfmt_misc/register
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$native" "$root/.native"
mount -o remount,bind,ro,nosuid,nodev "$root/.native"
if [ "$trace" ]; then mount --bind "$trace" "$root/.native/trace"; fi
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A toolbox made by hand, in a root of `arch` where it is seen at /.native. Its twins are probes that tell of themselves."""

    run: Processes
    path: Path
    root: Path
    arch: str = "arm64"

    def map(self, program: str, rule: str = "always", twin: str = "") -> Path:
        """Give a program of the root a twin, by default the probe under the program's name."""
        found = BUILD_ID.search((self.root / program.lstrip("/")).read_bytes())
        assert found, program
        entry = self.path / f"map{program}.{found[1].hex()}"
        entry.parent.mkdir(parents=True, exist_ok=True)
        name = Path(program).name
        if not twin:
            shutil.copy(self.path / "probe", self.path / name)
        entry.write_text(f"{rule}\n{twin or f'/.native/{name}'}\n")
        return entry

    def enter(self, *argv: str, trace: Path | None = None, seconds: float = 120) -> Completed:
        """Run a command in the root; it may fail."""
        where = (os.fspath(self.path), os.fspath(self.root), os.fspath(trace or ""))
        entry = namespace.binfmt_entry(ARCHES[self.arch])
        command = namespace.as_root(("sh", "-c", ENTER, "sh", *where, *entry, *argv))
        return self.run(Command(argv=command, ok=ANY_CODE, timeout=seconds, env=ARCHES[self.arch].qemu_env))

    def sh(self, script: str, trace: Path | None = None) -> str:
        """Run a script by the root's own, emulated sh, and give what it printed."""
        done = self.enter("/usr/bin/sh", "-c", script, trace=trace)
        return done.stdout.strip()
