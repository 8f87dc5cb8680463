"""Toolboxes: made of the suite's own packages, cached, and never changed once they count.

They lie under $XDG_CACHE_HOME/debkit/toolboxes/, each keyed on all that it is made of: the foreign packages that it has twins
for, the table, the dispatcher, and qemu. When the suite's packages move on, a new one is made; until then the build-ids of what
is newer are in no map, and it is emulated.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from typing import TYPE_CHECKING

from debkit import apt
from debkit.accel import assemble, dispatcher, stock, table
from debkit.chroot import cache, make, namespace, roots, store
from debkit.chroot.upkeep import TOOLBOX, TOOLBOXES
from debkit.errors import AccelError, DependencyError
from debkit.model import ARCHES, ChrootKind, ChrootSpec, Target, Toolbox
from debkit.run import Command

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.apt import AptRoot, Pin
    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Arch, Chroot
    from debkit.run import Run

# What a toolbox is not looked into for.
UNUSED = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/bash-completion",
    "var/cache", "var/lib/apt",
)  # fmt: skip


def ensure(run: Run, base: Chroot, *, native: str, qemu: Path, config: ChrootConfig, progress: Progress = store.QUIET) -> Toolbox:
    """Have the toolbox for builds in a foreign base chroot, of this machine's architecture `native`.

    Raises AccelError where the table does not fit the suite, and what `store.ensure` raises.
    """
    ours, theirs = ARCHES[native], ARCHES[base.spec.target.arch]
    root = store.apt_root(base)
    progress.phase("resolving the toolbox")
    twins = table.load(ours, theirs, compiler_version(run, root))
    pins = foreign_packages(run, root, twins.packages)
    name = f"{base.spec.target.suite}-{theirs.name}-toolbox-{key_of(base, pins, qemu)}"
    shelf = cache.shelf(TOOLBOXES)
    found = cache.find(shelf, name)
    if not found:
        with cache.locked(run, shelf, name, f"which makes {name}", progress=progress):
            found = cache.find(shelf, name) or _make(
                run, base, twins, pins, name, native=ours, qemu=qemu, config=config, progress=progress
            )
    cache.touch(found)
    return Toolbox(path=found.content, arch=theirs.name)


def compiler_version(run: Run, root: AptRoot) -> str:
    """Read the major version of the suite's own gcc off the package that names it."""
    for version in apt.seen(run, root, "gcc"):
        if major := re.match(r"(?:\d+:)?(\d+)", version):
            return major[1]
    raise AccelError(
        "the suite has no gcc", cause="chroot.components leaves main out", hint="look at [chroot] in config/debkit.toml"
    )


def foreign_packages(run: Run, root: AptRoot, names: tuple[str, ...]) -> tuple[Pin, ...]:
    """Give the packages whose programs are to have twins, and what they depend on, where the base does not have them."""
    there = []
    for name in names:
        try:
            apt.solve_install(run, root, (name,))
        except DependencyError:
            continue
        there.append(name)
    return apt.resolve_install(run, root, tuple(there))


def key_of(base: Chroot, pins: tuple[Pin, ...], qemu: Path) -> str:
    made_of = [store.generation(base), sorted((pin.name, pin.version, pin.sha256) for pin in pins)]
    room = sorted(path for path in dispatcher.HOME.iterdir() if path.is_file())
    contents = (*(path.read_bytes() for path in (*room, qemu)), dispatcher.packaged())
    sums = [hashlib.sha256(content).hexdigest() for content in contents]
    return hashlib.sha256(json.dumps([made_of, sums]).encode()).hexdigest()[:16]


