"""Write keys out: the public ones for clients, the secret parts that sign for CI."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from debkit.keys.find import configured, looked_up, own_home
from debkit.keys.home import reachable
from debkit.keys.public import read_keys
from debkit.keys.ring import Place, export_public, gpg
from debkit.keys.secret import export_secret, passphrase_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from debkit.config import KeysConfig
    from debkit.keys.passphrase import Passphrase
    from debkit.keys.public import PublicKey
    from debkit.model import SigningKey
    from debkit.run import Run


def public(
    run: Run, config: KeysConfig, fingerprints: tuple[str, ...], *, environ: MutableMapping[str, str], armour: bool
) -> bytes:
    """Give the public keys that clients of the archive are to trust, or those that are named in the caller's own keyring.

    Raises SigningError for one that is not there.
    """
    if fingerprints:
        with reachable(run, own_home(environ)) as home:
            return _public(tuple(Place(home, fingerprint) for fingerprint in fingerprints), armour=armour)
    with configured(run, config, environ=environ) as places:
        return _public(places.signers, armour=armour)


def _public(places: tuple[Place, ...], *, armour: bool) -> bytes:
    binary = export_public(*places)
    if not armour:
        return binary
    names = list(dict.fromkeys(place.fingerprint for place in places))
    return str(gpg(places[0].home).export_keys(names, minimal=True)).encode()


def secret(run: Run, config: KeysConfig, *, source: Passphrase, environ: MutableMapping[str, str]) -> bytes:
    """Give the secret parts that sign the archive now, still locked by their passphrase. Raises SigningError."""
    with configured(run, config, environ=environ) as places:
        keys = looked_up(places)
        return material(run, keys.signers, passphrase_of(run, keys.archive, source, environ)).encode()


def material(run: Run, signers: tuple[SigningKey, ...], passphrase: str) -> str:
    """Give what is to be handed to CI, armoured: the subkeys that sign, and a primary only where it signs itself.

    Raises SigningError where the passphrase does not unlock one.
    """
    texts: dict[str, None] = {}
    for key in signers:
        signer = read_key(run, key).signer(time.time())
        whole = signer is None or key.fingerprint in {key.subkey, signer.fingerprint}
        texts[export_secret(run, key, passphrase, whole=whole)] = None
    return "".join(texts)


def read_key(run: Run, key: SigningKey) -> PublicKey:
    """Read what a key's public part says."""
    (found,) = read_keys(run, export_public(key, whole=True), what=key.fingerprint)
    return found
