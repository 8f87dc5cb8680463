from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.config import KeysConfig
from debkit.errors import SigningError
from debkit.keys import Keys, Passphrase, Secret, development, find, find_keys, home, unsigned_text
from debkit.keys.passphrase import read_passphrase
from debkit.keys.ring import PassphraseNeeded, explain, good_signers
from debkit.model import SigningKey
from debkit.report import plain

if TYPE_CHECKING:
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data/gpg"
KEY = SigningKey(fingerprint="A" * 40, uid="Test Writer <test@example.org>", home=Path("/home"), development=False)
OTHER = SigningKey(fingerprint="B" * 40, uid="Another", home=Path("/home"), development=False)


def test_a_secret_shows_itself_to_nobody() -> None:
    keys = Keys(upload=KEY, archive=OTHER, secrets={KEY.fingerprint: Secret("open sesame")})
    assert keys.passphrase(KEY) == "open sesame"
    assert keys.passphrase(OTHER) == ""
    assert "sesame" not in repr(keys)
    assert "sesame" not in repr(keys.secrets)
    with pytest.raises(TypeError):
        json.dumps(plain(keys))


def test_the_same_key_twice_is_one() -> None:
    assert Keys(upload=KEY, archive=KEY).each == (KEY,)
    assert Keys(upload=KEY, archive=OTHER).each == (KEY, OTHER)


def test_a_release_refuses_development_keys_before_making_any(recorder: Recorder, tmp_path: Path) -> None:
    with (
        pytest.raises(SigningError, match="none is configured"),
        find_keys(recorder, KeysConfig(), environ={}, state=tmp_path, release=True),
    ):
        pass
    assert not recorder.commands
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recorded", "tried", "what", "needed"),
    [
        ("no-passphrase.txt", False, "needs a passphrase", True),
        ("wrong-passphrase.txt", True, "does not unlock", False),
        ("no-loopback.txt", True, "does not take a passphrase", False),
        ("unusable.txt", False, "cannot sign", False),
    ],
)
def test_what_gpg_says_is_told_apart(recorded: str, tried: bool, what: str, needed: bool) -> None:  # noqa: FBT001
    trouble = explain(KEY, (DATA / recorded).read_text(), tried=tried)
    assert what in trouble.what
    assert KEY.fingerprint in trouble.what or "/home" in trouble.what
    assert isinstance(trouble, PassphraseNeeded) is needed
    assert trouble.cause
    assert trouble.hint


def test_key_material_leaves_the_environment() -> None:
    environ = {"DEBKIT_SIGNING_KEY": "secret", "DEBKIT_SIGNING_KEY_FILE": "/nowhere", "HOME": "/root"}
    taken = find._take(environ, "upload")
    assert taken
    assert (taken.origin, taken.data) == ("DEBKIT_SIGNING_KEY", b"secret")
    assert "DEBKIT_SIGNING_KEY" not in environ
    assert find._take({"DEBKIT_ARCHIVE_KEY": ""}, "archive") is None


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="DEBKIT_ARCHIVE_KEY_FILE names"):
        find._take({"DEBKIT_ARCHIVE_KEY_FILE": os.fspath(tmp_path / "none")}, "archive")


def test_material_must_be_the_configured_key() -> None:
    assert find._choose(("A" * 40, "B" * 40), "B" * 40, "X", "upload") == "B" * 40
    assert find._choose(("A" * 40,), "", "X", "upload") == "A" * 40
    with pytest.raises(SigningError, match="another key"):
        find._choose(("A" * 40,), "B" * 40, "X", "upload")
    with pytest.raises(SigningError, match="2 secret keys"):
        find._choose(("A" * 40, "B" * 40), "", "X", "upload")


def test_a_configured_key_without_any_keyring(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="not on this machine"):
        find.own_home({"GNUPGHOME": os.fspath(tmp_path / "none")})


def test_a_passphrase_from_a_descriptor_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("öffne dich\n")
    assert read_passphrase(Passphrase(file=file), {}) == "öffne dich"
    assert read_passphrase(Passphrase(), {"DEBKIT_PASSPHRASE_FILE": os.fspath(file)}) == "öffne dich"
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe")
    os.close(writer)
    assert read_passphrase(Passphrase(fd=reader), {}) == "through a pipe"
    assert read_passphrase(Passphrase(), {}) is None


@pytest.mark.parametrize(("text", "cause"), [("", "empty"), ("\n", "empty"), ("two\nlines\n", "more than one line")])
def test_what_is_no_passphrase(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "passphrase"
    file.write_text(text)
    with pytest.raises(SigningError, match="holds no passphrase") as caught:
        read_passphrase(Passphrase(file=file), {})
    assert cause in caught.value.cause


def test_a_passphrase_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="cannot be read"):
        read_passphrase(Passphrase(file=tmp_path / "none"), {})
    with pytest.raises(SigningError, match="file descriptor 987"):
        read_passphrase(Passphrase(fd=987), {})


