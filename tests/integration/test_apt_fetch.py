"""Packages and sources fetched from a mirror that may have changed in between."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.errors import NetworkError, SourceError
from tests.archives import make_deb, make_source

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes
    from tests.apt_world import World


# Packages


def test_downloads_are_shared_and_verified(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    pins = apt.resolve_install(run, chroot, ("greeter",))
    into = tmp_path / "debs"
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: apt.download(run, chroot, pins, into), range(3)))
    assert results[0] == results[1] == results[2] == tuple(into / f"{pin.sha256}.deb" for pin in pins)
    assert sorted(into.iterdir()) == sorted(results[0]), "nothing half-fetched may stay"
    good = results[0][0].read_bytes()
    world.site.asked.clear()
    apt.download(run, chroot, pins, into)
    assert world.site.asked == []
    results[0][0].write_bytes(good[:-1] + b"x")
    apt.download(run, chroot, pins, into)
    assert results[0][0].read_bytes() == good


def test_what_the_cache_has_of_a_suite_is_verified(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    into = tmp_path / "debs"
    pins = apt.resolve_install(run, chroot, ("greeter",))
    (first, second) = apt.download(run, chroot, pins, into)
    (into / f"{'ab' * 32}.deb").write_bytes(first.read_bytes())  # no list has it
    assert sorted(pin.deb for pin in apt.shelved(run, chroot, into)) == sorted(pin.deb for pin in pins)
    assert set(apt.shelved(run, chroot, into)) == set(pins)
    assert apt.shelved(run, chroot, into, known=[pins[0].sha256]) == pins[1:]
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    assert apt.shelved(run, chroot, into) == pins[:1]


def test_lists_that_are_copied_serve_another_system(
    run: Processes, chroot: apt.AptRoot, tarball: Path, world: World, tmp_path: Path
) -> None:
    other = apt.prepare(run, tarball, tmp_path / "other", "amd64", foreign=("arm64",))
    lists = other.path / "var/lib/apt/lists"
    apt.copy_lists(chroot, lists)
    assert apt.seen(run, other, "greeter") == ("1.0",)
    assert apt.updated(other) is None
    world.site.asked.clear()
    apt.update(run, other)
    assert [path for path in world.site.asked if not path.endswith("InRelease")] == []


def test_what_a_killed_download_has_left_is_swept(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    into = tmp_path / "debs"
    old, living, new = (into / f".download.{name}" for name in ("old", "living", "new"))
    for path in (old, living, new):
        path.mkdir(parents=True)
        (path / "half.deb").touch()
    for path in (old, living):
        os.utime(path, (0, 0))
    descriptor = os.open(living, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    (deb,) = apt.download(run, chroot, apt.resolve_install(run, chroot, ("editor-a",)), into)
    os.close(descriptor)
    assert sorted(into.iterdir()) == sorted([living, new, deb])


def test_a_file_that_is_not_what_the_list_says(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    (pin,) = apt.resolve_install(run, chroot, ("editor-a",))
    deb = world.site.root / pin.filename
    deb.write_bytes(deb.read_bytes()[:-1] + b"x")
    with pytest.raises(NetworkError, match="as its signed list has it"):
        apt.download(run, chroot, (pin,), tmp_path / "debs")
    assert list((tmp_path / "debs").iterdir()) == []


def test_a_superseded_package_is_told_with_fresh_lists(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    pins = apt.resolve_install(run, chroot, ("editor-a",))
    (world.site.root / pins[0].filename).unlink()
    make_deb(world.pool, "editor-a", "1.1")
    world.publish()
    with pytest.raises(apt.Superseded, match="no longer has editor-a 1"):
        apt.download(run, chroot, pins, tmp_path / "debs")
    (again,) = apt.resolve_install(run, chroot, ("editor-a",))
    assert again.version == "1.1"
    assert apt.download(run, chroot, (again,), tmp_path / "debs")[0].is_file()


def test_a_file_that_the_mirror_lacks(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    pins = apt.resolve_install(run, chroot, ("editor-a",))
    (world.site.root / pins[0].filename).unlink()
    with pytest.raises(NetworkError, match=r"the mirror lacks editor-a_1_all\.deb") as caught:
        apt.download(run, chroot, pins, tmp_path / "debs")
    assert not isinstance(caught.value, apt.Superseded)


# Sources


def test_the_newest_source_is_fetched(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    into = tmp_path / "sources"
    assert apt.source(run, chroot, "greeting", into) == into / "greeting_1.10.dsc"
    assert sorted(p.name for p in into.iterdir()) == ["greeting_1.10.dsc", "greeting_1.10.tar.gz"]
    world.site.asked.clear()
    apt.source(run, chroot, "greeting", into)
    assert world.site.asked == [], "neither the lists nor the files are fetched again"
    assert not list((chroot.path / "var/lib/apt/lists").glob("*Sources*"))


def test_a_source_that_has_moved_on_is_looked_up_again(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    apt.source(run, chroot, "greeting", tmp_path / "one")
    for path in world.pool.glob("greeting_1.10*"):
        path.unlink()
    make_source(world.pool, "greeting", "1.11")
    world.publish()
    assert apt.source(run, chroot, "greeting", tmp_path / "two").name == "greeting_1.11.dsc"


def test_a_source_whose_file_the_mirror_lacks(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    (world.pool / "greeting_1.10.tar.gz").unlink()
    with pytest.raises(NetworkError, match=r"the mirror lacks greeting_1\.10\.tar\.gz"):
        apt.source(run, chroot, "greeting", tmp_path / "sources")
    assert not list((tmp_path / "sources").glob("*.dsc")), "a .dsc stands only beside all that it lists"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("greting", ("there is no source package greting", "did you mean greeting?")),
        ("libgreet", ("libgreet is no source package", "debkit build greeting")),
        ("qqq", ("there is no source package qqq", "give a directory with debian/")),
    ],
)
def test_an_unknown_source(run: Processes, chroot: apt.AptRoot, tmp_path: Path, name: str, told: tuple[str, str]) -> None:
    with pytest.raises(SourceError) as caught:
        apt.source(run, chroot, name, tmp_path / "sources")
    assert caught.value.what == told[0]
    assert caught.value.hint.startswith(told[1])
