from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from debkit.config import KeysConfig
from debkit.errors import SigningError
from debkit.keys.check import DAY, check_keyring, judge, overdue, problems
from debkit.keys.public import Part, PublicKey, binding_hashes, parse_listing, read_keys
from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data/gpg"
NOW = 1_800_000_000.0
PRIMARY = Part(
    fingerprint="A" * 40, algorithm="ed25519", created=NOW - 400 * DAY, expires=NOW + 400 * DAY, revoked=False, signs=False,
    hashes=("SHA512",),
)  # fmt: skip
SUBKEY = replace(PRIMARY, fingerprint="B" * 40, signs=True)
KEY = PublicKey(uid="Archive", primary=PRIMARY, subkeys=(SUBKEY,))
OLD = replace(SUBKEY, fingerprint="C" * 40, created=NOW - 500 * DAY, expires=NOW - DAY)


def told(key: PublicKey, days: int = 30) -> list[str]:
    return [problem.what for problem in problems(key, now=NOW, days=days)]


def with_primary(**changes: Any) -> PublicKey:
    return replace(KEY, primary=replace(PRIMARY, **changes))


def with_subkey(**changes: Any) -> PublicKey:
    return replace(KEY, subkeys=(replace(SUBKEY, **changes),))


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        with_primary(expires=None),
        with_primary(expires=NOW + 30 * DAY + 1),
        PublicKey(uid="", primary=replace(PRIMARY, signs=True)),
        replace(KEY, subkeys=(OLD, SUBKEY)),
        replace(KEY, subkeys=(SUBKEY, replace(SUBKEY, fingerprint="D" * 40, revoked=True, created=NOW))),
        replace(KEY, subkeys=(SUBKEY, replace(OLD, signs=False, hashes=("SHA1",), expires=None))),
        replace(KEY, subkeys=(SUBKEY, replace(OLD, hashes=("SHA1",)))),
    ],
)
def test_a_good_key(key: PublicKey) -> None:
    assert told(key) == []


@pytest.mark.parametrize(
    ("key", "what"),
    [
        (with_primary(revoked=True), "is revoked"),
        (with_primary(expires=NOW - DAY), "expired on 2027-01-14"),
        (with_primary(expires=NOW), "expired on 2027-01-15"),
        (with_primary(expires=NOW + 30 * DAY), "expires on 2027-02-14, in 30 days"),
        (with_primary(expires=NOW + DAY), "in 1 day"),
        (with_subkey(expires=NOW - DAY), f"its signing subkey {'B' * 40} expired on 2027-01-14, and there is no other"),
        (with_subkey(revoked=True), f"its signing subkey {'B' * 40} is revoked, and there is no other"),
        (with_subkey(expires=NOW + 9 * DAY), f"its signing subkey {'B' * 40} expires on 2027-01-24, in 9 days"),
        (with_subkey(signs=False), "has no subkey that may sign"),
        (replace(KEY, subkeys=()), "has no subkey that may sign"),
        (replace(KEY, primary=replace(PRIMARY, signs=True), subkeys=(OLD,)), f"signing subkey {'C' * 40} expired"),
        (with_primary(hashes=("SHA512", "SHA1")), f"{'A' * 40} is bound by a SHA1 signature, which apt refuses"),
        (with_subkey(hashes=("MD5", "SHA1")), f"{'B' * 40} is bound by a MD5 and SHA1 signature"),
        (with_subkey(hashes=()), f"{'B' * 40} bears no signature of its own key"),
        (with_primary(algorithm="rsa1024"), "is rsa1024, which apt refuses"),
        (with_primary(algorithm="dsa1024"), "is dsa1024, which apt refuses"),
    ],
)
def test_what_is_wrong_with_a_key(key: PublicKey, what: str) -> None:
    (problem,) = problems(key, now=NOW, days=30)
    assert problem.what.startswith("A" * 40)
    assert what in problem.what
    assert problem.remedy.startswith(("gpg --cert-digest-algo SHA512 --quick-", "debkit key rotate"))


ENDING = replace(SUBKEY, fingerprint="D" * 40, created=NOW - 500 * DAY, expires=NOW + 20 * DAY)  # on 2027-02-04
RETIRING = (replace(KEY, subkeys=(SUBKEY, ENDING)), replace(KEY, primary=replace(ENDING, signs=False)))


