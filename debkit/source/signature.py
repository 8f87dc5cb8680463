"""Whether a .dsc is signed by a key of a keyring. Owns gpgv."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from debian.deb822 import Deb822

from debkit.errors import SourceError
from debkit.run import Command

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run

SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
ARMOUR = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----.*?\n\r?\n(?P<body>.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)

# GnuPG's doc/DETAILS: why a signature does not count, the worst first.
REFUSALS = {
    "BADSIG": "the signature does not match: the file was changed after it was signed",
    "REVKEYSIG": "it is signed by a key that was revoked",
    "EXPKEYSIG": "it is signed by a key that has expired; the keyring may be older than the key's new expiry date",
    "EXPSIG": "the signature itself has expired",
    "NO_PUBKEY": "the key that signed it is not in the keyring",
    "ERRSIG": "the signature cannot be checked: its key or its algorithm is unknown",
}


def gpgv_argv(keyring: Path, signed: Path, payload: Path) -> tuple[str, ...]:
    return ("gpgv", "--status-fd", "1", "--keyring", f"{keyring}", "--output", f"{payload}", f"{signed}")


def verify_signature(run: Run, dsc: Path, keyring: Path, *, work: Path) -> str:
    """Return the fingerprint of the key that signed the .dsc; raises SourceError unless that key is in the keyring and valid.

    `work` is a directory for scratch files. What is signed must be all that the file says.
    """
    if not keyring.is_file():
        raise SourceError(
            f"the keyring {keyring} does not exist",
            cause="[source] keyring in config/debkit.toml names it",
            hint="sudo apt-get install debian-keyring\nand name /usr/share/keyrings/debian-keyring.gpg there",
        )
    text = dsc.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(SIGNED):
        raise refused(dsc, keyring, "it is not signed")
    payload = work / "signed-part"
    payload.unlink(missing_ok=True)
    binary = _binary(keyring, work)
    told = run(Command(argv=gpgv_argv(binary, dsc, payload), ok=frozenset({0, 1, 2}), separate=True))
    status = [line.split()[1:] for line in told.stdout.splitlines() if line.startswith("[GNUPG:] ")]
    words = {parts[0]: parts[1:] for parts in status if parts}
    for word, why in REFUSALS.items():
        if word in words:
            raise refused(dsc, keyring, f"{why} ({' '.join(words[word][:1])})")
    if told.code or "GOODSIG" not in words or "VALIDSIG" not in words:
        raise refused(dsc, keyring, "\n".join(told.tail[-4:]) or f"gpgv exited with {told.code}")
    # dpkg-source and we read the file, gpgv what is signed of it: no field may stand outside.
    if Deb822(payload.read_text(encoding="utf-8").splitlines()) != Deb822(text.splitlines()):
        raise refused(dsc, keyring, "it says more than what is signed")
    return words["VALIDSIG"][0]


def refused(dsc: Path, keyring: Path, why: str) -> SourceError:
    return SourceError(
        f"the signature of {dsc.name} is not accepted",
        cause=why,
        hint=f"gpgv --keyring {keyring} {dsc}\nor: leave [source] keyring out, to trust the file as it is",
    )


def dearmoured(text: str) -> bytes:
    """Decode the ASCII-armoured keys in the text (RFC 9580, 6.2)."""
    blocks = []
    for block in ARMOUR.finditer(text):
        body = [line.strip() for line in block["body"].splitlines() if line.strip() and not line.startswith("=")]
        blocks.append(base64.b64decode("".join(body)))
    return b"".join(blocks)


def _binary(keyring: Path, work: Path) -> Path:
    """Give the keyring as gpgv reads it, which takes no ASCII armour; absolute, since gpgv looks for others in ~/.gnupg."""
    content = keyring.read_bytes()
    if not content.startswith(b"-----BEGIN PGP"):
        return keyring.resolve()
    (work / "keyring.gpg").write_bytes(dearmoured(content.decode("ascii", "replace")))
    return (work / "keyring.gpg").resolve()
