from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from debkit.archive import client, proof
from debkit.archive.index import Line, read_index
from debkit.archive.serving.serve import Served, served
from debkit.config import ArchiveConfig, BuildConfig, Config
from debkit.errors import ArchiveError
from debkit.model import Published, Target

PUBLISHED = Published(
    suite="trixie", source="hello", version="1.0-1", arches=("amd64", "arm64"), packages=("hello", "hello-dbgsym"),
    unchanged=False, signer="A" * 40,
)  # fmt: skip
PACKAGES = """\
Package: hello
Version: 1.0-1
Description: x
Filename: pool/main/h/hello/hello_1.0-1_amd64.deb

Package: hello-doc
Source: hello
Version: 1.0-1
Filename: pool/main/h/hello/hello-doc_1.0-1_all.deb

Package: libhello
Source: hello (1.0-1)
Version: 2.0
Filename: pool/main/h/hello/libhello_2.0_amd64.deb

Package: other
Version: 1.0-1
Filename: pool/main/o/other/other_1.0-1_amd64.deb
"""


def test_one_keyring_path_everywhere() -> None:
    config = Config(project=Path("/project"), archive=ArchiveConfig(name="tools", url="https://apt.example.org/tools/"))
    path = "/usr/share/keyrings/tools-archive-keyring.pgp"
    assert client.sources_text(config, "trixie") == (
        f"Types: deb deb-src\nURIs: https://apt.example.org/tools/\nSuites: trixie\nComponents: main\nSigned-By: {path}\n"
    )
    assert client.instructions(config, PUBLISHED, machine="amd64") == (
        "sudo apt-get update && sudo apt-get install curl ca-certificates",
        f"sudo curl -fsSLo {path} https://apt.example.org/tools/tools-archive-keyring.pgp",
        "sudo curl -fsSLo /etc/apt/sources.list.d/tools.sources https://apt.example.org/tools/tools.sources",
        "sudo apt-get update && sudo apt-get install hello",
    )


def test_an_archive_that_is_served_nowhere_yet() -> None:
    config = Config(project=Path("/my project"), build=BuildConfig(suites=("bookworm", "trixie")))
    assert "URIs: file:/my%20project/repo/\n" in client.sources_text(config, "trixie")
    assert "URIs: http://127.0.0.1:8000/\n" in client.sources_text(config, "trixie", "http://127.0.0.1:8000")
    assert client.sources_file(config, "bookworm") == Path("/my project/repo/debkit.sources")
    assert client.instructions(config, PUBLISHED, machine="amd64")[:2] == (
        "sudo install -m 644 '/my project/repo/debkit-archive-keyring.pgp' /usr/share/keyrings/",
        "sudo install -m 644 '/my project/repo/debkit-trixie.sources' /etc/apt/sources.list.d/debkit.sources",
    )


def test_a_private_home_does_not_stop_apt(tmp_path: Path) -> None:
    config = Config(project=tmp_path / "home")
    config.repo.mkdir(parents=True)
    config.project.chmod(0o700)
    last = client.instructions(config, PUBLISHED, machine="amd64")[-1]
    assert last == ("sudo apt-get -o APT::Sandbox::User=root update && sudo apt-get -o APT::Sandbox::User=root install hello")


def test_packages_for_another_machine_say_so() -> None:
    config = Config(project=Path("/project"))
    first, *others = client.instructions(config, PUBLISHED, machine="riscv64")
    assert first.startswith("# on amd64 or arm64, with /project/repo at the same path")
    assert tuple(others) == client.instructions(config, PUBLISHED, machine="arm64")


def archive(base: Path) -> Path:
    index = base / "dists/trixie/main/binary-amd64"
    index.mkdir(parents=True)
    (index / "Packages").write_text(PACKAGES)
    (base / "db").mkdir()
    (base / "db/packages.db").touch()
    return base


def test_which_packages_a_version_has(tmp_path: Path) -> None:
    base = archive(tmp_path)
    found = proof.expected_packages(base, PUBLISHED, Target("trixie", "amd64"))
    assert found == (
        Line("hello", "1.0-1", "hello", "1.0-1", "pool/main/h/hello/hello_1.0-1_amd64.deb"),
        Line("hello-doc", "1.0-1", "hello", "1.0-1", "pool/main/h/hello/hello-doc_1.0-1_all.deb"),
        Line("libhello", "2.0", "hello", "1.0-1", "pool/main/h/hello/libhello_2.0_amd64.deb"),
    )
    assert len(read_index(base, "trixie", "amd64")) == 4
    with pytest.raises(ArchiveError, match="has no package of hello"):
        proof.expected_packages(base, PUBLISHED, Target("trixie", "arm64"))


def answer(site: Served, path: str) -> tuple[int, str]:
    client = http.client.HTTPConnection(site.url.removeprefix("http://"))
    client.request("GET", f"/{path}")
    response = client.getresponse()
    return response.status, response.read().decode()


def test_dists_and_pool_are_served_and_nothing_else(tmp_path: Path) -> None:
    with served(archive(tmp_path)) as site:
        assert answer(site, "dists/trixie/main/binary-amd64/Packages") == (200, PACKAGES)
        for hidden in ("db/packages.db", "", "dists/../db/packages.db", "dists/%2e%2e/db/packages.db"):
            assert answer(site, hidden)[0] == 404
        assert "dists/trixie/main/binary-amd64/Packages" in site.asked


def test_what_came_from_elsewhere_is_no_proof(tmp_path: Path) -> None:
    line = Line("hello", "1.0-1", "hello", "1.0-1", "pool/main/h/hello/hello_1.0-1_amd64.deb")
    proof.demand_from_here((line,), frozenset({line.file}), target=Target("trixie", "amd64"), log=tmp_path / "log")
    with pytest.raises(ArchiveError, match="hello did not come from the archive"):
        proof.demand_from_here((line,), frozenset(), target=Target("trixie", "amd64"), log=tmp_path / "log")


def test_a_clean_root_learns_of_the_archive_first(tmp_path: Path) -> None:
    config = Config(project=tmp_path / "project")
    client.keyring_file(config).parent.mkdir(parents=True)
    client.keyring_file(config).write_bytes(b"key")
    root = tmp_path / "root"
    (root / "etc/apt/sources.list.d").mkdir(parents=True)
    (root / "etc/apt/sources.list").write_text("deb http://mirror.example.org/debian trixie main\n")
    (root / "etc/apt/sources.list.d/debian.sources").touch()
    proof.add_archive(root, config, "Types: deb\n")
    names = sorted(file.name for file in (root / "etc/apt/sources.list.d").iterdir())
    assert names == ["debkit.sources", "zz-debian.sources", "zz-sources.list"]
    assert not (root / "etc/apt/sources.list").exists()
    assert (root / "usr/share/keyrings/debkit-archive-keyring.pgp").read_bytes() == b"key"


def test_lists_that_are_at_hand_are_lent(tmp_path: Path) -> None:
    lists = tmp_path / "client/var/lib/apt/lists"
    (lists / "partial").mkdir(parents=True)
    for name in ("mirror.example.org_InRelease", "mirror.example.org_Packages", "lock", "updated"):
        (lists / name).touch()
    proof.lend_lists(tmp_path / "client", tmp_path / "root")
    lent = sorted(file.name for file in (tmp_path / "root/var/lib/apt/lists").iterdir())
    assert lent == ["mirror.example.org_InRelease", "mirror.example.org_Packages"]
