"""Toolboxes: made of the suite's own packages, cached, and never changed once they count.

They lie under $XDG_CACHE_HOME/debkit/toolboxes/, each keyed on all that it is made of: the foreign packages that it has twins
for, the table, the dispatcher, and qemu. When the suite's packages move on, a new one is made; until then the build-ids of what
is newer are in no map, and it is emulated.

trixie-arm64-toolbox-1a2b3c4d-5e6f7a8b: first what debkit and the machine bring along, then the packages.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit import apt
from debkit.accel import assemble, compiler, dispatcher, edit, stock, table
from debkit.apt import Pin
from debkit.chroot import cache, layers, make, namespace, roots, store
from debkit.chroot.upkeep import TOOLBOX, TOOLBOXES
from debkit.errors import AccelError, DependencyError, HostError, NetworkError
from debkit.host.binfmt import read_handler
from debkit.model import ARCHES, ChrootKind, ChrootSpec, Target, Toolbox
from debkit.paths import put
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from debkit.apt import AptRoot
    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Arch, Chroot
    from debkit.run import Run

LIMIT = 600 * 10**6  # bytes
NOTE = "toolbox.json"  # in an apt root
# What a toolbox is not looked into for (glob(7)). A cross compiler takes headers and libraries of the chroot, not its own, and
# Python all but lib-dynload.
UNUSED = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/bash-completion",
    "var/cache", "var/lib/apt",
    "usr/{gnu}/include", "usr/{gnu}/lib", "usr/lib/gcc-cross/{gnu}/*/include", "usr/lib/gcc-cross/{gnu}/*/*.[ao]",
    "usr/bin/{gnu}-lto-dump-*",
    "usr/lib/go-*/bin", "usr/lib/go-*/pkg/include", "usr/lib/go-*/pkg/linux_*", "usr/lib/go-*/pkg/tool/*/[!acl]*",
    "usr/lib/go-*/pkg/tool/*/addr2line", "usr/lib/go-*/pkg/tool/*/cgo", "usr/lib/go-*/pkg/tool/*/cov*",
    "usr/share/go-*", "usr/lib/python3.*/*[!d]",
)  # fmt: skip
UNUSED_BESIDE_OWN = ("usr/lib/gcc-cross", "usr/libexec/gcc-cross")  # where the compiler was built for the toolbox
# What the table names versions of: the package to read each off, and as much of it as paths have.
VERSIONS = (("gcc", "gcc", r"\d+"), ("go", "golang-go", r"\d+\.\d+"), ("python", "python3", r"\d+\.\d+"))
DISPATCHER_PACKAGES = ("gcc", "libc6-dev")
SEPARATOR = "//"  # as no path in a package
# Unpack the packages $2… in $1 one after the other, and list the files of each.
UNPACK = f"""
set -e -o pipefail
root=$1
shift
for deb; do
  echo {SEPARATOR}
  dpkg-deb --fsys-tarfile "$deb" | tar --extract --verbose --keep-directory-symlink --directory "$root"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a toolbox is made of: the twins of the foreign packages `pins`, which the apt `root` offers, and of `gcc`."""

    target: Target
    native: Arch
    root: AptRoot
    twins: table.Table
    pins: tuple[Pin, ...]
    gcc: compiler.Gcc


def ensure(
    run: Run,
    base: Chroot,
    *,
    native: str,
    config: ChrootConfig,
    build_compiler: bool = False,
    progress: Progress = store.QUIET,
) -> Toolbox:
    """Have the toolbox for a foreign base chroot, of this machine's architecture `native`; it follows the chroot's packages.

    These are what the chroot's lists have, and the native ones what the mirror has now: where they differ, newer lists may help.
    With `build_compiler` the suite's gcc is built where it has no twin yet. Raises AccelError where the table does not fit the
    suite, and what `store.ensure` and `compiler.ensure` raise.
    """
    root = store.apt_root(base)
    recipe = _resolved(run, base.spec.target, root, native=native, progress=progress)
    made = _ensure(run, recipe, config=config, progress=progress)
    if stock.differing(made.path) and time.time() - (apt.updated(root) or 0) > layers.YOUNG_SECONDS:
        with contextlib.suppress(NetworkError):
            apt.update(run, root, progress=progress)
            recipe = _resolved(run, base.spec.target, root, native=native, progress=progress)
            made = _ensure(run, recipe, config=config, progress=progress)
    if build_compiler and not stock.compiler(made.path) and not stock.library_differs(stock.differing(made.path)):
        compiler.ensure(run, recipe.gcc, recipe.root, config=config, progress=progress)
        made = _ensure(run, recipe, config=config, progress=progress)
    return made


def ensure_first(run: Run, target: Target, *, native: str, config: ChrootConfig, progress: Progress = store.QUIET) -> Toolbox:
    """Have a toolbox for a target that may have no chroot yet: that of the mirror's packages of now.

    The newest at hand will do where it is no older than a chroot may be.
    """
    shelf = cache.shelf(TOOLBOXES)
    mine = f"{_stem(target, native, config)}-"
    there = [entry for entry in cache.entries(shelf) if entry.name.startswith(mine) and not store.is_old(entry, config)]
    if found := max(there, key=lambda entry: entry.record.created, default=None):
        cache.touch(found)
        return Toolbox(path=found.content, arch=target.arch)
    with namespace.scratch(run, "lists") as work:
        # Any root of the suite knows where its packages are, and the key that they are signed with.
        with roots.tools(run, target.suite, DISPATCHER_PACKAGES, config=config, progress=progress) as clean:
            members = [name for name in apt.MEMBERS if (clean.path / name).exists()]
            about = work / "about.tar"
            run(Command(argv=("tar", "--create", "--file", os.fspath(about), "--directory", os.fspath(clean.path), *members)))
        root = apt.prepare(run, about, work / "apt", target.arch)
        progress.phase(f"fetching the package lists of {target}")
        apt.update(run, root, progress=progress)
        return _ensure(run, _resolved(run, target, root, native=native, progress=progress), config=config, progress=progress)


def qemu_of(arch: str) -> Path:
    """Find the emulator that this machine runs programs of `arch` with. Raises HostError where there is none, or no program."""
    handler = read_handler(ARCHES[arch], Path("/"))
    if not handler:
        raise HostError(
            f"{arch} is not emulated here", cause="binfmt_misc has no handler", hint=f"debkit doctor --fix --arch {arch}"
        )
    program = Path(handler.interpreter)
    try:
        with program.open("rb") as file:
            whole = file.read(len(edit.MAGIC)) == edit.MAGIC
        cause = "it is no program"
    except OSError as problem:
        whole, cause = False, f"{problem.strerror}: it was removed, and the kernel still has it open"
    if not whole:
        raise HostError(
            f"{program}, which emulates {arch}, cannot be used", cause=cause, hint=f"debkit doctor --fix --arch {arch}"
        )
    return program


def _resolved(run: Run, target: Target, root: AptRoot, *, native: str, progress: Progress) -> Recipe:
    """Decide what a toolbox for the packages that the apt `root` offers is made of; noted, as long as its lists stay the same."""
    ours, theirs, root = ARCHES[native], ARCHES[target.arch], replace(root, empty=True)
    note = root.path / NOTE
    decided_by = [hashlib.sha256(table.TWINS.read_bytes()).hexdigest(), native, apt.updated(root)]
    with cache.locked(run, cache.shelf(TOOLBOXES), f"{target.suite}-{target.arch}-packages", "which resolves them"):
        decided = _noted(note, decided_by)
        if not decided:
            progress.phase("resolving the toolbox")
            versions = {name: version(run, root, package, pattern) for name, package, pattern in VERSIONS}
            pins = foreign_packages(run, root, table.load(ours, theirs, **versions).packages)
            decided = versions, pins
            noted = {"decided_by": decided_by, "versions": versions, "packages": [asdict(pin) for pin in pins]}
            put(note, json.dumps(noted).encode())
    versions, pins = decided
    twins, major = table.load(ours, theirs, **versions), versions["gcc"]
    gcc = compiler.Gcc(target=target, foreign=theirs, native=ours, major=major, version=compiler.version_of(pins, major))
    return Recipe(target=target, native=ours, root=root, twins=twins, pins=pins, gcc=gcc)


def _noted(note: Path, decided_by: list[str | float | None]) -> tuple[dict[str, str], tuple[Pin, ...]] | None:
    """Give the versions and the packages as they were noted; None where there is no whole note, or of something else."""
    try:
        noted: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        if noted["decided_by"] != decided_by:
            return None
        versions = {name: str(noted["versions"][name]) for name, _, _ in VERSIONS}
        return versions, tuple(Pin(**pin) for pin in noted["packages"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _ensure(run: Run, recipe: Recipe, *, config: ChrootConfig, progress: Progress) -> Toolbox:
    own = compiler.find(recipe.gcc)
    name = f"{_stem(recipe.target, recipe.native.name, config)}-{key_of(recipe.pins, own)}"
    shelf = cache.shelf(TOOLBOXES)
    found = _good(shelf, name, config)
    if not found:
        with cache.locked(run, shelf, name, f"which makes {name}", progress=progress):
            found = _good(shelf, name, config) or _make(run, recipe, own, name, config=config, progress=progress)
    cache.touch(found)
    return Toolbox(path=found.content, arch=recipe.target.arch)


def _good(shelf: Path, name: str, config: ChrootConfig) -> cache.Entry | None:
    """Find a toolbox; one with skew is no good when it is old, since that may have gone."""
    entry = cache.find(shelf, name)
    return entry if entry and not (store.is_old(entry, config) and stock.differing(entry.content)) else None


def version(run: Run, root: AptRoot, package: str, pattern: str) -> str:
    """Read the version of the suite's own compiler or interpreter, as much as its path has, off the package that names it."""
    for seen in apt.seen(run, root, package):
        if found := re.match(rf"(?:\d+:)?({pattern})", seen):
            return found[1]
    raise AccelError(
        f"the suite has no {package}", cause="chroot.components leaves main out", hint="look at [chroot] in config/debkit.toml"
    )


