"""Packages for the Debian installer, which have indices of their own: nothing of them is lost, and what is old of them goes."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, conf, promote, retention, snapshots
from debkit.archive.change import holding, working
from debkit.archive.index import entries
from debkit.archive.rebuild import rebuild
from debkit.archive.released import read_released, reading
from debkit.archive.restore import restore
from debkit.archive.rollback import choose, roll_back
from debkit.archive.serving.deploy import deploy
from debkit.archive.verify import verify
from debkit.errors import ArchiveError, ConfigError
from tests.publishing import overwrite, sound

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.run import Processes
    from tests.publisher import Desk

STREAM = "trixie-unstable"
INSTALLER = "main/debian-installer/binary-amd64/Packages"


@pytest.fixture
def config(config: Config) -> Config:
    """An archive whose suites take .udebs."""
    file = config.repo / "conf/distributions"
    with pytest.raises(ConfigError) as caught:
        conf.demand(config, STREAM, ())
    text = file.read_text() + "\n" + "\n".join(caught.value.excerpt) + "\n"
    file.write_text(text.replace("Components: main\n", "Components: main\nUDebComponents: main\n"))
    return config


def udebs(config: Config, suite: str = "trixie") -> dict[str, str]:
    members = entries(config.repo / "dists" / suite)
    return {entry.package: entry.version for entry in members if (entry.type, entry.arch) == ("udeb", "amd64")}


def pool(config: Config) -> set[str]:
    return {path.name for path in (config.repo / "pool").rglob("*.udeb")}


def test_prune_keeps_what_a_kept_state_lists_of_them(run: Processes, config: Config, desk: Desk) -> None:
    desk.publish(*desk.make("first", udeb=True))
    desk.publish(*desk.make("first", version="2.0", udeb=True), *desk.make("second", udeb=True), *desk.make("third"))
    (again,) = desk.publish(*desk.make("first", version="2.0", udeb=True))
    assert again.unchanged
    assert udebs(config) == {"first-udeb": "2.0", "second-udeb": "1.0"}
    verify(run, config, config.repo)
    with working(run, config, desk.keys, what="pruning") as archive:
        assert retention.prune(archive, keep=20, grace=0).pool == ()
        assert roll_back(archive, config, "trixie", choose(config, "trixie")).lowered == ("first", "second", "third")
        assert udebs(config) == {"first-udeb": "1.0"}
        assert retention.prune(archive, keep=20, grace=0).pool == ()
        roll_back(archive, config, "trixie", choose(config, "trixie"))
        assert udebs(config) == {"first-udeb": "2.0", "second-udeb": "1.0"}
        gone = retention.prune(archive, keep=1, grace=0)
    assert [name for name in gone.pool if name.endswith(".udeb")] == ["pool/main/f/first/first-udeb_1.0_amd64.udeb"]
    assert pool(config) == {"first-udeb_2.0_amd64.udeb", "second-udeb_1.0_amd64.udeb"}
    verify(run, config, config.repo)
    sound(run, config)


def test_prune_removes_nothing_while_their_index_is_damaged(run: Processes, config: Config, desk: Desk) -> None:
    for version in ("1.0", "2.0"):
        desk.publish(*desk.make("first", version=version, udeb=True))
    path = snapshots.snapshots(config.repo, "trixie")[-1].path
    overwrite(path / INSTALLER)
    with (
        working(run, config, desk.keys, what="pruning") as archive,
        pytest.raises(ArchiveError, match="what the kept states list cannot be told") as caught,
    ):
        retention.prune(archive, keep=1, grace=0)
    assert f"{path / INSTALLER} is not what the Release file says" in caught.value.cause
    assert pool(config) == {"first-udeb_1.0_amd64.udeb", "first-udeb_2.0_amd64.udeb"}


@pytest.mark.parametrize("loss", ["db", "db dists"])
def test_they_are_rebuilt(run: Processes, config: Config, desk: Desk, loss: str) -> None:
    """From the signed indices, or where these are lost from the journal."""
    desk.publish(*desk.make("first", udeb=True), *desk.make("second"))
    for name in loss.split():
        shutil.rmtree(config.repo / name)
    with holding(run, config, desk.keys, what="rebuilding") as archive:
        rebuild(archive, config)
    assert udebs(config) == {"first-udeb": "1.0"}
    verify(run, config, config.repo)


def test_they_are_promoted_deployed_and_restored(run: Processes, config: Config, desk: Desk, tmp_path: Path) -> None:
    desk.publish(*desk.make("first", udeb=True), suite=STREAM)
    with working(run, config, desk.keys, what="promoting") as archive:
        promote(archive, config, STREAM, "trixie")
    assert udebs(config) == udebs(config, STREAM) == {"first-udeb": "1.0"}
    with reading(config):
        names = [file.name.rpartition("/")[2] for file in read_released(config, "first", "1.0").all_files]
    assert "first-udeb_1.0_amd64.udeb" in names
    deploy(run, config, os.fspath(tmp_path / "site"))
    assert (tmp_path / "site/dists/trixie" / INSTALLER).exists()
    for path in config.repo.iterdir():
        if path.name in {"db", "dists", "pool"}:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    with holding(run, config, desk.keys, what="restoring") as archive:
        restore(archive, config, tmp_path / "site")
    assert udebs(config) == {"first-udeb": "1.0"}
    assert client.keyring_file(config).exists()
    verify(run, config, config.repo)


def test_a_suite_that_does_not_take_them(config: Config, desk: Desk) -> None:
    file = config.repo / "conf/distributions"
    file.write_text(file.read_text().replace("UDebComponents: main\n", ""))
    for made in (desk.make("first", udeb=True), (*desk.make("second", udeb=True), *desk.make("third"))):
        with pytest.raises(ConfigError) as caught:
            desk.publish(*made)
        assert caught.value.what == "the suite takes no packages for the Debian installer"
        assert "UDebComponents" in caught.value.cause
        assert caught.value.hint.endswith("UDebComponents: main")
