"""Small signed APT repositories and a throwaway server for them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from debkit.run import Command, Processes

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = Processes()


@dataclass(slots=True)
class Site:
    """A directory that is served on 127.0.0.1; `asked` are the paths that clients have asked for."""

    root: Path
    url: str
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def serve(root: Path) -> Iterator[Site]:
    """Serve a directory over http on a port of the system's choice."""
    site = Site(root, "")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            self.path = urlsplit(self.path).path  # whole where this is asked as a proxy
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=os.fspath(root))) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def throwaway_key(directory: Path, *, expires: str = "never") -> Iterator[tuple[Path, Path]]:
    """A new signing key: its GNUPGHOME and its exported public keyring. The agent is ended with it."""
    public = directory / "archive-keyring.gpg"
    with tempfile.TemporaryDirectory(prefix="gpg.") as home:  # a short path, since the agent's socket is in it
        try:
            gpg(home, "--quick-gen-key", "--passphrase", "", "Test Archive <archive@example.org>", "ed25519", "sign", expires)
            gpg(home, "--output", os.fspath(public), "--export")
            yield Path(home), public
        finally:
            RUN(Command(argv=("gpgconf", "--homedir", home, "--kill", "all")))


def gpg(home: Path | str, *words: str) -> None:
    RUN(Command(argv=("gpg", "--homedir", os.fspath(home), "--batch", "--yes", "--quiet", "--no-tty", *words)))


def make_deb(directory: Path, name: str, version: str, *, arch: str = "all", **fields: str) -> Path:
    """A .deb with nothing but a control file; further fields have `_` for `-`."""
    tree = directory / f".{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    more = "".join(f"{key.replace('_', '-')}: {text}\n" for key, text in fields.items())
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: Test Writer <test@example.org>\n"
        f"{more}Description: a package for a test\n"
    )
    deb = directory / f"{name}_{version.replace(':', '%3a')}_{arch}.deb"
    RUN(Command(argv=("dpkg-deb", "-Zxz", "--root-owner-group", "--build", os.fspath(tree), os.fspath(deb))))
    RUN(Command(argv=("rm", "-r", os.fspath(tree))))
    return deb


def make_source(directory: Path, name: str, version: str, *, binary: str = "", **fields: str) -> Path:
    """A .dsc of format 1.0 (unsigned) with a tarball of nothing; further fields have `_` for `-`."""
    tarball = directory / f"{name}_{version}.tar.gz"
    tarball.write_bytes(f"{name} {version}\n".encode())
    sums = {kind: hashlib.new(kind, tarball.read_bytes()).hexdigest() for kind in ("md5", "sha1", "sha256")}
    entry = f"{tarball.stat().st_size} {tarball.name}"
    more = "".join(f"{key.replace('_', '-')}: {text}\n" for key, text in fields.items())
    dsc = directory / f"{name}_{version}.dsc"
    dsc.write_text(
        f"Format: 1.0\nSource: {name}\nBinary: {binary or name}\nArchitecture: any all\nVersion: {version}\n"
        f"Maintainer: Test Writer <test@example.org>\n{more}"
        f"Checksums-Sha1:\n {sums['sha1']} {entry}\nChecksums-Sha256:\n {sums['sha256']} {entry}\n"
        f"Files:\n {sums['md5']} {entry}\n"
    )
    return dsc


def index(root: Path, *, suite: str = "stable", arches: tuple[str, ...] = ("amd64", "arm64"), valid_until: str = "") -> None:
    """Write the indices of the packages under ROOT/pool, unsigned."""
    dist = root / "dists" / suite
    for arch in arches:
        _index(root, dist / f"main/binary-{arch}", "Packages", ("--arch", arch, "packages", "pool"))
    _index(root, dist / "main/source", "Sources", ("sources", "pool"))
    release = {"Origin": "Test", "Suite": suite, "Codename": suite, "Architectures": " ".join(arches), "Components": "main"}
    options = [word for key, text in release.items() for word in ("-o", f"APT::FTPArchive::Release::{key}={text}")]
    if valid_until:
        options += ["-o", f"APT::FTPArchive::Release::Valid-Until={valid_until}"]
    (dist / "Release").unlink(missing_ok=True)
    text = _ftparchive(root, (*options, "release", f"dists/{suite}"))
    (dist / "Release").write_text(text)


def sign(root: Path, home: Path, *, suite: str = "stable", options: tuple[str, ...] = ()) -> None:
    """Write InRelease and Release.gpg."""
    dist = root / "dists" / suite
    before = max((path.stat().st_mtime for path in dist.glob("InRelease")), default=0)
    gpg(home, *options, "--output", os.fspath(dist / "InRelease"), "--clearsign", os.fspath(dist / "Release"))
    gpg(home, *options, "--armor", "--output", os.fspath(dist / "Release.gpg"), "--detach-sign", os.fspath(dist / "Release"))
    # http tells the time in whole seconds, and a client does not fetch again what is no newer.
    for path in filter(Path.is_file, dist.rglob("*")):
        newer = max(path.stat().st_mtime, before + 1)
        os.utime(path, (newer, newer))


def _index(root: Path, directory: Path, name: str, words: tuple[str, ...]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(_ftparchive(root, words))


def _ftparchive(root: Path, words: tuple[str, ...]) -> str:
    return RUN(Command(argv=("apt-ftparchive", "-q", *words), cwd=root, separate=True)).stdout
