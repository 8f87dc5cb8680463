"""Make a toolbox of a native root: what is mounted at /.native in a foreign chroot.

root/                     the native tree, its programs edited so that they find their loader and libraries here
TRIPLET, LOADER           links into it, at the paths that the edited programs name
map/PATH.BUILD-ID         for the foreign program at PATH with that build-id: a rule and the twin's path, a line each, and the
                          libraries that the chroot must have for it, with theirs
scripts/INTERPRETER/PATH  there when perl or python3 may run that installed script natively: its size and hash; of one with a rule
                          of its own (interpreters.h) that is in the interpreter's place
bfd-plugins               gcc's, for ar(1) and its kin
perl, perl5, perl-base    where perl's twin has the libraries of compiled modules from
answers.so, preload       what twins are told of their machine (answers.c), and how they come to load it
machine, multiarch        what they are told
dispatch, qemu            what the kernel starts foreign programs with, and what emulates those that have no twin

A build-id makes the map exact: a newer program, a diverted one, or one of a build tree, is in it under no name.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debian.deb822 import Deb822, PkgRelation
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from debkit.accel import dispatcher, edit
from debkit.accel.table import Edit
from debkit.chroot.store import installed
from debkit.errors import AccelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from debkit.accel.table import Table, Twins
    from debkit.model import Arch

ID_DIGITS = 16
GO_BUILD_ID = "NT_GNU_GOLD_VERSION"  # as pyelftools calls every note of its type, 4
MERGED = ("bin", "sbin", "lib")  # links to usr/… since Debian 12
# A rebuild of a binary without a change of its source, and a cross compiler's build of the native one's source.
REBUILT = re.compile(r"(\+b\d+|cross\d+)+$")
INSTALLED = "install ok installed"
LIBRARY = re.compile(r"\.so(\.[^/]*)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An unpacked foreign root, the version of each package in it, and each one's files at their canonical paths."""

    root: Path
    versions: Mapping[str, str]
    files: Mapping[str, tuple[str, ...]]


