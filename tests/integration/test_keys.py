from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.config import KeysConfig
from debkit.errors import SigningError
from debkit.keys import Keys, Passphrase, export_public, find_keys, prove, signed_text
from debkit.keys.ring import WRAPPER
from debkit.keys.ring import gpg as open_ring
from debkit.run import Command, Processes
from tests.gnupg_homes import agents_of, end_agent, gnupg_home, gpg, make_key, secret_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.model import SigningKey

CHECKOUT = Path(__file__).parents[2]
WORDS = "Sesam, öffne dich"
OTHER_WORDS = "open barley"
ALONE = Passphrase(ask=lambda _prompt: None)


@pytest.fixture
def home() -> Iterator[Path]:
    with gnupg_home() as path:
        yield path


def proven(run: Processes, config: KeysConfig, environ: dict[str, str], passphrase: Passphrase = ALONE) -> Keys:
    """Find and prove; the keys are looked at when their homes may be gone."""
    with find_keys(run, config, environ=environ, state=Path("/nonexistent"), passphrase=passphrase) as keys:
        prove(keys)
        return keys


def refused(run: Processes, config: KeysConfig, environ: dict[str, str], passphrase: Passphrase = ALONE) -> SigningError:
    with pytest.raises(SigningError) as caught:
        proven(run, config, environ, passphrase)
    assert caught.value.cause
    assert caught.value.hint
    return caught.value


def test_development_keys_are_made_once_and_kept(run: Processes, tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with find_keys(run, KeysConfig(), environ={}, state=tmp_path) as keys:
            prove(keys)
            seen.append((keys.upload.fingerprint, keys.archive.fingerprint))
            assert keys.upload.development
            assert keys.archive.development
            assert "not for publishing" in keys.upload.uid
            home = keys.upload.home
            assert agents_of(home)
        assert not home.exists()
        assert not agents_of(home)
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "keys").iterdir()} == {
        "upload.asc": 0o600,
        "archive.asc": 0o600,
    }


