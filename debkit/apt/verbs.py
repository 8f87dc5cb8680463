"""What the other rooms ask of apt; each verb is one child process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.apt.ask import ask, plain, solution
from debkit.apt.model import Member, Pin, Superseded
from debkit.apt.troubles import is_gone
from debkit.errors import DependencyError, NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from debkit.apt.model import AptRoot, Solution
    from debkit.console import Progress
    from debkit.run import Run


# sbuild's core dependencies. From 0.88.2 it installs fakeroot later, for the sources that need it; no relation of a
# build dependency is on it, so that having it changes no .buildinfo.
CORE = ("build-essential:native", "fakeroot:native")


def update(run: Run, root: AptRoot, *, progress: Progress | None = None) -> None:
    """Refresh the lists. Old lists stay where the mirror cannot be reached.

    Raises NetworkError when any list could not be had, and Untrusted, which is one, when a signature is missing or bad.
    """
    ask(run, root, "update", {}, network=True, progress=progress)


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
    core: tuple[str, ...] = CORE,
) -> Solution:
    """Find what sbuild would install for a build of `dsc`: first its upgrade of the chroot (`upgrade`), then the dependencies.

    `all` and `arch` say which binaries are built, and so which of Build-Depends-Indep and -Arch count; `host` other than the
    root's architecture is a cross build. `debs` are local packages that may serve, `core` what every build is given. Raises
    DependencyError naming the culprit.
    """
    if host not in (root.arch, *root.foreign):
        raise DependencyError(
            f"the chroot for {root.arch} has no packages of {host}",
            cause="a cross build needs the host architecture's package lists too",
            hint="build it with --via emulated",
        )
    about = {"dsc": os.fspath(dsc.absolute()), "host": host, "profiles": profiles, "all": all, "arch": arch, "core": core}
    return solution(ask(run, root, "solve", {**about, **_wishes(debs=debs, upgrade=upgrade), "wish": _wish(dsc)}))


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
    core: tuple[str, ...] = CORE,
) -> tuple[Pin, ...]:
    """Give the packages of `solve_build`. Where something of the chroot must go (Build-Conflicts), use that instead."""
    found = solve_build(
        run, root, dsc, host=host, profiles=profiles, all=all, arch=arch, debs=debs, upgrade=upgrade, core=core
    )  # fmt: skip
    return found.install


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
    wishes = _wishes(names=names, debs=debs, recommends=recommends, upgrade=upgrade)
    return solution(ask(run, root, "solve", {**wishes, "dsc": "", "wish": ", ".join((*names, *(deb.name for deb in debs)))}))


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


def closure(run: Run, root: AptRoot, debs: tuple[Path, ...]) -> tuple[Member, ...]:
    """Give local .debs and all that they depend on, as it would be installed beside them on an upgraded system.

    Recommends are left out, and of the root's own packages those that nothing depends on. Raises DependencyError.
    """
    wishes = _wishes(debs=debs, upgrade=True)
    members = ask(run, root, "closure", {**wishes, "dsc": "", "wish": ", ".join(deb.name for deb in debs)})
    return tuple(Member(**{**member, "depends": tuple(member["depends"])}) for member in members)


def download(run: Run, root: AptRoot, pins: tuple[Pin, ...], into: Path, *, progress: Progress | None = None) -> tuple[Path, ...]:
    """Have the packages in the shared cache `into`, each as SHA256.deb, and give their paths in the order of `pins`.

    Every file is verified, those that were there too. Safe beside other downloads into the same directory. Raises Superseded,
    with the lists refreshed, when the mirror has moved on, and NetworkError when it cannot be reached or lacks the file.
    """
    if pins:
        try:
            what = {"pins": plain(pins), "into": os.fspath(into.absolute())}
            ask(run, root, "download", what, network=True, progress=progress)
        except NetworkError as problem:
            if is_gone(problem):
                _look_again(run, root, pins, problem, progress)
            raise
    return tuple(into / f"{pin.sha256}.deb" for pin in pins)


def shelved(run: Run, root: AptRoot, shelf: Path, *, known: Iterable[str] = ()) -> tuple[Pin, ...]:
    """Give all packages that the root's lists offer and that the shared cache `shelf` has already, each file verified.

    Those whose digests are `known` are left out.
    """
    what = {"shelf": os.fspath(shelf.absolute()), "known": sorted(known)}
    return tuple(Pin(**pin) for pin in ask(run, root, "shelved", what))


def source(run: Run, root: AptRoot, name: str, into: Path, *, progress: Progress | None = None) -> Path:
    """Download the newest source package `name` that the root's repositories have, and give its .dsc.

    The root's source lists are fetched the first time. Raises SourceError offering the nearest names for one that is not
    there, NetworkError when the mirror cannot be reached or lacks a file.
    """
    what = {"name": name, "into": os.fspath(into.absolute())}
    return Path(ask(run, root, "source", what, network=True, progress=progress))


def seen(run: Run, root: AptRoot, package: str) -> tuple[str, ...]:
    """Give the versions of a binary package that the root's lists offer for its architecture, newest first."""
    return tuple(ask(run, root, "seen", {"package": package}))


def known(run: Run, root: AptRoot, names: tuple[str, ...]) -> tuple[str, ...]:
    """Give those of the named binary packages that the root's lists offer for its architecture."""
    return tuple(ask(run, root, "known", {"names": names}))


def _look_again(run: Run, root: AptRoot, pins: tuple[Pin, ...], problem: NetworkError, progress: Progress | None) -> None:
    """Refresh the lists; raise Superseded if they no longer have what the mirror no longer has."""
    update(run, root, progress=progress)
    offered = ask(run, root, "offered", {"pins": plain(pins)})
    gone = [f"{pin.name} {pin.version}" for pin, there in zip(pins, offered, strict=True) if not there]
    if gone:
        raise Superseded(
            f"the mirror no longer has {', '.join(gone)}",
            cause="newer versions have taken their place; the package lists have been refreshed",
            hint="run the same command again",
        ) from problem


def _wish(dsc: Path) -> str:
    return f"what {dsc.name.partition('_')[0]} needs to be built"


def _wishes(
    *,
    names: tuple[str, ...] = (),
    debs: tuple[Path, ...] = (),
    recommends: bool = False,
    upgrade: bool = False,
) -> dict[str, object]:
    return {"names": names, "debs": [os.fspath(deb.absolute()) for deb in debs], "recommends": recommends, "upgrade": upgrade}
