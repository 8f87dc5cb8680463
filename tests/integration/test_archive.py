from __future__ import annotations

import os
import shutil
import signal
import subprocess  # noqa: TID251  # a publish that is killed must be another process
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from debkit.archive import client, lock, publish, transaction
from debkit.archive.index import read_index
from debkit.archive.reprepro import Reprepro
from debkit.config import Config, KeysConfig
from debkit.errors import ArchiveConflict, ArchiveError, ConfigError, DebkitError, Interrupted, LockedError, SigningError
from debkit.keys import Keys, Passphrase, Secret, find_keys, unsigned_text
from debkit.run import Command, Processes
from debkit.sign import sign_upload
from tests.gnupg_homes import end_agent, gnupg_home, gpg, make_key
from tests.uploads import make_build, make_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.model import Published, SignedUpload

CONF = Path(__file__).parents[2] / "repo/conf"
WORDS = "Sesam, öffne dich"
POOL = "pool/main/h/hello-debkit"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A project whose archive has the configuration that is in git."""
    shutil.copytree(CONF, tmp_path / "project/repo/conf")
    return Config(project=tmp_path / "project")


@pytest.fixture(scope="session")
def keys(run: Processes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """Development keys; what is signed with them is signed once for all tests."""
    with find_keys(run, KeysConfig(), environ={}, state=tmp_path_factory.mktemp("state")) as found:
        yield found


class Upload(Protocol):
    def __call__(self, **options: Any) -> SignedUpload: ...


@pytest.fixture(scope="session")
def make_upload(run: Processes, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Upload:
    """Signed uploads by what they are made of (see `signed`)."""
    made: dict[str, SignedUpload] = {}

    def make(**options: Any) -> SignedUpload:
        name = repr(sorted(options.items()))
        if name not in made:
            made[name] = signed(run, keys, tmp_path_factory.mktemp("upload"), **options)
        return made[name]

    return make


def signed(
    run: Processes, keys: Keys, into: Path, *, version: str = "1.0", arches: tuple[str, ...] = ("amd64", "arm64"),
    text: str = "hello", noise: str = "", source_text: str = "hello", suite: str = "trixie", distribution: str = "unstable",
) -> SignedUpload:  # fmt: skip
    source = make_source(into / "source", version=version, text=source_text, suite=suite, distribution=distribution)
    results = tuple(make_build(into / arch, source, arch, build_all=arch == arches[0], text=text, noise=noise) for arch in arches)
    return sign_upload(run, keys, source=source, results=results, into=into / "upload")


def copied(upload: SignedUpload, into: Path) -> SignedUpload:
    """The same upload elsewhere, for tampering with it."""
    shutil.copytree(upload.changes.parent, into / "copied")
    return replace(upload, changes=into / "copied" / upload.changes.name)


def state(config: Config) -> dict[str, bytes]:
    """All files of the archive but the locks; the database by what it says."""
    return {
        os.fspath(file.relative_to(config.repo)): file.read_bytes()
        for file in config.repo.rglob("*")
        if file.is_file() and not file.is_relative_to(config.repo / "db") and file.name != lock.LOCK
    }


def versions(config: Config, arch: str, suite: str = "trixie") -> dict[str, str]:
    return {line.package: line.version for line in read_index(config.repo, suite, arch)}


def sound(run: Processes, config: Config) -> None:
    """reprepro itself finds nothing wrong, nothing is left over, and the index is what the database says."""
    for words in (("check",), ("checkpool",)):
        run(Command(argv=("reprepro", "--basedir", os.fspath(config.repo), *words)))
    assert not run(Command(argv=("reprepro", "--basedir", os.fspath(config.repo), "dumpunreferenced"))).stdout
    assert not list((config.repo / "dists").rglob("*.new"))
    assert not list(config.repo.glob(".[!l]*"))
    assert not (config.repo / "db/lockfile").exists()
    assert (config.repo / lock.LOCK).read_text() == ""


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
    assert "Signed-By: /usr/share/keyrings/debkit-archive-keyring.pgp\n" in sources.read_text()
    assert "development key" in sources.read_text()
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
    assert not [file for file in (config.repo / POOL).iterdir() if "_1.0" in file.name]
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
            with pytest.raises(SigningError, match="index could not be signed") as caught:
                publish(run, config, one, keys)
            assert "Bad passphrase" in caught.value.cause
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


def test_a_damaged_index_is_mended(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    one = make_upload()
    publish(run, config, one, keys)
    for damaged in ("InRelease", "main/binary-arm64/Packages"):
        (config.repo / "dists/trixie" / damaged).unlink()
        assert publish(run, config, one, keys).unchanged
        assert (config.repo / "dists/trixie" / damaged).exists()
    assert versions(config, "arm64") == {"hello-debkit": "1.0", "hello-debkit-data": "1.0"}


def test_what_the_archive_does_not_know(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    with pytest.raises(ConfigError, match="has no suite forky") as unknown:
        publish(run, config, make_upload(suite="forky"), keys)
    assert "bookworm, trixie, sid" in unknown.value.cause
    assert "Codename: forky" in unknown.value.excerpt
    with pytest.raises(ConfigError, match="has no riscv64"):
        publish(run, config, make_upload(arches=("riscv64",)), keys)
    with pytest.raises(ConfigError, match="changelog's distribution"):
        publish(run, config, make_upload(distribution="noble"), keys)
    shutil.rmtree(config.repo / "conf")
    with pytest.raises(ConfigError, match="there is no archive"):
        publish(run, config, make_upload(), keys)
    assert not list(config.repo.rglob("*.deb"))


@pytest.mark.parametrize("distribution", ["unstable", "UNRELEASED", "trixie", "stable", "trixie-backports"])
def test_what_a_changelog_may_say(run: Processes, config: Config, keys: Keys, make_upload: Upload, distribution: str) -> None:
    assert publish(run, config, make_upload(distribution=distribution), keys).suite == "trixie"


def test_a_database_of_a_newer_reprepro(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    one = make_upload()
    publish(run, config, one, keys)
    (config.repo / "db/version").write_text("9.9\n9.9\nbdb5.3.28\nbdb5.3.0\n")
    with pytest.raises(ArchiveError, match="newer reprepro"):
        publish(run, config, one, keys)


def test_a_tampered_upload_is_refused(run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path) -> None:
    one = copied(make_upload(), tmp_path)
    text = one.changes.read_text()
    one.changes.write_text(text.replace("Urgency: medium", "Urgency: high"))
    with pytest.raises(DebkitError):
        publish(run, config, one, keys)
    one.changes.write_text(text)
    deb = next(one.changes.parent.glob("*_arm64.deb"))
    shutil.copy(next(one.changes.parent.glob("*_amd64.deb")), deb)
    with pytest.raises(DebkitError):
        publish(run, config, one, keys)
    assert not list((config.repo / "pool").rglob("*.deb"))


def test_the_lock_is_waited_for_and_the_holder_named(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    one = make_upload()
    said: list[str] = []

    class Listening:
        def phase(self, name: str) -> None:
            said.append(name)

        def line(self, text: str) -> None:
            pass

    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock.locked(config.repo, what="publishing something else", progress=Listening()):
            holding.set()
            release.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait(60)
    with pytest.raises(LockedError) as caught:
        publish(run, config, one, keys, wait=0.5)
    assert f"process {os.getpid()} (publishing something else)" in caught.value.cause
    threading.Timer(0.5, release.set).start()
    published: Published = publish(run, config, one, keys, progress=Listening(), wait=60)
    holder.join()
    assert not published.unchanged
    assert f"waiting for process {os.getpid()} (publishing something else)" in said


def test_a_lock_of_a_reprepro_that_was_started_by_hand(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    one = make_upload()
    publish(run, config, one, keys)
    (config.repo / "db/lockfile").touch()
    with pytest.raises(LockedError) as caught:
        publish(run, config, one, keys, wait=0.5)
    assert caught.value.hint == f"if no reprepro runs: rm {config.repo}/db/lockfile"
    (config.repo / lock.LOCK).write_text("process 1 (publishing x)")  # as a killed run of ours leaves it
    assert publish(run, config, one, keys, wait=5).unchanged
    sound(run, config)


PUBLISH = """\
import sys
from pathlib import Path
from debkit.archive import conf, publish
from debkit.config import Config, KeysConfig
from debkit.keys import find_keys
from debkit.model import SignedUpload
from debkit.run import Processes

