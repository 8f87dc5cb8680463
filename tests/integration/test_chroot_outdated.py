"""Whether a cached chroot is outdated, with the real apt and a small repository."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from debkit.chroot import outdated
from debkit.chroot.upkeep import Cached
from debkit.errors import NetworkError
from tests.archives import make_deb

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes
    from tests.apt_world import World


@pytest.fixture
def cached(tarball: Path) -> Cached:
    """A chroot with "base" 1 and "other" 1; the repository has "base" 2, which wants "base-data"."""
    return Cached(
        name="stable-amd64-build-0123abcd", kind="build", suite="stable", arch="amd64", path=tarball, created=0, used=0, size=1,
        package_count=2, packages=(), mirror="", base="", source="", fresh=True,
    )  # fmt: skip


def test_a_chroot_is_outdated_once_its_repository_has_newer_packages(run: Processes, world: World, cached: Cached) -> None:
    assert outdated.newer(run, cached) == ("base 2", "base-data 2")
    make_deb(world.pool, "other", "1+deb1u1")
    world.publish()
    assert outdated.newer(run, cached) == ("base 2", "base-data 2", "other 1+deb1u1")


def test_where_nothing_is_newer_it_is_not(run: Processes, world: World, cached: Cached) -> None:
    for deb in world.pool.glob("base_*"):
        deb.unlink()
    world.publish()
    assert outdated.newer(run, cached) == ()


def test_a_mirror_out_of_reach_says_so(run: Processes, world: World, cached: Cached) -> None:
    shutil.rmtree(world.site.root / "dists")
    with pytest.raises(NetworkError):
        outdated.newer(run, cached)
