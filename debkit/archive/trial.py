"""A clean system's own apt-get installs from the archive, and the programs that came with it are started. Owns apt-get."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.chroot.namespace import inside
from debkit.chroot.roots import RESOLVER
from debkit.errors import ArchiveError
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.index import Line
    from debkit.console import Progress
    from debkit.model import Target, Toolbox
    from debkit.run import Run

# Nothing is started in a chroot (invoke-rc.d(8)); what is on the loopback is not behind a proxy; a root that is thrown away need
# not reach the disk.
POLICY = "#!/bin/sh\nexit 101\n"
APT_CONF = (
    'Acquire::http::Proxy::127.0.0.1 "DIRECT";\nAcquire::Languages "none";\nAcquire::Retries "2";\n'
    'APT::Install-Recommends "false";\nDpkg::Use-Pty "false";\nDpkg::Options:: "--force-unsafe-io";\n'
)
# A clean system may have the package already: the suite's, of the same version or even of a newer one.
INSTALL = ("install", "--reinstall", "--allow-downgrades")
ASKED = ("--version", "--help")
SECONDS = 60
INSTALL_SECONDS = 3600.0
# What apt-get says, before it has done anything, of packages that cannot be installed together.
EXCLUSIVE = re.compile(r"remove is disabled|Unable to correct problems|Unable to satisfy dependencies|unmet dependencies")
# Ends of a program that did start, though it knows neither option, or went on until timeout(1) ended it (124), as a daemon does.
# Not 126 and 127 (it cannot be executed, or its interpreter or a library is missing), nor 128 and more (a signal ended it).
STARTED = frozenset(range(1, 126))


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """An unpacked clean system; with a toolbox its own tools run at native speed, and what is installed on it does not."""

    path: Path
    toolbox: Toolbox | None = None


def install_and_run(
    run: Run, root: Root, wanted: tuple[Line, ...], *, target: Target, log: Path, progress: Progress
) -> tuple[str, ...]:
    """Install these versions in a clean root, and start their programs; one after the other where they exclude each other.

    Gives what ran (see `try_programs`). Raises ArchiveError, or NetworkError when the suite's own mirror fails.
    """
    (root.path / "usr/sbin/policy-rc.d").write_text(POLICY)
    (root.path / "usr/sbin/policy-rc.d").chmod(0o755)
    (root.path / "etc/apt/apt.conf.d/90debkit").write_text(APT_CONF)
    _apt_get(run, root, "update", target=target, log=log, progress=progress)
    try:
        _install(run, root, wanted, "--no-remove", target=target, log=log, progress=progress)
    except ArchiveError as problem:
        if not EXCLUSIVE.search("\n".join(problem.excerpt)):
            raise
    else:
        return try_programs(run, root, wanted, target=target, log=log, progress=progress)
    ran: list[str] = []
    for line in wanted:
        _install(run, root, (line,), target=target, log=log, progress=progress)
        ran += try_programs(run, root, (line,), target=target, log=log, progress=progress)
    return tuple(ran)


def _install(
    run: Run, root: Root, wanted: tuple[Line, ...], *options: str, target: Target, log: Path, progress: Progress
) -> None:
    progress.phase(f"installing {', '.join(line.package for line in wanted)} on a clean {target}")
    names = (f"{line.package}={line.version}" for line in wanted)
    _apt_get(run, root, *INSTALL, *options, *names, target=target, log=log, progress=progress)
    _demand_installed(run, root, wanted, target=target, log=log)


def _apt_get(run: Run, root: Root, *words: str, target: Target, log: Path, progress: Progress) -> None:
    command = _command(root, ("apt-get", "--quiet", "--yes", *words), log=log, timeout=INSTALL_SECONDS)
    try:
        run(command, progress.line)
    except CommandFailed as failed:
        said = tuple(line for line in failed.done.tail if line.startswith(("E:", "dpkg:", "Err:")))
        raise ArchiveError(
            f"a clean {target} cannot apt-get {words[0]} from the archive",
            cause="\n".join(said) or failed.cause,
            hint=f"less {log}",
            log=log,
            excerpt=failed.done.tail[-15:],
        ) from failed


def _demand_installed(run: Run, root: Root, wanted: tuple[Line, ...], *, target: Target, log: Path) -> None:
    """Ask dpkg, since apt-get's exit status does not say it."""
    shown = run(
        _command(root, ("dpkg-query", "--show", "--showformat", r"${Package} ${Version} ${db:Status-Status}\n"), log=None)
    ).stdout.splitlines()
    missing = [line.package for line in wanted if f"{line.package} {line.version} installed" not in shown]
    if missing:
        raise ArchiveError(
            f"{', '.join(missing)} did not end up installed on a clean {target}",
            cause="apt-get did not complain",
            hint=f"less {log}",
            log=log,
        )


def try_programs(
    run: Run, root: Root, wanted: tuple[Line, ...], *, target: Target, log: Path, progress: Progress
) -> tuple[str, ...]:
    """Start each package's programs with --version and --help until one of them is content.

    Gives one "PROGRAM OPTION" a package; one without programs has nothing to start. Raises ArchiveError when no program of a
    package can be started at all.
    """
    ran = []
    for package in (line.package for line in wanted):
        tried: list[tuple[str, int]] = []
        for what in ((program, option) for program in _programs(run, root, package) for option in ASKED):
            progress.phase(f"running {' '.join(what)} on {target}")
            code = run(_command(root, ("timeout", "--kill-after=5", str(SECONDS), *what), log=log, strict=False)).code
            tried.append((" ".join(what), code))
            if code == 0:
                break
        if not tried:
            continue
        content = [what for what, code in tried if code == 0]
        started = [f"{what} (exit {code})" for what, code in tried if code in STARTED]
        if not (content or started):
            raise ArchiveError(
                f"no program of {package} runs on a clean {target}",
                cause="; ".join(f"{what}: exit {code}" for what, code in tried),
                hint=f"less {log}",
                log=log,
            )
        ran.append((content or started)[0])
    return tuple(ran)


def _programs(run: Run, root: Root, package: str) -> tuple[str, ...]:
    """List a package's executable files in the directories of PATH."""
    listed = run(_command(root, ("dpkg-query", "--listfiles", package), log=None, strict=False)).stdout.splitlines()
    found = []
    for path in listed:
        directory, _, name = path.rpartition("/")
        if name and directory in {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/games", "/usr/local/bin"}:
            file = root.path / path[1:]
            if file.is_symlink() or (file.is_file() and os.stat(file).st_mode & 0o111):  # noqa: PTH116 (a link may lead outside)
                found.append(path)
    return tuple(found)


def _command(
    root: Root, argv: tuple[str, ...], *, log: Path | None, strict: bool = True, timeout: float | None = None
) -> Command:
    names = ((RESOLVER, os.fspath(RESOLVER)),) if RESOLVER.exists() else ()
    return Command(
        argv=inside(root.path, argv, read_only=names, toolbox=root.toolbox),
        env=(("DEBIAN_FRONTEND", "noninteractive"), ("HOME", "/root"), ("no_proxy", "127.0.0.1,localhost")),
        log=log,
        ok=frozenset({0}) if strict else frozenset(range(-64, 256)),
        timeout=timeout,
    )
