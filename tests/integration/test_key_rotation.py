"""An archive whose key is changed, as its clients see it: no hand is laid on them, and none of them notices."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.archive import client, publish
from debkit.archive.handout import demand_handed_out
from debkit.archive.serving.serve import served
from debkit.config import Config, load
from debkit.errors import NetworkError, SigningError
from debkit.keys import Passphrase, Place, export, export_public, find_keys, rotate
from debkit.keys.check import check, check_keyring
from debkit.run import Command
from tests.clients import clean
from tests.gnupg_homes import SHA1, end_agent, gnupg_home, make_key, make_split_key
from tests.publishing import CONF, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.model import SignedUpload
    from debkit.run import Processes

WORDS = "Sesam, öffne dich"


@dataclass
class Archive:
    """A served archive, its maintainer's GnuPG home, and the passphrase of all keys."""

    run: Processes
    config: Config
    home: Path
    source: Passphrase
    url: str
    version: int = 0

    @property
    def environ(self) -> dict[str, str]:
        return {"GNUPGHOME": os.fspath(self.home)}

    @property
    def site(self) -> rotate.Site:
        return rotate.Site(
            keys=self.config.keys,
            file=self.config.project / "config/debkit.toml",
            uploaders=self.config.repo / "conf/uploaders",
        )

    def reload(self) -> None:
        """Read the configuration that a rotation has written, as the next run of CI does."""
        self.config = load(self.config.project)

    def begin(self, fresh: rotate.Fresh) -> rotate.Rotation:
        done = rotate.begin(self.run, self.site, fresh, days=30, source=self.source, environ=self.environ)
        self.reload()
        return done

    def finish(self) -> None:
        rotate.finish(self.run, self.site, source=self.source, environ=self.environ)
        self.reload()

    def publish(self) -> str:
        """Publish one more version as CI does: with the secret parts that sign and nothing else. Gives the version."""
        self.version += 1
        keys = self.config.keys
        material = export.secret(self.run, keys, source=self.source, environ=self.environ).decode()
        end_agent(self.home)
        scratch = self.config.project / f"upload-{self.version}"
        environ = {"DEBKIT_ARCHIVE_KEY": material}
        with find_keys(self.run, keys, environ=environ, state=scratch, passphrase=self.source) as found:
            upload: SignedUpload = signed(self.run, found, scratch, version=f"{self.version}.0")
            published = publish(self.run, self.config, upload, found)
        later(self.config.repo / "dists/trixie", self.version)
        assert published.signer == keys.archive
        return published.version

    def check(self) -> None:
        check(self.run, self.config.keys, environ=self.environ, published=client.keyring_file(self.config))

    def client(self, path: Path, keyring: Path | None = None) -> apt.AptRoot:
        """A client that trusts what the archive hands out now, or another keyring."""
        copy = path.with_suffix(".pgp")
        shutil.copyfile(keyring or client.keyring_file(self.config), copy)
        return apt.make(path, arch="amd64", sources=client.sources_text(self.config, "trixie", self.url), keyring=copy)

    def sees(self, root: apt.AptRoot) -> tuple[str, ...]:
        apt.update(self.run, root)
        return apt.seen(self.run, root, "hello-debkit")


def later(directory: Path, seconds: int) -> None:
    """HTTP tells the time in whole seconds, and a client does not fetch again what is no newer."""
    for path in (directory / "InRelease", directory / "Release", directory / "Release.gpg"):
        moment = path.stat().st_mtime + 2 * seconds
        os.utime(path, (moment, moment))


@pytest.fixture
def archive(run: Processes, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Archive]:
    """Its key has a passphrase where a test names one."""
    words = getattr(request, "param", "")
    with gnupg_home() as home:
        yield from laid_out(run, tmp_path, home, make_split_key(home, passphrase=words), words)


