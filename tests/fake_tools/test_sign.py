"""Signing under the real runner, with a debsign that asks as gpg does."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest

from debkit.errors import SigningError
from debkit.keys import Keys, Secret
from debkit.model import SigningKey
from debkit.report import Ledger
from debkit.run import Processes
from debkit.sign import _debsign

KEY = SigningKey(fingerprint="A" * 40, uid="Test Writer", home=Path("/gnupg"), development=False)
DEBSIGN = """\
#!/bin/sh
stty -echo
printf 'Enter passphrase: ' >/dev/tty
read -r answer </dev/tty
echo
[ "$answer" = "open sesame" ] || { echo "gpg: Bad passphrase"; exit 2; }
"""


@pytest.mark.parametrize(("words", "code"), [("open sesame", 0), ("open barley", 2)])
def test_a_conversation_is_in_the_report_without_the_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str, code: int
) -> None:
    (tmp_path / "debsign").write_text(DEBSIGN)
    (tmp_path / "debsign").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ledger = Ledger(tmp_path / "report.json")
    keys = Keys(upload=KEY, archive=KEY, secrets={KEY.fingerprint: Secret(words)})
    with pytest.raises(SigningError, match="could not be signed") if code else contextlib.nullcontext():
        _debsign(Processes(ledger.command), keys, tmp_path / "x.changes", tmp_path)
    ledger.finish(None)
    text = ledger.path.read_text()
    (recorded,) = json.loads(text)["commands"]
    assert recorded["argv"][0] == "debsign"
    assert recorded["code"] == code
    assert words not in text