def test_a_throwaway_home_is_private_and_leaves_nothing(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "short_directory", lambda: tmp_path)
    with home.throwaway(recorder) as made:
        assert made.stat().st_mode & 0o777 == 0o700
        (made / "secret").touch()
    assert not list(tmp_path.iterdir())
    assert recorder.argvs == [
        ("gpgconf", "--homedir", os.fspath(made), "--kill", "all"),
        ("gpgconf", "--homedir", os.fspath(made), "--remove-socketdir"),
    ]


def test_what_a_killed_run_left_is_swept_but_not_what_is_in_use(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "short_directory", lambda: tmp_path)
    left, mine = tmp_path / f"{home.PREFIX}a1b2c3d_", tmp_path / f"{home.PREFIX}mine"
    left.mkdir()
    left.chmod(0o1700)
    mine.mkdir()
    with home.throwaway(recorder) as first, home.throwaway(recorder):
        assert not left.exists()
        assert mine.exists()
        assert first.exists()


def test_a_deep_home_gets_a_short_name(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "short_directory", lambda: tmp_path)
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    recorder.reply("gpgconf", stdout=f"{deep}/S.gpg-agent\n")
    with home.reachable(recorder, deep) as name:
        assert name != deep
        assert name.resolve() == deep
    assert deep.exists()
    assert not name.exists()
    with home.reachable(recorder, tmp_path) as name:
        assert name == tmp_path


def test_a_deep_home_whose_sockets_lie_elsewhere_keeps_its_agent(recorder: Recorder, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    recorder.reply("gpgconf", stdout="/run/user/1000/gnupg/d.abc/S.gpg-agent\n")
    with home.reachable(recorder, deep) as name:
        assert name == deep


def test_a_command_to_type_works_when_debkit_has_ended(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to("deep")
    assert home.by_hand(tmp_path / "link", "--list-keys") == f"gpg --homedir {tmp_path}/deep --list-keys"
    with home.throwaway(recorder) as made:
        assert home.by_hand(made, "--list-keys", "A B") == "gpg --import SECRET-KEY.asc && gpg --list-keys 'A B'"


def test_a_runtime_directory_of_somebody_else_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/1")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/" + "x" * 100)
    assert home.short_directory() == Path("/tmp")


def test_the_expiry_is_extended_in_the_home_given() -> None:
    argv = development._extend_argv(Path("/gnupg"), "A" * 40)
    assert argv == ("gpg", "--homedir", "/gnupg", "--batch", "--quick-set-expire", "A" * 40, "2y")


def test_what_a_clearsigned_text_says() -> None:
    armour = "-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END PGP SIGNATURE-----\n"
    for gap in ("", "\n"):
        signed = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nFormat: 1\n- -- dashes\n{gap}{armour}"
        assert unsigned_text(signed) == "Format: 1\n-- dashes\n"
    assert unsigned_text("Format: 1\n") == "Format: 1\n"


def test_who_has_signed_well() -> None:
    sub, one, two = "C" * 40, "A" * 40, "B" * 40
    valid = "[GNUPG:] VALIDSIG {} 2026-01-01 1767225600 0 4 0 22 10 01 {}\n"
    good = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG CCCCCCCCCCCCCCCC A Name\n" + valid.format(sub, one)
    expired = "[GNUPG:] NEWSIG\n[GNUPG:] EXPKEYSIG BBBBBBBBBBBBBBBB Other\n" + valid.format(two, two)
    unknown = "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG BBBBBBBBBBBBBBBB 22 10 01 1767225600 9 -\n[GNUPG:] NO_PUBKEY BBBBBBBBBBBBBBBB\n"
    assert good_signers(good + expired + unknown) == ((sub, one),)
    assert good_signers(expired + good) == ((sub, one),)
    assert good_signers(good + "[GNUPG:] NEWSIG\n[GNUPG:] BADSIG BBBBBBBBBBBBBBBB Other\n") == ()
    assert good_signers("") == ()
    assert good_signers(expired + unknown, lapsed=True) == ((two, two),)
    assert good_signers(unknown, lapsed=True) == ()


def test_who_signs_the_archive() -> None:
    assert Keys(upload=KEY, archive=KEY).signers == (KEY,)
    turning = Keys(upload=KEY, archive=OTHER, also=(KEY,))
    assert turning.signers == (OTHER, KEY)
    assert turning.each == (KEY, OTHER)
    old = replace(KEY, subkey="C" * 40)
    assert Keys(upload=KEY, archive=KEY, also=(old,)).each == (KEY, old)
    assert (KEY.local_user, old.local_user) == ("A" * 40, "C" * 40 + "!")
