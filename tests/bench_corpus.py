"""Build twenty sources of the suite's archive with debkit, on both architectures: `make bench-corpus`.

Every one that raw sbuild builds should be built by debkit too. So raw sbuild has its turn where debkit failed, and what both
fail at does not count. The success rate is printed at the end. Takes hours: arm64 is emulated. BENCH_ARCHES and BENCH_SOURCES
name fewer.
"""

from __future__ import annotations

import os
import subprocess  # noqa: TID251  # debkit is measured from outside
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import SUITE, debkit, make_project, timed

if TYPE_CHECKING:
    from collections.abc import Callable

ARCHES = os.environ.get("BENCH_ARCHES", "amd64 arm64").split()
# Small, and of many kinds: make, autotools, cmake, meson, Architecture: all; only what needs no other component than main.
SOURCES = os.environ.get(
    "BENCH_SOURCES",
    "bzip2 tinyxml2 lz4 libyaml hostname jansson dash sl figlet toilet cowsay less lzo2 lzop xxhash pigz libconfuse tofrodos "
    "cjson dnsmasq",
).split()


# A chroot's list names packages only, so sbuild would find no source.
SOURCES_TOO = "sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >/etc/apt/sources.list.d/source.list"


def main() -> None:
    """Print a line a build, and the rate."""
    tried = passed = 0
    with tempfile.TemporaryDirectory(prefix="bench-corpus.", dir="/var/tmp") as directory:
        work = Path(directory)
        for name in SOURCES:
            for arch in ARCHES:
                project = make_project(work, f"{name}-{arch}")
                started = time.monotonic()
                ours = attempt(partial(debkit, project, "build", name, "--arch", arch, "--no-publish"))
                seconds = time.monotonic() - started
                theirs = ours or attempt(partial(raw_build, work, name, arch))
                tried += theirs
                passed += ours
                verdict = "ok" if ours else "fails, raw sbuild builds it" if theirs else "fails, as raw sbuild does"
                print(f"{name:<16} {arch:<6} {seconds:>6.0f} s  {verdict}", flush=True)
    print(f"debkit built {passed} of the {tried} that sbuild can build ({100 * passed / max(tried, 1):.0f} %; the floor is 95 %)")


def attempt(build: Callable[[], object]) -> bool:
    try:
        build()
    except subprocess.CalledProcessError as failure:
        print(failure.output[-600:], flush=True)
        return False
    return True


def raw_build(work: Path, name: str, arch: str) -> None:
    """Build with sbuild alone, which fetches the source itself: nothing that debkit has made, or failed to make, is used."""
    chroot = work / f"{arch}.tar.zst"
    if not chroot.exists():
        new = work / f"{arch}.new.tar.zst"
        timed(["mmdebstrap", "--variant=buildd", f"--architectures={arch}", SUITE, os.fspath(new)], work)
        new.rename(chroot)
    into = Path(tempfile.mkdtemp(dir=work))
    argv = ["sbuild", "--chroot-mode=unshare", f"--chroot={chroot}", f"--arch={arch}", "-d", SUITE, "--no-run-lintian"]
    timed([*argv, f"--chroot-setup-commands={SOURCES_TOO}", name], into)


if __name__ == "__main__":
    main()
