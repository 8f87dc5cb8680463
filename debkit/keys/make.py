"""Make keys that last: a primary that only certifies, a subkey that signs, SHA-512 between them, and an end to both.

The subkey alone goes where signing is done. What is lost there is replaced without clients having to trust another key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.find import home_of
from debkit.keys.home import reachable
from debkit.keys.passphrase import new_passphrase
from debkit.keys.ring import gpg
from debkit.keys.secret import certify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from debkit.config import KeysConfig
    from debkit.keys.passphrase import Passphrase
    from debkit.run import Completed, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What kind of key to make. `life` is as gpg takes it: "2y", "18m", "2028-01-31"."""

    uid: str
    algorithm: str = "ed25519"
    life: str = "2y"
    protected: bool = True


def init(run: Run, config: KeysConfig, wanted: Wanted, *, another: bool, source: Passphrase, environ: Mapping[str, str]) -> str:
    """Make a key in the caller's own keyring and give its fingerprint.

    Raises SigningError when gpg refuses, when a passphrase is lacking, and for a second key unless `another` is wanted.
    """
    configured = config.archive or config.upload
    if configured and not another:
        raise SigningError(
            f"{configured} is configured already",
            cause="one key is enough",
            hint="debkit key list; to change it: debkit key rotate",
        )
    home = home_of(environ)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with reachable(run, home) as directory:
        if not another:
            demand_first(directory, wanted.uid)
        passphrase = new_passphrase(source, environ, whose=f"the key of {wanted.uid}") if wanted.protected else ""
        return make_key(run, directory, wanted.uid, algorithm=wanted.algorithm, life=wanted.life, passphrase=passphrase)


def make_key(run: Run, home: Path, uid: str, *, algorithm: str, life: str, passphrase: str) -> str:
    """Make a key in a home and give its fingerprint; the passphrase "" is none. Raises SigningError when gpg refuses."""
    fingerprint = _created(certify(run, home, passphrase, "--quick-generate-key", uid, algorithm, "cert", life))
    add_subkey(run, home, fingerprint, algorithm=algorithm, life=life, passphrase=passphrase)
    return fingerprint


def add_subkey(run: Run, home: Path, fingerprint: str, *, algorithm: str, life: str, passphrase: str) -> str:
    """Give a key one more subkey that signs, of which gpg prefers the newest. Raises SigningError when gpg refuses."""
    return _created(certify(run, home, passphrase, "--quick-add-key", fingerprint, algorithm, "sign", life))


def demand_first(home: Path, uid: str) -> None:
    """Check that no secret key in a home has this name. Raises SigningError."""
    there = [key["fingerprint"] for key in gpg(home).list_keys(secret=True) if uid in key["uids"]]
    if there:
        raise SigningError(
            f"there is a secret key of {uid!r} already: {', '.join(there)}",
            cause="it was made before, and one is enough",
            hint="debkit key list; or, if you do want another one, the same command with --another",
        )


def _created(done: Completed) -> str:
    said = "\n".join(done.tail)
    found = re.search(r"^\[GNUPG:\] KEY_CREATED [PBS] (\w+)", said, flags=re.MULTILINE)
    if not found:
        raise SigningError("gpg has made no key", cause=said or "it does not say why", hint="gpg --version")
    return found[1]
