"""Build-dependency layers: a base chroot with what a source needs already installed, so that its next build installs nothing.

A layer is keyed on the base's generation and on the exact packages that the base's isolated apt resolves, not on the source:
sources that need the same share one. They lie under $XDG_CACHE_HOME/debkit/layers/.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from debkit import apt
from debkit.chroot import cache, namespace, roots, store, upkeep
from debkit.chroot.make import explain
from debkit.errors import ChrootError, DependencyError, NetworkError
from debkit.model import ARCHES
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Chroot, Source
    from debkit.run import Run

INBOX = "/run/debkit"  # where the .debs are bound: a tmpfs, so that nothing of them stays
YOUNG_SECONDS = 3600  # lists of this age need no second look
START_NO_SERVICE = "#!/bin/sh\nexit 101\n"  # policy-rc.d, see invoke-rc.d(8)


def layer(
    run: Run,
    base: Chroot,
    source: Source,
    *,
    build_all: bool,
    arch: bool = True,
    profiles: tuple[str, ...] = (),
    demands: tuple[str, ...] = (),
    config: ChrootConfig,
    progress: Progress = store.QUIET,
) -> Chroot:
    """Give the base with the source's build dependencies installed, or the base itself where it has them all.

    `demands` are packages that the builder wants besides (`Backend.demands`).
    Not for cross builds, nor for builds with extra repositories or local packages: the base's apt does not know those. Raises
    DependencyError naming the culprit, ChrootError, NetworkError, DiskError.
    """
    root = store.apt_root(base)
    solve = partial(
        apt.solve_build, run, root, source.dsc, host=root.arch, profiles=profiles, all=build_all, arch=arch,
        core=(*apt.CORE, *demands),
    )  # fmt: skip

    def fetched() -> None:
        progress.phase("downloading build dependencies")
        for deb in apt.download(run, root, solution.install, cache.shelf("debs"), progress=progress):
            os.utime(deb)

    with store.held(base):
        solution = _resolved(run, root, solve, progress)
        if not solution.install and not solution.remove:
            return base
        found = cache.find(cache.shelf("layers"), name_of(base, solution))
        if not found:
            with cache.held(cache.shelf("debs")):
                try:
                    fetched()
                except apt.Superseded:
                    solution = _resolved(run, root, solve, progress)
                    fetched()
                found = _ensure(run, base, source, solution, progress)
        cache.touch(found)
    result = replace(base, tarball=found.content, layer=key_of(base, solution))
    with store.held(result):
        upkeep.prune(run, config)
    return result


def _resolved(run: Run, root: apt.AptRoot, solve: Callable[[], apt.Solution], progress: Progress) -> apt.Solution:
    """Resolve, a second time with new lists where the first fails: the archive may have it by now."""
    progress.phase("resolving build dependencies")
    try:
        return solve()
    except DependencyError as problem:
        if time.time() - (apt.updated(root) or 0) < YOUNG_SECONDS:
            raise
        try:
            apt.update(run, root, progress=progress)
        except NetworkError:
            raise problem from None
    return solve()


def key_of(base: Chroot, solution: apt.Solution) -> str:
    """Name a layer by what it is made of, in 16 hex digits."""
    pins = sorted((pin.name, pin.version, pin.arch, pin.sha256) for pin in solution.install)
    made_of = [store.generation(base), pins, sorted(solution.remove)]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


def name_of(base: Chroot, solution: apt.Solution) -> str:
    return f"{base.spec.target.suite}-{base.spec.target.arch}-layer-{key_of(base, solution)}"


def install_argv(solution: apt.Solution) -> tuple[str, ...]:
    """Have the root's own apt install the .debs bound at INBOX: it orders them right, and upgrades too.

    It is offered nothing else (a base has no lists), so it installs just these or fails.
    """
    return (
        "env", "DEBIAN_FRONTEND=noninteractive",
        "apt-get", "install", "--yes", "--purge", "--no-install-recommends", "--allow-remove-essential", "--allow-downgrades",
        "-o", "APT::Sandbox::User=root", "-o", "Dpkg::Use-Pty=false", "-o", "Dpkg::Options::=--force-unsafe-io",
        *(f"{INBOX}/{pin.sha256}.deb" for pin in solution.install),
        *(f"{name}-" for name in solution.remove),
    )  # fmt: skip


def _ensure(run: Run, base: Chroot, source: Source, solution: apt.Solution, progress: Progress) -> cache.Entry:
    """Make the layer, or take the one that another run has made meanwhile."""
    shelf, name = cache.shelf("layers"), name_of(base, solution)
    with cache.locked(run, shelf, name, f"which makes the layer for {source.name}", progress=progress):
        if found := cache.find(shelf, name):
            return found
        created = int(time.time())
        content = shelf / f"{cache.generation(name, created)}.tar.zst"
        temporary = shelf / f"{cache.generation(name, created)}.new.tar.zst"
        with cache.making(run, shelf, name) as log, roots.opened(run, base) as root:
            progress.phase("installing build dependencies")
            _install(run, root, base, solution, log=log, progress=progress)
            progress.phase("packing the layer")
            namespace.pack(run, root, temporary)
            count = len(store.installed(root))
            temporary.rename(content)
        record = cache.Record(
            content=content.name,
            created=created,
            kind="layer",
            suite=base.spec.target.suite,
            arch=base.spec.target.arch,
            size=content.stat().st_size,
            package_count=count,
            made_with="apt-get",
            mirror=base.spec.mirror,
            components=base.spec.components,
            packages=base.spec.packages,
            base=store.generation(base),
            source=source.name,
        )
        return cache.commit(run, shelf, name, record)


def _install(run: Run, root: Path, base: Chroot, solution: apt.Solution, *, log: Path, progress: Progress) -> None:
    """Install in the root, and leave it as sbuild's own installation would."""
    log.unlink(missing_ok=True)
    policy = root / "usr/sbin/policy-rc.d"
    states = root / "var/lib/apt/extended_states"
    before = states.read_text(encoding="utf-8") if states.exists() else ""
    present = store.installed(root)
    policy.write_text(START_NO_SERVICE, encoding="utf-8")
    policy.chmod(0o755)
    command = Command(
        argv=namespace.inside(
            root,
            install_argv(solution),
            read_only=((cache.shelf("debs"), INBOX),),
            network=False,
            toolbox=base.toolbox,
        ),
        env=ARCHES[base.spec.target.arch].qemu_env,
        log=log,
        name="apt-get in the chroot",
    )
    try:
        run(command, progress.line)
    except CommandFailed as failed:
        raise explain(failed, f"the build dependencies could not be installed in the chroot of {base.spec.target}") from failed
    finally:
        policy.unlink()
    after = store.installed(root)
    missing = [f"{pin.name} {pin.version}" for pin in solution.install if after.get(pin.name) != pin.version]
    left = [name for name in solution.remove if name.partition(":")[0] in after]
    if missing or left:
        raise ChrootError(
            f"the chroot of {base.spec.target} did not become what was asked for",
            cause=f"not installed: {', '.join(missing) or 'none'}; not removed: {', '.join(left) or 'none'}",
            hint="debkit chroot update, then run the same command again",
            log=log,
        )
    new = [pin.name for pin in solution.install if pin.name not in present]
    states.write_text(before + automatic(new, base.spec.target.arch), encoding="utf-8")
    for index in (root / "var/cache/apt").glob("*.bin"):
        index.unlink()


def automatic(names: list[str], arch: str) -> str:
    """Mark packages in apt's extended_states as pulled in by another, as those that sbuild's dummy package needs are."""
    return "".join(f"Package: {name}\nArchitecture: {arch}\nAuto-Installed: 1\n\n" for name in names)
