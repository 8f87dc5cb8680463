"""When a chroot comes with a toolbox, and what happens where there can be none."""

from __future__ import annotations

import contextlib
import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from debkit import accel
from debkit.accel import stock, toolbox
from debkit.accel.accelerator import BUILD, RENEW, Accelerator, Notebook, told
from debkit.apt import Pin
from debkit.chroot import cache, store
from debkit.config import ChrootConfig
from debkit.errors import AccelError, DiskError, Interrupted, NetworkError
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target, Toolbox
from tests.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

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
