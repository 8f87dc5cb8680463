"""What is done with a key: look it up, prove that it can sign, say what it has signed, export it. Owns python-gnupg.

gpg works in the key's own home and under loopback pinentry: what it needs to know comes through a pipe, or it fails.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gnupg

from debkit.errors import SigningError
from debkit.keys.home import by_hand, is_throwaway
from debkit.model import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping

WRAPPER = Path(__file__).with_name("gpg")
OPTIONS = ("--pinentry-mode", "loopback", "--no-auto-check-trustdb")
BEGIN, END = "-----BEGIN PGP SIGNED MESSAGE-----", "-----END PGP SIGNATURE-----"  # of a clearsigned text (RFC 4880, 7)
PROBE = "debkit proves that this key can sign.\n"
NO_LOOPBACK = "pinentry mode 'loopback' failed"
SIGN_ANEW = "run the same command again: it signs anew"
NOT_IN_FAVOUR = {"e": "has expired", "r": "is revoked", "d": "is disabled", "i": "is not valid"}


class PassphraseNeeded(SigningError):
    """A key is protected and nothing that unlocks it is known."""


class Secret:
    """A text that shows itself only when asked: neither printing nor serialising what holds it can betray it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "********"

    def reveal(self) -> str:
        return self._text


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The key that signs uploads and the key that signs the archive; they may be the same. `secrets` is by fingerprint.

    `also` sign the archive while its key is changed for another.
    """

    upload: SigningKey
    archive: SigningKey
    also: tuple[SigningKey, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)

    def passphrase(self, key: SigningKey) -> str:
        """Give a key's passphrase, empty when none is needed or known."""
        secret = self.secrets.get(key.fingerprint)
        return secret.reveal() if secret else ""

    @property
    def signers(self) -> tuple[SigningKey, ...]:
        """Every key that signs the archive now, the one that identifies it first. All lie in one home."""
        return (self.archive, *self.also)

    @property
    def each(self) -> tuple[SigningKey, ...]:
        return tuple({key.local_user: key for key in (self.upload, *self.signers)}.values())


