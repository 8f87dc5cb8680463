"""Which toolbox serves, when one is made or resolved anew, and what is not kept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from debkit import apt
from debkit.accel import assemble, compiler, stock, table, toolbox
from debkit.apt import AptRoot, Pin
from debkit.chroot import cache, make, roots, store
from debkit.config import ChrootConfig
from debkit.console import Quiet
from debkit.errors import AccelError, HostError, NetworkError
from debkit.host.binfmt import Handler
from debkit.model import ARCHES, Chroot, ChrootKind, ChrootSpec, Target, Toolbox
from tests.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.run import Command


CONFIG = ChrootConfig()
TARGET = Target("bookworm", "arm64")
GCC = Pin(
    name="gcc-12", version="12.2.0-14", arch="arm64", filename="pool/g", size=1, sha256="ab" * 32, uri="http://example.org/g"
)


@pytest.mark.parametrize("size", [toolbox.LIMIT, toolbox.LIMIT + 1])
def test_a_toolbox_has_a_limit(size: int) -> None:
    with pytest.raises(AccelError, match="600 MB is the limit") if size > toolbox.LIMIT else contextlib.nullcontext():
        toolbox.demand_size(size, TARGET)


def test_one_that_is_too_big_is_not_kept(shelf: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    def bootstrap(*args: object, **_: object) -> None:
        Path(f"{args[2]}").touch()

    def remove(command: Command) -> None:
        for path in command.argv[command.argv.index("--", 3) + 1 :]:
            shutil.rmtree(path, ignore_errors=True)

    reference = assemble.Reference(root=shelf, versions={}, files={})
    monkeypatch.setattr(make, "bootstrap", bootstrap)
    monkeypatch.setattr(apt, "download", lambda *_, **__: ())
    monkeypatch.setattr(toolbox, "unpacked", lambda *_: reference)
    monkeypatch.setattr(assemble, "assemble", lambda *_, **__: ((), frozenset()))
    monkeypatch.setattr(toolbox, "put_dispatcher", lambda *_, **__: None)
    monkeypatch.setattr(store, "size_of", lambda *_: toolbox.LIMIT + 1)
    recorder.reply("rm", action=remove)
    twins = table.Table(twins=(), scripts=(), links={}, directories=(), edits=())
    native, foreign = ARCHES["amd64"], ARCHES["arm64"]
    gcc = compiler.Gcc(target=TARGET, foreign=foreign, native=native, major="12", version="12.2.0-14")
    root = AptRoot(shelf.parent / "apt", "arm64")
    recipe = toolbox.Recipe(target=TARGET, native=native, root=root, twins=twins, pins=(), gcc=gcc)
    with pytest.raises(AccelError, match="too big"):
        toolbox._make(recorder, recipe, None, "box", config=CONFIG, progress=Quiet())
    assert list(shelf.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "No such file or directory: it was removed"), (b"#!/bin/sh\n", "no program"), (b"", "no program")],
    ids=["gone", "a script", "empty"],
)
def test_an_emulator_that_cannot_be_used_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, cause: str
) -> None:
    emulator = tmp_path / "qemu"
    if content is not None:
        emulator.write_bytes(content)
    handler = Handler(enabled=True, interpreter=f"{emulator}", flags="PF")
    monkeypatch.setattr(toolbox, "read_handler", lambda *_: handler)
    with pytest.raises(HostError) as raised:
        toolbox.ensure_first(Recorder(), TARGET, native="amd64", config=CONFIG)
    assert cause in raised.value.cause
    assert raised.value.hint == "debkit doctor --fix --arch arm64"
    emulator.write_bytes(b"\x7fELF\2\1")
    assert toolbox.qemu_of("arm64") == emulator


@pytest.mark.parametrize(
    ("age", "differing", "network", "made"),
    [
        (7200, ("gcc-14 2, not 1",), True, ["resolved", "updated", "resolved"]),
        (7200, ("gcc-14 2, not 1",), False, ["resolved"]),
        (7200, (), True, ["resolved"]),
        (60, ("gcc-14 2, not 1",), True, ["resolved"]),
    ],
)
def test_where_versions_differ_newer_lists_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[str], *, age: int, differing: tuple[str, ...], network: bool
) -> None:
    done: list[str] = []
    box = Toolbox(path=tmp_path, arch="arm64")
    monkeypatch.setattr(toolbox, "_resolved", lambda *_, **__: done.append("resolved"))
    monkeypatch.setattr(toolbox, "_ensure", lambda *_, **__: box)
    monkeypatch.setattr(stock, "differing", lambda _path: differing)
    monkeypatch.setattr(apt, "updated", lambda _root: time.time() - age)
    monkeypatch.setattr(apt, "update", (lambda *_, **__: done.append("updated")) if network else no_network)
    base = Chroot(spec=ChrootSpec(kind=ChrootKind.BUILD, target=TARGET), tarball=tmp_path / "base.tar.zst", created=0.0)
    assert toolbox.ensure(Recorder(), base, native="amd64", config=CONFIG) == box
    assert done == made


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    emulator = tmp_path / "qemu"
    emulator.write_bytes(b"emulator")
    monkeypatch.setattr(toolbox, "qemu_of", lambda _arch: emulator)
    return cache.shelf("toolboxes")


def no_network(*_: object, **__: object) -> NoReturn:
    raise NetworkError("the mirror cannot be reached", cause="no route", hint="again")


def stored(shelf: Path, name: str, created: int) -> Path:
    record = cache.Record(
        content=cache.generation(name, created), created=created, kind="toolbox", suite=TARGET.suite, arch=TARGET.arch, size=0,
        package_count=0, made_with="mmdebstrap",
    )  # fmt: skip
    (shelf / record.content).mkdir()
    return cache.commit(Recorder(), shelf, name, record).content


def test_a_chroot_is_made_with_the_newest_toolbox_of_the_same_table_mirror_and_emulator(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stem = toolbox._stem(TARGET, "amd64", CONFIG)
    now = int(time.time())
    newest = stored(shelf, f"{stem}-22222222", now - 60)
    stored(shelf, f"{stem}-33333333", now - 120)
    stored(shelf, f"{toolbox._stem(TARGET, 'amd64', ChrootConfig(mirror='http://mirror.example.org'))}-44444444", now)
    assert toolbox.ensure_first(Recorder(), TARGET, native="amd64", config=CONFIG).path == newest
    monkeypatch.setattr(roots, "tools", no_network)
    old = replace(CONFIG, max_age=30.0)
    with pytest.raises(NetworkError):
        toolbox.ensure_first(Recorder(), TARGET, native="amd64", config=old)
    (tmp_path / "qemu").write_bytes(b"another emulator")
    with pytest.raises(NetworkError):
        toolbox.ensure_first(Recorder(), TARGET, native="amd64", config=CONFIG)


def test_what_was_resolved_is_not_resolved_again_until_the_lists_are_newer_or_the_note_is_torn(
    tmp_path: Path, shelf: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shelf.is_relative_to(tmp_path)
    lists = tmp_path / "apt/var/lib/apt/lists/updated"
    lists.parent.mkdir(parents=True)
    lists.touch()
    asked: list[AptRoot] = []

    def resolved(_run: object, root: AptRoot, _names: tuple[str, ...]) -> tuple[Pin, ...]:
        asked.append(root)
        return (GCC,)

    monkeypatch.setattr(toolbox, "version", lambda *_: "12")
    monkeypatch.setattr(toolbox, "foreign_packages", resolved)
    root = AptRoot(tmp_path / "apt", "arm64")
    note = root.path / toolbox.NOTE

    def torn(change: Callable[[dict[str, Any]], object]) -> Callable[[], object]:
        return lambda: change(noted := json.loads(note.read_text())) or note.write_text(json.dumps(noted))

    again = (
        lambda: os.utime(lists, (2, 2)),
        lambda: note.write_text(note.read_text()[:-9]),
        lambda: note.write_text("[]"),
        lambda: note.write_bytes(b"\xff"),
        torn(lambda noted: noted["versions"].clear()),
        torn(lambda noted: noted["packages"][0].update(hue="red")),
        torn(lambda noted: noted.update(packages=1)),
    )
    for times, spoil in enumerate((lambda: None, *again), 1):
        spoil()
        for _ in range(2):
            recipe = toolbox._resolved(recorder, TARGET, root, native="amd64", progress=Quiet())
            assert (recipe.pins, recipe.gcc.version) == ((GCC,), "12.2.0-14")
            assert asked == [replace(root, empty=True)] * times
