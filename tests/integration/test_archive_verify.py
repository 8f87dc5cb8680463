"""`repo verify` tells whatever is wrong, all of it together, and changes nothing."""

from __future__ import annotations

import os
import shutil
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from debkit.archive import front, journal, retention, snapshots, transaction
from debkit.archive.change import working
from debkit.archive.deploy import deploy
from debkit.archive.lock import locked
from debkit.archive.renewal import renew
from debkit.archive.verify import verify
from debkit.config import ArchiveConfig, Config, KeysConfig
from debkit.console import Quiet
from debkit.errors import ArchiveError, ConfigError, LockedError
from tests.command import Project, is_three_parts
from tests.gnupg_homes import gnupg_home, gpg, make_key
from tests.publishing import by_hand, change, overwrite, rewrite, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.keys import Keys
    from debkit.run import Processes

UNCONFIGURED = KeysConfig()


def troubles(run: Processes, base: Path, keys: KeysConfig = UNCONFIGURED) -> tuple[list[str], str]:
    before = state(Config(project=base.parent))
    with pytest.raises(ArchiveError) as caught:
        verify(run, Config(project=base.parent, keys=keys), base)
    assert state(Config(project=base.parent)) == before, "it changes nothing"
    return caught.value.cause.splitlines(), caught.value.hint


def renamed(base: Path, old: str) -> None:
    """Leave what an archive has from when it was called `old`."""
    for name in ("debkit-archive-keyring.pgp", "debkit.sources"):
        text = (base / name).read_bytes()
        (base / name.replace("debkit", old)).write_bytes(text.replace(b"debkit-archive", f"{old}-archive".encode()))


def same(directory: Path, file: Path) -> list[Path]:
    """Give what has a file's content, which in an archive that was not copied is the file itself under other names."""
    content = file.read_bytes()
    return [path for path in directory.rglob("*") if path.is_file() and path.read_bytes() == content]


def newest(base: Path) -> snapshots.Snapshot:
    return snapshots.snapshots(base, "trixie")[-1]


