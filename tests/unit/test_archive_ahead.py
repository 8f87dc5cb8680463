from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from debkit.archive.front import ahead
from debkit.archive.front.ahead import Ahead
from debkit.archive.front.news import News
from debkit.archive.front.page import TOLD
from debkit.archive.reprepro import Entry
from debkit.errors import Interrupted

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 10


def entries(name: str) -> tuple[Entry, ...]:
    files = (
        ("dsc", "source", ".dsc"),
        ("deb", "amd64", "_all.deb"),
        ("deb", "arm64", "_all.deb"),
        ("deb", "amd64", "_amd64.deb"),
    )
    return tuple(
        Entry(type=kind, arch=arch, package=name, version="1", source=name, source_version="1", file=f"pool/{name}_1{suffix}")
        for kind, arch, suffix in files
    )


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...], bool]]:
    """What is read: the .dsc, the packages, and whether by a thread."""
    done: list[tuple[str, tuple[str, ...], bool]] = []

    def note(dsc: Path, debs: tuple[Path, ...]) -> tuple[News, ...]:
        done.append((dsc.name, tuple(deb.name for deb in debs), threading.current_thread() is not threading.main_thread()))
        return (News(dsc.stem, "", ()),)

    monkeypatch.setattr(ahead, "read_news", note)
    return done


def test_what_was_begun_with_is_read_once_and_by_a_thread(tmp_path: Path, read: list[tuple[str, tuple[str, ...], bool]]) -> None:
    with Ahead(tmp_path) as reader:
        reader.begin((entries("a"), entries("b")))
        for name in ("b", "a", "c", "b"):
            assert reader.read_news(tmp_path / f"pool/{name}_1.dsc", ())[0].version == f"{name}_1"
    debs = tuple(f"{name}_1{suffix}" for name in "ab" for suffix in ("_all.deb", "_amd64.deb"))
    assert sorted(read) == [("a_1.dsc", debs[:2], True), ("b_1.dsc", debs[2:], True), ("c_1.dsc", (), False)]


def test_of_more_than_can_be_told_of_none_is_begun(tmp_path: Path, read: list[tuple[str, tuple[str, ...], bool]]) -> None:
    with Ahead(tmp_path) as reader:
        reader.begin(entries(f"p{number}") for number in range(TOLD + 1))
        assert reader.read_news(tmp_path / "pool/p7_1.dsc", ())
    assert read == [("p7_1.dsc", (), False)]


def test_an_interrupt_waits_for_nothing_but_what_is_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go = threading.Event(), threading.Event()
    done = []

    def slow(dsc: Path, debs: tuple[Path, ...]) -> tuple[News, ...]:
        started.set()
        assert go.wait(SECONDS)
        done.append((dsc, debs))
        return ()

    monkeypatch.setattr(ahead, "read_news", slow)

    def interrupted() -> None:
        with Ahead(tmp_path) as reader:
            reader.begin(entries(name) for name in "abc")
            assert started.wait(SECONDS)
            threading.Timer(0.1, go.set).start()
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        interrupted()
    assert len(done) == 1


def test_what_cannot_be_made_ready_is_told_by_who_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(dsc: Path, debs: tuple[Path, ...]) -> tuple[News, ...]:
        raise MemoryError(dsc, debs)

    monkeypatch.setattr(ahead, "read_news", broken)
    with Ahead(tmp_path) as reader:
        reader.begin([entries("a")])
        with pytest.raises(MemoryError):
            reader.read_news(tmp_path / "pool/a_1.dsc", ())
