"""A clean system's own apt-get installs from the archive, and the programs that came with it are started. Owns apt-get."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from debkit.chroot.namespace import inside
from debkit.chroot.roots import RESOLVER
from debkit.errors import ArchiveError
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.index import Line
    from debkit.console import Progress
    from debkit.model import Target
    from debkit.run import Run

# Nothing is started in a chroot (invoke-rc.d(8)), and what is on the loopback is not behind a proxy.
POLICY = "#!/bin/sh\nexit 101\n"
APT_CONF = 'Acquire::http::Proxy::127.0.0.1 "DIRECT";\nAPT::Install-Recommends "false";\nAcquire::Retries "2";\n'
# A clean system may have the package already: the suite's, of the same version or even of a newer one.
INSTALL = ("install", "--reinstall", "--allow-downgrades")
ASKED = ("--version", "--help")
SECONDS = 60
INSTALL_SECONDS = 3600.0
NOT_RUNNABLE = frozenset(
    {126, 127}
)  # sh(1): found but not executable, or not found (also: its interpreter or a library is missing)
TIMED_OUT = 124  # timeout(1)
KILLED = 128  # and above, by env's and timeout's convention


def install(run: Run, root: Path, wanted: tuple[Line, ...], *, target: Target, log: Path, progress: Progress) -> None:
    """Install these versions in a clean root, at once or, where they exclude each other, one after the other."""
    (root / "usr/sbin/policy-rc.d").write_text(POLICY)
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "etc/apt/apt.conf.d/90debkit").write_text(APT_CONF)
    names = tuple(f"{line.package}={line.version}" for line in wanted)
    _apt_get(run, root, "update", target=target, log=log, progress=progress)
    try:
        _apt_get(run, root, *INSTALL, "--no-remove", *names, target=target, log=log, progress=progress)
        _demand_installed(run, root, wanted, target=target, log=log)
    except ArchiveError:
        if len(wanted) == 1:
            raise
        for line, name in zip(wanted, names, strict=True):
            _apt_get(run, root, *INSTALL, name, target=target, log=log, progress=progress)
            _demand_installed(run, root, (line,), target=target, log=log)


def _apt_get(run: Run, root: Path, *words: str, target: Target, log: Path, progress: Progress) -> None:
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


def _demand_installed(run: Run, root: Path, wanted: tuple[Line, ...], *, target: Target, log: Path) -> None:
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


def try_programs(run: Run, root: Path, packages: tuple[str, ...], *, target: Target, log: Path) -> tuple[str, ...]:
    """Start each package's programs with --version and --help until one of them is content.

    Gives what ran, "PROGRAM OPTION" each. A package without programs has nothing to start, and one that has been replaced by
    its sibling is not there any more. Raises ArchiveError when no program of a package can be started at all.
    """
    ran = []
    for package in packages:
        programs = _programs(run, root, package)
        if not programs:
            continue
        tried: list[tuple[str, int]] = []
        for program in programs:
            for option in ASKED:
                code = run(
                    _command(root, ("timeout", "--kill-after=5", str(SECONDS), program, option), log=log, strict=False)
                ).code
                tried.append((f"{program} {option}", code))
                if code == 0:
                    break
            if tried[-1][1] == 0:
                break
        content = [what for what, code in tried if code == 0]
        started = [
            f"{what} (exit {code})" for what, code in tried if 0 < code < KILLED and code not in NOT_RUNNABLE | {TIMED_OUT}
        ]
        if not content and not started:
            raise ArchiveError(
                f"no program of {package} runs on a clean {target}",
                cause="; ".join(f"{what}: exit {code}" for what, code in tried),
                hint=f"less {log}",
                log=log,
            )
        ran.append((content or started)[0])
    return tuple(ran)


def _programs(run: Run, root: Path, package: str) -> tuple[str, ...]:
    """List a package's executable files in the directories of PATH."""
    listed = run(_command(root, ("dpkg-query", "--listfiles", package), log=None, strict=False)).stdout.splitlines()
    found = []
    for path in listed:
        directory, _, name = path.rpartition("/")
        if name and directory in {"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/games", "/usr/local/bin"}:
            file = root / path[1:]
            if file.is_symlink() or (file.is_file() and os.stat(file).st_mode & 0o111):  # noqa: PTH116 (a link may lead outside)
                found.append(path)
    return tuple(found)


def _command(
    root: Path, argv: tuple[str, ...], *, log: Path | None, strict: bool = True, timeout: float | None = None
) -> Command:
    return Command(
        argv=inside(root, argv, read_only=((RESOLVER, os.fspath(RESOLVER)),) if RESOLVER.exists() else ()),
        env=(("DEBIAN_FRONTEND", "noninteractive"), ("HOME", "/root"), ("no_proxy", "127.0.0.1,localhost")),
        log=log,
        ok=frozenset({0}) if strict else frozenset(range(-64, 256)),
        timeout=timeout,
    )
