"""What a client of a signed repository sees and trusts, and its way to the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.errors import NetworkError
from tests.archives import make_deb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.run import Processes
    from tests.apt_world import World


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
