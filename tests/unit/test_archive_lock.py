from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest

from debkit.archive import lock, transaction
from debkit.console import Quiet
from debkit.errors import LockedError


def test_the_holder_is_written_down_and_forgotten(tmp_path: Path) -> None:
    with lock.locked(tmp_path / "repo", what="publishing x", progress=Quiet()):
        assert "(publishing x)" in (tmp_path / "repo" / lock.LOCK).read_text()
        with (
            pytest.raises(LockedError, match="is in use") as caught,
            lock.locked(tmp_path / "repo", what="publishing y", progress=Quiet(), wait=0),
        ):
            pass
        assert "(publishing x)" in caught.value.cause
    assert (tmp_path / "repo" / lock.LOCK).read_text() == ""


def test_a_lock_that_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db/lockfile").touch()
    with pytest.raises(LockedError, match="is in use") as caught, lock.locked(tmp_path, what="x", progress=Quiet(), wait=0):
        pass
    assert f"rm {tmp_path}/db/lockfile" in caught.value.hint
    (tmp_path / lock.LOCK).write_text("process 1 (publishing x)")
    with lock.locked(tmp_path, what="x", progress=Quiet(), wait=0):
        assert not (tmp_path / "db/lockfile").exists()


def test_that_a_killed_run_left_a_lock_is_known_until_a_run_gets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db/lockfile").touch()
    (tmp_path / lock.LOCK).write_text("process 1 (publishing x)")
    with monkeypatch.context() as patch:
        patch.setattr(lock, "reprepro_at", lambda _: "reprepro (process 1)")
        with pytest.raises(LockedError), lock.locked(tmp_path, what="x", progress=Quiet(), wait=0):
            pass
    with lock.locked(tmp_path, what="x", progress=Quiet(), wait=0):
        assert not (tmp_path / "db/lockfile").exists()


def test_only_what_came_since_is_released(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    lockfile = tmp_path / "db/lockfile"
    lockfile.touch()
    before = lock.database_lock(tmp_path)
    lock.release(tmp_path, before=before)
    assert lockfile.exists()
    lockfile.rename(tmp_path / "db/other")
    lockfile.touch()
    lock.release(tmp_path, before=before)
    assert not lockfile.exists()
    lock.release(tmp_path, before=before)


def test_nobody_has_the_database_open(tmp_path: Path) -> None:
    assert lock.reprepro_at(tmp_path) is None


def test_a_change_is_undone_or_counts(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db/packages.db").write_text("old")
    (tmp_path / "db/lockfile").touch()
    transaction.begin(tmp_path)
    (tmp_path / "db/packages.db").write_text("new")
    (tmp_path / "dists/trixie").mkdir(parents=True)
    (tmp_path / "dists/trixie/Release.new").touch()
    assert transaction.pending(tmp_path)
    transaction.undo(tmp_path)
    assert (tmp_path / "db/packages.db").read_text() == "old"
    assert not (tmp_path / "db/lockfile").exists()
    assert not (tmp_path / "dists/trixie/Release.new").exists()
    assert transaction.pending(tmp_path), "until the indices are seen to"
    transaction.undo(tmp_path)
    assert (tmp_path / "db/packages.db").read_text() == "old"
    transaction.settle(tmp_path)
    assert not transaction.pending(tmp_path)
    transaction.begin(tmp_path)
    (tmp_path / "db/packages.db").write_text("new")
    transaction.commit(tmp_path)
    assert (tmp_path / "db/packages.db").read_text() == "new"
    assert not transaction.pending(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "dists"]


def test_a_copy_of_the_database_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "db/not-a-file").mkdir(parents=True)
    with pytest.raises(OSError, match="not-a-file") as caught:
        transaction.begin(tmp_path)
    assert caught.value.errno == errno.EISDIR
    assert not transaction.pending(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["db"]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_an_undo_that_was_cut_short_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, *, first: bool
) -> None:
    """`first`: before the first publish there is no database. `steps`: how many directories were renamed when it was cut."""
    if not first:
        (tmp_path / "db").mkdir()
        (tmp_path / "db/packages.db").write_text("old")
    transaction.begin(tmp_path)
    (tmp_path / "db").mkdir(exist_ok=True)
    (tmp_path / "db/packages.db").write_text("new")
    rename, done = Path.rename, [0]

    def cut(self: Path, target: Path) -> Path:
        if done[0] == steps:
            raise KeyboardInterrupt
        done[0] += 1
        return rename(self, target)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(Path, "rename", cut)
        transaction.undo(tmp_path)
    assert transaction.pending(tmp_path)
    transaction.undo(tmp_path)
    assert [file.read_text() for file in (tmp_path / "db").iterdir()] == ([] if first else ["old"])
    assert transaction.pending(tmp_path)
    transaction.settle(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["db"]


def test_what_came_since_and_the_database_does_not_know_leaves_the_pool(tmp_path: Path) -> None:
    pool = tmp_path / "pool/main"
    pool.mkdir(parents=True)
    (pool / "before.deb").touch()
    transaction.begin(tmp_path)
    for name in ("known.deb", "stray.deb"):
        (pool / name).touch()
    transaction.forget_strays(tmp_path, frozenset({"pool/main/known.deb"}))
    assert {path.name for path in pool.iterdir()} == {"before.deb", "known.deb"}
    transaction.commit(tmp_path)
    (pool / "by-hand.deb").touch()
    transaction.forget_strays(tmp_path, frozenset())
    assert {path.name for path in pool.iterdir()} == {"before.deb", "known.deb", "by-hand.deb"}
    assert [path.name for path in tmp_path.iterdir() if path.name != "db"] == ["pool"]
