"""`repo verify` tells whatever is wrong, all of it together, and changes nothing."""

from __future__ import annotations

import os
import shutil
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, front, journal, retention, snapshots, transaction
from debkit.archive.change import working
from debkit.archive.lock import locked
from debkit.archive.renewal import renew
from debkit.archive.serving.deploy import deploy
from debkit.archive.serving.site import read_site
from debkit.archive.verify import verify
from debkit.config import ArchiveConfig, Config, KeysConfig
from debkit.console import Quiet
from debkit.errors import ArchiveError, ConfigError, LockedError
from debkit.keys import Keys, export_public
from debkit.keys.ring import look_up
from debkit.run import Command
from tests.command import Project, is_three_parts
from tests.damages import DAMAGES
from tests.gnupg_homes import gnupg_home, gpg, make_key, revoke
from tests.publishing import by_hand, state

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes

UNCONFIGURED = KeysConfig()


def troubles(run: Processes, base: Path, keys: KeysConfig = UNCONFIGURED) -> tuple[list[str], str]:
    before = state(Config(project=base.parent))
    with pytest.raises(ArchiveError) as caught:
        verify(run, Config(project=base.parent, keys=keys), base)
    assert state(Config(project=base.parent)) == before, "it changes nothing"
    return caught.value.cause.splitlines(), caught.value.hint


def test_what_is_in_order(run: Processes, base: Path) -> None:
    found = verify(run, Config(project=base.parent), base)
    assert (found.suites, found.states, found.files, found.database) == (("trixie",), 3, 15, True)
    assert len(found.signers) == 1
    assert found.until.endswith(" UTC")


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


def test_a_state_that_a_former_key_has_signed(run: Processes, base: Path, keys: Keys) -> None:
    config = Config(project=base.parent)
    (first,) = verify(run, config, base).signers
    with gnupg_home() as home:
        key = look_up(home, make_key(home))
        other = Keys(upload=key, archive=key)
        for signers, now in ((other, key.fingerprint), (keys, first)):
            with working(run, config, signers, what="signing anew") as archive:
                renew(archive, config)
                front.write(config, signers)
            assert verify(run, config, base).signers == (now,)
        kept = client.former_keyrings(base)
        assert len(kept) == 2
        assert not [name for name in read_site(base).files if name.startswith("former")]
        (kept_of_other,) = (path for path in kept if path.read_bytes() == export_public(key))
        revoke(home, key.fingerprint)
        kept_of_other.write_bytes(export_public(key))
        verify(run, config, base)
        kept_of_other.write_bytes(b"nothing")
        told, next_ = troubles(run, base)
        (state,) = (one.name for one in snapshots.snapshots(base, "trixie")[-2:-1])
        assert told == [f"the snapshot trixie/{state}: it is signed by {key.fingerprint}, of which the archive knows nothing"]
        mended = next_.partition("key: ")[2].partition(";")[0]
        run(Command(argv=("sh", "-ec", mended), env=(("GNUPGHOME", os.fspath(home)),)))
        verify(run, config, base)


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
