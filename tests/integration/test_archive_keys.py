"""Whose signature an archive accepts, and which key signs its index."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, publish
from debkit.config import KeysConfig
from debkit.errors import ArchiveError, DebkitError, SigningError
from debkit.keys import Passphrase, Secret, find_keys, unsigned_text
from debkit.run import Command
from tests.gnupg_homes import end_agent, gnupg_home, gpg, make_key
from tests.publishing import copied, signed, sound

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.run import Processes
    from tests.publishing import Upload

WORDS = "Sesam, öffne dich"


@pytest.mark.parametrize("passphrase", ["", WORDS])
def test_real_keys_told_apart_and_let_in(run: Processes, config: Config, tmp_path: Path, passphrase: str) -> None:
    with gnupg_home() as home:
        wanted = KeysConfig(
            upload=make_key(home, passphrase=passphrase),
            archive=make_key(home, uid="Archive <archive@example.org>", passphrase=passphrase),
        )
        (tmp_path / "passphrase").write_text(passphrase)
        source = Passphrase(file=tmp_path / "passphrase") if passphrase else Passphrase(ask=lambda _: None)
        end_agent(home)
        with find_keys(run, wanted, environ={"GNUPGHOME": os.fspath(home)}, state=tmp_path, passphrase=source) as keys:
            upload = signed(run, keys, tmp_path / "one")
            with pytest.raises(ArchiveError, match="may not upload") as caught:
                publish(run, config, upload, keys)
            assert caught.value.hint == f"echo 'allow * by key {wanted.upload[-16:]}+' >> {config.repo}/conf/uploaders"
            assert not list((config.repo / "pool").rglob("*.deb"))
            run(Command(argv=("sh", "-c", caught.value.hint)))
            end_agent(home)  # the index is signed without anything that an agent remembers
            published = publish(run, config, upload, keys)
            assert published.signer == wanted.archive
            assert "development" not in client.sources_file(config, "trixie").read_text()
    sound(run, config)


def test_a_wrong_passphrase_for_the_index_leaves_no_trace(run: Processes, config: Config, tmp_path: Path) -> None:
    with gnupg_home() as home:
        upload, archive = make_key(home), make_key(home, uid="Archive <archive@example.org>", passphrase=WORDS)
        end_agent(home)
        with (config.repo / "conf/uploaders").open("a") as uploaders:
            uploaders.write(f"allow * by key {upload[-16:]}+\n")
        config_keys = KeysConfig(upload=upload, archive=archive)
        silent = Passphrase(ask=lambda _: None)
        with find_keys(run, config_keys, environ={"GNUPGHOME": os.fspath(home)}, state=tmp_path, passphrase=silent) as found:
            keys = replace(found, secrets={archive: Secret("open barley")})
            one = signed(run, keys, tmp_path / "one")
            with pytest.raises(SigningError, match=f"the passphrase does not unlock the key {archive}") as caught:
                publish(run, config, one, keys)
            assert "--passphrase-file" in caught.value.hint
            with pytest.raises(SigningError, match=f"the key {archive} needs a passphrase"):
                publish(run, config, one, found)
            assert "barley" not in repr(caught.value.__dict__)
            assert not list((config.repo / "pool").rglob("*.deb"))
            assert publish(run, config, one, replace(found, secrets={archive: Secret(WORDS)})).version == "1.0"
    sound(run, config)


def test_another_archive_key_signs_the_index_anew(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path
) -> None:
    one = make_upload()
    publish(run, config, one, keys)
    with find_keys(run, KeysConfig(), environ={}, state=tmp_path / "other") as other:
        turned = replace(keys, archive=other.archive)
        assert publish(run, config, one, turned).unchanged
        keyring = client.keyring_file(config)
        run(Command(argv=("gpgv", "--keyring", os.fspath(keyring), os.fspath(config.repo / "dists/trixie/InRelease"))))


def test_a_tampered_upload_is_refused(run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path) -> None:
    one = copied(make_upload(), tmp_path)
    text = one.changes.read_text()
    one.changes.write_text(text.replace("Urgency: medium", "Urgency: high"))
    with pytest.raises(ArchiveError, match="was changed after it was signed"):
        publish(run, config, one, keys)
    one.changes.write_text(text)
    deb = next(one.changes.parent.glob("*_arm64.deb"))
    shutil.copy(next(one.changes.parent.glob("*_amd64.deb")), deb)
    with pytest.raises(DebkitError):
        publish(run, config, one, keys)
    assert not list((config.repo / "pool").rglob("*.deb"))


def test_a_strangers_signature_is_refused(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path
) -> None:
    one = copied(make_upload(), tmp_path)
    with gnupg_home() as home:
        stranger = make_key(home)
        text = unsigned_text(one.changes.read_text())
        one.changes.write_text(gpg(home, "--local-user", stranger, "--clearsign", stdin=text))
    with pytest.raises(ArchiveError, match="may not upload"):
        publish(run, config, one, keys)
    assert not list((config.repo / "pool").rglob("*.deb"))