def _make(
    run: Run,
    base: Chroot,
    twins: table.Table,
    pins: tuple[Pin, ...],
    name: str,
    *,
    native: Arch,
    qemu: Path,
    config: ChrootConfig,
    progress: Progress,
) -> cache.Entry:
    shelf, created = cache.shelf(TOOLBOXES), int(time.time())
    suite, foreign = base.spec.target.suite, ARCHES[base.spec.target.arch]
    content, temporary = shelf / cache.generation(name, created), shelf / f"{cache.generation(name, created)}.new"
    spec = ChrootSpec(
        kind=ChrootKind.TOOLS,
        target=Target(suite, native.name),
        mirror=config.mirror,
        components=config.components,
        packages=tuple(sorted({entry.native for entry in twins.twins})),
    )
    with cache.making(run, shelf, name) as log, namespace.scratch(run, "toolbox") as work:
        temporary.mkdir(mode=0o755)
        progress.phase(f"making the toolbox for {base.spec.target}")
        tarball = work / "native.tar"
        make.bootstrap(run, spec, tarball, work=work, log=log, progress=progress)
        (temporary / "root").mkdir(mode=0o755)
        namespace.unpack(run, tarball, temporary / "root")
        tarball.unlink()
        for path in UNUSED:
            namespace.remove_tree(run, temporary / "root" / path)
        progress.phase(f"fetching the packages of {base.spec.target} that have twins")
        debs = apt.download(run, store.apt_root(base), pins, cache.shelf("debs"), progress=progress)
        with roots.opened(run, base) as reference:
            reference_files = unpacked(run, reference, pins, debs)
            stock.note(temporary, assemble.assemble(temporary, reference_files, twins, native=native, foreign=foreign))
        shutil.copyfile(qemu, temporary / "qemu")
        (temporary / "qemu").chmod(0o755)
        put_dispatcher(run, suite, temporary, config=config, progress=progress)
        seal(run, temporary)
        temporary.rename(content)
        record = cache.Record(
            content=content.name,
            created=created,
            kind=TOOLBOX,
            suite=suite,
            arch=foreign.name,
            size=store.size_of(run, content, name, created),
            package_count=len(store.installed(content / "root")),
            made_with="mmdebstrap",
            mirror=config.mirror,
            components=config.components,
            packages=spec.packages,
        )
        return cache.commit(run, shelf, name, record)


def unpacked(run: Run, root: Path, pins: tuple[Pin, ...], debs: tuple[Path, ...]) -> assemble.Reference:
    """Unpack the packages beside those that are installed in a root. Nothing of them is run."""
    versions, files = store.installed(root), assemble.listed(root)
    for pin, deb in zip(pins, debs, strict=True):
        run(
            Command(
                argv=namespace.as_root(("dpkg-deb", "--extract", os.fspath(deb), os.fspath(root))), name="dpkg-deb", minor=True
            )
        )
        names = run(
            Command(argv=("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar --list', "sh", os.fspath(deb)), minor=True)
        ).stdout
        versions[pin.name] = pin.version
        files[pin.name] = assemble.canonical(line.removeprefix(".") for line in names.splitlines())
    return assemble.Reference(root=root, versions=versions, files=files)


def put_dispatcher(run: Run, suite: str, toolbox: Path, *, config: ChrootConfig, progress: Progress) -> None:
    """Put the dispatcher in, and the toolbox's qemu into it: debkit-accel's, or else compiled now, in a clean root."""
    made, program = toolbox / "dispatch", dispatcher.packaged()
    if not program:
        progress.phase("compiling the dispatcher")
        with roots.tools(run, suite, ("gcc", "libc6-dev"), config=config, progress=progress) as clean:
            argv = clean.argv(
                dispatcher.argv("/mnt/src", "/mnt/out/dispatch"),
                binds=((toolbox, "/mnt/out"),),
                read_only=((dispatcher.HOME, "/mnt/src"),),
            )
            run(Command(argv=argv, name="gcc"))
        program = made.read_bytes()
    made.write_bytes(dispatcher.with_qemu(program, (toolbox / "qemu").read_bytes()))
    made.chmod(0o755)


def seal(run: Run, toolbox: Path) -> None:
    """Have all of it belong to the caller, who is nobody in a build's namespace, and let nobody else write to it.

    A build's root has the subordinate ids, so what of a root belongs to these, such as /var/mail, would be his to write to.
    """
    for argv in (("chown", "--recursive", "--no-dereference", "0:0"), ("chmod", "--recursive", "a-s,go-w")):
        run(Command(argv=namespace.as_root((*argv, os.fspath(toolbox))), minor=True))
