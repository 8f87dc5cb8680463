"""When a chroot is made, taken as it is, renewed or removed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.apt import AptRoot
from debkit.chroot import cache, store, upkeep
from debkit.config import ChrootConfig
from debkit.console import Quiet
from debkit.errors import ChrootError, NetworkError
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target
from tests.recorder import Recorder, contains

if TYPE_CHECKING:
    from debkit.run import Command

SPEC = ChrootSpec(kind=ChrootKind.BUILD, target=Target("trixie", "arm64"))
CONFIG = ChrootConfig()
STATUS = "Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: deinstall ok config-files\n\n"


@pytest.fixture
def machine(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A machine whose mmdebstrap and apt work."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def written(command: Command) -> None:
        tarball = next(word for word in command.argv if word.endswith(".tar.zst"))
        Path(tarball).write_bytes(b"root")

    recorder.reply("mmdebstrap", "--mode=root", action=written)
    recorder.reply("du", "--summarize", stdout="3\tx\n1\ty\n4\ttotal\n")
    recorder.reply("mmdebstrap", "--version", stdout="mmdebstrap 1.3.5\n")

    def prepare(_run: object, tarball: Path, path: Path, arch: str) -> AptRoot:
        assert tarball.read_bytes() == b"root"
        (path / "var/lib/dpkg").mkdir(parents=True)
        (path / "var/lib/dpkg/status").write_text("\n" + STATUS)
        return AptRoot(path, arch)

    monkeypatch.setattr(apt, "prepare", prepare)
    monkeypatch.setattr(apt, "update", lambda _run, _root, progress: None)
    return recorder


def made(run: Recorder) -> int:
    return sum(contains(command.argv, ("mmdebstrap", "--mode=root")) for command in run.commands)


def age(chroot: Chroot, days: float) -> None:
    """Make a cached chroot look older."""
    shelf, name = cache.shelf("chroots"), store.name_of(chroot.spec)
    entry = cache.find(shelf, name)
    assert entry
    created = int(time.time() - days * 86400)
    aged = cache.generation(name, created)
    for path in shelf.glob(f"{entry.generation}*"):
        path.rename(shelf / path.name.replace(entry.generation, aged))
    record = {**json.loads((shelf / f"{name}.json").read_text()), "created": created, "content": f"{aged}.tar.zst"}
    (shelf / f"{name}.json").write_text(json.dumps(record))


def test_equal_specs_share_a_readable_name() -> None:
    name = store.name_of(SPEC)
    assert name.startswith("trixie-arm64-build-")
    assert name == store.name_of(ChrootSpec(kind=ChrootKind.BUILD, target=Target("trixie", "arm64")))


@pytest.mark.parametrize(
    "other",
    [
        ChrootSpec(kind=ChrootKind.CLEAN, target=SPEC.target),
        ChrootSpec(kind=SPEC.kind, target=Target("bookworm", "arm64")),
        ChrootSpec(kind=SPEC.kind, target=Target("trixie", "amd64")),
        ChrootSpec(kind=SPEC.kind, target=SPEC.target, mirror="http://mirror.example.org/debian"),
        ChrootSpec(kind=SPEC.kind, target=SPEC.target, components=("main", "contrib")),
        ChrootSpec(kind=SPEC.kind, target=SPEC.target, packages=("ccache",)),
    ],
)
def test_each_part_of_a_spec_counts(other: ChrootSpec) -> None:
    assert store.name_of(other) != store.name_of(SPEC)


def test_extra_packages_go_into_build_chroots_only() -> None:
    config = ChrootConfig(packages=("ccache",), components=("main", "contrib"), mirror="http://mirror.example.org/debian")
    build = store.wanted(ChrootKind.BUILD, SPEC.target, config)
    clean = store.wanted(ChrootKind.CLEAN, SPEC.target, config)
    assert (build.packages, clean.packages) == (("ccache",), ())
    assert build.mirror == clean.mirror == config.mirror
    assert build.components == clean.components == config.components


def test_a_chroot_is_made_once(machine: Recorder) -> None:
    first = store.ensure(machine, SPEC, config=CONFIG)
    second = store.ensure(machine, SPEC, config=CONFIG)
    assert first == second
    assert first.tarball.read_bytes() == b"root"
    assert made(machine) == 1
    assert store.apt_root(first) == AptRoot(first.tarball.with_name(f"{store.generation(first)}.apt"), "arm64")
    assert store.apt_root(first).path.is_dir()
    (item,) = upkeep.listing(CONFIG)
    assert (item.kind, item.suite, item.arch, item.size, item.package_count) == ("build", "trixie", "arm64", 4, 1)
    assert item.fresh


def test_an_old_one_is_renewed(machine: Recorder) -> None:
    first = store.ensure(machine, SPEC, config=CONFIG)
    age(first, 6.9)
    store.ensure(machine, SPEC, config=CONFIG)
    assert made(machine) == 1
    age(first, 7.1)
    assert not upkeep.listing(CONFIG)[0].fresh
    store.ensure(machine, SPEC, config=CONFIG)
    assert made(machine) == 2


def test_refresh_renews_a_young_one(machine: Recorder) -> None:
    first = store.ensure(machine, SPEC, config=CONFIG)
    second = store.ensure(machine, SPEC, config=CONFIG, refresh=True)
    assert second.created > first.created
    assert second.tarball != first.tarball


def test_without_a_network_the_old_one_serves_on_with_a_warning(machine: Recorder) -> None:
    first = store.ensure(machine, SPEC, config=CONFIG)
    machine.reply("mmdebstrap", "--mode=root", stdout="E: Temporary failure resolving 'x'\n", code=25)
    warnings: list[str] = []
    assert store.ensure(machine, SPEC, config=CONFIG, refresh=True, warn=warnings.append) == first
    assert len(warnings) == 1
    assert "could not be renewed: mmdebstrap failed" in warnings[0]
    assert first.tarball.exists()
    assert store.apt_root(first).path.is_dir()


def test_without_a_network_and_an_old_one_there_is_an_error(machine: Recorder) -> None:
    machine.reply("mmdebstrap", "--mode=root", stdout="E: Temporary failure resolving 'x'\n", code=25)
    with pytest.raises(NetworkError):
        store.ensure(machine, SPEC, config=CONFIG)


def test_another_failure_is_an_error_and_leaves_the_old_one(machine: Recorder) -> None:
    first = store.ensure(machine, SPEC, config=CONFIG)
    machine.reply("mmdebstrap", "--mode=root", code=25)
    with pytest.raises(ChrootError):
        store.ensure(machine, SPEC, config=CONFIG, refresh=True)
    assert store.ensure(machine, SPEC, config=CONFIG) == first


def test_lists_that_cannot_be_fetched_keep_the_old_one(machine: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.ensure(machine, SPEC, config=CONFIG)

    def update(_run: object, _root: object, progress: object) -> None:
        raise NetworkError("the mirror is away", cause="why", hint="next")

    monkeypatch.setattr(apt, "update", update)
    assert store.ensure(machine, SPEC, config=CONFIG, refresh=True) == first


def test_two_at_once_make_it_once(machine: Recorder) -> None:
    """While the second waits for the lock, the first has made it."""
    shelf, name = cache.shelf("chroots"), store.name_of(SPEC)
    stack = cache.locked(machine, shelf, name, "which makes it")

    def first_ends(_command: Command) -> None:
        tarball = shelf / f"{cache.generation(name, 1)}.tar.zst"
        tarball.write_bytes(b"theirs")
        record = cache.Record(
            content=tarball.name, created=1, kind="build", suite="trixie", arch="arm64", size=6, package_count=0, made_with="x"
        )
        cache.commit(machine, shelf, name, record)

    machine.reply("flock", action=first_ends)
    with stack:
        chroot = store.ensure(machine, SPEC, config=CONFIG, refresh=True)
    assert chroot.tarball.read_bytes() == b"theirs"
    assert made(machine) == 0


def layer_on(base: Chroot, run: Recorder, key: str, size: int, used: float) -> str:
    shelf, name = cache.shelf("layers"), f"trixie-arm64-layer-{key}"
    content = shelf / f"{cache.generation(name, 1)}.tar.zst"
    content.write_bytes(b"layer")
    record = cache.Record(
        content=content.name, created=1, kind="layer", suite="trixie", arch="arm64", size=size, package_count=9,
        made_with="apt-get", base=store.generation(base), source="bzip2", components=("main",),
    )  # fmt: skip
    cache.commit(run, shelf, name, record)
    os.utime(shelf / f"{name}.json", (used, used))
    return name


def test_pruning_takes_what_was_used_least_lately(machine: Recorder) -> None:
    base = store.ensure(machine, SPEC, config=CONFIG)
    now = time.time()
    names = [layer_on(base, machine, key, 10, now - age) for key, age in (("aa", 9000), ("bb", 8000), ("cc", 7000), ("dd", 10))]
    assert upkeep.prune(machine, ChrootConfig(cache_limit=44)) == ()
    assert upkeep.prune(machine, ChrootConfig(cache_limit=43)) == (names[0],)
    held = upkeep.find(names[1])
    assert held
    with store.held(held):
        assert upkeep.prune(machine, ChrootConfig(cache_limit=0)) == (names[2],)  # the last was used just now
    assert {item.name for item in upkeep.listing(CONFIG)} == {store.name_of(SPEC), names[1], names[3]}


def test_downloads_are_pruned_first(machine: Recorder) -> None:
    base = store.ensure(machine, SPEC, config=CONFIG)
    old = time.time() - 9000
    layer_on(base, machine, "aa", 10, old)
    for name, used in (("x.deb", old), ("y.deb", time.time())):
        path = cache.shelf("debs") / name
        path.write_bytes(b"12345678")
        os.utime(path, (used, used))
    with cache.held(cache.shelf("debs")):
        assert upkeep.remove_downloads() == 0
        assert upkeep.prune(machine, ChrootConfig(cache_limit=25)) == ()  # the layer does not go in their place
        assert len(upkeep.prune(machine, ChrootConfig(cache_limit=21))) == 1
    layer_on(base, machine, "aa", 10, old)
    assert len(list(cache.shelf("debs").iterdir())) == 2
    assert upkeep.prune(machine, ChrootConfig(cache_limit=25)) == ()
    assert [path.name for path in cache.shelf("debs").iterdir()] == ["y.deb"]
    assert upkeep.remove_downloads() == 8


def test_a_layer_whose_base_was_renewed_is_pruned(machine: Recorder) -> None:
    base = store.ensure(machine, SPEC, config=CONFIG)
    name = layer_on(base, machine, "aa", 1, time.time())
    store.ensure(machine, SPEC, config=CONFIG, refresh=True)
    assert [item.fresh for item in upkeep.listing(CONFIG) if item.name == name] == [False]
    assert upkeep.prune(machine, CONFIG) == (name,)


def test_a_base_goes_with_its_layers(machine: Recorder) -> None:
    base = store.ensure(machine, SPEC, config=CONFIG)
    other = store.ensure(machine, ChrootSpec(kind=ChrootKind.CLEAN, target=SPEC.target), config=CONFIG)
    name = layer_on(base, machine, "aa", 1, time.time())
    removal = upkeep.remove(machine, [store.name_of(SPEC)])
    assert set(removal.gone) == {store.name_of(SPEC), name}
    assert removal.kept == ()
    assert [item.name for item in upkeep.listing(CONFIG)] == [store.name_of(other.spec)]


def test_what_a_build_uses_is_not_removed(machine: Recorder) -> None:
    base = store.ensure(machine, SPEC, config=CONFIG)
    with store.held(base):
        removal = upkeep.remove(machine, [store.name_of(SPEC)])
    assert removal == upkeep.Removal((), (store.name_of(SPEC),))
    assert base.tarball.exists()


def test_a_cached_chroot_is_found_by_name(machine: Recorder) -> None:
    base = store.ensure(machine, SPEC, config=CONFIG)
    name = layer_on(base, machine, "aa", 1, time.time())
    assert upkeep.find(store.name_of(SPEC)) == base
    layer = upkeep.find(name)
    assert layer
    assert (layer.spec, layer.created, layer.layer) == (base.spec, base.created, "aa")
    assert store.apt_root(layer) == store.apt_root(base)
    assert upkeep.find("no-such") is None


def test_renewing_by_name_makes_the_same_again(machine: Recorder) -> None:
    spec = ChrootSpec(kind=ChrootKind.BUILD, target=SPEC.target, packages=("ccache",), components=("main", "contrib"))
    store.ensure(machine, spec, config=CONFIG)
    assert upkeep.renew(machine, store.name_of(spec), config=CONFIG, progress=Quiet())
    first, second = (c.argv for c in machine.commands if contains(c.argv, ("mmdebstrap", "--mode=root")))
    assert [word for word in first if "tar.zst" not in word] == [word for word in second if "tar.zst" not in word]
    assert len(upkeep.listing(CONFIG)) == 1