project, changes, work = map(Path, sys.argv[1:])
conf.HOOK = work / "sign-release"
upload = SignedUpload(suite="trixie", changes=changes, files=(), signer="", development=True)
run = Processes()
with run.interruptible(), find_keys(run, KeysConfig(), environ={}, state=work / "state") as keys:
    publish(run, Config(project=project), upload, keys)
"""
HOOK = """\
#!/bin/sh
[ ! -e "{work}/begun" ] || exec "{own}" "$@"
touch "{work}/begun"
sleep 8
"""


def end_in_the_middle(config: Config, upload: SignedUpload, work: Path, *, how: int, state: Path) -> None:
    """Publish in another process, and end it while the index is being signed: the packages are in the database, and not out."""
    (work / "state").symlink_to(state)
    (work / "publish.py").write_text(PUBLISH)
    (work / "sign-release").write_text(HOOK.format(work=work, own=CONF.parents[1] / "debkit/archive/sign-release"))
    (work / "sign-release").chmod(0o755)
    child = subprocess.Popen(
        [sys.executable, work / "publish.py", config.project, upload.changes, work],
        env={**os.environ, "PYTHONPATH": os.fspath(CONF.parents[1])},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (work / "begun").exists():
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(how)
        assert child.wait(60) != 0
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_a_publish_that_is_cut_short(run: Processes, config: Config, tmp_path: Path, how: int) -> None:
    state_home = tmp_path / "keys"
    with find_keys(run, KeysConfig(), environ={}, state=state_home) as keys:
        first = publish(run, config, signed(run, keys, tmp_path / "one"), keys)
        before = state(config)
        newer = signed(run, keys, tmp_path / "two", version="2.0")
        end_in_the_middle(config, newer, tmp_path, how=how, state=state_home)
        if how != signal.SIGKILL:
            assert state(config) == before
            sound(run, config)
        # Even after SIGKILL clients see the old version whole.
        for arch in ("amd64", "arm64"):
            assert set(versions(config, arch).values()) == {first.version}
            for line in read_index(config.repo, "trixie", arch):
                assert (config.repo / line.file).exists()
        wait_for_reprepro(config)
        publish(run, config, signed(run, keys, tmp_path / "three", version="1.5"), keys)
        assert set(versions(config, "amd64").values()) == {"1.5"}
        assert not [file for file in (config.repo / POOL).iterdir() if "_2.0" in file.name]
        assert not publish(run, config, newer, keys).unchanged
    sound(run, config)


def wait_for_reprepro(config: Config) -> None:
    deadline = time.monotonic() + 90
    while lock.reprepro_at(config.repo):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_kill_between_begin_and_commit_of_a_first_publish(
    run: Processes, config: Config, keys: Keys, make_upload: Upload
) -> None:
    transaction.begin(config.repo)
    (config.repo / "db").mkdir()
    (config.repo / POOL).mkdir(parents=True)
    (config.repo / POOL / "half.deb").touch()
    (config.repo / ".db-before.new").mkdir()
    assert not publish(run, config, make_upload(), keys).unchanged
    assert not (config.repo / POOL / "half.deb").exists()
    sound(run, config)


def test_an_index_that_is_out_before_the_change_counts_is_taken_back(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run, config, make_upload(), keys)

    def interrupted(base: Path) -> None:
        assert set(versions(config, "amd64").values()) == {"2.0"}
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "commit", interrupted)
        with pytest.raises(Interrupted):
            publish(run, config, make_upload(version="2.0"), keys)
    for arch in ("amd64", "arm64", "source"):
        assert set(versions(config, arch).values()) == {"1.0"}
    assert not [file for file in (config.repo / POOL).iterdir() if "_2.0" in file.name]
    sound(run, config)


def test_what_the_older_version_leaves_is_removed_by_the_next_run(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run, config, make_upload(), keys)
    monkeypatch.setattr(Reprepro, "tidy", lambda _self: None)  # as if killed before it
    publish(run, config, make_upload(version="2.0"), keys)
    assert [file for file in (config.repo / POOL).iterdir() if "_1.0" in file.name]
    monkeypatch.undo()
    assert publish(run, config, make_upload(version="2.0"), keys).unchanged
    assert not [file for file in (config.repo / POOL).iterdir() if "_1.0" in file.name]
    sound(run, config)


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
