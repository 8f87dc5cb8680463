from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.accel import assemble, edit, table
from debkit.errors import AccelError
from debkit.model import ARCHES

if TYPE_CHECKING:
    from pathlib import Path

AMD64, ARM64 = ARCHES["amd64"], ARCHES["arm64"]
RULES = {"always", "not-version", "no-floats", "compiler", "proper", "linker", "script"}


@pytest.mark.parametrize(("native", "foreign"), [("amd64", "arm64"), ("arm64", "amd64"), ("amd64", "armhf"), ("amd64", "s390x")])
def test_the_table_can_be_read_for_any_pair(native: str, foreign: str) -> None:
    read = table.load(ARCHES[native], ARCHES[foreign], "14")
    assert {entry.rule for entry in read.twins} <= RULES
    assert all(entry.reason for entry in (*read.twins, *read.scripts))
    assert all(entry.reason for entry in read.edits)
    assert f"binutils-{ARCHES[foreign].triplet}" in read.packages


def test_a_twin_may_be_at_another_path() -> None:
    (proper,) = (entry for entry in table.load(AMD64, ARM64, "14").twins if "cc1plus" in entry.only)
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
    one = table.Edit(files=("tool", "not-there"), old="/usr/lib/gcc-cross/", new="/usr/lib/gcc/", count=1, reason="")
    edit.apply(tmp_path, (one,))
    assert (tmp_path / "tool").read_bytes() == b"\x7fELF\0/usr/lib/gcc/\0\0\0\0\0\0\0/usr/lib/gcc-cross/x\0"
    with pytest.raises(AccelError, match="0 times and not 1"):
        edit.apply(tmp_path, (one,))


def test_a_text_that_has_no_room_leaves_the_program_without_a_twin(tmp_path: Path) -> None:
    (tmp_path / "dpkg").write_bytes(b"\x7fELF\0amd64\0")
    longer = table.Edit(files=("dpkg",), old="amd64", new="ppc64el", count=1, reason="")
    assert edit.apply(tmp_path, (longer,)) == {"/dpkg"}
    assert (tmp_path / "dpkg").read_bytes() == b"\x7fELF\0amd64\0"


def test_only_programs_are_relocated(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/tool").write_bytes(b"\x7fELF /usr/lib/x86_64-linux-gnu/perl /lib64/ld-linux-x86-64.so.2")
    (tmp_path / "usr/bin/script").write_bytes(b"#!/bin/sh\nls /usr/lib/x86_64-linux-gnu\n")
    assert edit.relocate(tmp_path, edit.relocations(AMD64, "/lib64/ld-linux-x86-64.so.2")) == 1
    assert (tmp_path / "usr/bin/tool").read_bytes() == b"\x7fELF /.native/x86_64-linux-gnu/perl /.native/ld-linux-x86-64.so"
    assert b"/usr/lib/x86_64-linux-gnu" in (tmp_path / "usr/bin/script").read_bytes()


def test_scripts_of_the_interpreter_are_marked(tmp_path: Path) -> None:
    reference, toolbox = tmp_path / "reference", tmp_path / "toolbox"
    (reference / "usr/bin").mkdir(parents=True)
    for name, first in (("dh_install", "#!/usr/bin/perl -w"), ("dh_sh", "#!/bin/sh"), ("dpkg-architecture", "#!/usr/bin/perl")):
        (reference / "usr/bin" / name).write_text(f"{first}\n")
    paths = tuple(f"/usr/bin/{name}" for name in ("dh_install", "dh_sh", "gone"))
    files = {"debhelper": paths, "dpkg-dev": ("/usr/bin/dpkg-architecture",)}
    root = assemble.Reference(root=reference, versions={}, files=files)
    assert assemble.mark_scripts(toolbox, root, table.load(AMD64, ARM64, "14")) == 1
    assert [path.relative_to(toolbox).as_posix() for path in toolbox.rglob("*") if path.is_file()] == [
        "scripts/perl/usr/bin/dh_install"
    ]


def test_a_rebuild_is_the_same_source() -> None:
    assert assemble.REBUILT.sub("", "14.2.0-19cross1+b2") == "14.2.0-19"
    assert assemble.REBUILT.sub("", "12.2.0-14+deb12u1") == "12.2.0-14+deb12u1"