@dataclass(frozen=True, slots=True)
class Place:
    """A key, or a subkey, that is wanted, and the home it is to be found in."""

    home: Path
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the keys are that are wanted, as in Keys."""

    upload: Place
    archive: Place
    also: tuple[Place, ...] = ()

    @property
    def signers(self) -> tuple[Place, ...]:
        return (self.archive, *self.also)


@cache
def gpg(home: Path) -> Any:
    """Open a home through python-gnupg, which starts gpg once to ask for its version."""
    ring = gnupg.GPG(gpgbinary=os.fspath(WRAPPER), gnupghome=os.fspath(home), options=list(OPTIONS))
    ring.encoding = "utf-8"  # its default, Latin-1, garbles passphrases
    return ring


def look_up(home: Path, fingerprint: str, *, development: bool = False, itself: bool = False) -> SigningKey:
    """Find a secret key, or a subkey of one; `itself` is a primary that signs although it has subkeys which could.

    Raises SigningError when it is not there, has no secret part, has expired or is revoked.
    """
    ring = gpg(home)
    found = ring.list_keys(secret=True, keys=[fingerprint])
    if NO_LOOPBACK in found.stderr:
        raise _no_loopback(home)
    if not found and ring.list_keys(keys=[fingerprint]):
        raise SigningError(
            f"the secret part of the key {fingerprint} is missing",
            cause=f"{home} has only its public part",
            hint="gpg --import SECRET-KEY.asc",
        )
    if not found:
        raise _missing(home, fingerprint)
    key = found[0]
    uid = key["uids"][0] if key["uids"] else ""
    if trouble := NOT_IN_FAVOUR.get(key["trust"]):
        expired = key["trust"] == "e"
        raise SigningError(
            f"the signing key {fingerprint} {trouble}",
            cause=f"{uid}: what it signs would be refused",
            hint=f"gpg --quick-set-expire {fingerprint} 1y" if expired else "name another key in [keys] of config/debkit.toml",
        )
    primary = str(key["fingerprint"])
    subkey = fingerprint if itself or fingerprint != primary else ""
    return SigningKey(fingerprint=primary, uid=uid, home=home, development=development, subkey=subkey)


def prove(keys: Keys) -> None:
    """Make and verify a test signature with each key. Raises SigningError telling why one cannot sign, and what mends it."""
    for key in keys.each:
        look_up(key.home, key.fingerprint)
        if trouble := attempt(key, keys.passphrase(key)):
            raise trouble


def attempt(key: SigningKey, passphrase: str) -> SigningError | None:
    """Make a test signature by a key just looked up; give the error: a missing passphrase may still be asked for."""
    ring = gpg(key.home)
    # An empty passphrase would make python-gnupg take the text's first line for one.
    made = ring.sign(PROBE, passphrase=passphrase or None, extra_args=["--local-user", key.local_user])
    if not made.fingerprint:
        return explain(key, made.stderr, tried=bool(passphrase))
    try:
        _signed(ring, made.data, key, "the test signature", hint=by_hand(key.home, "--list-secret-keys", key.fingerprint))
    except SigningError as problem:
        return problem
    return None


def explain(key: SigningKey, printed: str, *, tried: bool) -> SigningError:
    """Say what a failed signature means, from what gpg printed (in LC_ALL=C.UTF-8). `tried`: a passphrase was given."""
    reasons = [line for line in printed.splitlines() if line.startswith("gpg: ")]
    said = reasons[0].removeprefix("gpg: ") if reasons else ""
    for line in reasons:
        if found := re.search(r"signing failed: (.*)", line):
            said = found[1]
    if tried and re.search(r"Bad passphrase", printed):
        return SigningError(
            f"the passphrase does not unlock the key {key.fingerprint}",
            cause=f"it is not the one of {key.uid}",
            hint="give the right one with --passphrase-file FILE, or leave it out to be asked",
        )
    if re.search(r"Bad passphrase|No passphrase given|can't get input|NEED_PASSPHRASE", printed):
        return PassphraseNeeded(
            f"the key {key.fingerprint} needs a passphrase",
            cause=f"{key.uid} is protected, its agent does not remember the passphrase, and there is nobody to ask",
            hint="give it with --passphrase-file FILE or --passphrase-fd N",
        )
    if NO_LOOPBACK in printed:
        return _no_loopback(key.home)
    if "Unusable secret key" in printed:
        return SigningError(
            f"the key {key.fingerprint} cannot sign",
            cause="it has no subkey for signing that is valid and whose secret part is here",
            hint="debkit key check",
        )
    return SigningError(
        f"the key {key.fingerprint} cannot sign",
        cause=said or "gpg does not say why",
        hint=by_hand(key.home, "--local-user", key.fingerprint, "--clearsign", "/dev/null"),
    )


def demand_there(home: Path, fingerprint: str) -> None:
    """Check that a key which somebody has typed is in a home. Raises SigningError."""
    if not gpg(home).list_keys(keys=[fingerprint]):
        raise SigningError(f"you have no key {fingerprint}", cause=f"it is not in {home.resolve()}", hint="debkit key list")


def _missing(home: Path, fingerprint: str) -> SigningError:
    return SigningError(
        f"there is no signing key {fingerprint}",
        cause=f"it is not in {home}; [keys] in config/debkit.toml may name another one than you have",
        hint=by_hand(home, "--list-secret-keys"),
    )


def _no_loopback(home: Path) -> SigningError:
    place = Path("/etc/gnupg") if is_throwaway(home) else home.resolve()
    return SigningError(
        f"the agent of {place} does not take a passphrase from debkit",
        cause="its gpg-agent.conf says no-allow-loopback-pinentry",
        hint=f"remove that line from {place}/gpg-agent.conf, then: gpgconf --kill gpg-agent",
    )


def signed_text(key: SigningKey, path: Path) -> str:
    """Give what a clearsigned file says under a good signature by this very key: nothing outside it counts.

    Other keys may have signed it too. Raises SigningError for no signature, a bad one, or none but other keys'.
    """
    return _signed(gpg(key.home), path.read_text(encoding="utf-8"), key, os.fspath(path), hint=SIGN_ANEW)


def _signed(ring: Any, text: str, key: SigningKey, what: str, *, hint: str) -> str:
    checked = ring.decrypt(text)  # of a clearsigned text it gives exactly the part that is signed
    wanted = key.subkey or key.fingerprint
    found = good_signers(checked.stderr)
    if not any(wanted in signer for signer in found):
        signers = " and ".join(primary for _, primary in found)
        raise SigningError(
            f"{what} is not signed by {wanted}",
            cause=f"it is signed by {signers}" if signers else f"gpg says: {checked.status or 'there is no signature'}",
            hint=hint,
        )
    return str(checked)


def good_signers(status: str, *, lapsed: bool = False) -> tuple[tuple[str, str], ...]:
    """Read gpg's status lines: who has signed a text well, each as the fingerprint of the subkey and of the key it belongs to.

    One bad signature makes all of them worthless. A VALIDSIG comes after EXPKEYSIG and REVKEYSIG too (doc/DETAILS of GnuPG), so
    it counts after a GOODSIG only, or also, if `lapsed`, where the key has expired or was revoked since. python-gnupg tells of
    the last signature alone.
    """
    found, good = [], False
    for line in status.splitlines():
        match line.split():
            case ["[GNUPG:]", "BADSIG", *_]:
                return ()
            case ["[GNUPG:]", "NEWSIG" | "ERRSIG", *_]:
                good = False
            case ["[GNUPG:]", "EXPSIG" | "EXPKEYSIG" | "REVKEYSIG", *_]:
                good = lapsed
            case ["[GNUPG:]", "GOODSIG", *_]:
                good = True
            case ["[GNUPG:]", "VALIDSIG", signer, *_, primary] if good:
                found.append((signer, primary))
    return tuple(found)


def is_clearsigned(text: str) -> bool:
    """Whether a text is one clearsigned message and nothing else: who signs it vouches for all of it, or for none."""
    text = text.strip()
    return text.startswith(BEGIN) and text.endswith(END) and text.count(BEGIN) == 1


def unsigned_text(text: str) -> str:
    """Give what a clearsigned text says, whoever has signed it (RFC 4880, 7); a text without a signature says itself."""
    if text.startswith(BEGIN):
        body = text.partition("\n\n")[2].rpartition("-----BEGIN PGP SIGNATURE-----")[0]
        text = re.sub(r"^- ", "", body, flags=re.MULTILINE)
    return text.rstrip("\n") + "\n"


def export_public(*keys: SigningKey | Place, whole: bool = False) -> bytes:
    """Give public keys as apt's keyrings have them: binary, each key once, without other people's signatures.

    What has expired or is revoked of a key is left out, too, but for `whole` ones. Raises SigningError for one that is not there.
    """
    exported: dict[bytes, None] = {}
    for key in keys:
        public = bytes(gpg(key.home).export_keys(key.fingerprint, armor=False, minimal=not whole))
        if not public:
            raise _missing(key.home, key.fingerprint)
        exported[public] = None
    return b"".join(exported)
