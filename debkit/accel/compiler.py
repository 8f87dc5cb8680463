"""The suite's own gcc as programs of this machine: for suites whose cross compiler is another version, and makes other code.

Built once from the distribution's source with the patches of the foreign architecture (make-compiler), since the same code
comes of the same source only. It compiles C and C++; Fortran stays emulated where it is needed. Kept under
$XDG_CACHE_HOME/debkit/compilers/, keyed on the version, for every toolbox from then on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit import apt
from debkit.accel import assemble, edit, stock
from debkit.chroot import cache, namespace, roots, store
from debkit.chroot.make import explain
from debkit.chroot.store import installed
from debkit.chroot.upkeep import COMPILER, COMPILERS
from debkit.errors import AccelError
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from debkit.apt import AptRoot, Pin
    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Arch, Target
    from debkit.run import Run

MAKE = Path(__file__).with_name("make-compiler")
# What Debian's gcc is patched, configured and compiled with, since 12.
PACKAGES = (
    "autoconf2.69", "bison", "debhelper", "dpkg-dev", "file", "flex", "g++", "gawk", "libgmp-dev", "libisl-dev", "libmpc-dev",
    "libmpfr-dev", "libzstd-dev", "lsb-release", "m4", "make", "patchutils", "quilt", "time", "xz-utils", "zlib1g-dev",
)  # fmt: skip
CONFIGURED = re.compile(rb"\0(\.\./src/configure [^\0]+)\0")
# What is about more programs than are made here, or about making them in several stages.
LEFT_OUT = re.compile(r"-v$|--(enable-languages|with-build-config|enable-link-(serialization|mutex)|(en|dis)able-bootstrap)\b")
ADDED = ("--enable-languages=c,c++,lto", "--disable-bootstrap")
# Where gcc's source has a language under another name than its own.
DIRECTORIES = {"c++": "cp", "obj-c++": "objcp", "ada": "ada/gcc-interface"}
REBUILT = re.compile(r"\+b\d+$")
PLUGIN = "liblto_plugin.so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gcc:
    """A suite's gcc for an architecture that is foreign to this machine, which is `native`. `version` is its source's."""

    target: Target
    foreign: Arch
    native: Arch
    major: str
    version: str

    def __str__(self) -> str:
        return f"{self.source} {self.version}"

    @property
    def source(self) -> str:
        return f"gcc-{self.major}"

    @property
    def driver(self) -> str:
        return f"/usr/bin/{self.foreign.triplet}-gcc-{self.major}"

    @property
    def name(self) -> str:
        """Name it in the cache, by all that it is made of."""
        made_of = [self.native.name, self.version, hashlib.sha256(MAKE.read_bytes()).hexdigest()]
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]
        return f"{self.target.suite}-{self.target.arch}-compiler-{key}"


def version_of(pins: tuple[Pin, ...], major: str) -> str:
    """Give the version of the gcc among packages, as its source has it; empty where it is not among them."""
    return next((REBUILT.sub("", pin.version) for pin in pins if pin.name == f"gcc-{major}"), "")


def find(gcc: Gcc) -> cache.Entry | None:
    """Give what `ensure` has made, if it has."""
    found = cache.find(cache.shelf(COMPILERS), gcc.name)
    if found:
        cache.touch(found)
    return found


def ensure(run: Run, gcc: Gcc, root: AptRoot, *, config: ChrootConfig, progress: Progress = store.QUIET) -> cache.Entry:
    """Have a gcc as programs of this machine: a tree with each at its foreign path. Half an hour's work for two processors.

    `root` is an apt with nothing installed that knows the foreign packages. Raises AccelError where the source of just this
    version is not to be had, ChrootError where it cannot be built, and what `store.ensure` raises.
    """
    shelf = cache.shelf(COMPILERS)
    found = find(gcc)
    if not found:
        with cache.locked(run, shelf, gcc.name, f"which makes {gcc.name}", progress=progress):
            found = find(gcc) or _make(run, gcc, root, config=config, progress=progress)
    return found


def _make(run: Run, gcc: Gcc, root: AptRoot, *, config: ChrootConfig, progress: Progress) -> cache.Entry:
    shelf, created = cache.shelf(COMPILERS), int(time.time())
    generation = cache.generation(gcc.name, created)
    content, temporary = shelf / generation, shelf / f"{generation}.new"
    with cache.making(run, shelf, gcc.name) as log, namespace.scratch(run, "compiler") as work:
        progress.phase(f"fetching {gcc}, and its source")
        line = configured(driver(run, gcc, root, work, progress=progress))
        dsc = fetch(run, gcc, root, work / "source", progress=progress)
        (work / "tree").mkdir()
        temporary.mkdir(mode=0o755)
        packages = (*PACKAGES, f"binutils-{gcc.foreign.cross}")
        with roots.tools(run, gcc.target.suite, packages, config=config, progress=progress) as clean:
            progress.phase(f"building {gcc} for {gcc.foreign} as a program of {gcc.native}")
            argv = clean.argv(
                make_argv(gcc, dsc.name, line),
                binds=((work / "tree", "/mnt/work"), (temporary, "/mnt/out")),
                read_only=((work / "source", "/mnt/src"), (MAKE.parent, "/mnt/room")),
            )
            try:
                run(Command(argv=argv, log=log, name=MAKE.name), progress.line)
            except CommandFailed as failed:
                raise explain(failed, f"{gcc} for {gcc.foreign} could not be built") from failed
        temporary.rename(content)
        record = cache.Record(
            content=content.name,
            created=created,
            kind=COMPILER,
            suite=gcc.target.suite,
            arch=gcc.target.arch,
            size=store.size_of(run, content, gcc.name, created),
            package_count=0,
            made_with=str(gcc),
            mirror=config.mirror,
            components=config.components,
        )
        return cache.commit(run, shelf, gcc.name, record)


def fetch(run: Run, gcc: Gcc, root: AptRoot, into: Path, *, progress: Progress) -> Path:
    """Download the source package of just this version, and give its .dsc."""
    into.mkdir()
    dsc = apt.source(run, root, gcc.source, into, progress=progress)
    offered = dsc.stem.partition("_")[2]
    if offered != gcc.version:
        raise AccelError(
            f"the source of {gcc} is not to be had",
            cause=f"the mirror has that of {offered}: it does not hold the two together",
            hint="debkit chroot update, then run the same command again",
        )
    return dsc


def driver(run: Run, gcc: Gcc, root: AptRoot, into: Path, *, progress: Progress) -> Path:
    """Have the foreign driver, unpacked; nothing of it is run. Its package is gcc-N-TRIPLET since 14, and was gcc-N."""
    pins = apt.resolve_install(run, root, (gcc.source,))
    own = tuple(pin for pin in pins if pin.name in {gcc.source, f"{gcc.source}-{gcc.foreign.cross}"})
    with cache.held(cache.shelf("debs")):
        for deb in apt.download(run, root, own, cache.shelf("debs"), progress=progress):
            run(Command(argv=("dpkg-deb", "--extract", os.fspath(deb), os.fspath(into / "foreign")), minor=True))
    return into / "foreign" / gcc.driver.lstrip("/")


def configured(program: Path) -> str:
    """Read off a gcc how it was configured. Raises AccelError where it does not say."""
    found = CONFIGURED.search(program.read_bytes())
    if not found:
        raise AccelError(
            f"{program.name} does not say how it was configured",
            cause="it was not built as Debian's own gcc is",
            hint="DEBKIT_ACCEL=off make deb; and report it",
        )
    return found[1].decode()


def make_argv(gcc: Gcc, dsc: str, line: str) -> tuple[str, ...]:
    """Call make-compiler for a gcc that says that it was configured with `line`."""
    arguments = shlex.split(line)[1:]
    told = dict(argument.partition("=")[::2] for argument in arguments)
    languages = {"lto", *told.get("--enable-languages", "").split(",")} - {""}
    directories = sorted(DIRECTORIES.get(language, language) for language in languages)
    kept = (argument for argument in arguments if not LEFT_OUT.match(argument))
    return (
        f"/mnt/room/{MAKE.name}", dsc, gcc.foreign.triplet, gcc.foreign.name, gcc.major, line, " ".join(directories),
        *kept, *ADDED,
    )  # fmt: skip


def apart(root: Path, reference: assemble.Reference, gcc: Gcc) -> tuple[str, ...]:
    """Say which libraries that a gcc built for this machine loads have another version on the foreign side.

    They are those of the cross compiler in the native root.
    """
    loaded = assemble.libraries(root).get(f"cpp-{gcc.major}-{gcc.foreign.cross}", ())
    return tuple(f"{gcc.source}: {line}" for line in assemble.skew(loaded, installed(root), reference.versions))


def told(toolbox: Path, gcc: Gcc, *, own: bool) -> str:
    """Say which native compiler a toolbox has; nothing where it has none, so that the foreign one is emulated."""
    if not any((toolbox / "map").glob(f"usr/lib*/gcc/{gcc.foreign.triplet}/{gcc.major}/cc1.*")):
        return ""
    return f"{gcc}, built from the suite's source" if own else f"{gcc}, which the suite has as a cross compiler too"


def put(compiler: Path, toolbox: Path, reference: Path, native: Arch) -> None:
    """Put it into a toolbox, as `compiler/`, and map the programs of a foreign root to it."""
    tree = toolbox / "compiler"
    shutil.copytree(compiler, tree)
    paths = stock.files(compiler)
    interpreter = assemble.read_interpreter(tree / paths[0].lstrip("/"))
    edit.relocate(tree, edit.relocations(native, interpreter))
    for path in paths:
        program = reference / path.lstrip("/")
        if path.endswith(f"/{PLUGIN}"):
            assemble.link(toolbox / PLUGIN, f"compiler{path}")
        elif program.exists() and (number := assemble.build_id(program)):
            rule = "compiler" if path.startswith("/usr/bin/") else "proper"
            assemble.enter(toolbox, path, number=number, rule=rule, twin=f"{edit.NATIVE}/compiler{path}")
