"""A foreign gcc built as a program of this machine: what is asked for, and how it comes into a toolbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from debkit.accel import compiler
from debkit.apt import Pin
from debkit.errors import AccelError
from debkit.model import ARCHES, Target

HEADS = Path(__file__).parents[1] / "data/elf"

# What the gcc-12 of Debian 12 and the gcc-14 of Debian 13 for arm64 say.
LINE_12 = (
    "../src/configure -v --with-pkgversion='Debian 12.2.0-14+deb12u1' --with-bugurl=file:///usr/share/doc/gcc-12/README.Bugs "
    "--enable-languages=c,ada,c++,go,d,fortran,objc,obj-c++,m2 --prefix=/usr --with-gcc-major-version-only --program-suffix=-12 "
    "--program-prefix=aarch64-linux-gnu- --libexecdir=/usr/lib --enable-default-pie --enable-fix-cortex-a53-843419 "
    "--build=aarch64-linux-gnu --host=aarch64-linux-gnu --target=aarch64-linux-gnu"
)
LINE_14 = LINE_12.replace("12", "14").replace(
    "--build=", "--with-build-config=bootstrap-lto-lean --enable-link-serialization=2 --build="
)
GCC = compiler.Gcc(
    target=Target("bookworm", "arm64"), foreign=ARCHES["arm64"], native=ARCHES["amd64"], major="12", version="12.2.0-14+deb12u1"
)


def whole(head: Path) -> bytes:
    """The beginning of a program as a whole one: without sections, which are at its end."""
    program = bytearray(head.read_bytes())
    program[0x28:0x30], program[0x3C:0x40] = bytes(8), bytes(4)
    return bytes(program)


def test_it_is_configured_as_the_foreign_one_but_for_what_is_not_made() -> None:
    argv = compiler.make_argv(GCC, "gcc-12_12.2.0-14+deb12u1.dsc", LINE_12)
    assert argv[:6] == (
        "/mnt/room/make-compiler", "gcc-12_12.2.0-14+deb12u1.dsc", "aarch64-linux-gnu", "arm64", "12", LINE_12,
    )  # fmt: skip
    assert argv[6].split() == ["ada/gcc-interface", "c", "cp", "d", "fortran", "go", "lto", "m2", "objc", "objcp"]
    assert argv[7] == "--with-pkgversion=Debian 12.2.0-14+deb12u1"
    assert {"--libexecdir=/usr/lib", "--enable-fix-cortex-a53-843419", "--host=aarch64-linux-gnu"} < set(argv)
    assert argv[-2:] == compiler.ADDED
    assert not {"-v", "--enable-languages=c,ada,c++,go,d,fortran,objc,obj-c++,m2"} & set(argv)


def test_it_is_not_built_in_stages() -> None:
    argv = compiler.make_argv(replace(GCC, major="14"), "gcc-14.dsc", LINE_14)
    assert "--with-gcc-major-version-only" in argv
    assert not [argument for argument in argv[7:] if "build-config" in argument or "serialization" in argument]


def test_the_line_is_read_off_a_program(tmp_path: Path) -> None:
    program = tmp_path / "aarch64-linux-gnu-gcc-12"
    program.write_bytes(b"\x7fELF\0" + LINE_12.encode() + b"\0more\0")
    assert compiler.configured(program) == LINE_12
    program.write_bytes(b"\x7fELF\0nothing\0")
    with pytest.raises(AccelError, match="does not say how it was configured"):
        compiler.configured(program)


def test_a_rebuild_is_of_the_same_source() -> None:
    pin = Pin(name="gcc-12", version="12.2.0-14+deb12u1+b3", arch="arm64", filename="", size=1, sha256="", uri="")
    assert compiler.version_of((replace(pin, name="gcc-12-base", version="9"), pin), "12") == GCC.version
    assert not compiler.version_of((pin,), "13")


def test_another_version_or_machine_is_another_entry_of_the_cache() -> None:
    names = {gcc.name for gcc in (GCC, replace(GCC, version="12.2.0-14"), replace(GCC, native=ARCHES["arm64"]))}
    assert len(names) == 3
    assert all(name.startswith("bookworm-arm64-compiler-") for name in names)


def test_a_toolbox_gets_it_with_an_entry_for_each_program_that_the_foreign_root_has(tmp_path: Path) -> None:
    made, toolbox, reference = tmp_path / "made", tmp_path / "toolbox", tmp_path / "reference"
    library = "usr/lib/gcc/aarch64-linux-gnu/12"
    driver, proper, wrapper = "usr/bin/aarch64-linux-gnu-gcc-12", f"{library}/cc1", f"{library}/lto-wrapper"
    for root, head, paths in (
        (made, "amd64", (driver, proper, wrapper, f"{library}/liblto_plugin.so")),
        (reference, "arm64", (driver, proper, f"{library}/liblto_plugin.so")),
    ):
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(whole(HEADS / head))
    toolbox.mkdir()
    compiler.put(made, toolbox, reference, GCC)
    entries = {file.relative_to(toolbox).with_suffix("").as_posix(): file.read_text() for file in toolbox.glob("map/**/*.*")}
    assert entries == {
        f"map/{driver}": f"compiler\n/.native/compiler/{driver}\n\n",
        f"map/{proper}": f"proper\n/.native/compiler/{proper}\n\n",
    }
    assert b"/.native/ld-linux-x86-64.so" in (toolbox / "compiler" / proper).read_bytes()
    assert b"/.native/" not in (made / proper).read_bytes()
    assert (toolbox / "liblto_plugin.so").readlink().as_posix() == f"compiler/{library}/liblto_plugin.so"
