"""Keys of every kind that embarrasses an archive: what `debkit key check`, signing, publishing and sqv say of them."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, publish
from debkit.config import Config, KeysConfig
from debkit.errors import DebkitError, SigningError
from debkit.keys import Passphrase, Place, export_public, find_keys, prove, warnings
from debkit.keys.check import DAY, check, check_keyring
from debkit.run import Command
from tests.gnupg_homes import PAST, SHA1, gnupg_home, gpg, make_key, make_split_key, revoke
from tests.publishing import signed, sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from debkit.keys import Keys
    from debkit.model import SigningKey
    from debkit.run import Processes

ALONE = Passphrase(ask=lambda _prompt: None)
EXPIRED = "20200101T000000"


def good(home: Path) -> str:
    return make_split_key(home)


def plain(home: Path) -> str:
    return make_key(home, expires="2y")


def rsa(home: Path) -> str:
    return make_split_key(home, algorithm="rsa3072")


def ending(home: Path) -> str:
    return make_split_key(home, expires="20d")


def ending_subkey(home: Path) -> str:
    return make_split_key(home, subkey_expires="20d")


def expired(home: Path) -> str:
    return make_split_key(home, primary=PAST, expires=EXPIRED, subkey=PAST, subkey_expires=EXPIRED)


def expired_subkey(home: Path) -> str:
    return make_split_key(home, primary=PAST, expires="20y", subkey=PAST, subkey_expires=EXPIRED)


def revoked(home: Path) -> str:
    fingerprint = make_split_key(home)
    revoke(home, fingerprint)
    return fingerprint


def sha1(home: Path) -> str:
    return make_split_key(home, algorithm="rsa2048", primary=SHA1)


def sha1_subkey(home: Path) -> str:
    return make_split_key(home, algorithm="rsa2048", subkey=SHA1)


def sha1_back(home: Path) -> str:
    """The binding is made anew with SHA-512; the subkey's own signature inside it, which gpg copies, is still SHA-1."""
    fingerprint = make_split_key(
        home, algorithm="rsa2048", primary=PAST, expires="20y", subkey=(*PAST, *SHA1), subkey_expires="20y"
    )
    gpg(home, "--quick-set-expire", fingerprint, "2y", "*")
    return fingerprint


def lonely(home: Path) -> str:
    done = gpg(home, "--status-fd", "1", "--quick-generate-key", "Lonely", "ed25519", "cert", "2y")
    return done.split("KEY_CREATED P ")[1][:40]


@pytest.fixture
def home() -> Iterator[Path]:
    with gnupg_home() as path:
        yield path


def verdict(run: Processes, home: Path, fingerprint: str) -> str:
    config = KeysConfig(archive=fingerprint)
    try:
        check(run, config, environ={"GNUPGHOME": os.fspath(home)}, published=home / "none")
    except SigningError as problem:
        return problem.cause
    return "good"


def sqv(run: Processes, home: Path, fingerprint: str) -> str:
    """What Sequoia, by which Debian 13's apt judges, says of a signature by this key."""
    text = home / "text"
    text.write_text("text\n")
    (home / "public.pgp").write_bytes(export_public(Place(home, fingerprint)))
    gpg(home, "--local-user", fingerprint, "--yes", "--output", f"{text}.sig", "--detach-sign", os.fspath(text))
    return verified(run, home)


def verified(run: Processes, home: Path) -> str:
    done = run(Command(argv=("sqv", "--keyring", "public.pgp", "text.sig", "text"), cwd=home, ok=frozenset({0, 1})))
    return "good" if done.code == 0 else done.stdout


@pytest.mark.parametrize("make", [good, plain, rsa])
def test_a_good_key_is_good_to_everybody(run: Processes, home: Path, make: Callable[[Path], str]) -> None:
    fingerprint = make(home)
    assert verdict(run, home, fingerprint) == "good"
    assert sqv(run, home, fingerprint) == "good"


