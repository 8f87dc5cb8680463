"""Isolated apt against a small signed repository that is served from this process."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.apt.ask import CHECKOUT
from debkit.errors import DependencyError, NetworkError, SourceError
from debkit.model import Repository
from debkit.run import Command, Processes
from tests.archives import index, make_deb, make_source, serve, sign, throwaway_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from debkit.run import Completed
    from tests.archives import Site

PACKAGES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("greeter", "1.0", "amd64", {"Depends": "libgreet (>= 1.0)", "Recommends": "greeter-doc"}),
    ("greeter", "1.1", "arm64", {"Depends": "libgreet (>= 1.0)"}),
    ("greeter-doc", "1.0", "all", {}),
    ("libgreet", "1:1.2", "amd64", {"Multi_Arch": "same"}),
    ("libgreet", "1:1.2", "arm64", {"Multi_Arch": "same"}),
    ("build-essential", "1", "all", {}),
    ("fakeroot", "1", "all", {}),
    ("editor-a", "1", "all", {"Provides": "editor"}),
    ("editor-b", "1", "all", {"Provides": "editor"}),
    ("only-i386-tool", "1", "i386", {}),
    ("grumpy", "1", "all", {"Conflicts": "libgreet"}),
    ("deep", "1", "all", {"Depends": "deeper"}),
    ("deeper", "2", "all", {"Depends": "libgreet (>= 2:0)"}),
    ("base", "2", "all", {"Depends": "base-data"}),
    ("base-data", "2", "all", {}),
    ("mock-tool", "1", "all", {"Conflicts": "other"}),
)
STATUS = """\
Package: base
Status: install ok installed
Version: 1
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: base

Package: other
Status: install ok installed
Version: 1
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: other
"""


@dataclasses.dataclass(frozen=True)
class World:
    """A repository, where it is served, its key, and another key that signs nothing."""

    site: Site
    home: Path
    keyring: Path
    stranger: Path

    @property
    def pool(self) -> Path:
        return self.site.root / "pool"

    @property
    def sources(self) -> str:
        return f"Types: deb\nURIs: {self.site.url}\nSuites: stable\nComponents: main\nTrusted: yes\nAllow-Insecure: yes\n"

    def publish(self) -> None:
        """Make the indices anew, each later than the last by HTTP's clock, which counts whole seconds."""
        past = [path.stat().st_mtime for path in self.site.root.rglob("InRelease")]
        index(self.site.root)
        sign(self.site.root, self.home)
        moment = max(past) + 2 if past else time.time() - 3600
        for path in self.site.root.rglob("*"):
            if path.is_file() and self.pool not in path.parents:
                os.utime(path, (moment, moment))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("repo")
    (root / "pool").mkdir()
    for name, version, arch, fields in PACKAGES:
        make_deb(root / "pool", name, version, arch=arch, **fields)
    make_source(root / "pool", "greeting", "1.0", binary="greeter, libgreet")
    make_source(root / "pool", "greeting", "1.10", binary="greeter, libgreet")
    keys = [tmp_path_factory.mktemp("key") for _ in range(2)]
    with serve(root) as site, throwaway_key(keys[0]) as (home, keyring), throwaway_key(keys[1]) as (_, stranger):
        world = World(site, home, keyring, stranger)
        world.publish()
        yield world


@pytest.fixture
def world(made: World, tmp_path: Path) -> Iterator[World]:
    """The repository; what a test does to it is undone."""
    kept = tmp_path / "kept"
    shutil.copytree(made.site.root, kept)
    made.site.asked.clear()
    yield made
    for path in made.site.root.iterdir():
        shutil.rmtree(path)
    shutil.copytree(kept, made.site.root, dirs_exist_ok=True)


@pytest.fixture
def client(world: World, tmp_path: Path, run: Processes) -> Callable[[str], apt.AptRoot]:
    """A client that knows the repository, its lists fetched."""

    def make(arch: str = "amd64") -> apt.AptRoot:
        root = apt.make(tmp_path / "clients" / arch, arch=arch, sources=world.sources, keyring=world.keyring)
        apt.update(run, root)
        return root

    return make


