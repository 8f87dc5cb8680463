"""What gpg does with a key's secret part when it is told the passphrase: export it, and certify with the primary."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.home import by_hand
from debkit.keys.passphrase import read_passphrase
from debkit.keys.ring import PassphraseNeeded, explain
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from debkit.keys.passphrase import Passphrase
    from debkit.model import SigningKey
    from debkit.run import Completed, Run

LOCKED = re.compile(r"Bad passphrase|No passphrase given")
# What gpg asks about a revocation: really? for which reason (0: none)? in which words? really?
REVOKE = "y\n0\n\ny\n"


def call(run: Run, home: Path, passphrase: str, *words: str, answers: str = "") -> Completed:
    """Run gpg with a passphrase ("" for none) and what it will ask. Raises CommandFailed."""
    return run(
        Command(
            argv=argv(home, *words),
            stdin=f"{passphrase}\n{answers}".encode(),
            secrets=(passphrase,) if passphrase else (),
            separate=True,
        )
    )


def argv(home: Path, *words: str) -> tuple[str, ...]:
    """Say how. The hash is named since a gpg.conf may ask for another; --yes, since a key of that name may be there already."""
    return (
        "gpg", "--homedir", os.fspath(home), "--yes", "--no-tty", "--pinentry-mode", "loopback", "--passphrase-fd", "0",
        "--no-auto-check-trustdb", "--cert-digest-algo", "SHA512", "--status-fd", "2", *words,
    )  # fmt: skip


def certify(run: Run, home: Path, passphrase: str, *words: str, answers: str = "") -> Completed:
    """Let gpg do what a primary key's secret part is needed for. Raises SigningError."""
    try:
        return call(run, home, passphrase, *(() if answers else ("--batch",)), *words, answers=answers)
    except CommandFailed as failed:
        said = [line.removeprefix("gpg: ") for line in failed.done.tail if line.startswith("gpg: ")]
        offline = any("No secret key" in line for line in said)
        raise SigningError(
            f"gpg has refused {next(word for word in words if word.startswith(('--quick-', '--gen-')))}",
            cause="\n".join(said) or failed.cause,
            hint="bring the primary's secret part back: debkit key restore FILE" if offline else by_hand(home, "-K"),
        ) from failed


def passphrase_of(run: Run, key: SigningKey, source: Passphrase, environ: Mapping[str, str]) -> str:
    """Give what unlocks a key, whatever its agent remembers; "" for one that is not protected. Asks where none is handed over.

    Raises SigningError for a wrong one, PassphraseNeeded where there is nobody to ask.
    """
    given = read_passphrase(source, environ)
    trouble = _locked(run, key, given or "")
    if trouble is None:
        return given or ""
    typed = source.ask(f"Passphrase of {key.uid or key.fingerprint}: ") if isinstance(trouble, PassphraseNeeded) else None
    if typed:
        trouble = _locked(run, key, typed)
        if trouble is None:
            return typed
    raise trouble


def _locked(run: Run, key: SigningKey, passphrase: str) -> SigningError | None:
    """Try an export: for that, unlike for signing, the agent asks always.

    Not with --output /dev/null: when it fails, gpg removes what it was to write, and as root it can.
    """
    try:
        call(run, key.home, passphrase, "--batch", "--armor", "--export-secret-keys", key.fingerprint)
    except CommandFailed as failed:
        return explain(key, "\n".join(failed.done.tail), tried=bool(passphrase))
    return None


def export_secret(run: Run, key: SigningKey, passphrase: str, *, whole: bool) -> str:
    """Give a secret key, armoured: `whole`, or only the subkeys that sign, where they do. Raises SigningError."""
    words = ("--armor", "--export-secret-keys" if whole else "--export-secret-subkeys", key.fingerprint)
    try:
        return call(run, key.home, passphrase, "--batch", *words).stdout
    except CommandFailed as failed:
        raise explain(key, "\n".join(failed.done.tail), tried=bool(passphrase)) from failed


def revocation(run: Run, key: SigningKey, passphrase: str) -> str:
    """Make a certificate that revokes a key once it is imported, armoured. Raises SigningError."""
    words = ("--armor", "--command-fd", "0", "--gen-revoke", key.fingerprint)
    return certify(run, key.home, passphrase, *words, answers=REVOKE).stdout
