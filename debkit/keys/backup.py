"""A backup of a key for printing: armoured text that gpg reads as it is, and a sum of each line, so that damage is found.

paperkey(1) prints less, since it leaves the public part out, and so restores nothing without it. Here all is there.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from debkit.errors import SigningError
from debkit.keys.find import home_of, own_home
from debkit.keys.home import reachable, throwaway
from debkit.keys.public import read_keys
from debkit.keys.ring import Place, demand_there, export_public, gpg, look_up
from debkit.keys.secret import export_secret, passphrase_of, revocation
from debkit.paths import put

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from debkit.config import KeysConfig
    from debkit.keys.passphrase import Passphrase
    from debkit.model import SigningKey
    from debkit.run import Run

SUM = 6  # hexadecimal digits
COLUMNS = 8
ARMOUR = re.compile(r"^:?-----(BEGIN|END) PGP (PRIVATE|PUBLIC) KEY BLOCK-----$")
ENTRY = re.compile(rf"(\d+) ([0-9a-f]{{{SUM}}})")
ROW = re.compile(rf"(\s*{ENTRY.pattern})+\s*")
TOTAL = "SHA-256 of these lines: "
HEAD = """\
Backup of a signing key, made by debkit on {day}

  Key:      {fingerprint}
  Name:     {uid}
{subkeys}
Print this, keep it where neither fire nor thieves reach it, and remove the file.
It is locked with the key's passphrase{open}, which is not written here.

To restore the key: debkit key restore FILE. Without debkit: gpg --import FILE.

"""
REVOKE = """\

This revokes the key. Import it, without the colon, only when the key is lost
or stolen; then publish the key again.

"""
SUMS = """\

Each line above from BEGIN to END by its number in this file, with the first {digits}
digits of the SHA-256 of what it says.

"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the armoured blocks and its number in the file, from 1."""

    number: int
    text: str

    @property
    def sum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:SUM]


def backup(run: Run, key: SigningKey, passphrase: str) -> str:
    """Write a whole key with what revokes it as text, of which it is proven that it restores. Raises SigningError."""
    (public,) = read_keys(run, export_public(key, whole=True), what=key.fingerprint)
    head = HEAD.format(
        day=time.strftime("%Y-%m-%d", time.gmtime()),
        fingerprint=key.fingerprint,
        uid=key.uid,
        subkeys="".join(f"  Subkey:   {part.fingerprint}\n" for part in public.subkeys),
        open="" if passphrase else " (there is none!)",
    )
    blocks = export_secret(run, key, passphrase, whole=True) + REVOKE + f":{revocation(run, key, passphrase)}"
    text = head + blocks
    sums = [f"{line.number:4} {line.sum}" for line in armoured(text)]
    rows = ["  ".join(sums[start : start + COLUMNS]) for start in range(0, len(sums), COLUMNS)]
    text += SUMS.format(digits=SUM) + "\n".join(rows) + f"\n\n{TOTAL}{_total(armoured(text))}\n"
    with throwaway(run) as home:
        restored = restore(home, text, what="the backup")
        if export_public(restored, whole=True) != export_public(key, whole=True):
            raise SigningError(
                f"the backup of {key.fingerprint} does not restore it whole",
                cause="gpg does not export all that it has",
                hint=f"gpg --armor --export-secret-keys {key.fingerprint}",
            )
    return text


def backup_own(run: Run, config: KeysConfig, fingerprint: str, *, source: Passphrase, environ: Mapping[str, str]) -> str:
    """Write a key of the caller's own keyring as text, the archive's where none is named. Raises SigningError."""
    wanted = fingerprint or config.archive or config.upload
    if not wanted:
        raise SigningError("no key is named", cause="and [keys] in config/debkit.toml names none either", hint="debkit key list")
    with reachable(run, own_home(environ)) as home:
        if fingerprint:
            demand_there(home, fingerprint)
        key = look_up(home, wanted.upper())
        return backup(run, key, passphrase_of(run, key, source, environ))


def restore_own(run: Run, file: Path, *, environ: Mapping[str, str]) -> str:
    """Bring a key back into the caller's own keyring, made where there is none, and give its fingerprint. Raises SigningError."""
    home = home_of(environ)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with reachable(run, home) as directory:
        text = file.read_text(encoding="utf-8", errors="replace")
        return restore(directory, text, what=os.fspath(file)).fingerprint


def restore(home: Path, text: str, *, what: str) -> Place:
    """Bring a key back into a home from a backup; `what` names it. What revokes the key is kept there and not imported.

    Raises SigningError naming each line that is not as it was printed.
    """
    lines = armoured(text)
    if not lines:
        raise SigningError(
            f"{what} is no backup of a key",
            cause="it has no line -----BEGIN PGP PRIVATE KEY BLOCK-----",
            hint="debkit key restore FILE, with what debkit key backup has written",
        )
    if damage := damaged(text, lines):
        raise SigningError(
            f"{what} is not as it was printed",
            cause="\n".join(damage),
            hint=f"compare these lines with the paper, 0 with O, 1 with l and I, and correct them: editor {what}",
        )
    private, ended, rest = "\n".join(line.text for line in lines).partition("\n-----END PGP PRIVATE KEY BLOCK-----")
    result = gpg(home).import_keys(f"{private}{ended}\n") if ended else None
    if not result or not result.sec_read or not result.fingerprints:
        raise SigningError(
            f"{what} holds no secret key", cause="it is not a whole backup of debkit's", hint=f"gpg --show-keys {what}"
        )
    fingerprint = str(result.fingerprints[0])
    certificate = home / f"openpgp-revocs.d/{fingerprint}.rev"
    if rest.strip() and not certificate.exists():
        certificate.parent.mkdir(mode=0o700, exist_ok=True)
        put(certificate, f"{rest.strip()}\n".encode(), mode=0o600)
    return Place(home, fingerprint)


def armoured(text: str) -> tuple[Line, ...]:
    """Give the lines of the blocks, less blanks at their ends, which no print shows."""
    lines: list[Line] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        edge = ARMOUR.match(line.strip())
        inside = inside or bool(edge and edge[1] == "BEGIN")
        if inside:
            lines.append(Line(number, line.strip()))
        inside = inside and not (edge and edge[1] == "END")
    return tuple(lines)


def _total(lines: tuple[Line, ...]) -> str:
    return hashlib.sha256("\n".join(line.text for line in lines).encode()).hexdigest()


def damaged(text: str, lines: tuple[Line, ...]) -> tuple[str, ...]:
    """Tell which lines differ from what their sums say, are missing or too many; nothing where either kind of sum fits."""
    if _total(lines) in text:
        return ()
    sums = [pair for line in text.splitlines() if ROW.fullmatch(line) for pair in ENTRY.findall(line)]
    if not sums:
        return ("the sums at its end are missing",)
    told = []
    matcher = SequenceMatcher(None, [text for _, text in sums], [line.sum for line in lines], autojunk=False)
    for kind, start, stop, first, last in matcher.get_opcodes():
        if kind == "equal":
            continue
        # No line is shown: it is secret.
        both = min(stop - start, last - first)
        told += [f"line {line.number} is damaged" for line in lines[first : first + both]]
        told += [f"line {line.number} is one too many" for line in lines[first + both : last]]
        told += [f"line {number} is missing" for number, _ in sums[start + both : stop]]
    return tuple(told)
