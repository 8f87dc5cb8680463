from __future__ import annotations

import contextlib
import gzip
import http.server
import re
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.archive import publish
from debkit.archive.released import read_released, reading
from debkit.errors import ArchiveError, NetworkError
from debkit.release.assets import Asset, gather
from debkit.release.flat import make_indices
from tests.clients import clean
from tests.github_double import REPOSITORY, serving
from tests.integration.test_release_github import archive, desk
from tests.publishing import overwrite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.run import Processes
    from tests.integration.test_release_github import Desk
    from tests.publishing import Upload

__all__ = ["archive", "desk"]
RC = "1.1~rc1"


@contextlib.contextmanager
def downloads(assets: dict[str, bytes], tag: str) -> Iterator[str]:
    """Serve a release as GitHub does: the latest's files lie at their tag's, and those on another host, under other names."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            ways = {f"/{REPOSITORY}/releases/latest/download/": f"/{REPOSITORY}/releases/download/{tag}/{name}",
                    f"/{REPOSITORY}/releases/download/{tag}/": f"{elsewhere}/objects/0123?of={name}"}  # fmt: skip
            start = self.path.removesuffix(name).replace("/./", "/")  # apt asks for ./InRelease, and GitHub gives it
            if name in assets and start in ways:
                self.send_response(302)
                self.send_header("Location", ways[start])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = assets.get(self.path.partition("/objects/0123?of=")[2])
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            """Say nothing."""

    with serving(Handler) as elsewhere, serving(Handler) as url:
        yield url


@pytest.mark.parametrize(("version", "tag"), [("1.0", "v1.0"), pytest.param(RC, "debian/1.1_rc1", marks=pytest.mark.slow)])
def test_apt_installs_from_the_release_as_its_text_says(  # noqa: PLR0917
    desk: Desk, run: Processes, archive: Config, keys: Keys, make_upload: Upload, debkit_cache: Path, version: str, tag: str
) -> None:
    if version == RC:
        publish(run, archive, make_upload(version=RC), keys)
    desk.github.tags.append(tag)
    assets: dict[str, bytes] = {}
    with downloads(assets, tag) as url, clean(run, "trixie") as client:
        desk.release("--flat-repo", tag=tag, GITHUB_SERVER_URL=url)
        assets |= desk.github.contents(tag)
        (release,) = desk.github.releases.values()
        lines = re.findall(r"```sh\n(.*?)\n```", release["body"], flags=re.DOTALL)[0]
        assert f"URIs: {url}/" in lines
        client.types("apt-get update", "apt-get install --yes curl")
        client.types(lines)
        assert client.version("hello-debkit") == version
        client.types(f"grep -q '^{url}' /dev/stdin <<END\n$(apt-cache policy hello-debkit | sed -n 's/.*500 //p')\nEND")
        assert ("Sources" in assets) == (version == "1.0")


def test_a_client_of_any_architecture_sees_its_packages_and_trusts_the_archives_key_alone(
    desk: Desk, run: Processes, tmp_path: Path, archive: Config
) -> None:
    desk.release("--flat-repo")
    assets = desk.github.contents()
    keyring = tmp_path / "keyring.pgp"
    keyring.write_bytes(assets["debkit-archive-keyring.pgp"])
    with downloads(assets, "v1.0") as url:
        sources = f"Types: deb deb-src\nURIs: {url}/{REPOSITORY}/releases/latest/download/\nSuites: ./\nSigned-By: {keyring}\n"
        for arch in ("amd64", "arm64"):
            root = apt.make(tmp_path / arch, arch=arch, sources=sources, keyring=keyring)
            apt.update(run, root)
            assert apt.seen(run, root, "hello-debkit") == ("1.0",)
        assets["Packages.gz"] = gzip.compress(assets["Packages"] + b"\n")
        assets["Packages"] += b"\n"
        with pytest.raises(NetworkError, match=r"size|[Hh]ash|fit together"):
            apt.update(run, apt.make(tmp_path / "tampered", arch="amd64", sources=sources, keyring=keyring))


def test_indices_are_the_same_in_each_run(run: Processes, archive: Config, tmp_path: Path) -> None:
    made, laid = [], tuple[Asset, ...]()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with reading(archive):
            found = read_released(archive, "hello-debkit", "1.0")
            laid = gather(tmp_path / name, archive.repo, found.all_files)
        made.append(make_indices(run, laid, parent=tmp_path / name, name="debkit", time=found.time))
    assert made[0] == made[1]
    assert made[0].keys() == {"Packages", "Packages.gz", "Sources", "Sources.gz", "Release"}
    text = made[0]["Packages"].decode()
    assert sorted(re.findall(r"^Filename: (.*)$", text, flags=re.MULTILINE)) == sorted(
        asset.name for asset in laid if asset.name.endswith(".deb")
    )
    release = made[0]["Release"].decode()
    assert "Date: Tue, 02 Jan 2024 03:04:05 +0000\nAcquire-By-Hash: no\n" in release
    assert "Architectures: amd64 arm64\n" in release


def test_a_damaged_pool_is_not_released(archive: Config) -> None:
    overwrite(next(archive.repo.glob("pool/*/*/*/*_amd64.deb")))
    with reading(archive), pytest.raises(ArchiveError, match="is not what the archive says of it"):
        read_released(archive, "hello-debkit", "1.0")