@pytest.fixture
def tarball(world: World, tmp_path: Path) -> Path:
    """A tarball that looks like a chroot to apt, and whose apt would do harm if it ran on this machine."""
    files: dict[str, str | bytes] = {
        "etc/apt/sources.list": f"deb [signed-by=/usr/share/keyrings/repo.gpg] {world.site.url} stable main\n",
        "etc/apt/apt.conf.d/50harm": f'APT::Update::Pre-Invoke {{"touch {tmp_path}/harm"; }};\n'
        f'Acquire::http::Proxy-Auto-Detect "{tmp_path}/no-such-program";\nDir::State::lists "/nonexistent/";\n',
        "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
        "usr/share/keyrings/repo.gpg": world.keyring.read_bytes(),
        "var/lib/dpkg/status": STATUS,
    }
    tree = tmp_path / "tree"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    path = tmp_path / "chroot.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(tree, ".")
    return path


@pytest.fixture
def chroot(run: Processes, tarball: Path, tmp_path: Path) -> apt.AptRoot:
    """The root made of the tarball, its lists fetched."""
    root = apt.prepare(run, tarball, tmp_path / "root", "amd64", foreign=("arm64",))
    apt.update(run, root)
    return root


def dsc(tmp_path: Path, **fields: str) -> Path:
    return make_source(tmp_path, "thing", "1", **fields)


def names(solution: apt.Solution) -> list[str]:
    return [pin.name for pin in solution.install]


# What a client sees


@pytest.mark.parametrize(("arch", "version"), [("amd64", "1.0"), ("arm64", "1.1")])
def test_a_client_sees_what_is_published_for_its_architecture(
    client: Callable[[str], apt.AptRoot], world: World, run: Processes, arch: str, version: str
) -> None:
    root = client(arch)
    assert apt.seen(run, root, "greeter") == (version,)
    assert apt.seen(run, root, "libgreet") == ("1:1.2",)
    assert apt.seen(run, root, "bash") == (), "nothing of this machine is seen"
    assert apt.updated(root)
    make_deb(world.pool, "greeter", "1.10~rc1", arch=arch)
    world.publish()
    assert apt.seen(run, root, "greeter") == (version,), "the lists change on request only"
    apt.update(run, root)
    assert apt.seen(run, root, "greeter") == ("1.10~rc1", version)


def test_a_client_trusts_no_other_key(world: World, tmp_path: Path, run: Processes) -> None:
    root = apt.make(tmp_path / "client", arch="amd64", sources=world.sources, keyring=world.stranger)
    with pytest.raises(apt.Untrusted, match="is signed by a key that is not trusted here"):
        apt.update(run, root)
    assert apt.updated(root) is None
    assert apt.seen(run, root, "greeter") == ()


def test_a_client_takes_nothing_unsigned(world: World, tmp_path: Path, run: Processes) -> None:
    for name in ("InRelease", "Release.gpg"):
        (world.site.root / "dists/stable" / name).unlink()
    root = apt.make(tmp_path / "client", arch="amd64", sources=world.sources, keyring=world.keyring)
    with pytest.raises(apt.Untrusted, match="bears no signature that is accepted"):
        apt.update(run, root)


def test_a_client_notices_an_altered_file(world: World, tmp_path: Path, run: Processes) -> None:
    root = apt.make(tmp_path / "client", arch="amd64", sources=world.sources, keyring=world.keyring)
    release = world.site.root / "dists/stable/InRelease"
    release.write_text(release.read_text().replace("Origin: Test", "Origin: Evil"))
    with pytest.raises(apt.Untrusted, match="was altered after it was signed"):
        apt.update(run, root)


def test_lists_that_do_not_match_their_signature_leave_the_old_ones(
    client: Callable[[str], apt.AptRoot], world: World, run: Processes
) -> None:
    root = client("amd64")
    make_deb(world.pool, "greeter", "2.0", arch="amd64")
    world.publish()
    packages = world.site.root / "dists/stable/main/binary-amd64/Packages"
    packages.write_text(packages.read_text().replace("2.0", "6.6"))
    with pytest.raises(NetworkError, match="do not fit together"):
        apt.update(run, root)
    assert apt.seen(run, root, "greeter") == ("1.0",)


