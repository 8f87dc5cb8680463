"""What public keys say of themselves: who may sign with what until when, and by which hash that is bound. Owns gpg's listings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.home import throwaway
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Run

# RFC 9580, 9.1 and 9.5. SHA-1 can be forged: two keys were made that one signature certifies (sha-mbles.github.io).
ALGORITHMS = {"1": "rsa", "2": "rsa", "3": "rsa", "16": "elgamal", "17": "dsa"}
HASHES = {
    1: "MD5",
    2: "SHA1",
    3: "RIPEMD160",
    8: "SHA256",
    9: "SHA384",
    10: "SHA512",
    11: "SHA224",
    12: "SHA3-256",
    14: "SHA3-512",
}
# Signature types (RFC 9580, 5.2.1): of a user ID by its key, of a subkey, of a key itself.
BINDINGS = frozenset({"10", "11", "12", "13", "18", "1f"})
KEY = re.compile(r":(?:public|secret) (?P<sub>sub )?key packet:.*?^\tkeyid: (?P<id>\w+)", re.MULTILINE | re.DOTALL)
SIGNATURE = re.compile(
    r":signature packet: algo \d+, keyid (?P<issuer>\w+)\n"
    r"\tversion \d+, created (?P<created>\d+), md5len \d+, sigclass 0x(?P<kind>\w+)\n"
    r"\tdigest algo (?P<hash>\d+),"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A primary key or a subkey. `expires` is None for never; times are in seconds since the epoch.

    `hashes` are those of the signatures that make it count: of the user IDs on the primary, both ways between it and a subkey.
    """

    fingerprint: str
    algorithm: str
    created: float
    expires: float | None
    revoked: bool
    signs: bool
    hashes: tuple[str, ...] = ()

    def is_good(self, now: float) -> bool:
        return not self.revoked and (self.expires is None or self.expires > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key as others see it: its first user ID, its primary, and its subkeys from the oldest to the newest."""

    uid: str
    primary: Part
    subkeys: tuple[Part, ...] = ()

    @property
    def fingerprint(self) -> str:
        return self.primary.fingerprint

    def signer(self, now: float) -> Part | None:
        """Give the part that gpg signs with: the newest good subkey that may, else the primary if that may."""
        if not self.primary.is_good(now):
            return None
        able = [part for part in self.subkeys if part.signs and part.is_good(now)]
        return max(able, key=lambda part: part.created, default=self.primary if self.primary.signs else None)

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of all bindings, each once."""
        return tuple(dict.fromkeys(name for part in (self.primary, *self.subkeys) for name in part.hashes))


def read_keys(run: Run, keyring: bytes, *, what: str) -> tuple[PublicKey, ...]:
    """Read the keys of a keyring, binary or armoured; `what` names it in the SigningError for what is none."""
    with throwaway(run) as home:
        try:
            listed = _gpg(run, home, keyring, "--show-keys", "--with-colons")
            hashes = binding_hashes(_gpg(run, home, keyring, "--list-packets"))
        except CommandFailed as failed:
            raise SigningError(
                f"{what} holds no keys", cause="\n".join(failed.done.tail) or failed.cause, hint=f"gpg --show-keys {what}"
            ) from failed
    keys = tuple(parse_listing(listed, hashes))
    if not keys:
        raise SigningError(f"{what} holds no keys", cause="it is empty", hint=f"gpg --show-keys {what}")
    return keys


def _gpg(run: Run, home: Path, keyring: bytes, *words: str) -> str:
    argv = ("gpg", "--homedir", os.fspath(home), "--batch", "--no-tty", *words)
    return run(Command(argv=argv, stdin=keyring, separate=True)).stdout


def parse_listing(listing: str, hashes: dict[str, tuple[str, ...]]) -> Iterator[PublicKey]:
    """Read gpg's --with-colons (doc/DETAILS of GnuPG). `hashes` is by key ID."""
    key: PublicKey | None = None
    part: Part | None = None
    for line in listing.splitlines():
        field = line.split(":")
        match field[0]:
            case "pub" | "sec":
                if key:
                    yield key
                part = _part(field, hashes)
                key = PublicKey(uid="", primary=part)
            case "sub" | "ssb" if key:
                part = _part(field, hashes)
                key = replace(key, subkeys=(*key.subkeys, part))
            case "fpr" if key and part and not part.fingerprint:
                part = replace(part, fingerprint=field[9])
                key = replace(key, subkeys=(*key.subkeys[:-1], part)) if key.subkeys else replace(key, primary=part)
            case "uid" if key and not key.uid:
                key = replace(key, uid=_unescaped(field[9]))
    if key:
        yield key


def _part(field: list[str], hashes: dict[str, tuple[str, ...]]) -> Part:
    return Part(
        fingerprint="",
        algorithm=field[16] or f"{ALGORITHMS.get(field[3], 'algorithm ' + field[3] + ', ')}{field[2]}",
        created=float(field[5]),
        expires=float(field[6]) if field[6] else None,
        revoked=field[1] == "r",
        signs="s" in field[11],
        hashes=hashes.get(field[4], ()),
    )


def _unescaped(uid: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), uid)


def binding_hashes(listing: str) -> dict[str, tuple[str, ...]]:
    """Read from gpg's --list-packets by which hashes each key ID is bound. Of what is signed twice the newer signature counts."""
    primary = holder = ""
    bound = 0
    newest: dict[int, tuple[int, str, tuple[str, ...]]] = {}
    for number, packet in enumerate(re.split(r"^(?=:)", listing, flags=re.MULTILINE)):
        if key := KEY.match(packet):
            holder, bound = key["id"], number
            primary = primary if key["sub"] else holder
        elif packet.startswith((":user ID packet:", ":attribute packet:")):
            holder, bound = primary, number
        elif (made := SIGNATURE.match(packet)) and made["issuer"] == primary and made["kind"].lower() in BINDINGS:
            # A subkey that signs has signed the primary in its turn, and that signature is inside the primary's.
            hashes = (made["hash"], *re.findall(r"^\t(?:hashed )?subpkt 32 .*digest algo (\d+)\)$", packet, flags=re.MULTILINE))
            names = tuple(HASHES.get(int(name), f"hash {name}") for name in hashes)
            if int(made["created"]) >= newest.get(bound, (0, "", ()))[0]:
                newest[bound] = (int(made["created"]), holder, names)
    found: dict[str, tuple[str, ...]] = {}
    for _, holder, names in newest.values():
        found[holder] = tuple(dict.fromkeys((*found.get(holder, ()), *names)))
    return found