def laid_out(run: Processes, tmp_path: Path, home: Path, key: str, words: str) -> Iterator[Archive]:
    project = tmp_path / "project"
    shutil.copytree(CONF, project / "repo/conf")
    (project / "config").mkdir()
    (project / "config/debkit.toml").write_text(f'[keys]\narchive = "{key}"\n')
    with (project / "repo/conf/uploaders").open("a") as uploaders:
        uploaders.write(f"allow * by key {key[-16:]}+\n")
    (tmp_path / "words").write_text(words)
    source = Passphrase(file=tmp_path / "words") if words else Passphrase(ask=lambda _: None)
    with served(project / "repo") as site:
        yield Archive(run, load(project), home, source, site.url)


LOCKED = pytest.param(WORDS, marks=pytest.mark.slow, id="locked")


@pytest.mark.parametrize("archive", [pytest.param("", id="open"), LOCKED], indirect=True)
@pytest.mark.parametrize("subkey", [False, True], ids=["key", "subkey"])
def test_clients_of_the_old_key_go_on(archive: Archive, tmp_path: Path, subkey: bool) -> None:  # noqa: FBT001
    assert archive.publish() == "1.0"
    never_upgraded, upgraded = archive.client(tmp_path / "never"), archive.client(tmp_path / "upgraded")
    assert archive.sees(never_upgraded) == archive.sees(upgraded) == ("1.0",)
    archive.check()

    done = archive.begin(rotate.Fresh(subkey=subkey))
    with pytest.raises(SigningError, match="has a problem") as caught:
        archive.check()
    assert "is not what would be published now" in caught.value.cause
    assert archive.publish() == "2.0"
    archive.check()
    assert archive.sees(never_upgraded) == archive.sees(upgraded) == ("2.0",), "both sign"
    upgraded = archive.client(tmp_path / "upgraded")  # the keyring package was upgraded
    assert archive.sees(upgraded) == ("2.0",)

    archive.finish()
    assert archive.publish() == "3.0"
    archive.check()
    assert archive.sees(upgraded) == ("3.0",)
    assert archive.sees(archive.client(tmp_path / "new")) == ("3.0",)
    with pytest.raises(apt.Untrusted):
        apt.update(archive.run, never_upgraded)
    keyring = client.keyring_file(archive.config).read_bytes()
    home = os.fspath(tmp_path)
    shown = archive.run(Command(argv=("gpg", "--homedir", home, "--show-keys", "--with-colons"), stdin=keyring)).stdout
    assert done.new in shown
    assert done.old not in shown


@pytest.mark.parametrize("subkey", [False, True], ids=["key", "subkey"])
def test_no_key_is_retired_before_the_next_is_published(archive: Archive, tmp_path: Path, subkey: bool) -> None:  # noqa: FBT001
    archive.publish()
    archive.begin(rotate.Fresh(subkey=subkey))
    with pytest.raises(SigningError, match="is not to be retired before"):
        rotate.successor(archive.run, archive.site, environ=archive.environ)
    keys = replace(archive.config.keys, also_until="2026-01-01")
    successor = rotate.successor(archive.run, replace(archive.site, keys=keys), environ=archive.environ)
    assert (successor.name == keys.archive) is not subkey
    assert successor.fingerprint not in keys.also
    clone = tmp_path / "clone"
    shutil.copytree(CONF, clone / "conf")
    here = archive.config
    there = replace(here, archive=replace(here.archive, path=clone, url=archive.url))
    nowhere = replace(here, archive=replace(here.archive, path=clone, url=f"{archive.url}/none"))
    for config, said in (
        (here, f"{client.keyring_file(here)} does not have {successor.name}"),
        (here, "InRelease is not signed by a key of"),
        (there, f"trixie at {archive.url} is not signed by {successor.name}"),
        (nowhere, "nothing is published at"),
    ):
        with pytest.raises(SigningError, match="the new key was not handed out") as caught:
            demand_handed_out(archive.run, config, successor)
        assert said in caught.value.cause
        assert "debkit key rotate --finish --now" in caught.value.hint
    archive.publish()
    for config in (here, there):
        demand_handed_out(archive.run, config, successor)
    unreachable = replace(here, archive=replace(here.archive, path=clone, url="http://127.0.0.1:9"))
    with pytest.raises(NetworkError) as unseen:
        demand_handed_out(archive.run, unreachable, successor)
    assert "debkit repo restore DIR" in unseen.value.hint


