"""What the other rooms ask of apt; each verb is one child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.console import Quiet

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.apt.model import AptRoot, Pin, Solution
    from debkit.console import Progress
    from debkit.run import Run


def update(run: Run, root: AptRoot, *, progress: Progress | None = None) -> None:
    """Refresh the lists. Old lists stay where the mirror cannot be reached.

    Raises NetworkError when any list could not be had, and one that names the key when a signature is missing or bad.
    """
    raise NotImplementedError


def solve_build(
    run: Run,
    root: AptRoot,
    dsc: Path,
    *,
    host: str,
    profiles: tuple[str, ...] = (),
    all: bool,  # noqa: A002 (dpkg's word)
    arch: bool,
    debs: tuple[Path, ...] = (),
    upgrade: bool = True,
) -> Solution:
    """Find what sbuild would install for a build of `dsc`: first its upgrade of the chroot (`upgrade`), then the dependencies.

    `all` and `arch` say which binaries are built, and so which of Build-Depends-Indep and -Arch count; `host` other than the
    root's architecture is a cross build. `debs` are local packages that may serve. Raises DependencyError naming the culprit.
    """
    raise NotImplementedError


def resolve_build(
    run: Run,
    root: AptRoot,
    dsc: Path,
    *,
    host: str,
    profiles: tuple[str, ...] = (),
    all: bool,  # noqa: A002 (dpkg's word)
    arch: bool,
    debs: tuple[Path, ...] = (),
    upgrade: bool = True,
) -> tuple[Pin, ...]:
    """Give the packages of `solve_build`. Where something of the chroot must go (Build-Conflicts), use that instead."""
    return solve_build(run, root, dsc, host=host, profiles=profiles, all=all, arch=arch, debs=debs, upgrade=upgrade).install


def solve_install(
    run: Run,
    root: AptRoot,
    names: tuple[str, ...] = (),
    *,
    debs: tuple[Path, ...] = (),
    recommends: bool = False,
    upgrade: bool = False,
) -> Solution:
    """Find what `apt-get install` of these packages (NAME, NAME=VERSION, NAME:ARCH) and local .debs would do.

    The .debs are in the answer, as pins with a "copy:" URI. Raises DependencyError naming the culprit.
    """
    raise NotImplementedError


def resolve_install(
    run: Run,
    root: AptRoot,
    names: tuple[str, ...] = (),
    *,
    debs: tuple[Path, ...] = (),
    recommends: bool = False,
    upgrade: bool = False,
) -> tuple[Pin, ...]:
    """Give the packages of `solve_install`."""
    return solve_install(run, root, names, debs=debs, recommends=recommends, upgrade=upgrade).install


def download(run: Run, root: AptRoot, pins: tuple[Pin, ...], into: Path, *, progress: Progress | None = None) -> tuple[Path, ...]:
    """Have the packages in the shared cache `into`, each as SHA256.deb, and give their paths in the order of `pins`.

    Every file is verified, those that were there too. Safe beside other downloads into the same directory. Raises Superseded,
    with the lists refreshed, when the mirror has moved on, and NetworkError when it cannot be reached or lacks the file.
    """
    raise NotImplementedError


def source(run: Run, root: AptRoot, name: str, into: Path, *, progress: Progress | None = None) -> Path:
    """Download the newest source package `name` that the root's repositories have, and give its .dsc.

    The root's source lists are fetched the first time. Raises SourceError offering the nearest names for one that is not
    there, NetworkError when the mirror cannot be reached or lacks a file.
    """
    raise NotImplementedError


def seen(run: Run, root: AptRoot, package: str) -> tuple[str, ...]:
    """Give the versions of a binary package that the root's lists offer for its architecture, newest first."""
    raise NotImplementedError


_QUIET = Quiet()
