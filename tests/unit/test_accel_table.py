from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile

from debkit.accel import assemble, edit, table
from debkit.errors import AccelError
from debkit.model import ARCHES
from tests.unit.test_accel_compiler import HEADS, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

AMD64, ARM64 = ARCHES["amd64"], ARCHES["arm64"]
RULES = {"always", "bash", "compiler", "gawk", "goarch", "linker", "mawk", "no-floats", "not-version", "proper", "script"}


@pytest.mark.parametrize(("native", "foreign"), [("amd64", "arm64"), ("arm64", "amd64"), ("amd64", "armhf"), ("amd64", "s390x")])
def test_the_table_can_be_read_for_any_pair(native: str, foreign: str) -> None:
    read = table.load(ARCHES[native], ARCHES[foreign], gcc="14", go="1.24", python="3.13")
    assert {entry.rule for entry in read.twins} <= RULES
    assert all(entry.reason for entry in (*read.twins, *read.scripts))
    assert all(entry.reason for entry in read.edits)
    assert f"binutils-{ARCHES[foreign].triplet.replace('_', '-')}" in read.packages


def test_a_twin_may_be_at_another_path() -> None:
    (proper,) = (entry for entry in table.load(AMD64, ARM64, gcc="14", go="1.24", python="3.13").twins if "cc1plus" in entry.only)
    assert proper.takes("cc1plus")
    assert not proper.takes("g++-mapper-server")
    assert proper.twin("/usr/libexec/gcc/aarch64-linux-gnu/14/cc1plus") == "/usr/libexec/gcc-cross/aarch64-linux-gnu/14/cc1plus"
    assert proper.twin("/usr/bin/sed") == "/usr/bin/sed"


@pytest.mark.parametrize("interpreter", ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld64.so.1"])
def test_what_replaces_the_loaders_name_is_as_long(interpreter: str) -> None:
    assert len(edit.loader(interpreter)) == len(interpreter)
    assert edit.loader(interpreter).startswith("/.native/")


def test_texts_are_edited_whole_and_as_often_as_they_should_be(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"\x7fELF\0/usr/lib/gcc-cross/\0/usr/lib/gcc-cross/x\0")
    (tmp_path / "link").symlink_to("tool")
    one = table.Edit(files=("*", "not-there"), old="/usr/lib/gcc-cross/", new="/usr/lib/gcc/", count=1, reason="")
    assert not edit.apply(tmp_path, (one,))
    assert (tmp_path / "tool").read_bytes() == b"\x7fELF\0/usr/lib/gcc/\0\0\0\0\0\0\0/usr/lib/gcc-cross/x\0"
    assert edit.apply(tmp_path, (one,)) == {"/tool"}
    assert edit.apply(tmp_path, (replace(one, packages=("gcc", "cpp")),)) == {"gcc", "cpp"}
    assert edit.apply(tmp_path, (replace(one, files=("none",), packages=("gcc",)),)) == {"gcc"}
    assert edit.apply(tmp_path, (replace(one, files=("none",), packages=("gcc",), optional=True),)) == frozenset()


def test_a_piece_of_a_text_is_edited_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "dpkg").write_bytes(b"\x7fELF\x001.22 (amd64)\0")
    piece = table.Edit(files=("dpkg",), old=" (amd64)", new=" (arm64)", within=True, count=1, reason="")
    assert not edit.apply(tmp_path, (piece,))
    assert (tmp_path / "dpkg").read_bytes() == b"\x7fELF\x001.22 (arm64)\0"
    assert edit.apply(tmp_path, (replace(piece, old=" (arm64)", new=" (ppc64el)"),)) == {"/dpkg"}


def test_a_text_that_has_no_room_leaves_the_program_without_a_twin(tmp_path: Path) -> None:
    (tmp_path / "dpkg").write_bytes(b"\x7fELF\0amd64\0\0\0")
    longer = table.Edit(files=("dpkg",), old="amd64", new="ppc64el", count=1, reason="")
    assert edit.apply(tmp_path, (longer,)) == {"/dpkg"}
    assert (tmp_path / "dpkg").read_bytes() == b"\x7fELF\0amd64\0\0\0"


