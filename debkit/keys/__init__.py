"""Signing keys and their life: where they come from, whether they can sign, and what they have signed. Owns python-gnupg.

A key comes from the environment (CI), from the caller's own keyring, or is made for development. Passphrases go to gpg through
pipes only (loopback pinentry), so that no pinentry ever opens and no argv, log or report shows one.
"""

from debkit.keys.check import warnings
from debkit.keys.find import find_keys, located, own_home, unlock
from debkit.keys.home import by_hand
from debkit.keys.passphrase import Passphrase, ask_on_terminal
from debkit.keys.ring import (
    Keys,
    Place,
    Places,
    Secret,
    export_public,
    good_signers,
    is_clearsigned,
    prove,
    signed_text,
    unsigned_text,
)
from debkit.keys.texts import clearsign, is_signed, sign_beside

__all__ = [
    "Keys",
    "Passphrase",
    "Place",
    "Places",
    "Secret",
    "ask_on_terminal",
    "by_hand",
    "clearsign",
    "export_public",
    "find_keys",
    "good_signers",
    "is_clearsigned",
    "is_signed",
    "located",
    "own_home",
    "prove",
    "sign_beside",
    "signed_text",
    "unlock",
    "unsigned_text",
    "warnings",
]
