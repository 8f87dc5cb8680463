"""Make a root from nothing; owns mmdebstrap."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, assert_never

import distro_info

from debkit.chroot.namespace import NATIVE, as_root
from debkit.errors import ChrootError, HostError
from debkit.model import ARCHES, ChrootKind
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.console import Progress
    from debkit.errors import DebkitError
    from debkit.model import ChrootSpec, Toolbox
    from debkit.run import Run

# sbuild 0.85 asks for it in every build. In the base it need not be installed anew each time.
BUILD_PACKAGES = ("fakeroot",)
# base-files has the links that merge /usr since Debian 13. Before, usrmerge makes them when all is unpacked: till then nothing is
# where a toolbox looks for it. mmdebstrap(1), MERGED-/USR.
LINKS_SINCE = 13
MERGE = "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr"

# What mmdebstrap, apt and the kernel print, and what it means. First match wins.
CAUSES: tuple[tuple[re.Pattern[str], type[DebkitError], str, str], ...] = (
    (
        re.compile(r"NO_PUBKEY|is not signed|signatures? (?:couldn't|could not) be verified|Missing key|no keyring|EXPKEYSIG"),
        ChrootError,
        "this machine does not have the key that the mirror's suite is signed with",
        "sudo apt-get install debian-archive-keyring",
    ),
    (
        re.compile(r"does not have a Release file|Malformed entry|is not a valid suite"),
        ChrootError,
        "the mirror has no such suite or component",
        "look at chroot.mirror and chroot.components in config/debkit.toml",
    ),
    (
        re.compile(r"Exec format error|neither be executed natively|arch-test"),
        HostError,
        "programs of that architecture do not run on this machine",
        "debkit doctor --fix",
    ),
    (
        re.compile(r"Unable to locate package (\S+)"),
        ChrootError,
        "a package that the chroot is to hold does not exist in the suite",
        "look at chroot.packages and chroot.components in config/debkit.toml",
    ),
)


def bootstrap(
    run: Run, spec: ChrootSpec, tarball: Path, *, work: Path, log: Path, progress: Progress, toolbox: Toolbox | None = None
) -> None:
    """Make a root and pack it into `tarball`. `work` holds what is unpacked meanwhile; `log` is written anew.

    With a toolbox the root's programs run at native speed while it is made, and nothing of that stays in it.
    Raises NetworkError, DiskError, MissingTool, or ChrootError or HostError with the likely cause.
    """
    log.unlink(missing_ok=True)
    argv = as_root(bootstrap_argv(spec, tarball, toolbox))
    command = Command(
        argv=as_root(argv, toolbox=toolbox) if toolbox else argv,
        env=(("TMPDIR", os.fspath(work)), *ARCHES[spec.target.arch].qemu_env),
        cwd=work,
        log=log,
        name="mmdebstrap",
    )
    try:
        run(command, lambda line: progress.line(line.removeprefix("I: ")))
    except CommandFailed as failed:
        raise explain(failed, f"the {spec.kind} chroot of {spec.target} could not be made") from failed


def bootstrap_argv(spec: ChrootSpec, tarball: Path, toolbox: Toolbox | None = None) -> tuple[str, ...]:
    """Call mmdebstrap, as root of our own namespace. With no mirror it takes Debian's own, with updates and security.

    Its unshare mode would make a namespace too, but goes on for minutes after SIGTERM, and after debkit was killed. The toolbox
    is bound before the root's first program runs and is gone when the root is packed.
    """
    seen = f'"$1{NATIVE}"'
    hooks = (
        f"--setup-hook=mkdir -m 755 {seen} && mount --bind {shlex.quote(os.fspath(toolbox.path))} {seen}",
        f"--customize-hook=umount {seen} && rmdir {seen}",
    ) if toolbox else ()  # fmt: skip
    packages = tuple(dict.fromkeys((*(BUILD_PACKAGES if spec.kind.builds else ()), *spec.packages)))
    return (
        "mmdebstrap",
        "--mode=root",
        f"--variant={_variant(spec.kind)}",
        f"--architectures={spec.target.arch}",
        f"--components={','.join(spec.components)}",
        *((f"--include={','.join(packages)}",) if packages else ()),
        "--dpkgopt=force-unsafe-io",  # a root that is made anew after any crash needs no fsync for each file
        *((MERGE,) if _lacks_links(spec.target.suite) else ()),
        *hooks,
        spec.target.suite,
        os.fspath(tarball),
        *((spec.mirror,) if spec.mirror else ()),
    )


def _lacks_links(suite: str) -> bool:
    debian = distro_info.DebianDistroInfo()
    return suite in debian.all and bool(number := debian.version(suite)) and float(number) < LINKS_SINCE


def explain(failed: CommandFailed, what: str) -> DebkitError:
    """Turn a failed root-making command into what a user can act on."""
    tail = failed.done.tail
    for line in tail:
        for pattern, error, cause, hint in CAUSES:
            if pattern.search(line):
                return error(what, cause=f"{cause} ({line.strip()})", hint=hint, log=failed.log, excerpt=tail[-6:])
    wrong = [line for line in tail if re.match(r"(E|dpkg|W|tar|zstd)?: ?", line)]
    return ChrootError(
        what,
        cause=(wrong or [line for line in tail if line.strip()] or [failed.what])[-1].strip(),
        hint="look at the log, then run the same command again",
        log=failed.log,
        excerpt=tail[-12:],
    )


def _variant(kind: ChrootKind) -> str:
    match kind:
        case ChrootKind.BUILD | ChrootKind.EMULATED:
            return "buildd"
        case ChrootKind.CLEAN:
            return "minbase"
        case ChrootKind.TOOLS:
            return "apt"
    assert_never(kind)
