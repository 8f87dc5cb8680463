"""States that a suite can go back to, and their end."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from debkit.archive import history, journal, retention, snapshots, transaction
from debkit.archive.change import working
from debkit.archive.journal import members as told
from debkit.archive.renewal import renew
from debkit.archive.rollback import choose, members, roll_back, states
from debkit.archive.verify import verify
from debkit.archive.whole import demand_whole
from debkit.config import ArchiveConfig
from debkit.errors import ArchiveError, ConfigError, DiskError
from tests.command import Project, is_three_parts
from tests.publishing import overwrite, sound, state, versions

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from debkit.run import Processes
    from tests.publisher import Desk

KEYRING = "debkit-archive-keyring"


def test_there_and_back(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first", "second"))
    desk.publish(*desk.make("first", version="2.0"), *desk.make("third"))
    assert versions(desk.config, "amd64") == {"first": "2.0", "second": "1.0", "third": "1.0"}
    with working(run, desk.config, desk.keys, what="rolling back") as archive:
        done = roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie"))
    assert versions(desk.config, "amd64") == {"first": "1.0", "second": "1.0"}
    assert done.lowered == ("first", "third")
    assert set(versions(desk.config, "source").items()) == {("first", "1.0"), ("second", "1.0")}
    sound(run, desk.config)
    # What was taken back is one more change, which can be taken back.
    with working(run, desk.config, desk.keys, what="rolling back") as archive:
        done = roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie"))
    assert versions(desk.config, "amd64") == {"first": "2.0", "second": "1.0", "third": "1.0"}
    assert done.lowered == (), "apt upgrades to all of that"
    assert [act.act for act in history(desk.config.repo)] == ["publish", "publish", "rollback", "rollback"]
    sound(run, desk.config)
    desk.publish(*desk.make("first", version="3.0"))
    assert versions(desk.config, "amd64")["first"] == "3.0"
    sound(run, desk.config)


def test_the_keyring_package_stays(run: Processes, desk: Desk) -> None:
    """It was published last, as by a release; what it tells clients of keys is not to be taken back with a package."""
    for version in ("1.0", "2.0"):
        desk.publish(*desk.make("first", version=version))
        desk.publish(*desk.make(KEYRING, version=f"2026.01.0{version[0]}"))

    def back(name: str = "") -> dict[str, str]:
        with working(run, desk.config, desk.keys, what="rolling back") as archive:
            roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie", name))
            assert told(history(desk.config.repo, "trixie")) == frozenset(archive.listing("trixie"))
        demand_whole(run, desk.config)
        assert versions(desk.config, "source") == versions(desk.config, "amd64")
        return versions(desk.config, "amd64")

    for version in ("1.0", "2.0", "1.0"):
        assert back() == {"first": version, KEYRING: "2026.01.02"}
    first = history(desk.config.repo, "trixie")[1].snapshot  # it has the older keyring package
    former = desk.config.repo / f"pool/main/d/{KEYRING}/{KEYRING}_2026.01.01_amd64.deb"
    aside = former.rename(desk.directory / former.name)
    desk.publish(*desk.make("first", version="3.0"))
    assert back(first) == {"first": "1.0", KEYRING: "2026.01.02"}, "of what is not gone back to no file is needed"
    aside.rename(former)
    desk.publish(*desk.make(KEYRING, version="2026.01.03"))
    last = history(desk.config.repo, "trixie")[-1].snapshot
    assert back(first) == {"first": "1.0", KEYRING: "2026.01.03"}, "it has the rest already"
    assert history(desk.config.repo, "trixie")[-1].snapshot == last
    assert back() == {"first": "3.0", KEYRING: "2026.01.03"}
    sound(run, desk.config)


def test_a_change_of_the_keyring_package_alone_is_none_to_go_back_from(desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    desk.publish(*desk.make(KEYRING))
    with pytest.raises(ConfigError, match="nothing that trixie could go back to") as caught:
        choose(desk.config, "trixie")
    assert caught.value.cause == "no state of it is kept that has other packages"


def test_what_was_done_by_hand_is_gone_back_from(run: Processes, desk: Desk) -> None:
    """The journal does not tell of it."""
    desk.publish(*desk.make("first", "second"))
    with working(run, desk.config, desk.keys, what="working") as archive:
        archive.remove("trixie", "deb", "amd64", ("second",))
        archive.export("trixie")
        roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie"))
    assert versions(desk.config, "amd64") == {"first": "1.0", "second": "1.0"}


def test_the_journal_follows_the_database(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first", "second"))
    desk.publish(*desk.make("first", version="2.0"))
    with working(run, desk.config, desk.keys, what="looking") as archive:
        assert told(history(desk.config.repo, "trixie")) == frozenset(archive.listing("trixie"))
    newest = snapshots.snapshots(desk.config.repo, "trixie")[-1]
    assert members(newest)["deb", "amd64", "first"] == "2.0"


def test_a_rollback_that_cannot_be_leaves_all_as_it_was(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    with pytest.raises(ConfigError, match="nothing that trixie could go back to"):
        choose(desk.config, "trixie")
    with pytest.raises(ConfigError, match="no snapshot 2020"):
        choose(desk.config, "trixie", "2020")
    desk.publish(*desk.make("first", version="2.0"))
    before = state(desk.config)
    chosen = choose(desk.config, "trixie")
    for name, old, new in (("binary-amd64/Packages", b"first", b"other"), ("source/Sources.gz", b"\x1f\x8b", b"")):
        index = chosen.snapshot.path / "main" / name
        text = index.read_bytes()
        index.unlink()
        index.write_bytes(text.replace(old, new))
        with (
            working(run, desk.config, desk.keys, what="rolling back") as archive,
            pytest.raises(ArchiveError, match="cannot be told") as caught,
        ):
            roll_back(archive, desk.config, "trixie", chosen)
        assert caught.value.cause == f"{index} is not what the Release file says"
        index.write_bytes(text)
    after = state(desk.config)
    assert {name: data for name, data in after.items() if "/snapshots/" not in name} == {
        name: data for name, data in before.items() if "/snapshots/" not in name
    }
    sound(run, desk.config)


def test_a_state_whose_files_are_gone_is_not_gone_back_to(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    desk.publish(*desk.make("first", version="2.0"))
    pool = desk.config.repo / "pool/main/f/first"
    (pool / "first_1.0_amd64.deb").unlink()
    (pool / "first_1.0.tar.gz").write_bytes(b"cut short")
    before = state(desk.config)
    with (
        working(run, desk.config, desk.keys, what="rolling back") as archive,
        pytest.raises(ArchiveError, match="trixie would list what cannot be fetched") as caught,
    ):
        roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie"))
    assert caught.value.cause.splitlines()[1:] == [f"pool/main/f/first/first_1.0{name}" for name in (".tar.gz", "_amd64.deb")]
    assert state(desk.config) == before


def test_states_follow_one_another_though_the_clock_is_put_back(
    run: Processes, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "2.0"):
        desk.publish(*desk.make("first", version=version))

    class Slow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) - timedelta(days=30)

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "datetime", Slow)
        desk.publish(*desk.make("first", version="3.0"))
    assert len({act.snapshot for act in history(desk.config.repo)}) == 3
    with working(run, desk.config, desk.keys, what="pruning") as archive:
        assert retention.prune(archive, keep=1, grace=3600) == retention.Pruned()
        roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie"))
    assert versions(desk.config, "amd64") == {"first": "2.0"}
    sound(run, desk.config)


def test_a_prune_on_a_full_disk_says_what_it_needs(run: Processes, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1.0", "2.0"):
        desk.publish(*desk.make("first", version=version))

    def full(base: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", os.fspath(base / ".db-before.new"))

    with working(run, desk.config, desk.keys, what="pruning") as archive, monkeypatch.context() as patch:
        patch.setattr(transaction, "begin", full)
        with pytest.raises(DiskError, match="there is no room") as caught:
            retention.prune(archive, keep=1, grace=0)
    assert "a second copy of the database" in caught.value.cause
    assert caught.value.hint.endswith(f"df -h {desk.config.repo}")
    sound(run, desk.config)


def test_states_whose_indices_are_compressed_otherwise(run: Processes, desk: Desk) -> None:
    distributions = desk.config.repo / "conf/distributions"
    text = distributions.read_text()
    forms = "Components: main\nDebIndices: Packages Release .xz\nDscIndices: Sources Release .xz\n"
    distributions.write_text(text.replace("Components: main\n", forms))
    for version in ("1.0", "2.0"):
        desk.publish(*desk.make("first", version=version))
    assert (desk.config.repo / "dists/trixie/main/binary-amd64/Packages.xz").exists()
    with working(run, desk.config, desk.keys, what="pruning") as archive:
        assert retention.prune(archive, keep=2, grace=0) == retention.Pruned()
        roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie"))
    verify(run, desk.config, desk.config.repo)
    sound(run, desk.config)


def test_old_states_end_and_what_only_they_list(run: Processes, desk: Desk) -> None:
    for version in ("1.0", "2.0", "3.0"):
        desk.publish(*desk.make("first", version=version))
    pool = desk.config.repo / "pool/main/f/first"
    hashes = {path.name for path in desk.config.repo.rglob("by-hash/SHA256/*")}
    with working(run, desk.config, desk.keys, what="pruning") as archive:
        assert retention.prune(archive, keep=1, grace=3600) == retention.Pruned()
        planned = retention.prune(archive, keep=2, grace=0, dry_run=True)
        assert len(list(pool.iterdir())) == 12
        assert retention.prune(archive, keep=2, grace=0) == planned
    assert {path.name.split("_")[1][:3] for path in pool.iterdir()} == {"2.0", "3.0"}
    assert {path.name for path in desk.config.repo.rglob("by-hash/SHA256/*")} < hashes
    assert len(planned.snapshots) == 1
    assert planned.size > 0
    sound(run, desk.config)
    (line,) = [
        line for line in map(json.loads, (desk.config.repo / "journal.jsonl").read_text().splitlines()) if line["act"] == "prune"
    ]
    assert line["detail"] == "1 state"
    desk.publish(*desk.make("second"))
    with working(run, desk.config, desk.keys, what="pruning") as archive:
        archive.remove("trixie", "deb", "amd64", ("first",))
        archive.remove("trixie", "dsc", "source", ("first",))
        archive.export("trixie")
        retention.prune(archive, keep=1, grace=0)
    assert not pool.exists()
    assert [path.name for path in (desk.config.repo / "pool/main").iterdir()] == ["s"]
    sound(run, desk.config)


@pytest.mark.parametrize("harm", ["gone", "other"])
def test_nothing_is_removed_while_a_kept_state_cannot_be_read(run: Processes, desk: Desk, harm: str) -> None:
    for version in ("1.0", "2.0", "3.0"):
        desk.publish(*desk.make("first", version=version))
    kept = snapshots.snapshots(desk.config.repo, "trixie")[1]
    index = kept.path / "main/binary-amd64/Packages"
    if harm == "gone":
        index.unlink()
    else:
        overwrite(index)
    before = state(desk.config)
    with working(run, desk.config, desk.keys, what="pruning") as archive:
        with pytest.raises(ArchiveError, match="what the kept states list cannot be told") as caught:
            retention.prune(archive, keep=2, grace=0)
        assert os.fspath(kept.path) in caught.value.cause
        assert before.keys() <= state(desk.config).keys()
        renew(archive, desk.config)
        assert retention.prune(archive, keep=2, grace=0).snapshots
    assert {path.name.split("_")[1][:3] for path in (desk.config.repo / "pool/main/f/first").iterdir()} == {"2.0", "3.0"}


def test_a_publish_counts_though_old_states_cannot_be_removed(
    run: Processes, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SEVERAL", 1)
    desk = replace(desk, config=replace(desk.config, archive=ArchiveConfig(keep=1, grace=0)))
    desk.publish(*desk.make("first"))
    (old,) = snapshots.snapshots(desk.config.repo, "trixie")
    (desk.config.repo / "dists/trixie/snapshots" / f".{old.name}.gone").touch()  # where it would be moved to
    (published,) = desk.publish(*desk.make("first", version="2.0"))
    assert not published.unchanged
    assert versions(desk.config, "amd64") == {"first": "2.0"}
    assert len(snapshots.snapshots(desk.config.repo, "trixie")) == 2
    (desk.config.repo / "dists/trixie/snapshots" / f".{old.name}.gone").unlink()
    desk.publish(*desk.make("first", version="3.0"))
    assert len(snapshots.snapshots(desk.config.repo, "trixie")) == 1
    sound(run, desk.config)


def test_what_was_only_signed_anew_is_no_other_state(run: Processes, desk: Desk) -> None:
    base = desk.config.repo
    for version in ("1.0", "2.0", "3.0"):
        desk.publish(*desk.make("first", version=version))
    with working(run, desk.config, desk.keys, what="working") as archive:
        for _ in range(3):
            renew(archive, desk.config)
        acts = journal.path(base).read_text()
        done = roll_back(archive, desk.config, "trixie", states(base, "trixie")[-1])
        assert (done.added, done.removed, journal.path(base).read_text()) == ((), (), acts), "it has them already"
        gone = retention.prune(archive, keep=2, grace=0)
        assert gone.snapshots  # those signed in the same second as the newest are as published as it is
        kept = [members(one)["deb", "amd64", "first"] for one in snapshots.snapshots(base, "trixie")]
        assert (kept[0], set(kept[1:])) == ("2.0", {"3.0"})
        roll_back(archive, desk.config, "trixie", choose(desk.config, "trixie"))
    assert versions(desk.config, "amd64") == {"first": "2.0"}
    sound(run, desk.config)


def test_as_it_is_typed(desk: Desk, key_state: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/debkit").symlink_to(key_state)
    env = {"XDG_STATE_HOME": os.fspath(tmp_path / "home")}
    project = Project(desk.config.project)
    for version in ("1.0", "2.0"):
        desk.publish(*desk.make("first", version=version))
    first, last = (act.snapshot for act in history(desk.config.repo))
    ended = project.debkit("repo", "rollback", "trixie", env=env)
    assert ended.code == 0, ended.err
    assert f"trixie has the packages of {first} again" in ended.err
    assert "clients that have installed first meanwhile keep it" in " ".join(ended.err.split())
    ended = project.debkit("repo", "rollback", "trixie", last, env=env)
    assert (ended.code, "clients that have installed" in ended.err) == (0, False), ended.err
    assert versions(desk.config, "amd64") == {"first": "2.0"}
    ended = project.debkit("repo", "rollback", "trixie", last, env=env)
    assert (ended.code, "there is nothing to do" in ended.err) == (0, True)
    # Without a secret key: names are looked at first.
    for words in (("trixie", "20200101T000000.000000Z"), ("trixy",)):
        ended = project.debkit("repo", "rollback", *words, env={"GNUPGHOME": "/nonexistent"})
        assert (ended.code, is_three_parts(ended)) == (3, True)
        assert "trixy" in ended.err or "has no snapshot 2020" in ended.err
    ended = project.debkit("repo", "prune", "--keep", "1", "--dry-run", env=env)
    assert (ended.code, "0 states" in ended.err) == (0, True), "they were replaced within the grace time"
    ended = project.debkit("repo", "history", "trixie", env=env)
    assert [line.split()[2] for line in ended.out.splitlines()] == ["ACT", "publish", "publish", "rollback", "rollback"]
    ended = project.debkit("repo", "history", "trixy")
    assert (ended.code, is_three_parts(ended)) == (3, True)
    ended = project.debkit("repo", "history", "sid")
    assert (ended.code, len(ended.out.splitlines())) == (0, 1)
    ended = project.debkit("repo", "history", "--json", env=env)
    assert [act["act"] for act in json.loads(ended.out)] == ["publish", "publish", "rollback", "rollback"]
    assert project.debkit("repo", "verify").code == 0


def test_a_dry_run_changes_nothing(desk: Desk, key_state: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/debkit").symlink_to(key_state)
    env, base = {"XDG_STATE_HOME": os.fspath(tmp_path / "home")}, desk.config.repo
    project = Project(desk.config.project)
    for version in ("1.0", "2.0"):
        desk.publish(*desk.make("first", version=version))
    (base / "index.html").write_text("of long ago")
    before = state(desk.config)
    ended = project.debkit("repo", "prune", "--dry-run", env=env)
    assert (ended.code, "would be removed" in ended.err) == (0, True), ended.err
    assert state(desk.config) == before
    transaction.begin(base)
    before = state(desk.config)
    ended = project.debkit("repo", "prune", "--dry-run", env=env)
    assert (ended.code, is_three_parts(ended)) == (14, True), ended.err
    assert "debkit repo recover" in ended.err
    assert state(desk.config) == before
