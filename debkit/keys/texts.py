"""Sign texts with the keys of the archive, all of them, and say of a text whether they have signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.ring import BEGIN, explain, good_signers, gpg, signed_text
from debkit.run import temporary

if TYPE_CHECKING:
    from debkit.keys.ring import Keys


def clearsign(keys: Keys, text: bytes) -> bytes:
    """Give a text with its signature around it, as an InRelease file has it. Raises SigningError."""
    return _sign(keys, text, detach=False)


def sign_beside(keys: Keys, text: bytes) -> bytes:
    """Give a text's signature, in ASCII, to be kept beside it. Raises SigningError."""
    return _sign(keys, text, detach=True)


def is_signed(keys: Keys, text: bytes, signature: bytes) -> bool:
    """Whether a signature, beside a text or around it, is one of this text by every key that signs the archive now."""
    with temporary("debkit-signature.") as directory:
        file = directory / "signature"
        file.write_bytes(signature)
        if not signature.startswith(BEGIN.encode()):
            checked = gpg(keys.archive.home).verify_data(f"{file}", text)
            found = good_signers(checked.stderr or "")
            return all(any((key.subkey or key.fingerprint) in signer for signer in found) for key in keys.signers)
        try:
            return all(signed_text(key, file).split() == text.decode().split() for key in keys.signers)
        except SigningError:
            return False


def _sign(keys: Keys, text: bytes, *, detach: bool) -> bytes:
    passphrase = keys.passphrase(keys.archive)
    signers = [word for key in keys.signers for word in ("--local-user", key.local_user)]
    made = gpg(keys.archive.home).sign(
        text,
        passphrase=passphrase or None,  # an empty one would make python-gnupg take the text's first line for one
        clearsign=not detach,
        detach=detach,
        extra_args=["--digest-algo", "SHA512", *signers],
    )
    if not made.fingerprint:
        raise explain(keys.archive, made.stderr, tried=bool(passphrase))
    return bytes(made.data)
