from __future__ import annotations

import http.client
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from debkit.archive.serving.serve import served
from debkit.archive.serving.site import is_public, read_site
from debkit.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.serving.serve import Served

SHA = "a" * 64
FILES = (
    "dists/trixie/InRelease",
    "dists/trixie/Release",
    "dists/trixie/Release.gpg",
    "dists/trixie/main/binary-amd64/Packages",
    "dists/trixie/main/binary-amd64/Release",
    f"dists/trixie/main/binary-amd64/by-hash/SHA256/{SHA}",
    "pool/main/h/hello/hello_1.0_amd64.deb",
    "INSTALL.md",
    "debkit-archive-keyring.pgp",
    "debkit.sources",
    "index.html",
)
HIDDEN = (
    ".lock",
    ".conf/distributions",
    "conf/uploaders",
    "db/packages.db",
    "dists/trixie/InRelease.new",
    "dists/trixie/main/binary-amd64/Packages.gz.new",
    "dists/trixie/snapshots/20260101/InRelease",
    "journal",
    "lists/x",
    "logs/x",
    "pool/main/h/hello/.hello_1.0_amd64.deb.new",
)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in (*FILES, *HIDDEN):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "dists/stable").symlink_to("trixie")
    return tmp_path


def answer(site: Served, path: str) -> tuple[int, str]:
    client = http.client.HTTPConnection(site.url.removeprefix("http://"))
    client.request("GET", f"/{path}")
    response = client.getresponse()
    return response.status, response.read().decode()


def test_what_is_for_the_world() -> None:
    assert all(is_public(PurePosixPath(name)) for name in FILES)
    assert not any(is_public(PurePosixPath(name)) for name in HIDDEN)


def test_what_names_a_file_comes_after_it(base: Path) -> None:
    site = read_site(base)
    assert site.files == {*FILES, "dists/stable"}
    assert site.stages == (
        ("debkit-archive-keyring.pgp",),
        ("pool/main/h/hello/hello_1.0_amd64.deb",),
        (f"dists/trixie/main/binary-amd64/by-hash/SHA256/{SHA}",),
        ("dists/stable", "dists/trixie/main/binary-amd64/Packages", "dists/trixie/main/binary-amd64/Release"),
        ("dists/trixie/InRelease", "dists/trixie/Release", "dists/trixie/Release.gpg"),
        ("INSTALL.md", "debkit.sources", "index.html"),
    )


def test_what_is_deployed_is_served_and_nothing_else(base: Path) -> None:
    with served(base) as site:
        assert answer(site, "") == (200, "index.html")
        for name in (*FILES, "dists/stable/InRelease"):
            assert answer(site, name)[0] == 200
        for name in (*HIDDEN, "pool", "pool/", "dists/", "pool/../db/packages.db", "pool/%2e%2e/db/packages.db"):
            assert answer(site, name)[0] in {301, 404}, name
        assert answer(site, "pool/")[0] == 404


def test_two_cannot_listen_on_one_port(base: Path) -> None:
    with served(base) as site:
        port = int(site.url.rpartition(":")[2])
        with (
            pytest.raises(ConfigError, match=f"nothing can be served on 127.0.0.1 port {port}") as taken,
            served(base, port=port),
        ):
            pass
    assert taken.value.cause == "another program listens there"
    with pytest.raises(ConfigError), served(base, bind="192.0.2.1"):
        pass
