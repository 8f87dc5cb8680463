"""When a chroot comes with a toolbox, and what happens where there can be none."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from debkit import accel, apt
from debkit.accel import assemble, compiler, stock, table, toolbox
from debkit.accel.accelerator import BUILD, RENEW, Accelerator, Notebook, told
from debkit.apt import AptRoot, Pin
from debkit.chroot import cache, make, roots, store
from debkit.config import ChrootConfig
from debkit.console import Quiet
from debkit.errors import AccelError, DiskError, HostError, Interrupted, NetworkError
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


@dataclass
class Shop:
    """Chroots and toolboxes that are made by nobody: `asked` is for which, `making` whether the chroot is made anew."""

    path: Path
    problem: Exception | None = None
    making: bool = False
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    made_with: Toolbox | None = None

    def first(self, _run: object, target: Target, **_: object) -> Toolbox:
        return self._give(f"first {target}")

    def ensure(self, _run: object, base: Chroot, **_: object) -> Toolbox:
        return self._give(f"for {base.spec.target}")

    def _give(self, what: str) -> Toolbox:
        self.asked.append(what)
        if self.problem:
            raise self.problem
        return Toolbox(path=self.path, arch="arm64")

    def chroot(self, _run: object, spec: ChrootSpec, *, toolboxes: store.Toolboxes, **_: object) -> Chroot:
        if self.making:
            with toolboxes() as box:
                self.made_with = box
        return Chroot(spec=spec, tarball=self.path / "base.tar.zst", created=0.0)

    def accelerator(self, *, insists: bool = False, against: str = "") -> Accelerator:
        return Accelerator(
            native="amd64",
            insists=insists,
            against=against,
            tell=lambda line: self.told.append(f"told {line}"),
            warn=lambda line: self.told.append(f"warned {line}"),
        )

    def open(
        self, by: Accelerator | None, target: Target = TARGET, kind: ChrootKind = ChrootKind.BUILD
    ) -> contextlib.AbstractContextManager[Chroot]:
        spec = ChrootSpec(kind=kind, target=target)
        return accel.opened(Recorder(), spec, by=by, config=CONFIG)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(tmp_path)
    monkeypatch.setattr(toolbox, "ensure_first", made.first)
    monkeypatch.setattr(toolbox, "ensure", made.ensure)
    monkeypatch.setattr(store, "ensure", made.chroot)
    return made


def test_a_chroot_that_is_there_comes_with_its_own_toolbox_which_nobody_may_remove_meanwhile(shop: Shop) -> None:
    with shop.open(shop.accelerator()) as chroot:
        assert chroot.toolbox == Toolbox(path=shop.path, arch="arm64")
        with cache.alone(shop.path) as unused:
            assert not unused
    with cache.alone(shop.path) as unused:
        assert unused
    assert shop.asked == ["for bookworm/arm64"]


def test_one_that_is_not_is_made_with_the_toolbox_at_hand(shop: Shop) -> None:
    shop.making = True
    with shop.open(shop.accelerator()):
        pass
    assert shop.asked == ["first bookworm/arm64", "for bookworm/arm64"]
    assert shop.made_with == Toolbox(path=shop.path, arch="arm64")


@pytest.mark.parametrize(("accelerated", "target"), [(False, TARGET), (True, Target("bookworm", "amd64"))])
def test_nothing_is_asked_for_where_nothing_is_emulated_or_all_is(shop: Shop, target: Target, *, accelerated: bool) -> None:
    shop.making = True
    with shop.open(shop.accelerator() if accelerated else None, target) as chroot:
        assert chroot.toolbox is None
    assert not shop.asked
    assert shop.made_with is None


UNCOMPARED = "told armhf is emulated, not accelerated: its tools have not been compared with amd64's"


@pytest.mark.parametrize(("insists", "asked", "told"), [(False, [], [UNCOMPARED]), (True, ["for bookworm/armhf"], [])])
def test_who_insists_has_one_for_an_architecture_of_other_words_and_who_does_not_is_told_once(
    shop: Shop, asked: list[str], told: list[str], *, insists: bool
) -> None:
    by = shop.accelerator(insists=insists)
    for suite in ("bookworm", "trixie")[: 1 if insists else 2]:
        with shop.open(by, Target(suite, "armhf")) as chroot:
            assert bool(chroot.toolbox) == insists
    assert shop.asked == asked
    assert [line for line in shop.told if "compiler" not in line] == told


def test_what_is_against_it_is_told_once_and_only_of_what_is_emulated(shop: Shop) -> None:
    by = shop.accelerator(against="DEBKIT_ACCEL is off")
    with shop.open(by, Target("bookworm", "amd64")):
        pass
    assert not shop.told
    for target in (TARGET, Target("trixie", "arm64"), Target("trixie", "riscv64")):
        with shop.open(by, target) as chroot:
            assert chroot.toolbox is None
    assert not shop.asked
    assert shop.told == ["told foreign chroots are emulated, not accelerated: DEBKIT_ACCEL is off"]


def test_what_proves_acceleration_is_made_without_it(shop: Shop) -> None:
    shop.making = True
    spec = ChrootSpec(kind=ChrootKind.EMULATED, target=TARGET)
    with accel.opened(Recorder(), spec, by=shop.accelerator(insists=True), config=CONFIG) as chroot:
        assert chroot.toolbox is None
    assert (shop.asked, shop.made_with) == ([], None)


@pytest.mark.parametrize(
    ("making", "error", "asked"), [(True, AccelError, "first"), (False, AccelError, "for"), (False, NetworkError, "for")]
)
def test_where_there_can_be_none_the_chroot_is_emulated_and_that_is_told_once(
    shop: Shop, error: type[AccelError | NetworkError], asked: str, *, making: bool
) -> None:
    shop.making, shop.problem = making, error("no such text", cause="gcc has changed", hint="report it")
    by = shop.accelerator()
    for _ in range(2):
        with shop.open(by) as chroot:
            assert chroot.toolbox is None
    assert shop.asked == [f"{asked} bookworm/arm64"]
    assert shop.told == ["warned bookworm/arm64 is emulated, not accelerated: no such text: gcc has changed"]


def test_what_cannot_be_read_or_written_is_such_a_reason_too(shop: Shop) -> None:
    shop.problem = OSError(errno.ENOSPC, "No space left on device", "/x/qemu")
    with shop.open(shop.accelerator()) as chroot:
        assert chroot.toolbox is None
    (warning,) = shop.told
    assert "emulated, not accelerated: the toolbox for bookworm/arm64 could not be made: " in warning
    assert "No space left on device: '/x/qemu'" in warning
    with pytest.raises(DiskError), shop.open(shop.accelerator(insists=True)):
        pass


def test_without_the_network_no_chroot_is_made_so_that_an_old_one_may_serve_on_with_its_toolbox(shop: Shop) -> None:
    shop.making, shop.problem = True, NetworkError("the mirror cannot be reached", cause="no route", hint="again")
    by = shop.accelerator()
    with pytest.raises(NetworkError), shop.open(by):
        pass
    assert not shop.told
    assert not by.notebook.given_up


@pytest.mark.parametrize(("insists", "problem"), [(True, AccelError("what", cause="why", hint="next")), (False, Interrupted(2))])
def test_who_insists_gets_the_error_and_who_stops_is_stopped(shop: Shop, problem: Exception, *, insists: bool) -> None:
    shop.problem = problem
    with pytest.raises(type(problem)), shop.open(shop.accelerator(insists=insists)):
        pass
    assert not shop.told


def test_what_differs_is_told_once(shop: Shop) -> None:
    differing = ("gcc-12-aarch64-linux-gnu 2, not 1", "dash 4, not 3", "g++-12 2, not 1", "gcc-12-aarch64-linux-gnu 2, not 1")
    stock.note(shop.path, differing, "")
    by = shop.accelerator()
    for _ in range(2):
        with shop.open(by):
            pass
    assert shop.told == [
        f"told bookworm/arm64: the compiler is emulated: gcc-12-aarch64-linux-gnu 2, not 1; g++-12 2, not 1{BUILD}",
        "told bookworm/arm64: emulated too: dash 4, not 3",
    ]


def test_of_a_system_without_a_compiler_nothing_is_told_of_one(shop: Shop) -> None:
    stock.note(shop.path, ("gcc-12 2, not 1", "dash 4, not 3"), "")
    with shop.open(shop.accelerator(), kind=ChrootKind.CLEAN):
        pass
    assert shop.told == ["told bookworm/arm64: emulated too: dash 4, not 3"]


def test_of_jobs_beside_each_other_one_tells_a_line() -> None:
    class Slow(set[str]):
        """A set in which looking takes so long that every other job looks meanwhile."""

        def __contains__(self, line: object) -> bool:
            found = super().__contains__(line)
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(0.02)
            return found

    together = threading.Barrier(2)
    notebook = Notebook(told=Slow())
    with ThreadPoolExecutor(2) as jobs:
        assert sorted(jobs.map(notebook.take_down, ["a line"] * 2)) == [False, True]
    assert not notebook.take_down("a line")
    assert notebook.take_down("another")


def test_with_a_native_compiler_the_versions_of_its_packages_do_not_matter(shop: Shop) -> None:
    differing = ("gcc-12 2, not 1", "dash 4, not 3", "gcc-doc 2, not 1")
    stock.note(shop.path, differing, "gcc-12 2, built here")
    assert told(stock.compiler(shop.path), stock.differing(shop.path)) == (
        "native compiler: gcc-12 2, built here",
        "emulated too: dash 4, not 3; gcc-doc 2, not 1",
    )


def test_where_a_library_differs_nothing_is_built_and_what_loads_it_is_told_in_a_line() -> None:
    differing = tuple(f"{name}: libc6 2, not 1" for name in ("gcc-14", "dash", "sed", "sed", "grep", "tar", "gzip"))
    assert told("", (*differing, "dash: libx 1, not 2")) == (
        f"the compiler is emulated: gcc-14: libc6 2, not 1{RENEW}",
        "emulated too: dash, sed, grep and 2 more: libc6 2, not 1; dash: libx 1, not 2",
    )
    assert stock.library_differs(differing)
    assert not stock.library_differs(("gcc-14 2, not 1", "dash: libc6 2, not 1"))


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