@pytest.mark.parametrize(
    ("place", "size", "behind", "fits"),
    [(8, 35, b"\0\0\0\0", True), (8, 35, b"\0\0x\0", False), (9, 35, b"\0\0\0\0", False), (8, 30, b"\0\0\0\0", False)],
)
def test_a_long_text_has_the_room_that_its_alignment_leaves(place: int, size: int, behind: bytes, *, fits: bool) -> None:
    before, old, new = bytes(place), "o" * size, "n" * (size + 2)
    one = table.Edit(files=(), old=old, new=new, count=1, reason="")
    changed = edit.replaced(before + old.encode() + b"\0" + behind + b"after", one)
    assert changed == (before + new.encode() + b"\0" + behind[2:] + b"after" if fits else None)


def pointing(*pointers: int, behind: bytes = bytes(64)) -> bytes:
    """Make an ELF program of one segment, at 0x1000, that ends with a text at 0x1100; relative relocations have these addends."""
    text, names = b"\0x86_64-pc-linux-gnu\0", b"\0"
    entries = b"".join(struct.pack("<QQQ", 0x2000 + 8 * number, 8, addend) for number, addend in enumerate(pointers))
    start = 0xFF + len(text)
    sections = start + len(behind) + len(entries) + len(names)
    header = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, sections, 0, 64, 56, 1, 64, 3, 2)
    header += struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0x1000, start, start, 0x1000)
    described = (
        bytes(64),
        struct.pack("<IIQQQQIIQQ", 0, 4, 2, 0, start + len(behind), len(entries), 0, 0, 8, 24),
        struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, sections - len(names), len(names), 0, 0, 1, 0),
    )
    return header.ljust(0xFF, b"\0") + text + behind + entries + names + b"".join(described)


HOST = table.Edit(files=(), old="x86_64-pc-linux-gnu", new="aarch64-unknown-linux-gnu", count=1, reason="")


ARCHITECTURE = table.Edit(files=(), old="amd64", new="arm64", count=1, reason="", operand=True)


@pytest.mark.parametrize(
    ("code", "edit_", "changed"),
    [
        (b"\xc7D$pamd6\xc6D$t4", ARCHITECTURE, b"\xc7D$parm6\xc6D$t4"),
        (b"\xc7D$pamd6\xc6D$t4\0amd64\0", ARCHITECTURE, b"\xc7D$pamd6\xc6D$t4\0arm64\0"),
        (b"\xc7D$pamd6\xc6D$t4\xc7D$pamd6\xc6D$t4", ARCHITECTURE, None),
        (b"\xc7D$pamd6\xc6D$t4", replace(ARCHITECTURE, new="armhf"), None),
        (b"\xc7D$pamd6\xc6D$t4", replace(ARCHITECTURE, operand=False), None),
        (b"nothing", ARCHITECTURE, None),
        (b"\0amd64-microcode\0", ARCHITECTURE, None),
    ],
)
def test_a_short_text_may_be_the_operand_of_an_instruction(code: bytes, edit_: table.Edit, changed: bytes | None) -> None:
    assert edit.replaced(code, edit_) == changed


def test_a_longer_text_goes_where_the_pointers_to_it_can_lead() -> None:
    before = pointing(0x1100, 0x1110, 0x1100)
    after = edit.replaced(before, HOST)
    assert after
    end = 0xFF + len("\0x86_64-pc-linux-gnu\0")
    grown = end + len("aarch64-unknown-linux-gnu\0")
    assert after[end:grown] == b"aarch64-unknown-linux-gnu\0"
    assert after[0x100 : end - 1] == b"x86_64-pc-linux-gnu"
    segment, relocations = next(ELFFile(io.BytesIO(after)).iter_segments()), ELFFile(io.BytesIO(after)).get_section(1)
    assert (segment["p_filesz"], segment["p_memsz"]) == (grown, grown)
    assert [entry["r_addend"] for entry in relocations.iter_relocations()] == [0x1000 + end, 0x1110, 0x1000 + end]


def test_a_text_to_which_a_pointer_leads_may_have_numbers_before_it() -> None:
    numbered = [pointing(pointer).replace(b"\0x86", b"\xffx86") for pointer in (0x1100, 0x1101)]
    assert b"\0aarch64-unknown-linux-gnu\0" in (edit.replaced(numbered[0], HOST) or b"")
    assert edit.replaced(numbered[1], HOST) is None
    assert edit.replaced(pointing(0x1100).replace(b"\0x86", b"-x86"), HOST) is None, "the end of a longer text"


