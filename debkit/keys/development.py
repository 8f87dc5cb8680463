"""Development keys: made once, so that everything can be tried, and named so that nobody takes them for more.

They are kept as exported secret keys, not as a GnuPG home: what works with them is a throwaway home, with an agent that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from debkit.errors import DiskError, SigningError
from debkit.keys.ring import gpg
from debkit.paths import put
from debkit.run import Command

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run

LIFE = "2y"
RENEW_BEFORE = 90 * 86400  # seconds
NAMES = {"upload": "debkit development key for uploads", "archive": "debkit development key for the archive"}
PARAMETERS = """\
%no-protection
Key-Type: EDDSA
Key-Curve: ed25519
Key-Usage: sign
Name-Real: {name}
Name-Comment: not for publishing
Expire-Date: {life}
%commit
"""


def development_key(run: Run, home: Path, state: Path, role: str) -> str:
    """Bring the development key for `role` (upload or archive) into a home and give its fingerprint.

    It is read from, or made and written to, ROLE.asc in `state`/keys (0700); near its end it is extended.
    """
    directory = state / "keys"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two first runs at once must not make two keys
        file = directory / f"{role}.asc"
        if not file.exists():
            fingerprint = _make(home, role)
            _keep(home, fingerprint, file)
            return fingerprint
        fingerprint = _bring(home, file)
        key = gpg(home).list_keys(secret=True, keys=[fingerprint])[0]
        if int(key["expires"] or 0) - time.time() < RENEW_BEFORE:
            run(Command(argv=_extend_argv(home, fingerprint)))
            _keep(home, fingerprint, file)
        return fingerprint
    finally:
        os.close(handle)


def _extend_argv(home: Path, fingerprint: str) -> tuple[str, ...]:
    return ("gpg", "--homedir", os.fspath(home), "--batch", "--quick-set-expire", fingerprint, LIFE)


def _make(home: Path, role: str) -> str:
    made = gpg(home).gen_key(PARAMETERS.format(name=NAMES[role], life=LIFE))
    if "No space left on device" in made.stderr:
        raise DiskError(
            f"no development key can be made in {home}",
            cause="the disk is full",
            hint=f"df -h {home.parent}, then free some room",
        )
    if not made.fingerprint:
        raise SigningError(
            "no development key could be made", cause=made.stderr.strip() or "gpg does not say why", hint="gpg --version"
        )
    return str(made.fingerprint)


def _bring(home: Path, file: Path) -> str:
    brought = gpg(home).import_keys(file.read_text(encoding="ascii", errors="replace"))
    if not brought.sec_read or not brought.fingerprints:
        raise SigningError(
            f"{file} does not hold the development key any more",
            cause="it was damaged",
            hint=f"rm {file}, and a new one is made",
        )
    return str(brought.fingerprints[0])


def _keep(home: Path, fingerprint: str, file: Path) -> None:
    exported = gpg(home).export_keys(fingerprint, secret=True, expect_passphrase=False)
    put(file, exported.encode(), mode=0o600)