def test_a_mirror_that_is_not_there(world: World, tmp_path: Path, run: Processes) -> None:
    sources = world.sources.replace(world.site.url, "http://127.0.0.1:9")
    root = apt.make(tmp_path / "client", arch="amd64", sources=sources, keyring=world.keyring)
    with pytest.raises(NetworkError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        apt.update(run, root)


def test_a_suite_that_is_not_there(world: World, tmp_path: Path, run: Processes) -> None:
    sources = world.sources.replace("stable", "unstable")
    root = apt.make(tmp_path / "client", arch="amd64", sources=sources, keyring=world.keyring)
    with pytest.raises(NetworkError, match="unstable is no repository"):
        apt.update(run, root)


# The way to the network


def test_a_proxy_from_the_environment_is_used(
    world: World, tmp_path: Path, run: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", world.site.url)
    sources = world.sources.replace(world.site.url, "http://repo.example.org")
    root = apt.make(tmp_path / "client", arch="amd64", sources=sources, keyring=world.keyring)
    apt.update(run, root)
    assert "http://repo.example.org/dists/stable/InRelease" in world.site.asked
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    apt.update(run, apt.make(tmp_path / "client", arch="amd64", sources=world.sources, keyring=world.keyring))


def test_a_proxy_from_the_machines_configuration_is_used(
    world: World, tmp_path: Path, run: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin/apt-config"
    fake.parent.mkdir()
    fake.write_text(
        f"""#!/bin/sh
[ "$1" = dump ] || exec /usr/bin/apt-config "$@"  # apt-key asks too
echo 'Acquire::http::Proxy "{world.site.url}";'
echo 'APT::Default-Release "nonsense";'
"""
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    sources = world.sources.replace(world.site.url, "http://repo.example.org")
    root = apt.make(tmp_path / "client", arch="amd64", sources=sources, keyring=world.keyring)
    apt.update(run, root)
    assert "http://repo.example.org/dists/stable/InRelease" in world.site.asked


# A chroot's apt


def test_the_chroots_configuration_is_read_but_runs_nothing(chroot: apt.AptRoot, run: Processes, tmp_path: Path) -> None:
    assert apt.seen(run, chroot, "greeter") == ("1.0",)
    assert not (tmp_path / "harm").exists()
    assert not (chroot.path / "etc/passwd").exists()
    assert list((chroot.path / "var/lib/apt/lists").glob("*_Packages"))


def test_pins_of_the_chroot_count(run: Processes, chroot: apt.AptRoot) -> None:
    (chroot.path / "etc/apt/preferences.d/no-upgrade").write_text("Package: base\nPin: version 2\nPin-Priority: -1\n")
    assert names(apt.solve_install(run, chroot, ("greeter-doc",), upgrade=True)) == ["greeter-doc"]


def test_a_path_with_blanks_works_where_no_keyring_is_named(world: World, run: Processes, tmp_path: Path, tarball: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "etc/apt/sources.list").write_text(f"deb {world.site.url} stable main\n")
    (tree / "etc/apt/trusted.gpg.d").mkdir()
    shutil.copy(world.keyring, tree / "etc/apt/trusted.gpg.d/repo.gpg")
    with tarfile.open(tarball, "w") as tar:
        tar.add(tree, ".")
    root = apt.prepare(run, tarball, tmp_path / "my own cache" / "root", "amd64")
    apt.update(run, root)
    assert apt.seen(run, root, "greeter") == ("1.0",)


def test_an_extra_repository_with_its_own_key(world: World, run: Processes, tmp_path: Path, tarball: Path) -> None:
    extra = tmp_path / "extra"
    (extra / "pool").mkdir(parents=True)
    (tmp_path / "key").mkdir()
    make_deb(extra / "pool", "addition", "1.0")
    index(extra)
    with serve(extra) as site, throwaway_key(tmp_path / "key") as (home, keyring):
        sign(extra, home)
        line = f"deb {site.url} stable main"
        root = apt.prepare(run, tarball, tmp_path / "r", "amd64", repositories=(Repository(line=line, key=keyring),))
        apt.update(run, root)
        assert apt.seen(run, root, "addition") == ("1.0",)
        assert apt.seen(run, root, "greeter") == ("1.0",)
        wrong = apt.prepare(run, tarball, tmp_path / "r", "amd64", repositories=(Repository(line=line, key=world.keyring),))
        with pytest.raises(apt.Untrusted):
            apt.update(run, wrong)


def test_an_ordinary_user_can_do_it_all(world: World, tmp_path: Path, tarball: Path, run: Processes) -> None:
    """As nobody, in a directory of its own; a root-only _apt sandbox would fail or warn."""
    home = tmp_path / "home"
    home.mkdir()
    who = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    as_root = os.geteuid() == 0
    if as_root:
        shutil.copytree(CHECKOUT / "debkit", tmp_path / "code/debkit")  # the checkout may be in root's own home
        os.chown(home, 65534, 65534)
        for path in (tarball, *tmp_path.parents[:2], tmp_path):
            path.chmod(0o755)

    def dropped(command: Command, on_line: Callable[[str], None] | None = None) -> Completed:
        if as_root:
            code = ("PYTHONPATH", os.fspath(tmp_path / "code"))
            command = dataclasses.replace(command, argv=(*who, *command.argv), env=(*command.env, code))
        return run(command, on_line)

    root = apt.prepare(run, tarball, home / "root", "amd64")
    if as_root:
        run(Command(argv=("chown", "-R", "65534:65534", os.fspath(home))))
    apt.update(dropped, root)
    pins = apt.resolve_install(dropped, root, ("greeter",))
    assert [pin.name for pin in pins] == ["greeter", "libgreet"]
    (deb, _) = apt.download(dropped, root, pins, home / "debs")
    assert deb.is_file()


# What sbuild would install


def test_what_a_build_needs_after_the_upgrade(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(
        tmp_path, Build_Depends="greeter (>= 1.0) | nothing, libgreet [arm64] | editor-a, grumpy <cross>, editor-b:native"
    )
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True)
    assert names(found) == ["base", "base-data", "build-essential", "editor-a", "editor-b", "fakeroot", "greeter", "libgreet"]
    assert found.remove == ()
    (libgreet,) = (pin for pin in found.install if pin.name == "libgreet")
    assert (libgreet.version, libgreet.arch, libgreet.deb) == ("1:1.2", "amd64", "libgreet_1%3a1.2_amd64.deb")
    assert libgreet.filename == "pool/libgreet_1%3a1.2_amd64.deb"
    assert libgreet.uri.startswith("http://127.0.0.1:")
    assert len(libgreet.sha256) == 64


def test_the_upgrade_can_be_left_out(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(tmp_path, Build_Depends="greeter-doc")
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True, upgrade=False)
    assert names(found) == ["build-essential", "fakeroot", "greeter-doc"]


def test_dependencies_of_what_is_not_built_do_not_count(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(tmp_path, Build_Depends="greeter-doc", Build_Depends_Arch="editor-a", Build_Depends_Indep="editor-b")

    def needed(*, all: bool, arch: bool) -> set[str]:  # noqa: A002 (dpkg's word)
        return set(names(apt.solve_build(run, chroot, source, host="amd64", all=all, arch=arch))) & {"editor-a", "editor-b"}

    assert needed(all=True, arch=True) == {"editor-a", "editor-b"}
    assert needed(all=True, arch=False) == {"editor-b"}
    assert needed(all=False, arch=True) == {"editor-a"}


def test_only_the_first_alternative_is_tried(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="no-such-thing"):
        apt.resolve_build(run, chroot, dsc(tmp_path, Build_Depends="no-such-thing | editor-a"), host="amd64", all=True, arch=True)


def test_profiles_are_evaluated(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(tmp_path, Build_Depends="editor-a <!nocheck>, editor-b <nocheck !stage1>")
    with_tests = apt.resolve_build(run, chroot, source, host="amd64", all=True, arch=True)
    without = apt.resolve_build(run, chroot, source, host="amd64", all=True, arch=True, profiles=("nocheck",))
    assert {p.name for p in with_tests} ^ {p.name for p in without} == {"editor-a", "editor-b"}


def test_a_build_conflict_removes(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    found = apt.solve_build(run, chroot, dsc(tmp_path, Build_Conflicts="other, base (>= 9)"), host="amd64", all=True, arch=True)
    assert found.remove == ("other:amd64",)
    assert "base" in names(found)


def test_local_packages_serve_a_build(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    debs = (make_deb(tmp_path, "local-tool", "3", Depends="greeter-doc"), make_deb(tmp_path, "greeter-doc", "1.5"))
    source = dsc(tmp_path, Build_Depends="local-tool")
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True, debs=debs, upgrade=False)
    assert names(found) == ["build-essential", "fakeroot", "greeter-doc", "local-tool"]
    local = [pin for pin in found.install if pin.uri.startswith("copy:")]
    assert [(pin.name, pin.version, pin.uri) for pin in local] == [
        ("greeter-doc", "1.5", f"copy:{debs[1]}"),
        ("local-tool", "3", f"copy:{debs[0]}"),
    ]
    paths = apt.download(run, chroot, found.install, tmp_path / "debs")
    assert paths[3].read_bytes() == debs[0].read_bytes()


def test_a_cross_build_takes_libraries_of_the_host(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    for name in ("crossbuild-essential-arm64", "apt-utils"):
        make_deb(world.pool, name, "1")
    for name in ("libc-dev", "libstdc++-dev"):
        make_deb(world.pool, name, "1", arch="arm64", Multi_Arch="same")
    make_deb(world.pool, "native-tool", "1", arch="amd64", Multi_Arch="foreign")
    make_deb(world.pool, "native-tool", "1", arch="arm64", Multi_Arch="foreign")
    world.publish()
    apt.update(run, chroot)
    source = dsc(tmp_path, Build_Depends="libgreet, native-tool, greeter:native")
    found = apt.solve_build(run, chroot, source, host="arm64", profiles=("cross", "nocheck"), all=False, arch=True, upgrade=False)
    arches = {(pin.name, pin.arch) for pin in found.install}
    assert {("libgreet", "arm64"), ("libc-dev", "arm64"), ("greeter", "amd64"), ("libgreet", "amd64")} <= arches
    assert ("native-tool", "amd64") in arches
    assert ("native-tool", "arm64") not in arches


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("no-such-package", ("no-such-package", "there is no package no-such-package", "build.repositories")),
        ("gretter", ("gretter", "there is no package gretter", "did you mean greeter")),
        ("libgreet (>= 2:0)", ("libgreet (>= 2:0)", "there is no other libgreet than 1:1.2", "build.repositories")),
        ("deep", ("libgreet (>= 2:0)", "deeper 2 needs libgreet (>= 2:0)", "build.repositories")),
        ("grumpy, libgreet", ("grumpy", "grumpy 1 conflicts with libgreet, and libgreet 1:1.2 is wanted too", "chroot update")),
    ],
)
def test_the_culprit_is_named(run: Processes, chroot: apt.AptRoot, tmp_path: Path, wish: str, told: tuple[str, str, str]) -> None:
    culprit, cause, hint = told
    with pytest.raises(DependencyError) as caught:
        apt.resolve_build(run, chroot, dsc(tmp_path, Build_Depends=wish), host="amd64", all=True, arch=True)
    assert caught.value.what == f"what thing needs to be built cannot be installed on amd64: {culprit}"
    assert cause in caught.value.cause.splitlines()
    assert hint in caught.value.hint


def test_dependencies_are_read_as_dpkg_reads_them(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    """dpkg's own parser, which sbuild uses, reduces the same fields for the same architecture and profiles."""
    text = (
        "greeter (>= 1.0) | other, libgreet [!amd64] | editor-a [any-amd64], editor-b [kfreebsd-any arm64], base:any <!nocheck>, "
        "greeter-doc <nocheck> <cross>, base-data <!nocheck !cross>, mock-tool [arm64 i386] <nocheck>"
    )
    perl = (
        "use Dpkg::Deps; my $d = deps_parse($ARGV[0], reduce_arch=>1, host_arch => 'amd64', build_arch => 'amd64',"
        " build_dep => 1, reduce_profiles => 1, build_profiles => ['nocheck']);"
        " print join(',', map { ($_->get_deps())[0]->{package} } $d->get_deps());"
    )
    wanted = run(Command(argv=("perl", "-e", perl, text))).stdout.split(",")
    assert wanted == ["greeter", "editor-a", "greeter-doc"]
    source = dsc(tmp_path, Build_Depends=text)
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True, profiles=("nocheck",), upgrade=False)
    assert set(names(found)) == {*wanted, "libgreet", "build-essential", "fakeroot"}


# Installing by name


def test_installing_with_and_without_recommendations(run: Processes, chroot: apt.AptRoot) -> None:
    assert names(apt.solve_install(run, chroot, ("greeter",))) == ["greeter", "libgreet"]
    assert names(apt.solve_install(run, chroot, ("greeter=1.0",), recommends=True)) == ["greeter", "greeter-doc", "libgreet"]


def test_installing_a_local_package_takes_that_very_one(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "greeter-doc", "0.1", Depends="editor-a")
    found = apt.solve_install(run, chroot, debs=(deb,))
    assert [(pin.name, pin.version) for pin in found.install] == [("editor-a", "1"), ("greeter-doc", "0.1")]


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("greter", "there is no package greter for amd64", "did you mean greeter?"),
        ("editor", "there is no package editor for amd64", "did you mean editor-a or editor-b?"),
        ("greeter=7", "there is no version 7 of greeter", "name a repository that has it in build.repositories"),
        ("only-i386-tool", "there is no package only-i386-tool for amd64", "name a repository that has it"),
    ],
)
def test_a_name_that_is_not_there(run: Processes, chroot: apt.AptRoot, name: str, what: str, hint: str) -> None:
    with pytest.raises(DependencyError) as caught:
        apt.resolve_install(run, chroot, (name,))
    assert caught.value.what == what
    assert caught.value.hint.startswith(hint)


def test_a_package_of_another_architecture(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "alien", "1", arch="riscv64")
    with pytest.raises(DependencyError, match="is for riscv64"):
        apt.resolve_install(run, chroot, debs=(deb,))


# Downloads


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