def test_where_a_program_lies_at_its_address_the_pointers_are_words_of_its_data() -> None:
    words = (0x1100, 0x1101, 0x1100 << 8, 0x1100)
    data, names = struct.pack("<4Q", *words), b"\0.data\0"
    text = b"\0x86_64-pc-linux-gnu\0"
    start = 0xFF + len(text)
    sections = start + 64 + len(data) + len(names)
    header = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, sections, 0, 64, 56, 1, 64, 3, 2)
    header += struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0x1000, start, start, 0x1000)
    described = (
        bytes(64),
        struct.pack("<IIQQQQIIQQ", 1, 1, 3, 0x2000, start + 64, len(data), 0, 0, 8, 0),
        struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, sections - len(names), len(names), 0, 0, 1, 0),
    )
    after = edit.replaced(header.ljust(0xFF, b"\0") + text + bytes(64) + data + names + b"".join(described), HOST)
    assert after
    assert after[start:].startswith(b"aarch64-unknown-linux-gnu\0")
    section = ELFFile(io.BytesIO(after)).get_section_by_name(".data")
    assert struct.unpack("<4Q", section.data()) == (0x1000 + start, *words[1:3], 0x1000 + start)


@pytest.mark.parametrize(
    "program",
    [
        pointing(0x1110),
        pointing(0x1100, behind=b"\1" * 64),
        pointing(0x1100).replace(b"\x7fELF", b"ELF!"),
        b"\0x86_64-pc-linux-gnu\0",
    ],
    ids=["only code leads there", "no room", "no program", "nothing else"],
)
def test_a_longer_text_that_can_be_nowhere_is_not_made(program: bytes) -> None:
    assert edit.replaced(program, HOST) is None


@pytest.mark.parametrize(
    ("arch", "name"), [("amd64", "x86_64-pc-linux-gnu"), ("arm64", "aarch64-unknown-linux-gnu"), ("i386", "i686-pc-linux-gnu")]
)
def test_canonical_names(arch: str, name: str) -> None:
    assert table.canonical(ARCHES[arch]) == name


def test_every_twin_is_told_of_the_foreign_machine(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "ld.so").write_bytes(b"\x7fELF\0/etc/ld.so.preload\0")
    assemble.preload(tmp_path, "ld.so", ARM64)
    assert (root / "ld.so").read_bytes() == b"\x7fELF\0/.native/preload" + bytes(3)
    assert (tmp_path / "preload").read_text() == "/.native/answers.so\n"
    assert (tmp_path / "machine").read_text() == "aarch64"
    assert (tmp_path / "multiarch").read_text() == "aarch64-linux-gnu"
    with pytest.raises(AccelError, match="told"):
        assemble.preload(tmp_path, "ld.so", ARM64)


def test_libraries_to_preload_are_found_by_name(tmp_path: Path) -> None:
    libraries = tmp_path / "usr/lib/x86_64-linux-gnu"
    (libraries / "libfakeroot").mkdir(parents=True)
    (libraries / "libfakeroot/libfakeroot-sysv.so").touch()
    assemble.find_preloaded(tmp_path, AMD64)
    assert (libraries / "libfakeroot-sysv.so").exists()


def test_perl_has_the_chroots_modules_and_only_the_libraries_are_the_toolboxs(tmp_path: Path) -> None:
    library = tmp_path / "root/usr/lib/x86_64-linux-gnu/perl5/5.40/auto/X/X.so"
    library.parent.mkdir(parents=True)
    library.write_text("native")
    assemble.divide_perl(tmp_path, native=AMD64, foreign=ARM64)
    assert (tmp_path / "root/usr/lib/x86_64-linux-gnu/perl5").readlink() == Path("/usr/lib/aarch64-linux-gnu/perl5")
    assert (tmp_path / "perl5/5.40/auto/X/X.so").read_text() == "native"


def test_compiled_modules_of_python_have_the_foreign_names_too(tmp_path: Path) -> None:
    modules = tmp_path / "usr/lib/python3.13/lib-dynload"
    modules.mkdir(parents=True)
    (modules / "_json.cpython-313-x86_64-linux-gnu.so").write_text("native")
    assemble.name_modules(tmp_path, native=AMD64, foreign=ARM64)
    assert (modules / "_json.cpython-313-aarch64-linux-gnu.so").read_text() == "native"