def foreign_packages(run: Run, root: AptRoot, names: tuple[str, ...]) -> tuple[Pin, ...]:
    """Give the packages whose programs are to have twins, and what they depend on, but for those that cannot be installed."""
    there = apt.known(run, root, names)
    try:
        return apt.resolve_install(run, root, there)
    except DependencyError:
        return apt.resolve_install(run, root, tuple(name for name in there if _installable(run, root, name)))


def _installable(run: Run, root: AptRoot, name: str) -> bool:
    try:
        apt.solve_install(run, root, (name,))
    except DependencyError:
        return False
    return True


def key_of(pins: tuple[Pin, ...], own: cache.Entry | None) -> str:
    packages = sorted((pin.name, pin.version, pin.sha256) for pin in pins)
    return _digest([packages, own.generation if own else ""])


def _stem(target: Target, native: str, config: ChrootConfig) -> str:
    """Name all that a toolbox is made of, but for the packages."""
    room = sorted(path for path in dispatcher.HOME.iterdir() if path.is_file())
    contents = (*(path.read_bytes() for path in (*room, qemu_of(target.arch))), *map(dispatcher.packaged, dispatcher.MADE_OF))
    sums = [hashlib.sha256(content).hexdigest() for content in contents]
    return f"{target.suite}-{target.arch}-toolbox-{_digest([native, config.mirror, config.components, sums])}"