@pytest.mark.parametrize("make", [sha1, sha1_subkey, sha1_back])
def test_sqv_refuses_what_check_refuses(run: Processes, home: Path, make: Callable[[Path], str]) -> None:
    fingerprint = make(home)
    exported = gpg(home, "--armor", "--export", fingerprint).encode()
    packets = run(Command(argv=("gpg", "--homedir", os.fspath(home), "--list-packets"), stdin=exported)).stdout
    assert "digest algo 2" in packets, "the packet itself says SHA-1"
    said = verdict(run, home, fingerprint)
    assert "is bound by a SHA1 signature, which apt refuses" in said
    assert ("its signing subkey" in said) == (make is not sha1)
    assert "SHA1 is not considered secure" in sqv(run, home, fingerprint)


def test_a_revoked_key(run: Processes, home: Path) -> None:
    fingerprint = good(home)
    assert sqv(run, home, fingerprint) == "good"
    revoke(home, fingerprint)
    assert verdict(run, home, fingerprint) == f"{fingerprint} is revoked"
    (home / "public.pgp").write_bytes(export_public(Place(home, fingerprint)))
    assert "revoked" in verified(run, home)


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (ending, "expires on"),
        (ending_subkey, "its signing subkey"),
        (expired, "expired on 2020-01-01"),
        (expired_subkey, "expired on 2020-01-01, and there is no other"),
        (lonely, "has no subkey that may sign"),
    ],
)
def test_a_key_that_ends(run: Processes, home: Path, make: Callable[[Path], str], cause: str) -> None:
    assert cause in verdict(run, home, make(home))


@pytest.mark.parametrize("make", [ending, ending_subkey, expired, expired_subkey, sha1, lonely])
def test_the_hint_mends_it(run: Processes, home: Path, make: Callable[[Path], str]) -> None:
    fingerprint = make(home)
    with pytest.raises(SigningError) as caught:
        check(run, KeysConfig(archive=fingerprint), environ={"GNUPGHOME": os.fspath(home)}, published=home / "none")
    for line in caught.value.hint.splitlines():
        program, *words = shlex.split(line)
        assert program == "gpg"
        gpg(home, *words)
    assert verdict(run, home, fingerprint) == "good"
    assert sqv(run, home, fingerprint) == "good"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (expired, "has expired"),
        (expired_subkey, "cannot sign"),
        (revoked, "is revoked"),
        (lonely, "cannot sign"),
    ],
)
def test_what_cannot_sign_stops_before_anything_is_built(
    run: Processes, home: Path, make: Callable[[Path], str], said: str
) -> None:
    fingerprint = make(home)
    with pytest.raises(SigningError, match=said) as caught, found(run, home, fingerprint, home) as keys:
        prove(keys)
    assert caught.value.hint


@pytest.mark.parametrize("make", [good, plain])
def test_an_archive_with_a_good_key(
    run: Processes, config: Config, home: Path, tmp_path: Path, make: Callable[[Path], str]
) -> None:
    fingerprint = make(home)
    let_in(config, fingerprint)
    with found(run, home, fingerprint, tmp_path) as keys:
        prove(keys)
        assert publish(run, config, signed(run, keys, tmp_path / "one"), keys).signer == fingerprint
    sound(run, config)
    keyring, release = client.keyring_file(config), config.repo / "dists/trixie"
    verify = ("--keyring", os.fspath(keyring), os.fspath(release / "Release.gpg"), os.fspath(release / "Release"))
    run(Command(argv=("gpgv", *verify)))
    run(Command(argv=("sqv", *verify)))
    run(Command(argv=("gpgv", "--keyring", os.fspath(keyring), os.fspath(release / "InRelease"))))
    assert [key.fingerprint for key in check_keyring(run, keyring)] == [fingerprint]


def test_an_archive_is_not_signed_by_what_sqv_refuses(run: Processes, config: Config, home: Path, tmp_path: Path) -> None:
    fingerprint = sha1(home)
    let_in(config, fingerprint)
    with found(run, home, fingerprint, tmp_path) as keys:
        prove(keys)
        one = signed(run, keys, tmp_path / "one")
        with pytest.raises(SigningError, match="could not be signed") as caught:
            publish(run, config, one, keys)
    assert "sqv, by which Debian 13's apt verifies" in caught.value.cause
    assert not (config.repo / "dists/trixie/InRelease").exists()