@pytest.mark.parametrize("key", RETIRING)
@pytest.mark.parametrize(
    ("until", "told", "remedy"),
    [
        ("2027-02-03", None, ""),
        ("2027-02-04", ", and is to sign until 2027-02-04", "gpg --cert-digest-algo SHA512 --quick-set-expire "),
        ("2027-04-15", ", and is to sign until 2027-04-15", "gpg --cert-digest-algo SHA512 --quick-set-expire "),
        ("2027-01-15", ", and may go since 2027-01-15", "debkit key rotate --finish"),
        ("", "", "gpg --cert-digest-algo SHA512 --quick-set-expire "),
    ],
)
def test_what_is_being_retired_is_to_end_after_it_may_go(key: PublicKey, until: str, told: str | None, remedy: str) -> None:
    config = KeysConfig(archive="A" * 40, also=("D" * 40,), also_until=until)
    found = list(judge(key, config, now=NOW, days=30))
    assert len(found) == (told is not None)
    for one in found:
        assert one.what.endswith(f"{'D' * 40} expires on 2027-02-04, in 20 days; it is being retired{told}")
        assert one.remedy.startswith(remedy)
    assert not list(judge(key, config, now=NOW, days=19))


@pytest.mark.parametrize("key", RETIRING)
@pytest.mark.parametrize(("until", "remedy"), [("2027-04-15", "--finish --now"), ("2027-01-15", "--finish")])
def test_what_is_being_retired_and_revoked(key: PublicKey, until: str, remedy: str) -> None:
    def revoke(part: Part) -> Part:
        return replace(part, revoked=True) if part.fingerprint == "D" * 40 else part

    key = replace(key, primary=revoke(key.primary), subkeys=tuple(map(revoke, key.subkeys)))
    (problem,) = judge(key, KeysConfig(archive="A" * 40, also=("D" * 40,), also_until=until), now=NOW, days=30)
    assert f"{'D' * 40} is revoked; it is being retired" in problem.what
    assert problem.remedy == f"debkit key rotate {remedy}"


def test_an_overlap_that_is_over_is_told() -> None:
    config = KeysConfig(archive="A" * 40, also=("D" * 40,), also_until="2027-01-15")
    (due,) = overdue(config, now=NOW)
    assert (due.what, due.remedy) == (f"{'D' * 40} may be retired since 2027-01-15", "debkit key rotate --finish")
    assert not overdue(config, now=NOW - DAY)
    assert not overdue(KeysConfig(archive="A" * 40), now=NOW)


def test_every_problem_is_told() -> None:
    key = with_primary(expires=NOW + DAY, hashes=("SHA1",))
    assert len(told(replace(key, subkeys=(replace(SUBKEY, revoked=True),)))) == 3
    assert len(told(key, days=0)) == 1


def test_who_signs_is_the_newest_that_can() -> None:
    newer = replace(SUBKEY, fingerprint="D" * 40, created=NOW)
    assert replace(KEY, subkeys=(newer, SUBKEY, OLD)).signer(NOW) == newer
    assert replace(KEY, subkeys=(OLD,)).signer(NOW) is None
    assert replace(KEY, subkeys=(OLD,), primary=replace(PRIMARY, signs=True)).signer(NOW) == replace(PRIMARY, signs=True)
    assert with_primary(expires=NOW - 1).signer(NOW) is None


def test_a_recorded_keyring_is_read() -> None:
    hashes = binding_hashes((DATA / "packets.txt").read_text())
    one, two = parse_listing((DATA / "colons.txt").read_text(), hashes)
    assert one.uid == "Arch: ö <a@example.org>"
    assert (one.primary.algorithm, one.primary.signs, one.primary.hashes) == ("ed25519", False, ("SHA512",))
    assert [(sub.signs, sub.revoked, sub.hashes) for sub in one.subkeys] == [
        (True, True, ("SHA512",)),
        (True, False, ("SHA512",)),
    ]
    assert one.fingerprint != one.subkeys[0].fingerprint != one.subkeys[1].fingerprint
    assert (two.primary.algorithm, two.primary.hashes) == ("rsa2048", ("SHA512",)), "the newer signature of a user ID counts"
    assert [sub.hashes for sub in two.subkeys] == [("SHA512", "SHA1")], "the signature inside the binding is seen"
    assert two.primary.expires is None


def test_a_file_that_is_no_keyring(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.reply("gpg", stdout="gpg: no valid OpenPGP data found.\n", code=2)
    (tmp_path / "x").touch()
    with pytest.raises(SigningError, match="x holds no keys"):
        check_keyring(recorder, tmp_path / "x")
    with pytest.raises(SigningError, match="y holds no keys"):
        read_keys(Recorder(), b"", what="y")
