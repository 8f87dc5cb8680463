"""What makes a build differ from a usual one: its clock, time zone, locale, host name and processors.

The build is started through a script that lies in the chroot, beside the files that it needs: no package is installed for it, as
the packages that are installed are part of what a build is made from. The script tells in the log what is in force.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from debkit import apt
from debkit.chroot import cache, store
from debkit.model import USUAL
from debkit.run import Command

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.backends._job import Job
    from debkit.console import Progress
    from debkit.model import Chroot, Variation
    from debkit.run import Run

PLACE = "/var/lib/debkit/vary"  # in the chroot
START = f"{PLACE}/start"
INSIDE, OUTSIDE = "inside", "outside"  # directories that come first in the PATH of pbuilder's chroot, and of sbuild's own shell
CLOCK, SOURCES = "libfaketime", "locales"  # Debian's packages

# The first directory of PATH is ours. With NO_FAKE_STAT files keep their times, as make compares these with each other; what
# measures how long something takes is left alone. The loader finds the library of each program's own architecture by $LIB.
SCRIPT = """\
#!/bin/sh
PATH=${{PATH#*:}}
{exports}
now=$(date +%s)
{clock}
echo "debkit varied: clock=$(($(date +%s) - now)) timezone=$TZ locale=$LC_ALL/$(locale charmap) \\
host=$(uname -n) processors=$(nproc)"
exec "$@"
"""
FAKETIME = """\
export NO_FAKE_STAT=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME=+{seconds}
export LD_PRELOAD='{place}/$LIB/faketime/libfaketime.so.1'
"""


def lay(run: Run, job: Job, tree: Path, progress: Progress) -> None:
    """Lay in the new directory `tree` what belongs at PLACE in the chroot; nothing for a usual build.

    Raises NetworkError and DependencyError where Debian's packages for it cannot be had.
    """
    variation = job.variation
    if variation == USUAL:
        return
    tree.mkdir()
    packages = ((CLOCK,) if variation.clock else ()) + ((SOURCES,) if variation.locale else ())
    unpacked = tree.with_name("unpacked")
    for deb in fetched(run, job.chroot, packages, progress) if packages else ():
        run(Command(argv=("dpkg-deb", "--extract", os.fspath(deb), os.fspath(unpacked))))
    if variation.clock:
        (unpacked / "usr/lib").rename(tree / "lib")
    if variation.locale:
        (unpacked / "usr/share/i18n").rename(tree / "i18n")
    shims = {
        "start": script(variation),
        f"{INSIDE}/dpkg-buildpackage": f'#!/bin/sh\nexec {START} /usr/bin/dpkg-buildpackage "$@"\n',
    }
    if variation.host:
        shims[f"{OUTSIDE}/hostname"] = f"#!/bin/sh\nPATH=${{PATH#*:}}\nexec hostname {shlex.quote(variation.host)}\n"
    for name, text in shims.items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
        (tree / name).chmod(0o755)
    for path in (tree, *tree.rglob("*")):  # whatever the caller's umask is: the build's user is another
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))


def fetched(run: Run, chroot: Chroot, names: tuple[str, ...], progress: Progress) -> tuple[Path, ...]:
    """Have Debian packages of the chroot's suite and architecture, but not what they depend on."""
    root = replace(store.apt_root(chroot), empty=True)  # or what the chroot has installed would be left out

    def attempt() -> tuple[Path, ...]:
        pins = tuple(pin for pin in apt.resolve_install(run, root, names) if pin.name in names)
        return apt.download(run, root, pins, cache.shelf("debs"), progress=progress)

    with cache.held(cache.shelf("debs")):
        try:
            return attempt()
        except apt.Superseded:
            return attempt()


def script(variation: Variation) -> str:
    """Write the script that the build is started through."""
    language = variation.locale.partition(".")[0]
    values = {
        "LANG": variation.locale,
        "LC_ALL": variation.locale,
        "LANGUAGE": f"{language}:{language.partition('_')[0]}" if language else "",
        "TZ": variation.timezone,
    }
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items() if value)
    clock = FAKETIME.format(seconds=variation.clock, place=PLACE) if variation.clock else ""
    return SCRIPT.format(exports=exports, clock=clock)


def preparation(job: Job) -> tuple[str, ...]:
    """Give the command to run as the chroot's root before the build, if any: its own localedef makes the locale."""
    locale = job.variation.locale
    if not locale:
        return ()
    name, _, charmap = locale.partition(".")
    made = ("localedef", "--no-archive", "-i", name, "-f", charmap, f"/usr/lib/locale/{locale}")
    return ("env", f"I18NPATH={PLACE}/i18n", *made)


def on_processors(job: Job, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Let a builder, and all that it starts, run on some of the processors."""
    count = job.variation.processors
    if not count:
        return argv
    chosen = sorted(os.sched_getaffinity(0))[:count]
    return ("taskset", "--cpu-list", ",".join(map(str, chosen)), *argv)


def named(job: Job) -> tuple[str, ...]:
    """Begin a command in a UTS namespace of its own by giving that a host name."""
    return ("sh", "-c", 'hostname "$0" && exec "$@"', job.variation.host) if job.variation.host else ()
