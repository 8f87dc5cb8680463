"""What publishing puts into an archive, and what it refuses to."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, publish, publish_all
from debkit.errors import ArchiveConflict, ArchiveError, ConfigError
from debkit.run import Command
from tests.publisher import read
from tests.publishing import POOL, plain_upload, sound, state, versions

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.run import Processes
    from tests.publishing import Upload


def test_all_architectures_and_the_source_in_one_go(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    published = publish(run, config, make_upload(), keys)
    assert (published.suite, published.source, published.version) == ("trixie", "hello-debkit", "1.0")
    assert published.arches == ("amd64", "arm64")
    assert published.packages == ("hello-debkit", "hello-debkit-data")
    assert not published.unchanged
    assert published.signer == keys.archive.fingerprint
    for arch in ("amd64", "arm64"):
        assert versions(config, arch) == {"hello-debkit": "1.0", "hello-debkit-data": "1.0"}
    assert versions(config, "source") == {"hello-debkit": "1.0"}
    assert sorted(file.name for file in (config.repo / POOL).iterdir()) == [
        "hello-debkit-data_1.0_all.deb", "hello-debkit_1.0.dsc", "hello-debkit_1.0.tar.xz",
        "hello-debkit_1.0_all+amd64+arm64+source.changes", "hello-debkit_1.0_amd64.buildinfo", "hello-debkit_1.0_amd64.deb",
        "hello-debkit_1.0_arm64.buildinfo", "hello-debkit_1.0_arm64.deb", "hello-debkit_1.0_source.buildinfo",
    ]  # fmt: skip
    sound(run, config)


def test_what_a_client_needs_lies_beside_it(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    published = publish(run, config, make_upload(), keys)
    keyring, sources = client.keyring_file(config), client.sources_file(config, "trixie")
    assert (keyring.name, sources.name) == ("debkit-archive-keyring.pgp", "debkit.sources")
    run(Command(argv=("gpgv", "--keyring", os.fspath(keyring), os.fspath(config.repo / "dists/trixie/InRelease"))))
    directory = config.repo / "dists/trixie"
    run(
        Command(
            argv=("gpgv", "--keyring", os.fspath(keyring), os.fspath(directory / "Release.gpg"), os.fspath(directory / "Release"))
        )
    )
    assert sources.read_text() == client.sources_text(config, "trixie")
    assert all("development key" in (config.repo / name).read_text() for name in ("index.html", "INSTALL.md"))
    assert "development key" in (directory / "Release").read_text()
    assert any(os.fspath(keyring) in line for line in client.instructions(config, published, machine="amd64"))


def test_the_same_again_changes_nothing(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    publish(run, config, make_upload(), keys)
    before = state(config)
    # Signed anew and built at another time: what counts is the same.
    again = publish(run, config, make_upload(noise="another day"), keys)
    assert again.unchanged
    assert again.arches == ("amd64", "arm64")
    assert state(config) == before
    sound(run, config)


@pytest.mark.parametrize("other", [{"text": "other"}, {"source_text": "other"}])
def test_the_same_version_with_other_content_changes_nothing(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, other: dict[str, str]
) -> None:
    publish(run, config, make_upload(), keys)
    before = state(config)
    with pytest.raises(ArchiveConflict, match=r"hello-debkit 1\.0 is in the archive with other content") as caught:
        publish(run, config, make_upload(**other), keys)
    assert ("_amd64.deb" if "text" in other else ".tar.xz") in caught.value.cause
    assert state(config) == before
    sound(run, config)


def test_a_newer_version_replaces_an_older_one_and_never_the_other_way(
    run: Processes, config: Config, keys: Keys, make_upload: Upload
) -> None:
    publish(run, config, make_upload(), keys)
    publish(run, config, make_upload(version="1:0.9"), keys)
    assert versions(config, "arm64") == {"hello-debkit": "1:0.9", "hello-debkit-data": "1:0.9"}
    assert [file for file in (config.repo / POOL).iterdir() if "_1.0" in file.name]
    before = state(config)
    with pytest.raises(ArchiveError, match=r"has hello-debkit(-data)? 1:0\.9, which is newer than 2\.0"):
        publish(run, config, make_upload(version="2.0"), keys)
    assert state(config) == before
    sound(run, config)


def test_an_architecture_may_follow_later(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    first = publish(run, config, make_upload(arches=("amd64",)), keys)
    assert first.arches == ("amd64", "arm64")  # its Architecture: all package is for both
    assert versions(config, "arm64") == {"hello-debkit-data": "1.0"}
    second = publish(run, config, make_upload(arches=("arm64",)), keys)
    assert not second.unchanged
    assert versions(config, "arm64") == {"hello-debkit": "1.0", "hello-debkit-data": "1.0"}
    assert publish(run, config, make_upload(), keys).unchanged
    names = {file.name for file in (config.repo / POOL).iterdir()}
    assert {"hello-debkit_1.0_amd64.buildinfo", "hello-debkit_1.0_arm64.buildinfo"} < names
    sound(run, config)


def test_what_dpkg_buildpackage_makes_for_all_architectures(run: Processes, config: Config, keys: Keys, tmp_path: Path) -> None:
    publish_all(run, config, read(run, plain_upload(keys, tmp_path / "one", "one")), keys, suite="trixie")
    both = tuple(plain_upload(keys, tmp_path / name, name) for name in ("two", "three"))
    publish_all(run, config, read(run, *both), keys, suite="trixie")
    assert set(versions(config, "arm64")) == {"one", "two", "three"}
    assert len(list(config.repo.glob("pool/**/*_amd64.buildinfo"))) == 3
    sound(run, config)


def test_two_suites_share_the_pool(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    publish(run, config, make_upload(), keys)
    other = make_upload(version="1.0~bookworm1", suite="bookworm", text="for bookworm")
    publish(run, config, other, keys)
    assert versions(config, "amd64", "bookworm") == {"hello-debkit": "1.0~bookworm1", "hello-debkit-data": "1.0~bookworm1"}
    assert versions(config, "amd64") == {"hello-debkit": "1.0", "hello-debkit-data": "1.0"}
    assert client.sources_file(config, "bookworm").name == "debkit-bookworm.sources"
    assert "Suites: bookworm\n" in client.sources_file(config, "bookworm").read_text()
    # The very version of one suite with other content cannot be another suite's.
    with pytest.raises(ArchiveConflict):
        publish(run, config, make_upload(suite="sid", text="for sid"), keys)
    sound(run, config)


def test_what_the_archive_does_not_know(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    with pytest.raises(ConfigError, match="has no suite forky") as unknown:
        publish(run, config, make_upload(suite="forky"), keys)
    assert "bookworm, trixie, sid" in unknown.value.cause
    assert "Codename: forky" in unknown.value.excerpt
    with pytest.raises(ConfigError, match=r"has no suite trixy; did you mean trixie\?"):
        publish(run, config, make_upload(suite="trixy"), keys)
    with pytest.raises(ConfigError, match="has no riscv64"):
        publish(run, config, make_upload(arches=("riscv64",)), keys)
    with pytest.raises(ConfigError, match="does not take uploads for noble"):
        publish(run, config, make_upload(distribution="noble"), keys)
    shutil.rmtree(config.repo / "conf")
    with pytest.raises(ConfigError, match="there is no archive"):
        publish(run, config, make_upload(), keys)
    assert not list(config.repo.rglob("*.deb"))


def test_the_stanza_that_is_shown_can_be_appended(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    with pytest.raises(ConfigError, match="has no suite forky") as unknown:
        publish(run, config, make_upload(suite="forky"), keys)
    shown = unknown.value.excerpt
    distributions = config.repo / "conf/distributions"
    text = distributions.read_text()
    distributions.write_text("\n".join((text.rstrip("\n"), *shown[1:], "")))
    with pytest.raises(ConfigError, match="conf/distributions is not as reprepro reads it") as unread:
        publish(run, config, make_upload(), keys)
    assert unread.value.cause == "Second appearance of 'Codename' in the same chunk!"
    distributions.write_text("\n".join((text.rstrip("\n"), *shown, "")))
    assert publish(run, config, make_upload(suite="forky"), keys).suite == "forky"


@pytest.mark.parametrize("distribution", ["unstable", "UNRELEASED", "trixie", "stable", "trixie-backports"])
def test_what_a_changelog_may_say(run: Processes, config: Config, keys: Keys, make_upload: Upload, distribution: str) -> None:
    assert publish(run, config, make_upload(distribution=distribution), keys).suite == "trixie"


def test_a_database_of_a_newer_reprepro(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    one = make_upload()
    publish(run, config, one, keys)
    (config.repo / "db/version").write_text("9.9\n9.9\nbdb5.3.28\nbdb5.3.0\n")
    with pytest.raises(ArchiveError, match="newer reprepro"):
        publish(run, config, one, keys)
