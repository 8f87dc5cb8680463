"""Fixtures that the rooms' tests share.

Real chroots are made once for all test sessions under DEBKIT_TEST_CACHE (default: the user's own debkit cache), because
making one takes half a minute natively and two under emulation.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.chroot import store
from debkit.config import ChrootConfig, Config
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target
from debkit.run import Processes
from tests.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUITE = "trixie"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session")
def run() -> Processes:
    return Processes()


@pytest.fixture
def project(tmp_path: Path) -> Config:
    """An empty project with the default configuration."""
    (tmp_path / "project").mkdir()
    return Config(project=tmp_path / "project")


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The TMPDIR of what is started, empty. Not below tmp_path, through which a chroot's root, another user, cannot pass."""
    path = Path(tempfile.mkdtemp(prefix="scratch.", dir="/var/tmp"))
    path.chmod(0o1777)
    monkeypatch.setenv("TMPDIR", os.fspath(path))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def debkit_cache() -> Path:
    """The cache that the integration tests share; also set as XDG_CACHE_HOME for what they start."""
    home = Path(os.environ.get("DEBKIT_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ["XDG_CACHE_HOME"] = os.fspath(home)
    return home / "debkit"


@pytest.fixture(scope="session")
def build_chroot(debkit_cache: Path, run: Processes) -> Callable[[str, str], Chroot]:
    """A base chroot to build in, by suite and architecture."""

    def ensure(suite: str, arch: str) -> Chroot:
        return store.ensure(run, ChrootSpec(kind=ChrootKind.BUILD, target=Target(suite, arch)), config=ChrootConfig())

    return ensure


@pytest.fixture(scope="session")
def buildd_tarball(build_chroot: Callable[[str, str], Chroot]) -> Callable[[str, str], Path]:
    return lambda suite, arch: build_chroot(suite, arch).tarball
