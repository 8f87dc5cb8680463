"""Fixtures of the rooms whose integration tests fill several files: apt, archive, checks and source."""

from __future__ import annotations

import shutil
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from debkit import apt, checks
from debkit.config import ArchiveConfig, ChecksConfig, ChrootConfig, Config, KeysConfig
from debkit.console import Quiet
from debkit.keys import Keys, find_keys
from debkit.model import Target
from debkit.run import Command, Processes
from debkit.run.tree import descendants
from tests.apt_world import PACKAGES, STATUS, World
from tests.archives import make_deb, make_source, serve, throwaway_key
from tests.conftest import SUITE
from tests.prism import prism
from tests.publisher import Desk
from tests.publishing import CONF, Upload, signed
from tests.sources import Opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.model import SignedUpload, Source


MOUNTS = Path("/proc/self/mounts")


# The apt room


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The repository of PACKAGES, served as long as the tests of one file run."""
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
def world(repository: World, tmp_path: Path) -> Iterator[World]:
    """The repository; what a test does to it is undone."""
    kept = tmp_path / "kept"
    shutil.copytree(repository.site.root, kept)
    repository.site.asked.clear()
    yield repository
    for path in repository.site.root.iterdir():
        shutil.rmtree(path)
    shutil.copytree(kept, repository.site.root, dirs_exist_ok=True)


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


# The archive room


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A project whose archive has the configuration that is in git."""
    shutil.copytree(CONF, tmp_path / "project/repo/conf")
    return Config(project=tmp_path / "project")


@pytest.fixture(scope="session")
def key_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the development keys are kept, for processes that are to have the same ones."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def keys(run: Processes, key_state: Path) -> Iterator[Keys]:
    """Development keys; what is signed with them is signed once for all tests."""
    with find_keys(run, KeysConfig(), environ={}, state=key_state) as found:
        yield found


@pytest.fixture(scope="session")
def make_upload(run: Processes, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Upload:
    """Signed uploads by what they are made of (see `publishing.signed`)."""
    made: dict[str, SignedUpload] = {}

    def make(**options: Any) -> SignedUpload:
        name = repr(sorted(options.items()))
        if name not in made:
            made[name] = signed(run, keys, tmp_path_factory.mktemp("upload"), **options)
        return made[name]

    return make


@pytest.fixture
def desk(config: Config, keys: Keys, key_state: Path, tmp_path: Path) -> Desk:
    """Who publishes many small uploads."""
    return Desk(config, keys, key_state, tmp_path / "made")


@pytest.fixture(scope="session")
def published(keys: Keys, key_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose archive has seen three publishes."""
    path = tmp_path_factory.mktemp("published")
    shutil.copytree(CONF, path / "repo/conf")
    desk = Desk(Config(project=path, archive=ArchiveConfig(valid_for=90 * 86400)), keys, key_state, path / "made")
    desk.publish(*desk.make("first", "second"))
    desk.publish(*desk.make("first", version="2.0"), *desk.make("third"))
    desk.publish(*desk.make("third", version="3.0~rc1"))
    return path


@pytest.fixture
def base(published: Path, tmp_path: Path) -> Path:
    """Its archive, to be damaged."""
    return shutil.copytree(published / "repo", tmp_path / "project/repo", symlinks=True)


# The checks room


@pytest.fixture(scope="session")
def target(run: Processes) -> Target:
    return Target(SUITE, run(Command(argv=("dpkg", "--print-architecture"))).stdout.strip())


@pytest.fixture
def bench(run: Processes, debkit_cache: Path, tmp_path: Path) -> checks.Bench:
    return checks.Bench(run=run, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist")


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Demand that the test leave no process, mount or scratch directory."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    scratch.chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(scratch))
    processes, mounts = set(descendants(1)), MOUNTS.read_text()
    yield
    time.sleep(0.2)
    ours = [pid for pid in set(descendants(1)) - processes if str(scratch) in command_line(pid)]
    assert ours == []
    assert MOUNTS.read_text() == mounts
    assert list(scratch.iterdir()) == []


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


# The source room


@pytest.fixture
def opened(project: Config) -> Opener:
    """Opens sources in an empty project."""
    return Opener(project)


@pytest.fixture
def extracted(tmp_path: Path, run: Processes) -> Callable[[Source], Path]:
    """Unpacks a source package as dpkg-source does."""

    def extract(source: Source) -> Path:
        into = tmp_path / "extracted" / source.dsc.name
        into.parent.mkdir(exist_ok=True)
        run(Command(argv=("dpkg-source", "--no-copy", "-x", f"{source.dsc}", f"{into}")))
        return into

    return extract


# The release room


@pytest.fixture(scope="session")
def github_description(debkit_cache: Path) -> Iterator[str]:
    """The URL of a server that answers requests which fit GitHub's own description, and refuses others."""
    with prism(debkit_cache.parent / "debkit-tests") as url:
        yield url
