"""The cache's promises, on real files and locks but with no real process."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.chroot import cache
from debkit.errors import DiskError, LockedError

if TYPE_CHECKING:
    from tests.recorder import Recorder

NAME = "trixie-amd64-build-0123abcd"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache.shelf("chroots")


def record(created: int, content: str = "") -> cache.Record:
    return cache.Record(
        content=content or f"{cache.generation(NAME, created)}.tar.zst",
        created=created,
        kind="build",
        suite="trixie",
        arch="amd64",
        size=4,
        package_count=2,
        made_with="mmdebstrap 1",
        components=("main",),
    )


def put(shelf: Path, run: Recorder, created: int) -> cache.Entry:
    stem = cache.generation(NAME, created)
    (shelf / f"{stem}.tar.zst").write_text("root")
    (shelf / f"{stem}.apt").mkdir()
    return cache.commit(run, shelf, NAME, record(created))


def delete_directories(run: Recorder) -> None:
    run.reply("rm", "--recursive", action=lambda command: Path(command.argv[-1]).rmdir())


def test_what_was_committed_is_found(shelf: Path, recorder: Recorder) -> None:
    entry = put(shelf, recorder, 1_700_000_000)
    found = cache.find(shelf, NAME)
    assert found
    assert found.record == entry.record
    assert found.content.name == f"{NAME}.20231114T221320.tar.zst"
    assert cache.entries(shelf) == (found,)
    assert ("sync", str(entry.content)) in recorder.argvs


def test_a_generation_tells_when_it_was_made() -> None:
    assert cache.created_at(cache.generation(NAME, 1_700_000_000)) == 1_700_000_000


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"content": 1}', '{"content": "x", "unknown": 1}'])
def test_a_damaged_record_does_not_count(shelf: Path, recorder: Recorder, damage: str) -> None:
    put(shelf, recorder, 1)
    (shelf / f"{NAME}.json").write_text(damage)
    assert cache.find(shelf, NAME) is None


def test_a_record_of_a_newer_debkit_is_read(shelf: Path, recorder: Recorder) -> None:
    put(shelf, recorder, 1)
    path = shelf / f"{NAME}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "new": "thing"}))
    assert cache.find(shelf, NAME)


def test_a_record_without_its_content_does_not_count(shelf: Path, recorder: Recorder) -> None:
    put(shelf, recorder, 1).content.unlink()
    assert cache.find(shelf, NAME) is None


def test_a_commit_takes_the_old_generation_away(shelf: Path, recorder: Recorder) -> None:
    delete_directories(recorder)
    old = put(shelf, recorder, 1)
    new = put(shelf, recorder, 2)
    assert not old.content.exists()
    assert sorted(path.name for path in shelf.iterdir()) == sorted(
        [new.content.name, f"{new.generation}.apt", f"{NAME}.json"],
    )


def test_a_generation_in_use_outlives_a_commit(shelf: Path, recorder: Recorder) -> None:
    delete_directories(recorder)
    old = put(shelf, recorder, 1)
    with cache.held(old.content):
        new = put(shelf, recorder, 2)
        assert old.content.exists()
        assert (shelf / f"{old.generation}.apt").exists()
    cache.sweep(recorder, shelf, NAME)
    assert not old.content.exists()
    assert new.content.exists()


def test_what_a_killed_run_left_is_swept(shelf: Path, recorder: Recorder) -> None:
    delete_directories(recorder)
    entry = put(shelf, recorder, 5)
    half = cache.generation(NAME, 9)
    for name in (f"{half}.new.tar.zst", f"{half}.tar.zst", f".{half}.apt.lock", f"{NAME}.json.new"):
        (shelf / name).touch()
    (shelf / f"{half}.apt").mkdir()
    (shelf / f"{NAME}ef.20231114T221320.tar.zst").touch()  # another's, whose name begins alike
    cache.sweep(recorder, shelf, NAME)
    left = sorted(path.name for path in shelf.iterdir())
    assert left == sorted(
        [f"{entry.generation}.tar.zst", f"{entry.generation}.apt", f"{NAME}.json", f"{NAME}ef.20231114T221320.tar.zst"]
    )


def test_drop_removes_all_of_it(shelf: Path, recorder: Recorder) -> None:
    delete_directories(recorder)
    assert cache.drop(recorder, put(shelf, recorder, 1))
    assert list(shelf.iterdir()) == []


def test_drop_leaves_what_is_in_use(shelf: Path, recorder: Recorder) -> None:
    entry = put(shelf, recorder, 1)
    with cache.held(entry.content), cache.held(entry.content):
        assert not cache.drop(recorder, entry)
    assert cache.find(shelf, NAME)


def test_drop_leaves_what_is_being_made(shelf: Path, recorder: Recorder) -> None:
    entry = put(shelf, recorder, 1)
    with cache.locked(recorder, shelf, NAME, "which makes it"):
        assert not cache.drop(recorder, entry)
    assert cache.drop(recorder, entry)


def test_what_is_gone_cannot_be_held(shelf: Path, recorder: Recorder) -> None:
    entry = put(shelf, recorder, 1)
    entry.content.unlink()
    with pytest.raises(LockedError, match="removed from the cache just now"), cache.held(entry.content):
        pass


def test_an_error_of_the_user_of_a_held_content_is_not_hidden(shelf: Path, recorder: Recorder) -> None:
    entry = put(shelf, recorder, 1)
    with pytest.raises(FileNotFoundError), cache.held(entry.content):
        raise FileNotFoundError


def test_a_second_lock_waits_in_flock_and_says_for_whom(shelf: Path, recorder: Recorder) -> None:
    phases: list[str] = []

    class Told:
        def phase(self, name: str) -> None:
            phases.append(name)

        def line(self, text: str) -> None: ...

    with cache.locked(recorder, shelf, NAME, "which makes it"), cache.locked(recorder, shelf, NAME, "too", progress=Told()):
        pass
    assert phases == [f"waiting for process {os.getpid()}, which makes it"]
    (command,) = recorder.commands
    assert command.argv[:2] == ("flock", "--exclusive")
    assert command.pass_fds == (int(command.argv[2]),)


def test_a_lock_that_is_not_waited_for_is_an_error(shelf: Path, recorder: Recorder) -> None:
    with (
        cache.locked(recorder, shelf, NAME, "which makes it"),
        pytest.raises(LockedError) as caught,
        cache.locked(recorder, shelf, NAME, "too", wait=False),
    ):
        pass
    assert caught.value.cause == f"process {os.getpid()}, which makes it has it"


def test_a_holder_that_names_itself_a_moment_later_is_waited_for(shelf: Path, recorder: Recorder) -> None:
    path = shelf / f"{NAME}.lock"
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        late = threading.Timer(0.1, path.write_text, ["process 1, which is slow"])
        late.start()
        with pytest.raises(LockedError) as caught, cache.locked(recorder, shelf, NAME, "too", wait=False):
            pass
        late.join()
    assert caught.value.cause == "process 1, which is slow has it"


def test_a_lock_file_that_its_holder_removed_is_not_trusted(shelf: Path, recorder: Recorder) -> None:
    path = shelf / f"{NAME}.lock"
    removed = path.open("w")
    fcntl.flock(removed, fcntl.LOCK_EX)

    def release(_: object) -> None:
        path.unlink()
        removed.close()

    recorder.reply("flock", action=release)
    with cache.locked(recorder, shelf, NAME, "which makes it"):
        assert path.exists()


def test_a_cache_that_cannot_be_written_is_the_disks_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DiskError, match="cannot be used as a cache"):
        cache.shelf("chroots")