def _digest(made_of: object) -> str:
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]


def _make(
    run: Run, recipe: Recipe, own: cache.Entry | None, name: str, *, config: ChrootConfig, progress: Progress
) -> cache.Entry:
    target, native = recipe.target, recipe.native
    shelf, created = cache.shelf(TOOLBOXES), int(time.time())
    content, temporary = shelf / cache.generation(name, created), shelf / f"{cache.generation(name, created)}.new"
    spec = ChrootSpec(
        kind=ChrootKind.TOOLS,
        target=Target(target.suite, native.name),
        mirror=config.mirror,
        components=config.components,
        packages=tuple(sorted({entry.native for entry in recipe.twins.twins})),
    )
    with cache.making(run, shelf, name) as log, namespace.scratch(run, "toolbox") as work:
        temporary.mkdir(mode=0o755)
        progress.phase(f"making the toolbox for {target}")
        tarball, reference = work / "native.tar", work / "reference"
        make.bootstrap(run, spec, tarball, work=work, log=log, progress=progress)
        (temporary / "root").mkdir(mode=0o755)
        namespace.unpack(run, tarball, temporary / "root")
        tarball.unlink()
        drop(run, temporary / "root", (pattern.format(gnu=ARCHES[target.arch].triplet) for pattern in UNUSED))
        progress.phase(f"fetching the packages of {target} that have twins")
        with cache.held(cache.shelf("debs")):
            debs = apt.download(run, recipe.root, recipe.pins, cache.shelf("debs"), progress=progress)
            made_of = unpacked(run, reference, recipe.pins, debs)
        differing, unfit = assemble.assemble(temporary, made_of, recipe.twins, native=native, foreign=ARCHES[target.arch])
        apart = compiler.apart(temporary / "root", made_of, recipe.gcc) if own else ()
        if own and not apart:
            with cache.held(own.content):
                compiler.put(own.content, temporary, reference, recipe.gcc)
            drop(run, temporary / "root", UNUSED_BESIDE_OWN)
        told = compiler.told(temporary, recipe.gcc, own=bool(own and not apart))
        stock.note(temporary, (*differing, *apart), told, unfit)
        shutil.copyfile(qemu_of(target.arch), temporary / "qemu")
        (temporary / "qemu").chmod(0o755)
        put_dispatcher(run, target.suite, temporary, config=config, progress=progress)
        seal(run, temporary)
        size = store.size_of(run, content, name, created)
        demand_size(size, target)
        temporary.rename(content)
        record = cache.Record(
            content=content.name,
            created=created,
            kind=TOOLBOX,
            suite=target.suite,
            arch=target.arch,
            size=size,
            package_count=len(store.installed(content / "root")),
            made_with="mmdebstrap",
            mirror=config.mirror,
            components=config.components,
            packages=spec.packages,
        )
        return cache.commit(run, shelf, name, record)


