from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.config import KeysConfig
from debkit.keys import clearsign, find_keys, is_signed, sign_beside

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.keys import Keys
    from debkit.run import Processes

TEXT = b"Some words,\n- and more.\n"


def test_a_text_is_signed_beside_and_around(keys: Keys) -> None:
    for signature in (sign_beside(keys, TEXT), clearsign(keys, TEXT)):
        assert is_signed(keys, TEXT, signature)
        assert not is_signed(keys, TEXT + b"other", signature)
    assert not is_signed(keys, TEXT, b"")
    assert not is_signed(keys, TEXT, TEXT)


def test_another_keys_signature_is_none(run: Processes, keys: Keys, tmp_path: Path) -> None:
    with find_keys(run, KeysConfig(), environ={}, state=tmp_path) as others:
        assert not is_signed(keys, TEXT, sign_beside(others, TEXT))
        assert not is_signed(keys, TEXT, clearsign(others, TEXT))
