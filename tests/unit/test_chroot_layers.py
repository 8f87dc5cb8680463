"""When a layer is made, when taken as it is, and what is done to its root."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.apt import AptRoot, Pin, Solution, Superseded
from debkit.chroot import cache, layers, store, upkeep
from debkit.config import ChrootConfig
from debkit.errors import ChrootError, DependencyError, NetworkError
from debkit.model import Chroot, ChrootKind, ChrootSpec, Source, Target
from tests.recorder import Recorder, contains

if TYPE_CHECKING:
    from debkit.run import Command

CONFIG = ChrootConfig()
SPEC = ChrootSpec(kind=ChrootKind.BUILD, target=Target("trixie", "arm64"))
BASE_STATUS = "Package: libc6\nStatus: install ok installed\nVersion: 2.41-12\nDescription: C\n Version: of what\n"
MAKE = Pin(name="make", version="4.4.1-2", arch="arm64", filename="pool/m", size=1, sha256="ab" * 32, uri="http://example.org/m")
LIBC = Pin(name="libc6", version="2.41-13", arch="arm64", filename="pool/c", size=1, sha256="cd" * 32, uri="http://example.org/c")


def stanza(name: str, version: str, state: str = "install ok installed") -> str:
    return f"Package: {name}\nStatus: {state}\nVersion: {version}\n\n"


class Archive:
    """What the fake apt answers; each of `solutions` once, the last one for ever."""

    def __init__(self, *solutions: Solution | Exception) -> None:
        self.solutions = list(solutions)
        self.superseded = False
        self.updates = 0
        self.age = 0.0

    def solve_build(self, *_: object, **__: object) -> Solution:
        answer = self.solutions.pop(0) if len(self.solutions) > 1 else self.solutions[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def download(self, _run: object, _root: AptRoot, pins: tuple[Pin, ...], into: Path, **_: object) -> tuple[Path, ...]:
        if self.superseded:
            self.superseded = False
            raise Superseded("the mirror has moved on", cause="why", hint="next")
        paths = tuple(into / f"{pin.sha256}.deb" for pin in pins)
        for path in paths:
            path.touch()
        return paths

    def update(self, *_: object, **__: object) -> None:
        self.updates += 1

    def updated(self, _root: AptRoot) -> float:
        return time.time() - self.age


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    made = Archive(Solution(install=(MAKE,)))
    for verb in ("solve_build", "download", "update", "updated"):
        monkeypatch.setattr(apt, verb, getattr(made, verb))
    return made


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chroot:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    chroot = Chroot(spec=SPEC, tarball=tmp_path / "base.tar.zst", created=1_700_000_000)
    chroot.tarball.touch()
    return chroot


@pytest.fixture
def machine(recorder: Recorder) -> Recorder:
    """A machine whose tar works, and on which apt-get installs whatever it is given."""

    def unpack(command: Command) -> None:
        root = Path(command.argv[command.argv.index("--directory") + 1])
        for directory in ("usr/sbin", "var/lib/apt", "var/lib/dpkg", "var/cache/apt"):
            (root / directory).mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_text(BASE_STATUS)
        (root / "var/lib/apt/extended_states").write_text("Package: x\nArchitecture: arm64\nAuto-Installed: 1\n\n")
        (root / "var/cache/apt/pkgcache.bin").touch()

    def install(command: Command) -> None:
        root = Path(command.argv[command.argv.index("--ro-bind") - 1])
        assert (root / "usr/sbin/policy-rc.d").read_text() == "#!/bin/sh\nexit 101\n"
        assert (root / "usr/sbin/policy-rc.d").stat().st_mode & 0o777 == 0o755
        upgraded = LIBC.version if any(LIBC.sha256 in word for word in command.argv) else "2.41-12"
        (root / "var/lib/dpkg/status").write_text(stanza("libc6", upgraded) + stanza("make", MAKE.version))

    def pack(command: Command) -> None:
        root = Path(command.argv[command.argv.index("--directory") + 1])
        packed = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        states = (root / "var/lib/apt/extended_states").read_text()
        Path(command.argv[command.argv.index("--file") + 1]).write_text("\n".join((*packed, states)))

    recorder.reply("tar", "--extract", action=unpack)
    recorder.reply("apt-get", "install", action=install)
    recorder.reply("tar", "--create", action=pack)
    return recorder


def source(tmp_path: Path, name: str = "bzip2") -> Source:
    return Source(
        name=name, version="1", suite="trixie", dsc=tmp_path / f"{name}.dsc", changes=tmp_path / f"{name}.changes",
        format="3.0 (quilt)", architectures=("any",), binaries=(), files=(), snapshot=False,
    )  # fmt: skip


def installs(run: Recorder) -> int:
    return sum(contains(argv, ("apt-get", "install")) for argv in run.argvs)


def layer(run: Recorder, base: Chroot, tmp_path: Path, name: str = "bzip2") -> Chroot:
    return layers.layer(run, base, source(tmp_path, name), build_all=True, config=CONFIG)


def test_a_layer_is_made_once_and_shared(machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path) -> None:
    first = layer(machine, base, tmp_path)
    assert first.layer == layers.key_of(base, Solution(install=(MAKE,)))
    assert (first.spec, first.created) == (base.spec, base.created)
    assert layer(machine, base, tmp_path, "gzip") == first
    assert installs(machine) == 1
    (item,) = upkeep.listing(CONFIG)
    assert (item.kind, item.source, item.base, item.package_count) == ("layer", "bzip2", store.generation(base), 2)


def test_nothing_but_the_packages_stays_in_it(machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path) -> None:
    packed = layer(machine, base, tmp_path).tarball.read_text().splitlines()
    assert packed[:2] == ["var/lib/apt/extended_states", "var/lib/dpkg/status"]
    assert packed[2:] == [
        "Package: x", "Architecture: arm64", "Auto-Installed: 1", "",
        "Package: make", "Architecture: arm64", "Auto-Installed: 1", "",
    ]  # fmt: skip


def test_an_upgraded_package_keeps_its_mark(machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path) -> None:
    archive.solutions = [Solution(install=(LIBC, MAKE))]
    assert "Package: libc6" not in layer(machine, base, tmp_path).tarball.read_text()


def test_packages_are_installed_without_a_network_as_their_architecture_likes_it(
    machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path
) -> None:
    layer(machine, base, tmp_path)
    (command,) = (c for c in machine.commands if contains(c.argv, ("apt-get", "install")))
    assert "--net" in command.argv
    assert command.argv[-1] == f"/run/debkit/{MAKE.sha256}.deb"
    assert contains(command.argv, ("--ro-bind", str(cache.shelf("debs")), "/run/debkit"))
    assert contains(command.argv, ("env", "DEBIAN_FRONTEND=noninteractive"))
    assert command.env == (("QEMU_CPU", "max,pauth=off"),)


def test_build_conflicts_are_purged() -> None:
    argv = layers.install_argv(Solution(install=(MAKE,), remove=("bzip2", "gcc:arm64")))
    assert "--purge" in argv
    assert argv[-3:] == (f"/run/debkit/{MAKE.sha256}.deb", "bzip2-", "gcc:arm64-")


def test_a_base_that_has_it_all_is_the_layer(machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path) -> None:
    archive.solutions = [Solution(install=())]
    assert layer(machine, base, tmp_path) is base
    assert machine.commands == []


def test_the_key_depends_on_the_base_and_on_what_is_installed_alone(base: Chroot) -> None:
    def key(solution: Solution, created: float = base.created) -> str:
        return layers.key_of(Chroot(spec=SPEC, tarball=base.tarball, created=created), solution)

    one = key(Solution(install=(MAKE, LIBC)))
    assert key(Solution(install=(LIBC, MAKE))) == one
    others = [
        key(Solution(install=(MAKE,))),
        key(Solution(install=(MAKE, LIBC), remove=("gcc",))),
        key(Solution(install=(MAKE, LIBC)), created=base.created + 1),
    ]
    assert one not in others
    assert len(set(others)) == 3


def test_a_mirror_that_has_moved_on_is_asked_again(machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path) -> None:
    archive.solutions = [Solution(install=(LIBC,)), Solution(install=(MAKE,))]
    archive.superseded = True
    assert layer(machine, base, tmp_path).layer == layers.key_of(base, Solution(install=(MAKE,)))


def test_old_lists_are_refreshed_before_a_dependency_is_called_missing(
    machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path
) -> None:
    archive.solutions = [DependencyError("no such package", cause="why", hint="next"), Solution(install=(MAKE,))]
    archive.age = 7200
    assert layer(machine, base, tmp_path).layer
    assert archive.updates == 1


def test_young_lists_are_believed(machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path) -> None:
    archive.solutions = [DependencyError("no such package", cause="why", hint="next")]
    with pytest.raises(DependencyError):
        layer(machine, base, tmp_path)
    assert archive.updates == 0


def test_without_a_network_a_missing_dependency_is_still_what_is_wrong(
    machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise NetworkError("the mirror is away", cause="why", hint="next")

    monkeypatch.setattr(apt, "update", away)
    archive.solutions = [DependencyError("no such package", cause="why", hint="next")]
    archive.age = 7200
    with pytest.raises(DependencyError):
        layer(machine, base, tmp_path)


def test_a_failed_installation_is_an_error_with_its_log(
    machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path
) -> None:
    machine.reply("apt-get", "install", stdout="dpkg: error processing package make\nE: Sub-process failed\n", code=100)
    with pytest.raises(ChrootError) as caught:
        layer(machine, base, tmp_path)
    assert caught.value.what == "the build dependencies could not be installed in the chroot of trixie/arm64"
    assert caught.value.log
    assert "dpkg: error" in caught.value.log.read_text()
    assert upkeep.listing(CONFIG) == ()


def test_an_installation_that_only_claims_success_is_an_error(
    machine: Recorder, archive: Archive, base: Chroot, tmp_path: Path
) -> None:
    machine.reply("apt-get", "install")
    with pytest.raises(ChrootError, match="did not become what was asked for") as caught:
        layer(machine, base, tmp_path)
    assert "not installed: make 4.4.1-2" in caught.value.cause
    assert not list(cache.shelf("layers").glob("*.tar.zst"))


def test_only_installed_packages_count(tmp_path: Path) -> None:
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        stanza("a", "1") + stanza("b", "2", "deinstall ok config-files") + stanza("c", "3", "install ok half-configured")
    )
    assert store.installed(tmp_path) == {"a": "1"}
    status.write_text(BASE_STATUS)
    assert store.installed(tmp_path) == {"libc6": "2.41-12"}
