"""A small signed archive in a directory, for one clean system: what it may install is in it, and nothing else is within reach.

Packages go in as users will get them, past apt's checks of signature and hash sums. Its key is thrown away.
"""

from __future__ import annotations

import email.utils
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from debkit.keys.home import throwaway
from debkit.keys.make import make_key
from debkit.run import Command

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run

WHOSE = "a staged archive"
KEYRING = "archive.gpg"
SOURCES = """\
Types: deb
URIs: file:{where}
Suites: ./
Signed-By: {where}/{keyring}
"""


def stage(run: Run, directory: Path, debs: dict[str, Path]) -> None:
    """Write an archive of .debs, by the names that they are to have, into an empty directory; several versions if need be."""
    for name, deb in debs.items():
        shutil.copyfile(deb, directory / name)  # no link: it is the system's to write to
    index = run(
        Command(argv=("dpkg-scanpackages", "--multiversion", "--hash", "sha256", "."), cwd=directory, separate=True)
    ).stdout.encode()
    (directory / "Packages").write_bytes(index)
    release = f"Origin: {WHOSE}\nDate: {email.utils.formatdate(usegmt=True)}\nSHA256:\n"
    release += f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    (directory / "Release").write_text(release, encoding="utf-8")
    with throwaway(run) as home:
        key = make_key(run, home, WHOSE, algorithm="ed25519", life="1d", passphrase="")
        gpg = ("gpg", "--homedir", os.fspath(home), "--batch", "--quiet")
        run(Command(argv=(*gpg, "--output", os.fspath(directory / KEYRING), "--export", key)))
        inrelease = directory / "InRelease"
        run(Command(argv=(*gpg, "--output", os.fspath(inrelease), "--clearsign", os.fspath(directory / "Release"))))


def add_to(root: Path, where: str) -> None:
    """Make the archive that is seen at `where` the only one that a system knows."""
    etc = root / "etc/apt"
    for old in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        old.unlink(missing_ok=True)
    sources = etc / "sources.list.d/debkit.sources"
    sources.write_text(SOURCES.format(where=where, keyring=KEYRING), encoding="utf-8")
    sources.chmod(0o644)