def test_two_first_runs_at_once_make_one_key(run: Processes, tmp_path: Path) -> None:
    seen: list[str] = []

    def find() -> None:
        with find_keys(run, KeysConfig(), environ={}, state=tmp_path) as keys:
            seen.append(keys.upload.fingerprint)

    threads = [threading.Thread(target=find) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_development_key_near_its_end_is_extended(run: Processes, tmp_path: Path) -> None:
    with find_keys(run, KeysConfig(), environ={}, state=tmp_path) as keys:
        key = keys.upload
        gpg(key.home, "--quick-set-expire", key.fingerprint, "10d")
        ending = open_ring(key.home).export_keys(key.fingerprint, secret=True, expect_passphrase=False)
    (tmp_path / "keys/upload.asc").write_text(ending)
    for _ in range(2):  # and it is kept extended
        with find_keys(run, KeysConfig(), environ={}, state=tmp_path) as keys:
            assert keys.upload.fingerprint == key.fingerprint
            expires = int(open_ring(keys.upload.home).list_keys(keys=[key.fingerprint])[0]["expires"])
            assert expires - time.time() > 700 * 86400
            prove(keys)


def test_a_damaged_development_key_is_told(run: Processes, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/upload.asc").write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nnonsense\n")
    with (
        pytest.raises(SigningError, match="does not hold the development key"),
        find_keys(run, KeysConfig(), environ={}, state=tmp_path),
    ):
        pass


def test_a_configured_key_in_the_callers_own_keyring(run: Processes, home: Path) -> None:
    upload, archive = make_key(home), make_key(home, uid="Archive <archive@example.org>")
    environ = {"GNUPGHOME": os.fspath(home)}
    keys = proven(run, KeysConfig(upload=upload, archive=archive), environ)
    assert (keys.upload.fingerprint, keys.archive.fingerprint) == (upload, archive)
    assert keys.upload.home == home
    assert not keys.upload.development
    assert proven(run, KeysConfig(archive=archive), environ).upload.fingerprint == archive


def test_a_key_that_is_nowhere(run: Processes, home: Path) -> None:
    trouble = refused(run, KeysConfig(upload="0" * 40), {"GNUPGHOME": os.fspath(home)})
    assert trouble.what == f"there is no signing key {'0' * 40}"


def test_a_key_without_its_secret_part(run: Processes, home: Path) -> None:
    fingerprint = make_key(home)
    with gnupg_home() as other:
        gpg(other, "--import", stdin=gpg(home, "--armor", "--export", fingerprint))
        trouble = refused(run, KeysConfig(upload=fingerprint), {"GNUPGHOME": os.fspath(other)})
    assert "secret part" in trouble.what


def test_an_expired_key(run: Processes, home: Path) -> None:
    fingerprint = make_key(home, expires="20200101T000000")
    trouble = refused(run, KeysConfig(upload=fingerprint), {"GNUPGHOME": os.fspath(home)})
    assert "has expired" in trouble.what
    assert trouble.hint == f"gpg --quick-set-expire {fingerprint} 1y"


def test_a_revoked_key(run: Processes, home: Path) -> None:
    fingerprint = make_key(home)
    certificate = (home / f"openpgp-revocs.d/{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    gpg(home, "--import", stdin=certificate)
    assert "is revoked" in refused(run, KeysConfig(upload=fingerprint), {"GNUPGHOME": os.fspath(home)}).what


def test_a_passphrase_right_wrong_and_missing(run: Processes, home: Path, tmp_path: Path) -> None:
    fingerprint = make_key(home, passphrase=WORDS)
    config, environ = KeysConfig(upload=fingerprint), {"GNUPGHOME": os.fspath(home)}
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(f"{WORDS}\n")
    wrong.write_text("open barley\n")
    for passphrase, complaint in ((ALONE, "needs a passphrase"), (Passphrase(file=wrong), "does not unlock")):
        end_agent(home)
        assert complaint in refused(run, config, environ, passphrase).what
    end_agent(home)
    keys = proven(run, config, environ, Passphrase(file=right))
    assert keys.passphrase(keys.upload) == WORDS
    # The agent remembers it now, so nobody is asked for it.
    assert proven(run, config, environ, ALONE).passphrase(keys.upload) == ""


def test_the_passphrase_is_asked_for_once(run: Processes, home: Path) -> None:
    upload = make_key(home, passphrase=WORDS)
    archive = make_key(home, uid="Archive <archive@example.org>", passphrase=WORDS)
    open_key = make_key(home, uid="Open <open@example.org>")
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return WORDS

    end_agent(home)
    environ = {"GNUPGHOME": os.fspath(home)}
    keys = proven(run, KeysConfig(upload=upload, archive=archive), environ, Passphrase(ask=ask))
    assert asked == ["Passphrase of Test Writer <test@example.org>: "]
    assert keys.passphrase(keys.archive) == WORDS
    proven(run, KeysConfig(upload=open_key), environ, Passphrase(ask=ask))
    assert len(asked) == 1


def test_an_agent_that_refuses_loopback_is_told(run: Processes, home: Path, tmp_path: Path) -> None:
    fingerprint = make_key(home, passphrase=WORDS)
    (home / "gpg-agent.conf").write_text("no-allow-loopback-pinentry\n")
    end_agent(home)
    (tmp_path / "right").write_text(WORDS)
    trouble = refused(run, KeysConfig(upload=fingerprint), {"GNUPGHOME": os.fspath(home)}, Passphrase(file=tmp_path / "right"))
    assert "no-allow-loopback-pinentry" in trouble.cause


def test_a_key_from_the_environment_is_gone_at_the_end(run: Processes, home: Path, tmp_path: Path) -> None:
    fingerprint = make_key(home, passphrase=WORDS)
    (tmp_path / "passphrase").write_text(WORDS)
    environ = {
        "DEBKIT_SIGNING_KEY": secret_key(home, fingerprint, passphrase=WORDS),
        "DEBKIT_PASSPHRASE_FILE": os.fspath(tmp_path / "passphrase"),
    }
    with find_keys(run, KeysConfig(), environ=environ, state=tmp_path, release=True) as keys:
        prove(keys)
        assert "DEBKIT_SIGNING_KEY" not in environ
        assert keys.upload == keys.archive
        assert keys.upload.fingerprint == fingerprint
        assert keys.upload.home != home
        assert keys.upload.home.stat().st_mode & 0o777 == 0o700
        throwaway = keys.upload.home
        assert agents_of(throwaway)
    assert not throwaway.exists()
    assert not agents_of(throwaway)


def test_two_keys_from_files(run: Processes, home: Path, tmp_path: Path) -> None:
    upload, archive = make_key(home), make_key(home, uid="Archive <archive@example.org>")
    (tmp_path / "upload.asc").write_text(secret_key(home, upload))
    (tmp_path / "archive.asc").write_text(secret_key(home, archive))
    environ = {
        "DEBKIT_SIGNING_KEY_FILE": os.fspath(tmp_path / "upload.asc"),
        "DEBKIT_ARCHIVE_KEY_FILE": os.fspath(tmp_path / "archive.asc"),
    }
    keys = proven(run, KeysConfig(upload=upload), environ)
    assert (keys.upload.fingerprint, keys.archive.fingerprint) == (upload, archive)


def test_what_is_handed_over_is_no_secret_key(run: Processes, home: Path) -> None:
    assert "not an exported key" in refused(run, KeysConfig(), {"DEBKIT_SIGNING_KEY": "nonsense"}).cause
    public = gpg(home, "--armor", "--export", make_key(home))
    assert "public key" in refused(run, KeysConfig(), {"DEBKIT_SIGNING_KEY": public}).cause


def test_a_home_too_deep_for_a_socket(run: Processes, home: Path) -> None:
    deep = home / ("d" * 120)
    deep.mkdir(mode=0o700)
    with gnupg_home() as shallow:
        fingerprint = make_key(shallow)
        secret = secret_key(shallow, fingerprint)
    link = home / "link"
    link.symlink_to(deep)
    gpg(link, "--import", stdin=secret)
    end_agent(link)
    keys = proven(run, KeysConfig(upload=fingerprint), {"GNUPGHOME": os.fspath(deep)})
    assert keys.upload.fingerprint == fingerprint
    assert not list(deep.glob("S.gpg-agent*"))


def test_gpg_does_not_see_the_callers_environment(run: Processes, tmp_path: Path) -> None:
    (tmp_path / "gpg").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nenv\n')
    (tmp_path / "gpg").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    added = (("PATH", path), ("DEBKIT_TEST_TOKEN", "for nobody else"), ("DISPLAY", ":0"), ("HOME", "/home/x y"))
    seen = run(Command(argv=(os.fspath(WRAPPER), "--version", "a b"), env=added)).stdout.splitlines()
    assert seen[:2] == ["--version", "a b"]
    names = {line.partition("=")[0] for line in seen[2:]}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME", "LC_ALL"}
    assert "HOME=/home/x y" in seen


def test_only_what_is_under_the_signature_counts(run: Processes, home: Path, tmp_path: Path) -> None:
    fingerprint = make_key(home)
    other = make_key(home, uid="Other <other@example.org>")

    def clearsigned(by: str) -> str:
        return gpg(home, "--local-user", by, "--clearsign", stdin="Format: 1.8\n")

    keys = proven(run, KeysConfig(upload=fingerprint), {"GNUPGHOME": os.fspath(home)})
    file = tmp_path / "x.changes"
    file.write_text(clearsigned(fingerprint) + "Format: forged\n")
    assert signed_text(keys.upload, file) == "Format: 1.8\n"
    for text, cause in (
        (clearsigned(other), f"it is signed by {other}"),
        (clearsigned(fingerprint).replace("1.8", "1.9"), "gpg says"),
        ("Format: 1.8\n", "gpg says"),
    ):
        file.write_text(text)
        with pytest.raises(SigningError, match="is not signed by") as caught:
            signed_text(keys.upload, file)
        assert cause in caught.value.cause


def test_the_public_key_is_what_apt_reads(run: Processes, home: Path) -> None:
    key: SigningKey = proven(run, KeysConfig(upload=make_key(home)), {"GNUPGHOME": os.fspath(home)}).upload
    exported = export_public(key)
    assert not exported.startswith(b"-----BEGIN")
    with gnupg_home() as other:
        open_ring(other).import_keys(exported)
        assert [k["fingerprint"] for k in open_ring(other).list_keys()] == [key.fingerprint]


ASKING = """\
import os
from pathlib import Path
from debkit.config import KeysConfig
from debkit.errors import DebkitError
from debkit.keys import find_keys, prove
from debkit.run import Processes

config = KeysConfig(upload=os.environ["KEY"])
try:
    with find_keys(Processes(), config, environ=dict(os.environ), state=Path("/nonexistent")) as keys:
        prove(keys)
        print("proven")
except DebkitError as problem:
    print(problem.what)
"""


@pytest.mark.parametrize(("typed", "outcome"), [(WORDS, "proven"), ("open barley", "does not unlock")])
def test_somebody_at_a_terminal_is_asked(home: Path, typed: str, outcome: str) -> None:
    fingerprint = make_key(home, passphrase=WORDS)
    end_agent(home)
    environ = (("PYTHONPATH", os.fspath(CHECKOUT)), ("GNUPGHOME", os.fspath(home)), ("KEY", fingerprint))
    done = Processes().converse(
        Command(argv=(sys.executable, "-c", ASKING), env=environ), ((r"Passphrase of Test Writer <test@example\.org>: ", typed),)
    )
    assert outcome in done.stdout
    assert typed not in done.stdout


def test_two_keys_that_sign_together(run: Processes, home: Path, tmp_path: Path) -> None:
    new, old = make_key(home, passphrase=WORDS), make_key(home, uid="Old <old@example.org>", passphrase=WORDS)
    config = KeysConfig(archive=new, also=(old,))
    end_agent(home)
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return WORDS

    keys = proven(run, config, {"GNUPGHOME": os.fspath(home)}, Passphrase(ask=ask))
    assert [key.fingerprint for key in keys.signers] == [new, old]
    assert [keys.passphrase(key) for key in keys.signers] == [WORDS, WORDS]
    assert len(asked) == 1
    assert (keys.upload, keys.archive) == (keys.signers[0],) * 2
    (tmp_path / "words").write_text(WORDS)
    both, one = (gpg(home, "--armor", "--export-secret-keys", *which, passphrase=WORDS) for which in ((new, old), (new,)))
    for role in ("ARCHIVE", "SIGNING"):
        brought = proven(run, config, {f"DEBKIT_{role}_KEY": both}, Passphrase(file=tmp_path / "words"))
        assert [key.fingerprint for key in brought.signers] == [new, old]
    trouble = refused(run, config, {"DEBKIT_ARCHIVE_KEY": one}, Passphrase(file=tmp_path / "words"))
    assert trouble.what == f"the secret key {old} was not handed over"
    assert trouble.hint == "where both are: debkit key export --secret"


def test_nobody_is_told_to_hand_over_a_whole_key(run: Processes, home: Path) -> None:
    one, other = make_key(home), make_key(home, uid="Other <other@example.org>")
    public, secret = gpg(home, "--armor", "--export", one), secret_key(home, one)
    for role, hint in (("ARCHIVE", "debkit key export --secret"), ("SIGNING", "gpg --armor --export-secret-subkeys {}")):
        trouble = refused(run, KeysConfig(), {f"DEBKIT_{role}_KEY": public})
        assert trouble.hint == hint.format("FINGERPRINT")
        wanted = KeysConfig(archive=other) if role == "ARCHIVE" else KeysConfig(upload=other)
        trouble = refused(run, wanted, {f"DEBKIT_{role}_KEY": secret})
        assert trouble.hint == hint.format(other)


def test_keys_that_sign_together_have_one_passphrase(run: Processes, home: Path) -> None:
    new, old = make_key(home, passphrase=WORDS), make_key(home, uid="Old <old@example.org>", passphrase=OTHER_WORDS)
    words = {"Passphrase of Test Writer <test@example.org>: ": WORDS, "Passphrase of Old <old@example.org>: ": OTHER_WORDS}
    end_agent(home)
    trouble = refused(run, KeysConfig(archive=new, also=(old,)), {"GNUPGHOME": os.fspath(home)}, Passphrase(ask=words.get))
    assert "different passphrases" in trouble.what