def assemble(
    toolbox: Path, reference: Reference, table: Table, *, native: Arch, foreign: Arch
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Edit the root in the toolbox, and map the programs of the reference to it. Gives what `write_map` and `edit.apply` do."""
    root = toolbox / "root"
    interpreter = read_interpreter(root / "usr/bin/dash")
    edit.relocate(root, edit.relocations(native, interpreter, table.directories))
    unfit = edit.apply(root, table.edits)
    for directory in (native.triplet, *table.directories):
        link(toolbox / directory, f"root/usr/lib/{directory}")
    link(toolbox / Path(edit.loader(interpreter)).name, f"{native.triplet}/{Path(interpreter).name}")
    for name, paths in table.links.items():
        link(toolbox / name, f"root/{next((path for path in paths if (root / path).exists()), paths[0])}")
    (toolbox / "bfd-plugins").mkdir()
    link(toolbox / "bfd-plugins/liblto_plugin.so", "../liblto_plugin.so")
    preload(toolbox, f"usr/lib/{native.triplet}/{Path(interpreter).name}", foreign)
    find_preloaded(root, native)
    divide_perl(toolbox, native=native, foreign=foreign)
    name_modules(root, native=native, foreign=foreign)
    mark_scripts(toolbox, reference, table)
    return write_map(toolbox, reference, table, foreign, unfit), unfit


def preload(toolbox: Path, loader: str, foreign: Arch) -> None:
    """Have the toolbox's loader preload what answers for the foreign machine (answers.c), unseen in a program's environment."""
    (toolbox / "preload").write_text(f"{edit.NATIVE}/{dispatcher.ANSWERS}\n", encoding="utf-8")
    (toolbox / "machine").write_text(foreign.machine, encoding="utf-8")
    (toolbox / "multiarch").write_text(foreign.triplet, encoding="utf-8")
    text = Edit(files=(loader,), old="/etc/ld.so.preload", new=f"{edit.NATIVE}/preload", count=1, reason="ld.so(8)")
    if edit.apply(toolbox / "root", (text,)):
        raise AccelError(
            "native programs cannot be told what machine they are on",
            cause=f"the suite's {Path(loader).name} does not name {text.old} once",
            hint="DEBKIT_ACCEL=off make deb; and report it",
        )


def find_preloaded(root: Path, native: Arch) -> None:
    """Have the native loader find fakeroot's libraries by their name alone, without the directory that fakeroot(1) names."""
    libraries = root / "usr/lib" / native.triplet
    for file in sorted((libraries / "libfakeroot").glob("*.so")):
        link(libraries / file.name, f"libfakeroot/{file.name}")


def mark_scripts(toolbox: Path, reference: Reference, table: Table) -> int:
    """Leave a mark for each script that may run natively; say how many."""
    shutil.rmtree(toolbox / "scripts", ignore_errors=True)
    count = 0
    for scripts in table.scripts:
        for path in reference.files.get(scripts.package, ()):
            file = reference.root / path.lstrip("/")
            if scripts.takes(file.name) and not file.is_symlink() and file.is_file() and interpreted(file, scripts.interpreter):
                mark = toolbox / "scripts" / (scripts.rule or scripts.interpreter) / path.lstrip("/")
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.write_text(fingerprint(file.read_bytes()), encoding="ascii")
                count += 1
    return count


def fingerprint(content: bytes) -> str:
    """Give what the dispatcher knows a script by (fingerprint.h): its size and a hash, FNV-1a of 64 bit."""
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return f"{len(content):016x} {value:016x}\n"


def interpreted(file: Path, interpreter: str) -> bool:
    """Whether a file is a script of that interpreter: by its first line, which Python's modules need not have."""
    if (interpreter, file.suffix) == ("python3", ".py"):
        return True
    with file.open("rb") as stream:
        start, words = stream.read(2), stream.readline(256).decode(errors="replace").split()
    return start == b"#!" and bool(words) and words[0] in {f"/usr/bin/{interpreter}", f"/bin/{interpreter}"}


def divide_perl(toolbox: Path, *, native: Arch, foreign: Arch) -> None:
    """Have the native perl find the modules that the chroot has, its Config(3perl) among them, and no others.

    The libraries of the compiled ones are those that answers.c has it load.
    """
    for directory in sorted((toolbox / "root/usr/lib" / native.triplet).glob("perl*")):
        directory.rename(toolbox / directory.name)
        link(directory, f"/usr/lib/{foreign.triplet}/{directory.name}")


def name_modules(root: Path, *, native: Arch, foreign: Arch) -> None:
    """Give python's compiled modules the foreign ones' names too: the native python looks for those (PEP 3149)."""
    for file in sorted(root.glob(f"usr/lib/python3*/**/*{native.triplet}.so")):
        link(file.with_name(file.name.replace(native.triplet, foreign.triplet)), file.name)


def write_map(
    toolbox: Path, reference: Reference, table: Table, foreign: Arch, unfit: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Write the map, anew. The twins and packages `unfit` are left out.

    Gives the packages that have no twins because versions differ: "PACKAGE THEIRS, not OURS", or "PACKAGE: LIBRARY THEIRS, not
    OURS" where only that of a library does that the twin loads.
    """
    root = toolbox / "root"
    shutil.rmtree(toolbox / "map", ignore_errors=True)
    here, loaded, modules = installed(root), libraries(root), table.modules()
    differing: list[str] = []
    for twins in table.twins:
        ours, theirs = here.get(twins.native), reference.versions.get(twins.package)
        if not ours or not theirs or twins.package in unfit:
            continue
        if not same(ours, theirs):
            differing.append(f"{twins.package} {theirs}, not {ours}")
            continue
        if apart := next(skew((*loaded[twins.native], *modules.get(twins.package, ())), here, reference.versions), None):
            differing.append(f"{twins.package}: {apart}")
            continue
        for path, twin in programs(root, reference, twins):
            if twin not in unfit and (number := build_id(reference.root / path.lstrip("/"))):
                beside = loads(reference.root, path, foreign)
                enter(toolbox, path, number=number, rule=twins.rule, twin=f"{edit.NATIVE}/root{twin}", beside=beside)
    return tuple(differing)


def same(ours: str, theirs: str) -> bool:
    """Whether two versions are of the same source."""
    return REBUILT.sub("", ours) == REBUILT.sub("", theirs)


def skew(packages: Iterable[str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    """Say which of these packages are of other versions on the foreign side; those of other names there cannot be compared."""
    for name in packages:
        if name in theirs and not same(ours.get(name, ""), theirs[name]):
            yield f"{name} {theirs[name]}, not {ours.get(name, 'here')}"


def libraries(root: Path) -> dict[str, tuple[str, ...]]:
    """Give for each installed package those with libraries that are installed because of it, itself left out.

    By what packages depend on, the libraries of programs that a program starts among them: too many rather than too few.
    """
    with (root / "var/lib/dpkg/status").open(encoding="utf-8", errors="replace") as file:
        stanzas = [fields for fields in Deb822.iter_paragraphs(file, use_apt_pkg=False) if fields.get("Status") == INSTALLED]
    givers: dict[str, set[str]] = defaultdict(set)
    for fields in stanzas:
        for name in (fields["Package"], *names(fields.get("Provides", ""))):
            givers[name].add(fields["Package"])
    needs = {
        fields["Package"]: {
            giver for field in ("Pre-Depends", "Depends") for name in names(fields.get(field, "")) for giver in givers[name]
        }
        for fields in stanzas
    }
    shared = {package for package, paths in listed(root).items() if any(LIBRARY.search(path) for path in paths)}
    return {package: tuple(sorted(closure(package, needs) & shared - {package})) for package in needs}


def names(relations: str) -> tuple[str, ...]:
    """Give the packages that a field of a control file names, all alternatives (deb-control(5))."""
    parsed: Any = PkgRelation.parse_relations(relations) if relations else ()
    return tuple(each["name"] for alternatives in parsed for each in alternatives)


def closure(package: str, needs: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Give the package, what it needs, what these need, and so on."""
    found, new = frozenset[str](), frozenset((package,))
    while new:
        found |= new
        new = frozenset(name for each in new for name in needs[each]) - found
    return found


def enter(toolbox: Path, path: str, *, number: str, rule: str, twin: str, beside: Mapping[str, str]) -> None:
    """Enter a twin into the map, for the foreign program at `path` with the build-id `number`.

    It stands for the program `beside` these libraries, build-ids by paths: a chroot's may be upgraded when the program is not.
    """
    entry = toolbox / f"map{path}.{number[:ID_DIGITS]}"
    entry.parent.mkdir(parents=True, exist_ok=True)
    loaded = "".join(f"{path} {number[:ID_DIGITS]}\n" for path, number in sorted(beside.items()))
    entry.write_text(f"{rule}\n{twin}\n\n{loaded}", encoding="utf-8")


def loads(root: Path, program: str, foreign: Arch) -> dict[str, str]:
    """Give the libraries that a foreign program and they themselves ask for, with their build-ids.

    Those in other directories than the loader's own belong to a program's own package, and change with it.
    """
    found: dict[str, str] = {}
    new = [*asks_for(root / program.lstrip("/"))[0]]
    while new:
        name = new.pop()
        places = (f"/usr/lib/{foreign.triplet}/{name}", f"/usr/lib/{name}")
        path = next((place for place in places if (root / place[1:]).exists()), "")
        if path and path not in found:
            more, found[path] = asks_for(root / path[1:])
            new += more
    return {path: number for path, number in found.items() if number}


@functools.cache
def asks_for(path: Path) -> tuple[tuple[str, ...], str]:
    """Read which libraries a program or library asks for by itself (elf(5), DT_NEEDED), and its own build-id."""
    with path.open("rb") as file:
        try:
            tags = (tag for segment in ELFFile(file).iter_segments("PT_DYNAMIC") for tag in segment.iter_tags("DT_NEEDED"))
            return tuple(str(tag.needed) for tag in tags), build_id(path)
        except ELFError:
            return (), ""


def programs(root: Path, reference: Reference, twins: Twins) -> Iterator[tuple[str, str]]:
    """Give the programs of a foreign package that have a twin, and the twin's path, both as seen from their root."""
    for path in reference.files.get(twins.package, ()):
        name = Path(path).name
        file = reference.root / path.lstrip("/")
        if not twins.takes(name) or ".so" in name or file.is_symlink() or not file.is_file() or not os.access(file, os.X_OK):
            continue
        twin = twins.twin(path)
        if (root / twin.lstrip("/")).is_file():
            yield path, twin


def listed(root: Path) -> dict[str, tuple[str, ...]]:
    """Give the files of each package that dpkg has installed in a root."""
    info = sorted((root / "var/lib/dpkg/info").glob("*.list"))
    return {file.stem.partition(":")[0]: canonical(os.fsdecode(file.read_bytes()).splitlines()) for file in info}


def canonical(paths: Iterable[str]) -> tuple[str, ...]:
    """Give each path as the kernel tells it of an open file: /bin is a link to /usr/bin."""
    return tuple(f"/usr{path}" if path.split("/")[1] in MERGED else path for path in paths if path.startswith("/"))


def read_interpreter(program: Path) -> str:
    """Read the loader that a program asks for. Raises AccelError where it does not, or is no program."""
    try:
        with program.open("rb") as file:
            return next(str(segment.get_interp_name()) for segment in ELFFile(file).iter_segments("PT_INTERP"))
    except (OSError, ELFError, StopIteration) as problem:
        raise AccelError(
            f"{program.name} does not say what loads it",
            cause="it is missing, or no program that is linked dynamically",
            hint="DEBKIT_ACCEL=off make deb; and report it",
        ) from problem


def build_id(path: Path) -> str:
    """Read a program's GNU build-id (elf(5), NT_GNU_BUILD_ID), or the one that Go gives it, in hex; empty where it has none."""
    try:
        with path.open("rb") as file:
            for section in ELFFile(file).iter_segments("PT_NOTE"):
                for note in section.iter_notes():
                    if note["n_type"] == "NT_GNU_BUILD_ID":
                        return str(note["n_desc"])
                    if note["n_name"] == "Go" and note["n_type"] == GO_BUILD_ID:
                        return bytes(note["n_descdata"]).hex()
    except ELFError:
        pass
    return ""


def link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
