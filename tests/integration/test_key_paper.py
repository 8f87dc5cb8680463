"""What leaves the keyring: the printed backup, which brings the key back, and CI's secret. Both stay locked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from debkit.run import Command
from tests.gnupg_homes import gnupg_home, gpg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Processes

from tests.key_desk import ALL, WORDS, Desk, key_desk

LOCKED = "[v4 protected]"


@pytest.fixture
def desk(run: Processes, tmp_path: Path) -> Iterator[Desk]:
    with key_desk(run, tmp_path) as made:
        yield made


@pytest.mark.parametrize("passphrase", [True, False])
def test_a_printed_backup_brings_the_key_back(desk: Desk, passphrase: bool) -> None:  # noqa: FBT001
    key = desk.made() if passphrase else desk.made("--no-passphrase")
    desk.configure(key)
    paper = desk.project / "paper"
    if passphrase:
        assert "needs a passphrase" in desk.type("backup", "-o", os.fspath(paper), code=13)
        assert not paper.exists()
    assert f"{paper} is written" in desk.type("backup", "--output", os.fspath(paper), unlocked=passphrase)
    for words in (("backup",), ("export", "--secret")):
        assert f"{paper} is there already" in desk.type(*words, "--output", os.fspath(paper), unlocked=passphrase, code=3)
    assert paper.stat().st_mode & 0o777 == 0o600
    subkeys = desk.type("export", "--secret", unlocked=passphrase)
    assert [secret == LOCKED for secret in secrets_of(desk.home, paper.read_text())] == [passphrase] * 2
    absent, secret = secrets_of(desk.home, subkeys)
    assert (absent, secret == LOCKED) == ("gnu-dummy", passphrase)
    if passphrase:
        for material in (paper.read_text(), subkeys):
            cannot_sign_without_it(desk, key, material)
    assert ("there is none!" in paper.read_text()) is not passphrase
    with gnupg_home() as other:
        there = Desk(desk.run, desk.project, other, desk.words)
        scanned = "\n".join(f" {line}\t" for line in paper.read_text().splitlines())
        (desk.project / "scan").write_text(scanned)
        assert f"{key} is restored" in there.type("restore", os.fspath(desk.project / "scan"))
        assert there.listed() == desk.listed()
        there.type("check")
        signed = gpg(other, "--local-user", key, "--clearsign", passphrase=WORDS, stdin="text\n")
        gpg(desk.home, "--verify", stdin=signed)
        certificate = (other / f"openpgp-revocs.d/{key}.rev").read_text()
        gpg(other, "--import", stdin=certificate.replace(":-----BEGIN", "-----BEGIN"))
        assert "is revoked" in there.type("check", code=13)
    with gnupg_home() as other:  # without debkit
        gpg(other, "--import", os.fspath(paper))
        assert gpg(other, "--local-user", key, "--clearsign", passphrase=WORDS, stdin="text\n")


def secrets_of(home: Path, material: str) -> list[str]:
    """What gpg shows of the secret part of each key in it: its size where it is not locked, gnu-dummy where it is left out."""
    packets = gpg(home, "--list-packets", stdin=material)
    return [
        shown.removeprefix("skey[2]: ") for shown in re.findall(r"^\t(skey\[2\]: \[.*\]|gnu-dummy)", packets, flags=re.MULTILINE)
    ]


def cannot_sign_without_it(desk: Desk, key: str, material: str) -> None:
    with gnupg_home() as other:
        gpg(other, "--import", stdin=material)
        sign = ("gpg", "--homedir", os.fspath(other), "--batch", "--pinentry-mode", "loopback", "--passphrase", "another")
        done = desk.run(Command(argv=(*sign, "--local-user", key, "--clearsign", os.fspath(desk.words)), ok=ALL))
        assert done.code == 2, done.stdout
        assert "Bad passphrase" in done.stdout


def test_what_the_primary_is_needed_for_says_so(desk: Desk) -> None:
    key = desk.made("--no-passphrase")
    desk.configure(key)
    subkeys = desk.type("export", "--secret")
    with gnupg_home() as other:
        gpg(other, "--import", stdin=subkeys)
        there = Desk(desk.run, desk.project, other, desk.words)
        for words in (("backup",), ("rotate", "--subkey")):
            said = there.type(*words, code=13)
            assert "gpg has refused --" in said
            assert "bring the primary's secret part back: " in said
        assert "sign the archive until" in there.type("rotate"), "for a new key the old one's subkey is enough"


def test_a_damaged_backup_names_its_lines(desk: Desk) -> None:
    key = desk.made("--no-passphrase")
    desk.configure(key)
    lines = desk.type("backup").splitlines()
    first = lines.index("-----BEGIN PGP PRIVATE KEY BLOCK-----") + 3  # lines are counted from 1; an empty one follows
    file = desk.project / "paper"

    def complaint(changed: list[str]) -> list[str]:
        file.write_text("\n".join(changed))
        with gnupg_home() as other:
            there = Desk(desk.run, desk.project, other, desk.words)
            said = there.type("restore", os.fspath(file), code=13)
            assert not gpg(other, "--list-secret-keys")
        return re.findall(r"line \d+ is [a-z ]+|the sums at its end are missing|is no backup of a key|holds no secret key", said)

    def but(*changes: tuple[int, str]) -> list[str]:
        new = dict(enumerate(lines, start=1)) | dict(changes)
        return [new[number] for number in sorted(new)]

    assert complaint(but((first, lines[first - 1][::-1]), (first + 2, "O" + lines[first + 1][1:]))) == [
        f"line {first} is damaged",
        f"line {first + 2} is damaged",
    ]
    assert complaint(lines[: first - 1] + lines[first:]) == [f"line {first} is missing"]
    assert complaint([*lines[:first], "A" * 64, *lines[first:]]) == [f"line {first + 1} is one too many"]
    end = next(number for number, line in enumerate(lines) if line.startswith("Each line"))
    total = next(line for line in lines if line.startswith("SHA-256"))
    assert complaint(lines[:end]) == ["the sums at its end are missing"]
    assert complaint(["nothing of the kind"]) == ["is no backup of a key"]
    # Damage to the sums is none to the key.
    for harmless in ([*lines[:end], total], [line for line in lines if line != total]):
        file.write_text("\n".join(harmless))
        with gnupg_home() as other:
            Desk(desk.run, desk.project, other, desk.words).type("restore", os.fspath(file))
