"""Tiny binary packages, and an archive of them that apt accepts, for tests that must install something."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import threading
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Run

CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: holds one file
"""


def make_deb(run: Run, where: Path, name: str, version: str = "1.0") -> Path:
    """Make NAME_VERSION_all.deb in `where`, with the file /usr/share/NAME/stamp in it."""
    tree = where / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL.format(name=name, version=version))
    stamp = tree / f"usr/share/{name}/stamp"
    stamp.parent.mkdir(parents=True)
    stamp.write_text(f"{name} {version}\n")
    deb = where / f"{name}_{version}_all.deb"
    run(Command(argv=("dpkg-deb", "-Zxz", "--build", "--root-owner-group", os.fspath(tree), os.fspath(deb))))
    return deb


def make_archive(run: Run, where: Path, home: Path) -> Path:
    """Make the .debs in `where` a flat archive, signed by a new key; give the key's file, which apt wants in the sources."""
    packages = run(Command(argv=("dpkg-scanpackages", "-m", "."), cwd=where, separate=True)).stdout.encode()
    (where / "Packages").write_bytes(packages)
    digest = hashlib.sha256(packages).hexdigest()
    (where / "Release").write_text(
        f"Suite: stable\nDate: {formatdate(usegmt=True)}\nSHA256:\n {digest} {len(packages)} Packages\n"
    )
    home.mkdir(mode=0o700, parents=True)
    gpg = ("gpg", "--homedir", os.fspath(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", "")
    run(Command(argv=(*gpg, "--quick-generate-key", "Test Archive <archive@example.org>", "ed25519", "sign")))
    run(Command(argv=(*gpg, "--clearsign", "--output", os.fspath(where / "InRelease"), os.fspath(where / "Release"))))
    run(Command(argv=(*gpg, "--armor", "--export", "--output", os.fspath(home / "archive.asc"))))
    run(Command(argv=("gpgconf", "--homedir", os.fspath(home), "--kill", "all")))
    return home / "archive.asc"


class _Asked(http.server.SimpleHTTPRequestHandler):
    """Serves files and notes what was asked for."""

    def __init__(self, asked: list[str], *args: object, **options: object) -> None:
        self._asked = asked
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def log_message(self, *args: object) -> None:
        self._asked.append(self.path)


@contextlib.contextmanager
def served(where: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a directory on the loopback; gives its URL, and the paths asked for as they come."""
    asked: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Asked, asked, directory=os.fspath(where))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
