"""An archive comes back from a deployed copy of it, and from nothing that only looks like one."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import front, journal, publish_all
from debkit.archive import restore as restoring
from debkit.archive.change import holding
from debkit.archive.restore import Restored, has_something, restore
from debkit.archive.serving.deploy import deploy
from debkit.archive.verify import verify
from debkit.config import ArchiveConfig, Config, KeysConfig
from debkit.errors import ArchiveError
from debkit.keys import find_keys
from tests.command import Project, is_three_parts
from tests.publisher import Desk, read
from tests.publishing import CONF, change, overwrite, sound, versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.keys import Keys
    from debkit.run import Processes

WHOLE = {"first": "2.0", "second": "1.0", "third": "3.0~rc1"}
FIRST = "pool/main/f/first"


@pytest.fixture
def copy(run: Processes, base: Path, tmp_path: Path) -> Path:
    """A deployed copy of the archive that has seen three publishes."""
    deploy(run, Config(project=base.parent, archive=ArchiveConfig(valid_for=90 * 86400)), os.fspath(tmp_path / "site"))
    return tmp_path / "site"


@pytest.fixture
def fresh(tmp_path: Path) -> Config:
    """A project whose archive has nothing but its configuration, as a clone has it."""
    shutil.copytree(CONF, tmp_path / "clone/repo/conf")
    return Config(project=tmp_path / "clone", archive=ArchiveConfig(valid_for=90 * 86400))


def restored(run: Processes, config: Config, keys: Keys, directory: Path) -> Restored:
    with holding(run, config, keys, what="restoring") as archive:
        return restore(archive, config, directory)


def is_whole(run: Processes, config: Config) -> None:
    verify(run, config, config.repo)
    sound(run, config)
    assert versions(config, "amd64") == WHOLE
    assert versions(config, "source") == WHOLE


def empty(config: Config) -> bool:
    return not any((config.repo / name).exists() for name in ("dists", "pool", "db", journal.JOURNAL))


def test_it_comes_back_whole_and_takes_the_next_version(
    run: Processes, fresh: Config, copy: Path, keys: Keys, *, key_state: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    done = restored(run, fresh, keys, copy)
    assert (done.suites, done.unchanged, done.warnings) == (("trixie",), False, ())
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    is_whole(run, fresh)
    assert {path.name for path in fresh.repo.rglob("*.changes")} == {
        f"{name}_{version}_source+amd64.changes" for name, version in WHOLE.items()
    }
    desk = Desk(fresh, keys, key_state, tmp_path / "made")
    desk.publish(*desk.make("first", version="3.0"))
    assert versions(fresh, "amd64") == WHOLE | {"first": "3.0"}
    deploy(run, fresh, os.fspath(copy))
    verify(run, fresh, copy)


def test_the_same_again_changes_nothing(run: Processes, fresh: Config, copy: Path, keys: Keys) -> None:
    restored(run, fresh, keys, copy)
    before = {path: path.read_bytes() for path in (fresh.repo / "dists").rglob("InRelease")}
    again = restored(run, fresh, keys, copy)
    assert again.unchanged
    assert {path: path.read_bytes() for path in (fresh.repo / "dists").rglob("InRelease")} == before


def test_an_archive_with_another_state_is_not_replaced(
    run: Processes, fresh: Config, copy: Path, keys: Keys, *, key_state: Path, tmp_path: Path
) -> None:
    desk = Desk(fresh, keys, key_state, tmp_path / "made")
    desk.publish(*desk.make("other"))
    with pytest.raises(ArchiveError, match="has an archive already") as caught:
        restored(run, fresh, keys, copy)
    assert "another state of trixie" in caught.value.cause
    assert versions(fresh, "amd64") == {"other": "1.0"}


def test_what_a_lost_archive_still_has_is_not_buried(
    run: Processes, fresh: Config, copy: Path, keys: Keys, *, key_state: Path, tmp_path: Path
) -> None:
    desk = Desk(fresh, keys, key_state, tmp_path / "made")
    desk.publish(*desk.make("other"))
    shutil.rmtree(fresh.repo / "db")
    with pytest.raises(ArchiveError, match=r"has what .* does not have") as caught:
        restored(run, fresh, keys, copy)
    assert "pool/main/o/other/other_1.0_amd64.deb" in caught.value.cause


def test_a_copy_that_a_stranger_signed_is_refused_whatever_keyring_it_brings(
    run: Processes, fresh: Config, keys: Keys, tmp_path: Path
) -> None:
    theirs = Config(project=tmp_path / "theirs")
    shutil.copytree(CONF, theirs.repo / "conf")
    with find_keys(run, KeysConfig(), environ={}, state=tmp_path / "their-state") as strange:
        desk = Desk(theirs, strange, tmp_path / "their-state", tmp_path / "made")
        publish_all(run, theirs, read(run, *desk.make("first")), strange, suite="trixie")
        deploy(run, theirs, os.fspath(tmp_path / "site"))
    assert (tmp_path / "site/debkit-archive-keyring.pgp").exists()
    with pytest.raises(ArchiveError, match="not a whole copy of this archive") as caught:
        restored(run, fresh, keys, tmp_path / "site")
    assert "InRelease is not signed by a key of trusted.pgp" in caught.value.cause
    assert keys.archive.fingerprint in caught.value.hint
    assert empty(fresh)


def swap(copy: Path) -> None:
    shutil.copytree(copy / "dists/trixie", copy / "dists/bookworm")


def no_signature(copy: Path) -> None:
    (copy / "dists/trixie/InRelease").unlink()


POISONS: dict[str, tuple[Callable[[Path], object], str]] = {
    "package": (lambda copy: overwrite(copy / FIRST / "first_2.0_amd64.deb"), f"{FIRST}/first_2.0_amd64.deb is not what"),
    "gone": (lambda copy: (copy / FIRST / "first_2.0.dsc").unlink(), f"{FIRST}/first_2.0.dsc is missing"),
    "index": (lambda copy: overwrite(*copy.glob("dists/trixie/main/binary-amd64/Packages")), "Packages is not what the Release"),
    "release": (lambda copy: change(copy / "dists/trixie/Release", b"Codename: trixie", b"Codename: sid"), "Release"),
    "unsigned": (no_signature, "InRelease is missing"),
    "swapped": (swap, "dists/bookworm/Release is that of trixie"),
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_copy_is_refused_before_anything_is_taken(
    run: Processes, fresh: Config, copy: Path, keys: Keys, poison: str
) -> None:
    act, told = POISONS[poison]
    act(copy)
    with pytest.raises(ArchiveError, match="not a whole copy of this archive") as caught:
        restored(run, fresh, keys, copy)
    assert told in caught.value.cause
    assert empty(fresh)


def test_a_changes_file_that_was_tampered_with_is_left_out(run: Processes, fresh: Config, copy: Path, keys: Keys) -> None:
    (kept,) = (copy / FIRST).glob("first_2.0_*.changes")
    change(kept, b"misc optional", b"admin optional")
    done = restored(run, fresh, keys, copy)
    assert done.warnings == (f"{kept.name} is left out: it is signed by none of the keys that sign here",)
    assert not (fresh.repo / FIRST / kept.name).exists()
    is_whole(run, fresh)


def test_what_was_appended_to_a_signed_changes_file_counts_as_tampering(
    run: Processes, fresh: Config, copy: Path, keys: Keys
) -> None:
    (kept,) = (copy / FIRST).glob("first_2.0_*.changes")
    kept.write_text(kept.read_text() + "\n 0123456789abcdef0123456789abcdef 1 admin required first_2.0_amd64.deb\n")
    assert [kept.name in warning for warning in restored(run, fresh, keys, copy).warnings] == [True]


def test_an_expired_copy_is_told_and_signed_anew(
    run: Processes, fresh: Config, copy: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_half_a_year = time.time() + 180 * 86400
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "time", SimpleNamespace(time=lambda: in_half_a_year))
        (warning,) = restored(run, fresh, keys, copy).warnings
    assert f"trixie of {copy} has expired on" in warning
    is_whole(run, fresh)


def test_a_copy_older_than_the_journal_tells_is_refused(
    run: Processes, base: Path, copy: Path, keys: Keys, key_state: Path, *, tmp_path: Path, fresh: Config
) -> None:
    time.sleep(1.1)  # the Release file's date has no smaller parts than seconds
    desk = Desk(Config(project=base.parent), keys, key_state, tmp_path / "made")
    desk.publish(*desk.make("first", version="3.0"))
    shutil.copy(journal.path(base), journal.path(fresh.repo))
    with pytest.raises(ArchiveError, match="older than what was published last"):
        restored(run, fresh, keys, copy)
    assert not (fresh.repo / "pool").exists()


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("after", [0, 1, 5, 20, "rebuild", "front"])
def test_what_was_cut_off_is_finished_by_the_next(
    run: Processes, fresh: Config, copy: Path, keys: Keys, *, after: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = restoring._copy

    done: list[Path] = []

    def copy_some(source: Path, file: Path) -> None:
        if len(done) == after:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_name(f".{file.name}.new").write_bytes(b"half of it")
            raise Stopped
        done.append(file)
        copied(source, file)

    def stop(*_: object, **__: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_copy", copy_some)
        if after == "rebuild":
            patch.setattr(restoring, "rebuild", stop)
        if after == "front":
            patch.setattr(front, "write", stop)
        with pytest.raises(Stopped):
            restored(run, fresh, keys, copy)
    assert restored(run, fresh, keys, copy).unchanged == (after == "front")
    is_whole(run, fresh)


@pytest.mark.parametrize("seconds", [0.8, 1.2, 1.6, 2.0])
def test_what_was_killed_is_finished_by_the_next(
    run: Processes, fresh: Config, copy: Path, keys: Keys, *, key_state: Path, tmp_path: Path, seconds: float
) -> None:
    project = Project(fresh.project)
    state = tmp_path / "home"
    shutil.copytree(key_state, state / "debkit")
    child = project.start("repo", "restore", os.fspath(copy), env={"XDG_STATE_HOME": os.fspath(state)})
    time.sleep(seconds)
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    restored(run, fresh, keys, copy)
    is_whole(run, replace(fresh, archive=ArchiveConfig()))


def test_as_it_is_typed(fresh: Config, copy: Path, key_state: Path, tmp_path: Path) -> None:
    project = Project(fresh.project)
    shutil.copytree(key_state, tmp_path / "home/debkit")
    env = {"XDG_STATE_HOME": os.fspath(tmp_path / "home")}
    (tmp_path / "branch/.git").mkdir(parents=True)
    for nothing, why in ((tmp_path / "nowhere", "does not exist"), (tmp_path / "branch", "is empty")):
        ended = project.debkit("repo", "restore", os.fspath(nothing), env=env)
        assert (ended.code, f"nothing to restore: {nothing} {why}\n") == (0, ended.err)
    assert empty(fresh)
    (tmp_path / "branch/index.html").touch()
    assert has_something(tmp_path / "branch")
    ended = project.debkit("repo", "restore", os.fspath(tmp_path / "branch"), env=env)
    assert ended.code == 14
    assert is_three_parts(ended), ended.err
    ended = project.debkit("repo", "restore", os.fspath(copy), env=env)
    assert ended.code == 0, ended.err
    assert f"{fresh.repo} is restored from {copy}: trixie;" in ended.err
    ended = project.debkit("repo", "restore", os.fspath(copy), env=env)
    assert ended.code == 0, ended.err
    assert f"has the state of {copy} already" in ended.err