def drop(run: Run, root: Path, patterns: Iterable[str]) -> None:
    """Remove from a native root what is of no use in a toolbox."""
    paths = [os.fspath(path) for pattern in patterns for path in sorted(root.glob(pattern))]
    run(Command(argv=namespace.as_root(("rm", "--recursive", "--force", "--", *paths)), name="rm", minor=True))


def demand_size(size: int, target: Target) -> None:
    """Raise AccelError where a toolbox takes more than its share of the disk, in bytes."""
    if size > LIMIT:
        raise AccelError(
            f"the toolbox for {target} is too big: {size / 10**6:.0f} MB, and {LIMIT / 10**6:.0f} MB is the limit",
            cause="the suite's packages that have twins depend on more than they did",
            hint="DEBKIT_ACCEL=off make deb; and report it",
        )


def unpacked(run: Run, root: Path, pins: tuple[Pin, ...], debs: tuple[Path, ...]) -> assemble.Reference:
    """Unpack packages in a new directory, which is a root with links as Debian has them since its 12. Nothing of them is run."""
    root.mkdir(mode=0o755)
    for name in assemble.MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    argv = namespace.as_root(("bash", "-c", UNPACK, "bash", os.fspath(root), *map(os.fspath, debs)))
    told = run(Command(argv=argv, name="dpkg-deb", separate=True)).stdout
    files = {
        pin.name: assemble.canonical(line.removeprefix(".") for line in lines.splitlines())
        for pin, lines in zip(pins, told.split(f"{SEPARATOR}\n")[1:], strict=True)
    }
    return assemble.Reference(root=root, versions={pin.name: pin.version for pin in pins}, files=files)


def put_dispatcher(run: Run, suite: str, toolbox: Path, *, config: ChrootConfig, progress: Progress) -> None:
    """Put in the dispatcher, with the toolbox's qemu in it, and the answers: debkit-accel's, or compiled now, in a clean root."""
    made = {name: dispatcher.packaged(name) for name in dispatcher.MADE_OF}
    if not all(made.values()):
        progress.phase("compiling the dispatcher")
        with roots.tools(run, suite, DISPATCHER_PACKAGES, config=config, progress=progress) as clean:
            for name in made:
                argv = clean.argv(
                    dispatcher.argv("/mnt/src", f"/mnt/out/{name}", name=name),
                    binds=((toolbox, "/mnt/out"),),
                    read_only=((dispatcher.HOME, "/mnt/src"),),
                )
                run(Command(argv=argv, name="gcc"))
                made[name] = (toolbox / name).read_bytes()
    made[dispatcher.DISPATCHER] = dispatcher.with_qemu(made[dispatcher.DISPATCHER], (toolbox / "qemu").read_bytes())
    for name, program in made.items():
        (toolbox / name).write_bytes(program)
        (toolbox / name).chmod(0o755)


def seal(run: Run, toolbox: Path) -> None:
    """Have all of it belong to the caller, let everybody read it, whatever the umask is, and nobody else write to it.

    In sbuild's namespace the caller is nobody. A build's root has the subordinate ids, so what of a root belongs to these, such
    as /var/mail, would be his to write to.
    """
    for argv in (("chown", "--recursive", "--no-dereference", "0:0"), ("chmod", "--recursive", "a-s,go-w,a+rX")):
        run(Command(argv=namespace.as_root((*argv, os.fspath(toolbox))), minor=True))