def test_what_is_in_order(run: Processes, base: Path) -> None:
    found = verify(run, Config(project=base.parent), base)
    assert (found.suites, found.states, found.files, found.database) == (("trixie",), 3, 15, True)
    assert len(found.signers) == 1
    assert found.until.endswith(" UTC")


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a package is lost": (
        lambda base: (base / "pool/main/f/first/first_2.0_amd64.deb").unlink(),
        "first_2.0_amd64.deb is missing",
        "debkit repo rebuild --from DIR",
    ),
    "a package of an old state is damaged": (
        lambda base: overwrite(base / "pool/main/f/first/first_1.0_amd64.deb"),
        "first_1.0_amd64.deb is not what its index says",
        "put it back",
    ),
    "a source is damaged": (
        lambda base: overwrite(base / "pool/main/t/third/third_3.0~rc1.tar.gz"),
        "third_3.0~rc1.tar.gz is not what its index says",
        "put it back",
    ),
    "a .changes is damaged": (
        lambda base: overwrite(base / "pool/main/t/third/third_3.0~rc1_source+amd64.changes"),
        "third_3.0~rc1_source+amd64.changes is not what the database says",
        "put it back",
    ),
    "a stray": (
        lambda base: (base / "pool/main/f/first/first_9.9.dsc").touch(),
        "first_9.9.dsc belongs to nothing",
        "debkit repo prune",
    ),
    "an index is damaged": (
        lambda base: overwrite(base / "dists/trixie/main/binary-arm64/Packages.gz"),
        "binary-arm64/Packages.gz is not what the Release file says",
        "debkit repo refresh",
    ),
    "Packages is damaged in all its links": (
        lambda base: overwrite(*same(base / "dists", base / "dists/trixie/main/binary-amd64/Packages")),
        "binary-amd64/Packages is not what the Release file says",
        "debkit repo refresh",
    ),
    "the sources' index is damaged": (
        lambda base: overwrite(base / "dists/trixie/main/source/Sources.gz"),
        "source/Sources.gz is not what the Release file says",
        "debkit repo refresh",
    ),
    "the sources' index is none": (
        lambda base: rewrite(base / "dists/trixie/main/source/Sources.gz", b"nothing"),
        "source/Sources.gz is not what the Release file says",
        "debkit repo refresh",
    ),
    "a field of an index is damaged": (
        lambda base: change(base / "dists/trixie/main/binary-amd64/Packages", b"SHA256: ", b"SHA257: "),
        "binary-amd64/Packages is not what the Release file says",
        "debkit repo refresh",
    ),
    "an index is no text": (
        lambda base: rewrite(base / "dists/trixie/main/binary-amd64/Packages", b"Filename: \xff\n"),
        "binary-amd64/Packages is not what the Release file says",
        "debkit repo refresh",
    ),
    "by-hash is lost": (
        lambda base: shutil.rmtree(base / "dists/trixie/main/binary-amd64/by-hash"),
        "is missing",
        "debkit repo refresh",
    ),
    "a snapshot is half there": (
        lambda base: (snapshots.snapshots(base, "trixie")[0].path / "InRelease").unlink(),
        "is half there",
        "debkit repo prune",
    ),
    "a snapshot's index is damaged": (
        lambda base: rewrite(newest(base).path / "main/source/Sources.gz", b"nothing"),
        "main/source/Sources.gz is not what the Release file says",
        "rm -r ",
    ),
    "a snapshot lost an index": (
        lambda base: (newest(base).path / "main/source/Sources.gz").unlink(),
        "main/source/Sources.gz is missing",
        "rm -r ",
    ),
    "the last snapshot is lost": (
        lambda base: shutil.rmtree(newest(base).path),
        "trixie: what is published is in no snapshot",
        "debkit repo refresh",
    ),
    "InRelease is damaged": (
        lambda base: overwrite(base / "dists/trixie/InRelease"),
        "InRelease is not signed by a key of debkit-archive-keyring.pgp: ",
        "debkit repo refresh",
    ),
    "Release is damaged": (
        lambda base: overwrite(base / "dists/trixie/Release"),
        "BAD signature",
        "debkit repo refresh",
    ),
    "Release is no text": (
        lambda base: change(base / "dists/trixie/Release", b"Date: ", b"Date: \xff"),
        "BAD signature",
        "debkit repo refresh",
    ),
    "Release.gpg is lost": (
        lambda base: (base / "dists/trixie/Release.gpg").unlink(),
        "Release.gpg is missing",
        "debkit repo refresh",
    ),
    "an InRelease of before": (
        lambda base: shutil.copy2(snapshots.snapshots(base, "trixie")[0].path / "InRelease", base / "dists/trixie/InRelease"),
        "InRelease does not say what",
        "debkit repo refresh",
    ),
    "the keyring is lost": (
        lambda base: (base / "debkit-archive-keyring.pgp").unlink(),
        "it has no keyring",
        "debkit repo refresh",
    ),
    "the keyring is none": (
        lambda base: (base / "debkit-archive-keyring.pgp").write_text("nothing"),
        "debkit-archive-keyring.pgp holds no keys",
        "debkit repo refresh",
    ),
    "the archive had another name": (
        lambda base: renamed(base, "older"),
        "it has 2 keyrings, debkit-archive-keyring.pgp, older-archive-keyring.pgp",
        "debkit repo refresh",
    ),
    "the database is damaged": (
        lambda base: (base / "db/packages.db").write_bytes(b"nothing" * 99),
        "the database is damaged: db_open(",
        "debkit repo rebuild",
    ),
    "the database is lost": (
        lambda base: shutil.rmtree(base / "db"),
        "the database is lost: there is no ",
        "debkit repo rebuild",
    ),
    "the journal is lost": (
        lambda base: journal.path(base).unlink(),
        "the journal is lost: there is no ",
        "debkit repo refresh",
    ),
    "the database lost its references": (
        lambda base: (base / "db/references.db").unlink(),
        "the database is damaged: Missing reference to ",
        "debkit repo rebuild",
    ),
    "the database lost its checksums": (
        lambda base: (base / "db/checksums.db").unlink(),
        "the database does not know pool/main/f/first/first_2.0.dsc",
        "debkit repo rebuild",
    ),
    "reprepro was called by hand": (
        lambda base: by_hand(base, "remove", "trixie", "third"),
        "trixie: the database lacks what is published: third 3.0~rc1 (amd64), third 3.0~rc1 (source)",
        "debkit repo rebuild",
    ),
    "the configuration is lost": (
        lambda base: shutil.rmtree(base / "conf"),
        "the database cannot be read: ",
        "it belongs into git",
    ),
    "an architecture is taken away": (
        lambda base: (base / "conf/distributions").write_text(
            (base / "conf/distributions").read_text().replace("amd64 arm64 source", "amd64 source")
        ),
        "|main|arm64, which conf/distributions has no more",
        "clearvanished",
    ),
    "a line of the journal is lost": (
        lambda base: journal.path(base).write_text("".join(journal.path(base).read_text().splitlines(keepends=True)[:-1])),
        "trixie: the journal has what is not published: third 1.0 (amd64), third 1.0 (source)",
        "debkit repo refresh",
    ),
    "the journal is damaged": (
        lambda base: overwrite(journal.path(base)),
        "journal.jsonl is damaged",
        "sed -n 2p",
    ),
    "a killed run": (
        transaction.begin,
        "a run that changed it was killed",
        "debkit repo recover",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_kind_of_damage(run: Processes, base: Path, damage: str) -> None:
    harm, said, hint = DAMAGES[damage]
    harm(base)
    told, next_ = troubles(run, base)
    assert [line for line in told if said in line], told
    assert hint in next_


INDEX_DAMAGES = [damage for damage in DAMAGES if "index" in damage and "snapshot" not in damage]


@pytest.mark.parametrize("damage", INDEX_DAMAGES)
def test_a_damaged_index_is_all_that_is_told(run: Processes, base: Path, damage: str) -> None:
    """What is good of the rest is still looked at, and what was not read is not missed."""
    harm, said, _ = DAMAGES[damage]
    harm(base)
    (base / "pool/main/f/first/first_1.0_amd64.deb").unlink()
    told, _ = troubles(run, base)
    assert len(told) == 2
    assert said in told[0]
    assert told[1] == "pool/main/f/first/first_1.0_amd64.deb is missing"


@pytest.mark.parametrize("damage", INDEX_DAMAGES)
def test_a_damaged_index_is_not_deployed(run: Processes, base: Path, tmp_path: Path, damage: str) -> None:
    harm, said, _ = DAMAGES[damage]
    harm(base)
    with pytest.raises(ArchiveError, match="is not whole") as caught:
        deploy(run, Config(project=base.parent), os.fspath(tmp_path / "copy"))
    assert said in caught.value.cause


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if "refresh" in DAMAGES[damage][2]])
def test_refresh_mends(run: Processes, base: Path, keys: Keys, damage: str) -> None:
    config = Config(project=base.parent)
    DAMAGES[damage][0](base)
    with working(run, config, keys, what="signing anew") as archive:
        assert renew(archive, config) == ("trixie",)
        front.write(config, keys)
    assert verify(run, config, base).states == (3 if "snapshot is lost" in damage else 4)
    assert [act.act for act in journal.read(base)][-1] == "refresh"
    assert not list(base.glob("older*"))


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if "prune" in DAMAGES[damage][2]])
def test_prune_mends(run: Processes, base: Path, keys: Keys, damage: str) -> None:
    DAMAGES[damage][0](base)
    with working(run, Config(project=base.parent), keys, what="pruning") as archive:
        retention.prune(archive, keep=20, grace=0)
    verify(run, Config(project=base.parent), base)


