"""An archive that lost its database, its indices, its pool, or all of it, and is as it was again."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from debkit.archive import front, journal, lost, retention, snapshots, transaction
from debkit.archive.change import change, holding, working
from debkit.archive.index import entries
from debkit.archive.rebuild import Rebuilt, rebuild
from debkit.archive.rollback import choose, roll_back
from debkit.archive.verify import verify
from debkit.config import ArchiveConfig, Config
from debkit.console import counted
from debkit.errors import ArchiveError
from tests.command import Project, is_three_parts
from tests.publisher import Desk
from tests.publishing import overwrite, state, versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.keys import Keys
    from debkit.run import Processes

WHOLE = {"first": "2.0", "second": "1.0", "third": "3.0~rc1"}


@pytest.fixture
def config(base: Path) -> Config:
    return Config(project=base.parent)


@pytest.fixture
def desk(config: Config, keys: Keys, key_state: Path, tmp_path: Path) -> Desk:
    return Desk(config, keys, key_state, tmp_path / "made")


def rebuilt(run: Processes, config: Config, keys: Keys, directory: Path | None = None, suite: str = "") -> Rebuilt:
    with holding(run, config, keys, what="rebuilding") as archive:
        done = rebuild(archive, config, directory=directory, suite=suite)
        front.write(config, keys)
        return done


def is_whole(run: Processes, config: Config) -> None:
    verify(run, config, config.repo)
    assert versions(config, "amd64") == WHOLE
    assert dict(versions(config, "source")) == WHOLE


def lose_database(base: Path) -> None:
    shutil.rmtree(base / "db")


def lose_indices(base: Path) -> None:
    shutil.rmtree(base / "dists")


LOSSES: dict[str, tuple[tuple[Callable[[Path], object], ...], str]] = {
    "the database": ((lose_database,), "its signed indices"),
    "nothing": ((), "its signed indices"),
    "what the database says": (
        (lambda base: [file.write_bytes(b"nothing" * 99) for file in (base / "db").glob("*.db")],),
        "its signed indices",
    ),
    "the database, and by name an index": (
        (lose_database, lambda base: (base / "dists/trixie/main/binary-amd64/Packages").unlink()),
        "the signed indices of its state 2",
    ),
    "the database, and all snapshots": (
        (lose_database, lambda base: shutil.rmtree(base / "dists/trixie/snapshots")),
        "its signed indices",
    ),
    "the indices": ((lose_indices,), "the journal"),
    "database and indices": ((lose_database, lose_indices), "the journal"),
    "the database, and the signature": (
        (lose_database, lambda base: overwrite(*base.glob("dists/trixie/**/InRelease"))),
        "the journal",
    ),
    "the database in the middle of a change": (
        (transaction.begin, lambda base: overwrite(*base.glob(".db-before/*.db"))),
        "its signed indices",
    ),
    "database and journal": ((lose_database, lambda base: journal.path(base).unlink()), "its signed indices"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_was_lost_is_remade(run: Processes, config: Config, keys: Keys, desk: Desk, loss: str) -> None:
    harms, origin = LOSSES[loss]
    before = (config.repo / "dists/trixie/main/binary-amd64/Packages").read_bytes()
    sources = (config.repo / "dists/trixie/main/source/Sources.gz").read_bytes()
    acts = journal.path(config.repo).read_text()
    for harm in harms:
        harm(config.repo)
    done = rebuilt(run, config, keys)
    assert done.origins["trixie"].startswith(origin)
    assert not done.put_back
    if "signature" in loss:  # the kept states' signatures were damaged, too
        for one in snapshots.snapshots(config.repo, "trixie")[:-1]:
            snapshots.remove(one)
    is_whole(run, config)
    assert (config.repo / "dists/trixie/main/binary-amd64/Packages").read_bytes() == before
    assert (config.repo / "dists/trixie/main/source/Sources.gz").read_bytes() == sources
    if "journal" not in loss:
        assert journal.path(config.repo).read_text().startswith(acts)
    assert journal.read(config.repo)[-1].act == "rebuild"
    assert not list(config.repo.glob(".db*"))
    # It goes on from there.
    desk.publish(*desk.make("first", version="4.0"))
    assert versions(config, "amd64") == {**WHOLE, "first": "4.0"}
    if len(snapshots.snapshots(config.repo, "trixie")) > 4:
        with working(run, config, keys, what="rolling back") as archive:
            first = snapshots.snapshots(config.repo, "trixie")[0]
            roll_back(archive, config, "trixie", choose(config, "trixie", first.name if "journal" not in loss else ""))
        verify(run, config, config.repo)


@pytest.mark.parametrize("keep", [1, 2, 20])
def test_the_states_come_back_with_the_journal(run: Processes, base: Path, keys: Keys, keep: int) -> None:
    config = Config(project=base.parent, archive=ArchiveConfig(keep=keep, grace=0 if keep < 20 else 3600))
    before = {one.name: entries(one.path) for one in snapshots.snapshots(base, "trixie")}
    lose_indices(base)
    if keep == 20:
        lose_database(base)
    done = rebuilt(run, config, keys)
    after = {one.name: entries(one.path) for one in snapshots.snapshots(base, "trixie")}
    wanted = list(before)[:-1][-(keep - 1) :] if keep > 1 else []
    assert {name: after[name] for name in after if name in before} == {name: before[name] for name in wanted}
    assert done.origins["trixie"] == "the journal" + (f", with {counted(len(wanted), 'older state')}" if wanted else "")
    assert [act.act for act in journal.read(base)] == ["publish", "publish", "publish", "rebuild"]
    is_whole(run, config)
    with working(run, config, keys, what="rolling back") as archive:
        if keep == 20:
            assert retention.prune(archive, keep=20, grace=3600, dry_run=True) == retention.Pruned()
        for name in wanted:
            roll_back(archive, config, "trixie", choose(config, "trixie", name))
            assert entries(base / "dists/trixie") == before[name]
    verify(run, config, base)


@pytest.mark.parametrize("left", ["a state half copied", "a state without its indices by hash"])
def test_all_states_come_back_though_a_rebuild_was_cut_short(
    run: Processes, config: Config, keys: Keys, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    base = config.repo
    older = [one.name for one in snapshots.snapshots(base, "trixie")][:-1]
    lose_database(base)
    lose_indices(base)

    def cut_short(path: Path, directory: Path) -> None:
        if left == "a state half copied":
            half = directory / "snapshots" / f".{older[1]}.gone"
            half.mkdir()
            shutil.copyfile(path / "Release", half / "Release")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lost, "mend", cut_short)
        with pytest.raises(KeyboardInterrupt):
            rebuilt(run, config, keys)
    rebuilt(run, config, keys)
    assert [one.name for one in snapshots.snapshots(base, "trixie")][: len(older)] == older
    assert not list((base / "dists/trixie/snapshots").glob(".*"))
    is_whole(run, config)


def test_nothing_is_published_without_a_database(run: Processes, config: Config, desk: Desk) -> None:
    lose_database(config.repo)
    before = state(config)
    with pytest.raises(ArchiveError, match="has lost its database") as caught:
        desk.publish(*desk.make("fourth"))
    assert caught.value.hint == "debkit repo rebuild"
    lose_indices(config.repo)
    with pytest.raises(ArchiveError, match="has lost its database"):
        desk.publish(*desk.make("fourth"))
    assert {name for name in before if not name.startswith("dists")} == set(state(config))


def test_a_pool_that_alone_is_left_is_kept_and_rebuilt(run: Processes, config: Config, keys: Keys, desk: Desk) -> None:
    lose_database(config.repo)
    lose_indices(config.repo)
    journal.path(config.repo).unlink()
    before = state(config)
    with pytest.raises(ArchiveError, match="has lost its database") as caught:
        desk.publish(*desk.make("fourth"))
    assert caught.value.hint == "debkit repo rebuild"
    # Nor does an undone change take what it has not put there, even of a database that is empty.
    with holding(run, config, keys, what="failing") as archive, pytest.raises(KeyError), change(archive):
        raise KeyError
    assert state(config) == before
    shutil.rmtree(config.repo / "db")
    done = rebuilt(run, config, keys, suite="trixie")
    assert done.origins == {"trixie": f"the files in {config.repo / 'pool'}"}
    assert done.left_out == ("first_1.0_source+amd64.changes", "third_1.0_source+amd64.changes")
    is_whole(run, config)
    assert before.keys() <= state(config).keys()


@pytest.fixture
def assets(published: Path, tmp_path: Path) -> Path:
    """All files of the pool in one directory, as GitHub names them."""
    directory = tmp_path / "assets"
    directory.mkdir()
    for file in (published / "repo").rglob("pool/**/*"):
        if file.is_file():
            shutil.copy2(file, directory / file.name.replace("~", "."))
    return directory


LOST = ("first/first_2.0_amd64.deb", "third/third_3.0~rc1.dsc", "third/third_3.0~rc1.tar.gz")


@pytest.mark.parametrize("indices", [True, False], ids=["with indices", "with the journal"])
def test_files_come_back_from_assets(run: Processes, config: Config, keys: Keys, assets: Path, *, indices: bool) -> None:
    lost = [f"pool/main/{name[0]}/{name}" for name in LOST]
    for name in lost:
        (config.repo / name).unlink()
    if not indices:
        lose_indices(config.repo)
    before = state(config)
    with pytest.raises(ArchiveError) as caught:
        rebuilt(run, config, keys)
    told = caught.value.cause.splitlines()
    assert set(told) == {f"{name} is missing" for name in (lost if indices else lost[:2])}
    assert state(config) == before
    assert rebuilt(run, config, keys, assets).put_back == tuple(lost)
    is_whole(run, config)


def test_a_damaged_package_is_not_signed_anew(run: Processes, config: Config, keys: Keys, assets: Path) -> None:
    """The journal alone tells what there was; what it was to be, the .changes do."""
    damaged = ("pool/main/f/first/first_2.0_amd64.deb", "pool/main/t/third/third_3.0~rc1.tar.gz")
    overwrite(*(config.repo / name for name in damaged))
    lose_database(config.repo)
    lose_indices(config.repo)
    before = state(config)
    with pytest.raises(ArchiveError, match="2 files are not to be had") as caught:
        rebuilt(run, config, keys)
    assert set(caught.value.cause.splitlines()) == {f"{name} is damaged" for name in damaged}
    assert state(config) == before
    assert rebuilt(run, config, keys, assets).put_back == damaged
    is_whole(run, config)


def test_all_of_it_comes_back_from_assets(run: Processes, config: Config, keys: Keys, assets: Path) -> None:
    for name in ("pool", "dists", "db"):
        shutil.rmtree(config.repo / name)
    journal.path(config.repo).unlink()
    before = state(config)
    with pytest.raises(ArchiveError, match="nothing is left"):
        rebuilt(run, config, keys)
    (assets / "second_1.0.tar.gz").rename(assets.parent / "kept")
    with pytest.raises(ArchiveError, match="lacks files") as caught:
        rebuilt(run, config, keys, assets, "trixie")
    assert "second_1.0.tar.gz, which second_1.0_source+amd64.changes lists" in caught.value.cause
    assert state(config) == before
    (assets.parent / "kept").rename(assets / "second.tar.gz")
    (assets / "broken_1.0_amd64.changes").write_text("Source: broken\n")
    whole = (assets / "second_1.0_source+amd64.changes").read_text()
    alone = "".join(line for line in whole.splitlines(keepends=True) if not line.endswith(".deb\n"))
    (assets / "second_1.0_source.changes").write_text(alone)
    done = rebuilt(run, config, keys, assets, "trixie")
    assert done.origins == {"trixie": f"the files in {assets}"}
    assert done.unusable == {
        "broken_1.0_amd64.changes": "it has no Version field",
        "second_1.0_source.changes": "it does not list a source and its packages",
    }
    assert done.left_out == ("first_1.0_source+amd64.changes", "third_1.0_source+amd64.changes")
    is_whole(run, config)


def test_indices_that_nobody_vouches_for_are_not_overwritten(run: Processes, config: Config, keys: Keys) -> None:
    lose_database(config.repo)
    journal.path(config.repo).unlink()
    overwrite(*config.repo.glob("dists/trixie/**/InRelease"))
    before = state(config)
    with pytest.raises(ArchiveError, match="what was in trixie cannot be told"):
        rebuilt(run, config, keys)
    assert state(config) == before


def test_as_it_is_typed(config: Config, key_state: Path, tmp_path: Path, assets: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/debkit").symlink_to(key_state)
    env = {"XDG_STATE_HOME": os.fspath(tmp_path / "home")}
    project = Project(config.project)
    lose_database(config.repo)
    (config.repo / "pool/main/t/third/third_3.0~rc1_amd64.deb").unlink()
    ended = project.debkit("repo", "verify")
    assert ended.code == 14
    ended = project.debkit("repo", "refresh", env=env)
    assert (ended.code, is_three_parts(ended)) == (14, True)
    assert "debkit repo rebuild" in ended.err
    ended = project.debkit("repo", "rebuild", env=env)
    assert (ended.code, is_three_parts(ended)) == (14, True)
    assert "third_3.0~rc1_amd64.deb is missing" in ended.err
    ended = project.debkit("repo", "rebuild", "--from", os.fspath(assets), env=env)
    assert ended.code == 0, ended.err
    assert "trixie is rebuilt from its signed indices" in ended.err
    assert "  + pool/main/t/third/third_3.0~rc1_amd64.deb" in ended.err
    assert project.debkit("repo", "verify").code == 0
