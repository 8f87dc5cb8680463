"""The dispatcher as a file, and what the table of twins asks of it. Its C code has tests in tests/integration."""

from __future__ import annotations

import re
import struct
import tomllib
from pathlib import Path

import pytest

from debkit.accel import dispatcher
from debkit.chroot.namespace import binfmt_entry
from debkit.errors import AccelError
from debkit.host.elf import program
from debkit.model import ARCHES

HEADS = Path(__file__).parents[1] / "data/elf"
HEAD = HEADS / "amd64"
QEMU = b"\x7fELF and so on"


def test_every_rule_of_the_table_is_one_of_the_dispatchers() -> None:
    rules = set(re.findall(r'\{"([a-z-]+)", [a-z_]+\}', (dispatcher.HOME / "decide.h").read_text()))
    assert {
        "always",
        "bash",
        "compiler",
        "gawk",
        "goarch",
        "linker",
        "mawk",
        "no-floats",
        "not-version",
        "proper",
        "script",
    } == rules
    twins = tomllib.loads((dispatcher.HOME / "twins.toml").read_text())["twins"]
    assert {entry["rule"] for entry in twins} <= rules


def test_qemu_becomes_a_segment_of_the_dispatcher() -> None:
    before = HEAD.read_bytes()
    after = dispatcher.with_qemu(before, QEMU)
    offset = after.index(QEMU)
    assert after.endswith(QEMU)
    assert offset % dispatcher.PAGE == 0
    changed = [at for at in range(len(before)) if before[at] != after[at]]
    (headers,) = struct.unpack_from("<Q", before, 32)
    place = headers + (changed[0] - headers) // 56 * 56
    assert struct.unpack_from("<I", before, place) == (dispatcher.PT_NOTE,)
    read_only = (1, 4, offset, 0x10000000, 0x10000000, len(QEMU), len(QEMU), dispatcher.PAGE)
    assert struct.unpack_from("<IIQQQQQQ", after, place) == read_only
    assert changed[-1] < place + 56


def test_a_dispatcher_without_a_note_is_none_of_ours() -> None:
    with pytest.raises(AccelError, match="no room for the emulator"):
        dispatcher.with_qemu(program(ARCHES["amd64"]), QEMU)


def test_the_address_of_qemu_is_said_twice_alike() -> None:
    assert f"OWN_QEMU = {dispatcher.OWN_QEMU:#x}" in (dispatcher.HOME / "dispatch.c").read_text()


@pytest.mark.parametrize("name", sorted(dispatcher.MADE_OF))
def test_an_installed_debkit_takes_the_packaged_ones_of_its_own_sources(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "PACKAGED", tmp_path)
    monkeypatch.setattr(dispatcher, "INSTALLED", dispatcher.HOME.parents[1])
    assert not dispatcher.packaged(name)
    (tmp_path / name).write_bytes(b"\x7fELF " + dispatcher.sources().encode() + b"\0")
    assert dispatcher.packaged(name) == (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"\x7fELF " + b"0" * 64 + b"\0")
    assert not dispatcher.packaged(name), "another version's"


@pytest.mark.parametrize("name", sorted(dispatcher.MADE_OF))
def test_a_checkout_compiles_its_own(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_text(dispatcher.sources())
    monkeypatch.setattr(dispatcher, "PACKAGED", tmp_path)
    assert not dispatcher.packaged(name)


@pytest.mark.parametrize("name", sorted(dispatcher.MADE_OF))
def test_both_are_compiled_with_the_hash_of_their_sources(name: str) -> None:
    assert f'-DSOURCES="{dispatcher.sources()}"' in dispatcher.argv("/src", "/out", name=name)
    source, options = dispatcher.MADE_OF[name]
    assert (dispatcher.HOME / options).exists()
    assert re.search(r"^__attribute__.*\bsources\[\] = SOURCES;$", (dispatcher.HOME / source).read_text(), re.MULTILINE)


@pytest.mark.parametrize("arch", sorted(ARCHES))
def test_the_kernel_hands_over_the_programs_of_one_architecture_and_of_no_other(arch: str) -> None:
    _, *entry = binfmt_entry(ARCHES[arch])
    magic, mask = (bytes.fromhex(text.replace("\\x", "")) for text in entry)

    def taken(name: str) -> bool:
        head = (HEADS / name).read_bytes()
        return all(byte & bits == wanted & bits for byte, bits, wanted in zip(head, mask, magic, strict=False))

    assert [name for name in sorted(ARCHES) if taken(name)] == [arch]
