"""Base chroots: make them and keep them fresh. Tarballs under $XDG_CACHE_HOME/debkit/chroots/, each with its isolated apt.

trixie-arm64-build-1a2b3c4d.json                    the record: which generation counts
trixie-arm64-build-1a2b3c4d.20260102T030405.tar.zst the tarball
trixie-arm64-build-1a2b3c4d.20260102T030405.apt/    apt's view of it, with the lists of that time
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import apt
from debkit.chroot import cache, make, namespace
from debkit.console import Quiet
from debkit.errors import NetworkError
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target
from debkit.run import Command

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from debkit.apt import AptRoot
    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Toolbox
    from debkit.run import Run

# Makes a content whose path begins with `stem`, logging to `log`; gives its path and how many packages are in it.
Maker = Callable[["Run", ChrootSpec, Path, Path, "Progress"], tuple[Path, int]]

# Gives, and holds meanwhile, what a foreign chroot is made with; it is asked only where one is made. None: it is emulated.
Toolboxes = Callable[[], "AbstractContextManager[Toolbox | None]"]

QUIET = Quiet()


def wanted(kind: ChrootKind, target: Target, config: ChrootConfig) -> ChrootSpec:
    """Say what chroot the configuration asks for. Its extra packages are for building: a clean system stays clean."""
    return ChrootSpec(
        kind=kind,
        target=target,
        mirror=config.mirror,
        components=config.components,
        packages=config.packages if kind.builds else (),
    )


def name_of(spec: ChrootSpec) -> str:
    """Give the readable name that equal specs share."""
    made_of = [spec.kind, spec.target.suite, spec.target.arch, spec.mirror, spec.components, sorted(set(spec.packages))]
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]
    return f"{spec.target.suite}-{spec.target.arch}-{spec.kind}-{key}"


def ensure(
    run: Run,
    spec: ChrootSpec,
    *,
    config: ChrootConfig,
    refresh: bool = False,
    progress: Progress = QUIET,
    warn: Callable[[str], None] | None = None,
    toolboxes: Toolboxes = contextlib.nullcontext,
) -> Chroot:
    """Give a chroot tarball no older than `config.max_age`, made now where there is none, or where `refresh` asks for it.

    Of two runs at once the second waits and takes what the first has made. Where the mirror cannot be reached the old one
    serves on, and `warn` is told (else `progress`). Raises ChrootError, HostError, NetworkError, DiskError, MissingTool.
    """
    maker = partial(make_base, toolboxes=toolboxes)
    entry = kept(run, "chroots", spec, maker, config=config, refresh=refresh, progress=progress, warn=warn)
    return Chroot(spec=spec, tarball=entry.content, created=entry.record.created)


def kept(
    run: Run,
    shelf_name: str,
    spec: ChrootSpec,
    maker: Maker,
    *,
    config: ChrootConfig,
    refresh: bool,
    progress: Progress,
    warn: Callable[[str], None] | None = None,
) -> cache.Entry:
    """Do what `ensure` does for any kind of content."""
    shelf, name = cache.shelf(shelf_name), name_of(spec)
    seen = entry = cache.find(shelf, name)
    if not entry or refresh or is_old(entry, config):
        with cache.locked(run, shelf, name, f"which makes {name}", progress=progress):
            entry = cache.find(shelf, name)
            if not entry or (seen and seen.record == entry.record):  # else another run has made it while we waited
                entry = _renewed(run, shelf, spec, maker, entry, progress=progress, warn=warn or progress.phase)
    cache.touch(entry)
    return entry


def apt_root(chroot: Chroot) -> AptRoot:
    """Give the isolated apt of a base chroot; of a layer, that of its base."""
    path = cache.shelf("chroots") / f"{generation(chroot)}.apt"
    return apt.AptRoot(path=path, arch=chroot.spec.target.arch)


def generation(chroot: Chroot) -> str:
    """Name this very base tarball: a refreshed one has another generation."""
    return cache.generation(name_of(chroot.spec), chroot.created)


def held(chroot: Chroot) -> AbstractContextManager[None]:
    """Keep a chroot from being removed while it is used. Raises LockedError when it has just gone."""
    return cache.held(chroot.tarball)


def is_old(entry: cache.Entry, config: ChrootConfig) -> bool:
    """Whether the entry wants renewing. A layer never does: it goes with its base."""
    return entry.record.kind != "layer" and time.time() - entry.record.created > config.max_age


def _renewed(
    run: Run,
    shelf: Path,
    spec: ChrootSpec,
    maker: Maker,
    old: cache.Entry | None,
    *,
    progress: Progress,
    warn: Callable[[str], None],
) -> cache.Entry:
    """Make a new generation; the old one serves on where the network fails. NAME's lock is held."""
    name = name_of(spec)
    created = max(int(time.time()), old.record.created + 1 if old else 0)
    try:
        with cache.making(run, shelf, name) as log:
            content, package_count = maker(run, spec, shelf / cache.generation(name, created), log, progress)
    except NetworkError as problem:
        if not old:
            raise
        days = (time.time() - old.record.created) / 86400
        warn(f"{name} is {days:.1f} days old and could not be renewed: {problem.what}")
        return old
    record = cache.Record(
        content=content.name,
        created=created,
        kind=spec.kind,
        suite=spec.target.suite,
        arch=spec.target.arch,
        size=size_of(run, content, name, created),
        package_count=package_count,
        made_with=run(Command(argv=("mmdebstrap", "--version"))).stdout.strip(),
        mirror=spec.mirror,
        components=spec.components,
        packages=spec.packages,
    )
    return cache.commit(run, shelf, name, record)


def make_base(
    run: Run, spec: ChrootSpec, stem: Path, log: Path, progress: Progress, *, toolboxes: Toolboxes = contextlib.nullcontext
) -> tuple[Path, int]:
    """Make a tarball, and apt's view of it beside it."""
    tarball = stem.with_name(f"{stem.name}.tar.zst")
    temporary = stem.with_name(f"{stem.name}.new.tar.zst")
    aptness = stem.with_name(f"{stem.name}.apt")
    with toolboxes() as toolbox, namespace.scratch(run, "chroot") as work:
        progress.phase(f"making the {spec.kind} chroot of {spec.target}")
        make.bootstrap(run, spec, temporary, work=work, log=log, progress=progress, toolbox=toolbox)
    temporary.rename(tarball)
    progress.phase(f"fetching the package lists of {spec.target}")
    root = apt.prepare(run, tarball, aptness, spec.target.arch)
    apt.update(run, root, progress=progress)
    return tarball, len(installed(aptness))


def size_of(run: Run, content: Path, name: str, created: float) -> int:
    """Give the bytes that a generation takes: files, and trees whose files may belong to subordinate ids."""
    paths = content.parent.glob(f"{cache.generation(name, created)}*")
    du = run(Command(argv=namespace.as_root(("du", "--summarize", "--block-size=1", "--total", *map(os.fspath, paths)))))
    return int(du.stdout.splitlines()[-1].split()[0])


def installed(root: Path) -> dict[str, str]:
    """Give the installed packages of a root, and their versions."""
    found = {}
    for stanza in (root / "var/lib/dpkg/status").read_text(encoding="utf-8", errors="replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith(" "))
        if fields.get("Status") == "install ok installed":
            found[fields["Package"]] = fields.get("Version", "")
    return found
