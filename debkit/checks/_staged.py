"""A small archive in a directory, for one clean system: what it may install is in it, and nothing else is within reach.

A signed one takes packages past apt's checks of signature and hash sums, as users get them. Its key is thrown away.
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
    from collections.abc import Mapping
    from pathlib import Path

    from debkit.run import Run

WHOSE = "a staged archive"
KEYRING = "archive.gpg"
SIGNED = """\
Types: deb
URIs: file:{where}
Suites: ./
Signed-By: {where}/{keyring}
"""
TRUSTED = """\
Types: deb
URIs: file:{where}
Suites: ./
Trusted: yes
"""


def fill(run: Run, directory: Path, packages: Mapping[str, Path]) -> None:
    """Copy packages into an empty directory, by the names that they are to have there, several versions if need be, and index
    them. apt reads them as its own user.
    """
    directory.chmod(0o755)
    for name, deb in packages.items():
        shutil.copyfile(deb, directory / name)  # no link: it is the system's to write to
        (directory / name).chmod(0o644)
    scan = Command(argv=("dpkg-scanpackages", "--multiversion", "--hash", "sha256", "."), cwd=directory, separate=True)
    (directory / "Packages").write_text(run(scan).stdout, encoding="utf-8")


def sign(run: Run, directory: Path) -> None:
    """Sign what is there, and lay the key beside it."""
    index = (directory / "Packages").read_bytes()
    release = f"Origin: {WHOSE}\nDate: {email.utils.formatdate(usegmt=True)}\nSHA256:\n"
    release += f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    (directory / "Release").write_text(release, encoding="utf-8")
    with throwaway(run) as home:
        key = make_key(run, home, WHOSE, algorithm="ed25519", life="1d", passphrase="")
        gpg = ("gpg", "--homedir", os.fspath(home), "--batch", "--quiet")
        run(Command(argv=(*gpg, "--output", os.fspath(directory / KEYRING), "--export", key)))
        inrelease = directory / "InRelease"
        run(Command(argv=(*gpg, "--output", os.fspath(inrelease), "--clearsign", os.fspath(directory / "Release"))))


def add(root: Path, where: str, *, name: str, text: str, alone: bool) -> None:
    """Have a system's apt know the archive that it sees at `where`; `alone`: and no other. `text` is SIGNED or TRUSTED."""
    etc = root / "etc/apt"
    for old in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))) if alone else ():
        old.unlink(missing_ok=True)
    sources = etc / f"sources.list.d/{name}.sources"
    sources.write_text(text.format(where=where, keyring=KEYRING), encoding="utf-8")
    sources.chmod(0o644)
