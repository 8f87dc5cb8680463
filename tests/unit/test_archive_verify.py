from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from debkit.archive.verify import key_problems, validity
from debkit.config import KeysConfig
from debkit.keys.public import Part, PublicKey

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
DAY = 86400


def key(name: str, *, days: float) -> PublicKey:
    return PublicKey(
        uid=name,
        primary=Part(
            fingerprint=name * 40,
            algorithm="ed25519",
            created=NOW - 99 * DAY,
            expires=NOW + days * DAY,
            revoked=False,
            signs=True,
            hashes=("SHA512",),
        ),
    )


def release(path: Path, *, made: str, until: str) -> Path:
    file = path / "Release"
    file.write_text(f"Codename: trixie\nDate: {made}\n" + (f"Valid-Until: {until}\n" if until else ""))
    return file


def test_a_release_file_that_expires(tmp_path: Path) -> None:
    month = "Thu, 01 Jan 2026 12:00:00 UTC"
    cases = {
        "": "",
        "Sat, 31 Jan 2026 11:00:00 UTC": "has expired on Sat, 31 Jan 2026 11:00:00 UTC",
        "Fri, 06 Feb 2026 12:00:00 UTC": "expires on Fri, 06 Feb 2026",
        "Sun, 08 Feb 2026 12:00:00 UTC": "",
    }
    for until, said in cases.items():
        found = list(validity(release(tmp_path, made=month, until=until), now=NOW))
        assert bool(found) == bool(said)
        assert all(said in problem.what and problem.remedy == "debkit repo refresh" for problem in found)
    # What is made for three days is renewed on the last.
    assert not list(
        validity(
            release(tmp_path, made=f"{month[:5]}30 Jan 2026 12:00:00 UTC", until=f"{month[:5]}02 Feb 2026 12:00:00 UTC"), now=NOW
        )
    )


def test_keys_of_which_one_is_being_retired() -> None:
    new, old = key("A", days=400), key("B", days=10)
    for until, remedy in (("2026-02-09", ""), ("2026-02-10", "gpg"), ("2026-01-31", "debkit key rotate --finish"), ("", "gpg")):
        config = KeysConfig(archive="A" * 40, also=("B" * 40,), also_until=until)
        found = list(key_problems((new, old), config, now=NOW, days=30))
        assert [problem.remedy.partition(" --cert")[0] for problem in found] == ([remedy] if remedy else [])
        assert all("expires on 2026-02-10, in 10 days" in problem.what for problem in found)
    for keys in ((old,), (new, old), (new, key("C", days=-1))):
        (problem,) = key_problems(keys, KeysConfig(), now=NOW, days=30)
        assert "expire" in problem.what


def test_the_keyring_has_the_configured_keys() -> None:
    config = KeysConfig(archive="A" * 40, also=("B" * 40,))
    (problem,) = key_problems((key("A", days=400),), config, now=NOW, days=30)
    assert "B" * 40 in problem.what


def test_a_retired_key_goes_from_the_keyring() -> None:
    keys = (key("A", days=400), key("B", days=400))
    assert not list(key_problems(keys, KeysConfig(archive="A" * 40, also=("B" * 40,)), now=NOW, days=30))
    (problem,) = key_problems(keys, KeysConfig(upload="C" * 40, archive="A" * 40), now=NOW, days=30)
    assert f"still has {'B' * 40}" in problem.what
    assert problem.remedy == "debkit repo refresh"
    assert len(list(key_problems(keys, KeysConfig(upload="A" * 40), now=NOW, days=30))) == 1
