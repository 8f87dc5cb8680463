"""Those who read an archive over http while it changes: real apt-get, and a reader that looks at every file."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from debkit.keys import unsigned_text
from debkit.run import Command, Processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = Processes()
APT_CONF = """\
Dir "{root}";
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; "arm64"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "0";
Acquire::http::Proxy::127.0.0.1 "DIRECT";
"""
SOURCES = "Types: deb deb-src\nURIs: {url}/\nSuites: {suite}\nComponents: main\nSigned-By: {keyring}\n"


class Reader(threading.Thread):
    """Reads until it is told to stop; `rounds` is how often it has, `troubles` what was wrong each time.

    That it could not read at all is a trouble like others.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.rounds = 0
        self.troubles: list[str] = []
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self.troubles += self.look()
            except Exception as problem:  # noqa: BLE001 (a thread that ends would be taken for one that is content)
                self.troubles.append(f"{type(problem).__name__}: {problem}")
            self.rounds += 1

    def look(self) -> list[str]:
        raise NotImplementedError

    def stop(self) -> None:
        self._over.set()


@contextlib.contextmanager
def reading(*readers: Reader) -> Iterator[None]:
    """Let them read meanwhile; each is to go on to the end, and then to end."""
    for reader in readers:
        reader.start()
    try:
        yield
        assert all(reader.is_alive() for reader in readers)
    finally:
        for reader in readers:
            reader.stop()
        for reader in readers:
            reader.join(60)
    assert not any(reader.is_alive() for reader in readers)


class AptGet(Reader):
    """`apt-get update` in a root of its own; every warning and error counts as trouble, and nothing is tried twice."""

    def __init__(self, root: Path, *, url: str, keyring: Path, suite: str = "trixie") -> None:
        super().__init__()
        for directory in ("state/lists/partial", "cache/archives/partial"):
            (root / directory).mkdir(parents=True)
        for directory in ("apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d"):
            (root / "etc/apt" / directory).mkdir(parents=True)
        (root / "status").touch()
        (root / "etc/apt/sources.list.d/archive.sources").write_text(SOURCES.format(url=url, suite=suite, keyring=keyring))
        (root / "apt.conf").write_text(APT_CONF.format(root=root))
        self._command = Command(
            argv=("apt-get", "update"), env=(("APT_CONFIG", os.fspath(root / "apt.conf")),), ok=frozenset(range(256))
        )

    def look(self) -> list[str]:
        done = RUN(self._command)
        lines = [line for line in done.stdout.splitlines() if line.startswith(("W:", "E:", "Err:"))]
        return ["\n".join(lines) or f"apt-get update exited with {done.code}"] if lines or done.code else []


class Careful(Reader):
    """Verifies InRelease, fetches every index that it lists, and looks by its checksum at every file that those list."""

    def __init__(self, scratch: Path, *, url: str, keyring: Path, suite: str = "trixie") -> None:
        super().__init__()
        self._inrelease = scratch / "InRelease"
        self._base, self._dist, self._keyring = url, f"{url}/dists/{suite}", keyring
        self._seen: set[tuple[str, str]] = set()

    def look(self) -> list[str]:
        self._inrelease.write_bytes(_fetch(f"{self._dist}/InRelease"))
        argv = ("gpgv", "--keyring", os.fspath(self._keyring), os.fspath(self._inrelease))
        verified = RUN(Command(argv=argv, ok=frozenset(range(256))))
        if verified.code:
            return [f"InRelease: {verified.stdout}"]
        release = unsigned_text(self._inrelease.read_text(encoding="utf-8"))
        by_hash = "\nAcquire-By-Hash: yes\n" in release
        troubles: list[str] = []
        indices = re.findall(r"^ (\w{64}) +\d+ (\S+/(?:Packages|Sources)\.gz)$", release, flags=re.MULTILINE)
        for sha256, name in indices:
            path = f"{name.rpartition('/')[0]}/by-hash/SHA256/{sha256}" if by_hash else name
            try:
                content = _fetch(f"{self._dist}/{path}")
            except urllib.error.HTTPError as problem:
                troubles.append(f"{name}: {problem}")
                continue
            if hashlib.sha256(content).hexdigest() != sha256:
                troubles.append(f"{name}: another checksum than InRelease has")
                continue
            troubles += self._files(gzip.decompress(content).decode())
        return troubles or ([] if indices else ["InRelease lists no index"])

    def _files(self, index: str) -> Iterator[str]:
        for path, sha256 in _listed(index):
            try:
                if (path, sha256) in self._seen:
                    _fetch(f"{self._base}/{path}", method="HEAD")
                elif hashlib.sha256(_fetch(f"{self._base}/{path}")).hexdigest() == sha256:
                    self._seen.add((path, sha256))
                else:
                    yield f"{path}: another checksum than its index has"
            except urllib.error.HTTPError as problem:
                yield f"{path}: {problem}"


def _listed(index: str) -> Iterator[tuple[str, str]]:
    """Give the path and SHA-256 of each file of a Packages or a Sources."""
    for stanza in filter(None, index.split("\n\n")):
        if package := re.search(r"^Filename: (\S+)$", stanza, flags=re.MULTILINE):
            sha256 = re.search(r"^SHA256: (\w{64})$", stanza, flags=re.MULTILINE)
            assert sha256
            yield package[1], sha256[1]
            continue
        directory = re.search(r"^Directory: (\S+)$", stanza, flags=re.MULTILINE)
        section = re.search(r"^Checksums-Sha256:\s*\n((?: .*\n?)+)", stanza, flags=re.MULTILINE)
        assert directory
        assert section
        for line in section[1].splitlines():
            sha256_, _, name = line.split()
            yield f"{directory[1]}/{name}", sha256_


def _fetch(url: str, method: str = "GET") -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content