def test_refresh_gives_a_release_file_new_life(run: Processes, base: Path, keys: Keys) -> None:
    config = Config(project=base.parent, archive=ArchiveConfig(valid_for=2 * 86400))
    with working(run, config, keys, what="signing anew") as archive:
        assert renew(archive, config, ("trixie", "sid")) == ("trixie", "sid")
        with pytest.raises(ConfigError, match="has no suite forky"):
            renew(archive, config, ("forky",))
    found = verify(run, config, base)
    assert found.suites == ("sid", "trixie")
    assert 0 < parsedate_to_datetime(found.until).timestamp() - time.time() < 3 * 86400
    assert [(act.act, act.added, act.removed) for act in journal.read(base)[-2:]] == [("refresh", (), ())] * 2


def test_all_problems_at_once(run: Processes, base: Path) -> None:
    for damage in ("a package is lost", "a stray", "Release.gpg is lost", "reprepro was called by hand"):
        DAMAGES[damage][0](base)
    told, next_ = troubles(run, base)
    assert len(told) == 4
    assert len(next_.splitlines()) == 5


def test_keys(run: Processes, base: Path) -> None:
    told, next_ = troubles(run, base, KeysConfig(archive="A" * 40))
    (signer,) = verify(run, Config(project=base.parent), base).signers
    assert told == [
        f"the keyring lacks {'A' * 40}, which [keys] in config/debkit.toml names",
        f"the keyring still has {signer}, which [keys] in config/debkit.toml does not name",
    ]
    assert next_ == "debkit repo refresh"
    verify(run, Config(project=base.parent, keys=KeysConfig(archive=signer)), base)
    with gnupg_home() as home:
        other = make_key(home)
        keyring = base / "debkit-archive-keyring.pgp"
        stranger = home / "stranger"
        gpg(home, "--output", os.fspath(stranger), "--export")
        both = keyring.read_bytes() + stranger.read_bytes()
        keyring.write_bytes(both)
        told, next_ = troubles(run, base)
        assert [line.endswith(f"Release.gpg is not signed by {other}") for line in told] == [False, True]
        keyring.write_bytes(stranger.read_bytes())
        told, next_ = troubles(run, base)
        assert len([line for line in told if "is not signed by a key of debkit-archive-keyring.pgp" in line]) == 2
        assert len([line for line in told if "sqv" in line]) == 1
        assert "debkit repo refresh" in next_


