"""Real GnuPG homes with keys made for a test, under short paths, and gone with their agents."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.run import Command, Processes

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = Processes()


@contextlib.contextmanager
def gnupg_home() -> Iterator[Path]:
    """An empty private home."""
    home = Path(tempfile.mkdtemp(prefix="gnupg.", dir="/tmp"))
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")  # a tenth of a second for each use is for real keys
    try:
        yield home
    finally:
        end_agent(home)
        shutil.rmtree(home, ignore_errors=True)


def end_agent(home: Path) -> None:
    """End the home's agent, and with it what it remembers."""
    RUN(Command(argv=("gpgconf", "--homedir", os.fspath(home), "--kill", "all"), ok=frozenset(range(256))))


def make_key(home: Path, *, uid: str = "Test Writer <test@example.org>", passphrase: str = "", expires: str = "1y") -> str:
    """Make an ed25519 key and give its fingerprint. `expires` as gpg takes it: "1y", "seconds=5", "20200101T000000"."""
    # A key that has expired already can only be made in the past.
    past = ("--faked-system-time", "20190101T000000!") if expires.startswith("2020") else ()
    done = gpg(home, *past, "--status-fd", "1", "--quick-generate-key", uid, "ed25519", "sign", expires, passphrase=passphrase)
    return next(line.split()[3] for line in done.splitlines() if " KEY_CREATED " in line)


PAST = ("--faked-system-time", "20190101T000000!")
SHA1 = ("--allow-weak-key-signatures", "--cert-digest-algo", "SHA1")


def make_split_key(
    home: Path, *, uid: str = "Archive <archive@example.org>", algorithm: str = "ed25519", passphrase: str = "",
    primary: tuple[str, ...] = (), expires: str = "2y", subkey: tuple[str, ...] = (), subkey_expires: str = "2y",
) -> str:  # fmt: skip
    """Make a primary that certifies and a subkey that signs, each with options of gpg's such as PAST and SHA1."""
    status = ("--status-fd", "1")
    done = gpg(home, *primary, *status, "--quick-generate-key", uid, algorithm, "cert", expires, passphrase=passphrase)
    fingerprint = next(line.split()[3] for line in done.splitlines() if " KEY_CREATED " in line)
    gpg(home, *subkey, "--quick-add-key", fingerprint, algorithm, "sign", subkey_expires, passphrase=passphrase)
    return fingerprint


def revoke(home: Path, fingerprint: str) -> None:
    certificate = (home / f"openpgp-revocs.d/{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg(home, "--import", stdin=certificate)


def secret_key(home: Path, fingerprint: str, *, passphrase: str = "") -> str:
    """Export the secret key, armoured."""
    return gpg(home, "--armor", "--export-secret-keys", fingerprint, passphrase=passphrase)


def gpg(home: Path, *words: str, passphrase: str = "", stdin: str = "") -> str:
    """Run gpg without a terminal and give its standard output."""
    return RUN(
        Command(
            argv=(
                "gpg", "--homedir", os.fspath(home), "--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase-fd", "0",
                *words,
            ),
            stdin=f"{passphrase}\n{stdin}".encode(),
            separate=True,
        )
    ).stdout  # fmt: skip


def agents_of(home: Path) -> list[str]:
    """The command lines of living agents that serve a home, or one below a directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if line.startswith("gpg-agent") and os.fspath(home) in line:
            found.append(line)
    return found