def let_in(config: Config, fingerprint: str) -> None:
    with (config.repo / "conf/uploaders").open("a") as uploaders:
        uploaders.write(f"allow * by key {fingerprint[-16:]}+\n")


def test_no_change_is_to_be_begun_while_one_is_under_way(run: Processes, home: Path, tmp_path: Path) -> None:
    old, new = make_split_key(home), make_split_key(home, uid="New <new@example.org>")
    config, environ = KeysConfig(archive=new, also=(old,)), {"GNUPGHOME": os.fspath(home)}
    hints = []
    for key in (old, new):
        revoke(home, key)
        with pytest.raises(SigningError) as caught:
            check(run, config, environ=environ, published=tmp_path / "none")
        hints.append(caught.value.hint.splitlines())
    finish = "debkit key rotate --finish --now"
    assert hints == [[finish], [finish, "then: debkit key rotate", finish]]


def test_a_key_that_is_revoked_in_the_course_of_a_run_signs_no_index(
    run: Processes, config: Config, home: Path, tmp_path: Path
) -> None:
    upload, archive = make_key(home), make_split_key(home)
    let_in(config, upload)
    wanted = KeysConfig(upload=upload, archive=archive)
    with find_keys(run, wanted, environ={"GNUPGHOME": os.fspath(home)}, state=tmp_path, passphrase=ALONE) as keys:
        one = signed(run, keys, tmp_path / "one")
        revoke(home, archive)
        with pytest.raises(DebkitError, match="could not be signed") as caught:
            publish(run, config, one, keys)
        assert isinstance(caught.value, SigningError)
        assert not list((config.repo / "pool").rglob("*.deb"))


def found(run: Processes, home: Path, fingerprint: str, state: Path) -> AbstractContextManager[Keys]:
    environ = {"GNUPGHOME": os.fspath(home)}
    return find_keys(run, KeysConfig(archive=fingerprint), environ=environ, state=state, passphrase=ALONE)


@pytest.mark.parametrize(("make", "told"), [(good, 0), (ending, 1), (sha1, 1)])
def test_who_signs_is_warned(run: Processes, home: Path, tmp_path: Path, make: Callable[[Path], str], told: int) -> None:
    with found(run, home, make(home), tmp_path) as keys:
        assert len(warnings(run, keys, KeysConfig())) == told
        developing = replace(keys, upload=development(keys.upload), archive=development(keys.archive))
        assert not warnings(run, developing, KeysConfig())


def development(key: SigningKey) -> SigningKey:
    return replace(key, development=True)


def test_the_published_keyring_is_compared(run: Processes, config: Config, home: Path) -> None:
    new, old = good(home), make_split_key(home, uid="Old", expires="20d", subkey_expires="20d")
    published = client.keyring_file(config)
    soon, end = (time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * DAY)) for days in (9, 20))
    wanted, environ = KeysConfig(archive=new, also=(old,), also_until=soon), {"GNUPGHOME": os.fspath(home)}
    assert len(check(run, wanted, environ=environ, published=published)) == 2, "its end may be near if it is gone in time"
    with pytest.raises(SigningError, match="have 2 problems") as caught:
        check(run, replace(wanted, also_until=end), environ=environ, published=published)
    assert f"it is being retired, and is to sign until {end}" in caught.value.cause
    assert caught.value.hint.startswith(f"gpg --cert-digest-algo SHA512 --quick-set-expire {old} 2y\n")
    for content in (gpg(home, "--armor", "--export", new).encode(), b""):
        published.write_bytes(content)
        with pytest.raises(SigningError, match="has a problem") as caught:
            check(run, wanted, environ=environ, published=published)
        assert f"{published} is not what would be published now" in caught.value.cause
    published.write_bytes(export_public(Place(home, new), Place(home, old)))
    check(run, wanted, environ=environ, published=published)
    gpg(home, "--quick-set-expire", new, "3y")
    with pytest.raises(SigningError, match="has a problem"):
        check(run, wanted, environ=environ, published=published)


def test_without_a_key_there_is_nothing_to_check(run: Processes, tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="no signing key is configured") as caught:
        check(run, KeysConfig(), environ={"GNUPGHOME": os.fspath(tmp_path / "home")}, published=tmp_path / "none")
    assert caught.value.hint == "debkit key init"