def test_only_programs_are_relocated(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/tool").write_bytes(b"\x7fELF /usr/lib/man-db /usr/lib/x86_64-linux-gnu/perl /lib64/ld-linux-x86-64.so.2")
    (tmp_path / "usr/bin/script").write_bytes(b"#!/bin/sh\nls /usr/lib/x86_64-linux-gnu\n")
    (tmp_path / "usr/bin/gconv-modules.cache").write_bytes(b"\0/usr/lib/x86_64-linux-gnu/gconv/\0")
    assert edit.relocate(tmp_path, edit.relocations(AMD64, "/lib64/ld-linux-x86-64.so.2", ("man-db",))) == 2
    assert (
        tmp_path / "usr/bin/tool"
    ).read_bytes() == b"\x7fELF /.native/man-db /.native/x86_64-linux-gnu/perl /.native/ld-linux-x86-64.so"
    assert (tmp_path / "usr/bin/gconv-modules.cache").read_bytes() == b"\0/.native/x86_64-linux-gnu/gconv/\0"
    assert b"/usr/lib/x86_64-linux-gnu" in (tmp_path / "usr/bin/script").read_bytes()


def test_scripts_of_the_interpreter_are_marked(tmp_path: Path) -> None:
    reference, toolbox = tmp_path / "reference", tmp_path / "toolbox"
    (reference / "usr/bin").mkdir(parents=True)
    for name, first in (("dh_install", "#!/usr/bin/perl -w"), ("dh_sh", "#!/bin/sh"), ("cpan", "#!/usr/bin/perl")):
        (reference / "usr/bin" / name).write_text(f"{first}\n")
    paths = tuple(f"/usr/bin/{name}" for name in ("dh_install", "dh_sh", "gone"))
    files = {"debhelper": paths, "perl": ("/usr/bin/cpan",)}
    root = assemble.Reference(root=reference, versions={}, files=files)
    assert assemble.mark_scripts(toolbox, root, table.load(AMD64, ARM64, gcc="14", go="1.24", python="3.13")) == 1
    assert [path.relative_to(toolbox).as_posix() for path in toolbox.rglob("*") if path.is_file()] == [
        "scripts/perl/usr/bin/dh_install"
    ]
    assert (toolbox / "scripts/perl/usr/bin/dh_install").read_text() == assemble.fingerprint(b"#!/usr/bin/perl -w\n")


def test_a_script_is_known_by_its_size_and_hash() -> None:
    """By the vectors of FNV's authors; the dispatcher's own test has the same."""
    assert assemble.fingerprint(b"") == "0000000000000000 cbf29ce484222325\n"
    assert assemble.fingerprint(b"a") == "0000000000000001 af63dc4c8601ec8c\n"
    assert assemble.fingerprint(b"foobar") == "0000000000000006 85944171f73967e8\n"


@pytest.mark.parametrize("content", [None, b"#!/bin/sh\n", whole(HEADS / "arm64")[:100], whole(HEADS / "arm64")[:64]])
def test_what_does_not_say_what_loads_it_is_told(tmp_path: Path, content: bytes | None) -> None:
    program = tmp_path / "dash"
    if content is not None:
        program.write_bytes(content)
    with pytest.raises(AccelError, match="dash does not say what loads it"):
        assemble.read_interpreter(program)


STATUS = """
Package: {package}
Status: install ok installed
Version: {version}
{fields}"""


def twins_of(tmp_path: Path, ours: Mapping[str, tuple[str, str]], theirs: Mapping[str, str]) -> tuple[set[str], tuple[str, ...]]:
    """Map coreutils, of this version and these fields here, and dash; give the programs mapped, and what differs."""
    toolbox, reference = tmp_path / "toolbox", tmp_path / "reference"
    info = toolbox / "root/var/lib/dpkg/info"
    info.mkdir(parents=True)
    stanzas = [STATUS.format(package=name, version=version, fields=fields) for name, (version, fields) in ours.items()]
    (info.parent / "status").write_text("".join(stanzas))
    for name in ours:
        shared = f"/usr/lib/x86_64-linux-gnu/{name}.so.6\n" if name.startswith("lib") else ""
        (info / (f"{name}:amd64.list" if shared else f"{name}.list")).write_text(f"/.\n/usr/share/doc/{name}\n{shared}")
    for path in ("usr/bin/cat", "usr/bin/dash"):
        for root in (toolbox / "root", reference):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(whole(HEADS / "arm64"))
            (root / path).chmod(0o755)
    foreign = assemble.Reference(root=reference, versions=theirs, files=FILES)
    chosen = tuple(table.Twins(package=name, native=name, rule="always", reason="", loaded_by=loaded_by(name)) for name in FILES)
    empty = table.Table(twins=chosen, scripts=(), links={}, directories=(), edits=())
    differing = assemble.write_map(toolbox, foreign, empty, ARCHES["arm64"])
    return {file.name.partition(".")[0] for file in (toolbox / "map").rglob("*") if file.is_file()}, differing


def loaded_by(package: str) -> str:
    return "dash" if package == "libfor-dash" else ""


FILES = {"coreutils": ("/usr/bin/cat",), "dash": ("/usr/bin/dash",), "libfor-dash": ()}
HERE = {
    "coreutils": ("9.7-3", "Pre-Depends: libacl1 (>= 2.2), libselinux1 (>= 3) | libgone1\nDepends: awk, libcross\n"),
    "dash": ("0.5-1", ""),
    "libacl1": ("2.3-2+b1", "Depends: libc6 (>= 2.38)\n"),
    "libc6": ("2.41-13", "Depends: libgcc-s1\n"),
    "libgcc-s1": ("14-1", "Depends: libc6\n"),
    "libselinux1": ("3.8-4", ""),
    "libcross-arm64": ("1", "Provides: libcross (= 1)\n"),
    "mawk": ("1.3-1", "Provides: awk\n"),
}
THERE = {name: version for name, (version, _) in HERE.items() if name != "libcross-arm64"} | {"libacl1": "2.3-2"}


@pytest.mark.parametrize(
    ("theirs", "differing"),
    [
        ({}, ()),
        ({"libc6": "2.41-12"}, ("coreutils: libc6 2.41-12, not 2.41-13",)),
        ({"libselinux1": "3.8-5", "libgcc-s1": "14-2"}, ("coreutils: libgcc-s1 14-2, not 14-1",)),
        ({"libcross-arm64": "2"}, ("coreutils: libcross-arm64 2, not 1",)),
        ({"mawk": "1.3-2"}, ()),
        ({"coreutils": "9.7-4", "libc6": "2.41-12"}, ("coreutils 9.7-4, not 9.7-3",)),
    ],
    ids=["rebuilds only", "by way of another library", "the first of two", "provided", "no library", "the tool itself"],
)
def test_a_twin_has_the_same_libraries(tmp_path: Path, theirs: dict[str, str], differing: tuple[str, ...]) -> None:
    assert twins_of(tmp_path, HERE, THERE | theirs) == ({"dash"} if differing else {"cat", "dash"}, differing)


@pytest.mark.parametrize(
    ("ours", "theirs", "differing"),
    [
        ({"libfor-dash": ("1", "")}, {"libfor-dash": "1+b1"}, ()),
        ({"libfor-dash": ("1", "")}, {"libfor-dash": "2"}, ("dash: libfor-dash 2, not 1", "libfor-dash 2, not 1")),
        ({}, {"libfor-dash": "2"}, ("dash: libfor-dash 2, not here",)),
    ],
)
def test_where_a_twins_modules_are_others_there_is_no_twin(
    tmp_path: Path, ours: dict[str, tuple[str, str]], theirs: dict[str, str], differing: tuple[str, ...]
) -> None:
    assert twins_of(tmp_path, HERE | ours, THERE | theirs) == ({"cat"} if differing else {"cat", "dash"}, differing)


def test_a_rebuild_is_the_same_source() -> None:
    assert assemble.REBUILT.sub("", "14.2.0-19cross1+b2") == "14.2.0-19"
    assert assemble.REBUILT.sub("", "12.2.0-14+deb12u1") == "12.2.0-14+deb12u1"


def test_a_text_that_only_some_suites_have_is_replaced_where_it_is() -> None:
    one = table.Edit(files=(), old="/lib/x/", new="/.nativ", count=1, optional=True, reason="")
    assert edit.replaced(b"\0/lib/x/\0", one) == b"\0/.nativ\0"
    assert edit.replaced(b"\0/elsewhere\0", one) == b"\0/elsewhere\0"
    assert edit.replaced(b"\0/lib/x/\0a\0/lib/x/\0", one) is None