def test_a_copy_has_what_it_has(run: Processes, base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    deploy(run, Config(project=base.parent), os.fspath(copy))
    found = verify(run, Config(project=base.parent), copy)
    assert (found.states, found.files, found.database) == (0, 9, False)
    assert not (copy / ".lock").exists()
    (copy / "pool/main/s/second/second_1.0_amd64.deb").unlink()
    told, _ = troubles(run, copy)
    assert told == ["pool/main/s/second/second_1.0_amd64.deb is missing"]


def test_it_waits_for_who_changes_the_archive(run: Processes, base: Path) -> None:
    with (
        locked(base, what="a test", progress=Quiet()),
        pytest.raises(LockedError, match="is in use") as caught,
    ):
        verify(run, Config(project=base.parent), base, wait=0.1)
    assert "a test" in caught.value.cause


def test_refresh_and_recover_as_they_are_typed(base: Path, key_state: Path) -> None:
    project, env = Project(base.parent), {"XDG_STATE_HOME": os.fspath(key_state.parent / "home")}
    (key_state.parent / "home").mkdir(exist_ok=True)
    if not (key_state.parent / "home/debkit").exists():
        (key_state.parent / "home/debkit").symlink_to(key_state)
    ended = project.debkit("repo", "recover", env=env)
    assert (ended.code, "no killed run has left anything to undo" in ended.err) == (0, True), ended.err
    transaction.begin(base)
    by_hand(base, "remove", "trixie", "third")
    ended = project.debkit("repo", "recover", env=env)
    assert (ended.code, "what that had begun is undone" in ended.err) == (0, True), ended.err
    assert project.debkit("repo", "verify").code == 0
    with locked(base, what="a test", progress=Quiet()):
        transaction.begin(base)
        waiting = project.start("repo", "recover", env=env)
        assert waiting.stderr
        assert any("waiting for" in line for line in waiting.stderr), "it has seen a change that is not to be undone"
        transaction.commit(base)
    _, err = waiting.communicate()
    assert (waiting.returncode, "no killed run has left anything to undo" in err) == (0, True), err
    ended = project.debkit("repo", "refresh", env=env)
    assert (ended.code, "signed anew: trixie" in ended.err) == (0, True), ended.err
    ended = project.debkit("repo", "refresh", "nowhere", env=env)
    assert ended.code == 3
    assert is_three_parts(ended)
    ended = project.debkit("repo", "history")
    assert ended.out.splitlines()[-1].endswith("+0 -0    signed anew")


def test_as_it_is_typed(base: Path) -> None:
    project = Project(base.parent)
    ended = project.debkit("repo", "verify")
    assert ended.code == 0, ended.err
    assert "repo is in order: trixie; 15 files" in ended.err
    (base / "pool/main/s/second/second_1.0_amd64.deb").unlink()
    ended = project.debkit("repo", "verify", "repo")
    assert ended.code == 14
    assert is_three_parts(ended)
    assert "has a problem" in ended.err
    empty = base.parent / "empty"
    empty.mkdir()
    ended = project.debkit("repo", "verify", "empty")
    assert ended.code == 14
    assert is_three_parts(ended)
    assert "there is no archive in" in ended.err


def test_nothing_to_look_at(run: Processes, config: Config) -> None:
    with pytest.raises(ArchiveError, match="is empty"):
        verify(run, config, config.repo)
    shutil.rmtree(config.repo)
    with pytest.raises(ConfigError, match="there is no archive in"):
        verify(run, config, config.repo)