def test_a_client_with_neither_key_is_told(archive: Archive, tmp_path: Path) -> None:
    archive.begin(rotate.Fresh())
    archive.publish()
    with gnupg_home() as home:
        stranger = tmp_path / "stranger.pgp"
        stranger.write_bytes(export_public(Place(home, make_key(home))))
    with pytest.raises(apt.Untrusted, match="key that is not trusted here"):
        apt.update(archive.run, archive.client(tmp_path / "client", stranger))


def test_an_index_of_one_signature_is_signed_anew_in_a_rotation(archive: Archive) -> None:
    """Publishing the same again changes nothing but who has signed."""
    archive.publish()
    archive.begin(rotate.Fresh())
    archive.version -= 1
    shutil.rmtree(archive.config.project / "upload-1")
    archive.publish()
    release = archive.config.repo / "dists/trixie/InRelease"
    verify = ("gpgv", "--status-fd", "1", "--keyring", os.fspath(client.keyring_file(archive.config)), os.fspath(release))
    assert archive.run(Command(argv=verify)).stdout.count("[GNUPG:] VALIDSIG") == 2


def test_a_key_that_clients_refuse_is_changed_for_one_that_they_take(run: Processes, tmp_path: Path) -> None:
    """A key bound by SHA-1 goes on to serve those whose apt takes it."""
    with gnupg_home() as home:
        key = make_split_key(home, algorithm="rsa2048", primary=SHA1, subkey=SHA1)
        for archive in laid_out(run, tmp_path, home, key, ""):
            done = archive.begin(rotate.Fresh())
            archive.publish()
            new, old = tmp_path / "new.alone", tmp_path / "old.alone"
            new.write_bytes(export_public(Place(home, done.new)))
            old.write_bytes(export_public(Place(home, done.old)))
            assert archive.sees(archive.client(tmp_path / "client", new)) == ("1.0",)
            # Debian 12's apt asks gpgv, which ends with 2 since it misses the other key.
            release = os.fspath(archive.config.repo / "dists/trixie/InRelease")
            asked = ("gpgv", "--status-fd", "1", "--keyring", os.fspath(old), release)
            assert "[GNUPG:] GOODSIG" in run(Command(argv=asked, ok=frozenset({2}))).stdout
            archive.finish()
            archive.publish()
            archive.check()


def test_debian_13s_own_apt_judges_as_check_does(run: Processes, debkit_cache: Path, tmp_path: Path) -> None:
    """Its apt asks Sequoia: it refuses a key that is bound by SHA-1, alone, and takes what that is changed for, quietly."""
    with gnupg_home() as home, clean(run, "trixie") as trixie:
        key = make_split_key(home, algorithm="rsa2048", primary=SHA1, subkey=SHA1)
        for archive in laid_out(run, tmp_path, home, key, ""):
            update = (
                "sudo apt-get update --error-on=any -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/tools"
                " -o Acquire::http::Proxy::127.0.0.1=DIRECT"
            )
            done = archive.begin(rotate.Fresh())
            archive.publish()
            trusted = trixie.root / "usr/share/keyrings" / client.keyring_name(archive.config)
            (trixie.root / "tools").mkdir()
            (trixie.root / "tools/tools.sources").write_text(client.sources_text(archive.config, "trixie", archive.url))
            trusted.write_bytes(export_public(Place(home, done.old)))
            assert "SHA1 is not considered secure" in trixie.types(update, code=100)
            with pytest.raises(SigningError, match="have 2 problems"):
                check_keyring(run, trusted)
            for keyring in (export_public(Place(home, done.new)), client.keyring_file(archive.config).read_bytes()):
                trusted.write_bytes(keyring)
                trixie.types(update)
            archive.finish()
            archive.begin(rotate.Fresh(subkey=True))
            archive.publish()
            trixie.types(update)
            archive.finish()
            archive.publish()
            trusted.write_bytes(client.keyring_file(archive.config).read_bytes())
            trixie.types(update)
