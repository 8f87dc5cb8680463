"""Publishing while another process has the archive locked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess  # noqa: TID251  # what a killed reprepro leaves is no child of debkit's
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from debkit.archive import lock, publish
from debkit.archive.change import working
from debkit.console import Quiet
from debkit.errors import Interrupted, LockedError
from debkit.run import Processes
from tests.publishing import sound

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.model import Published
    from tests.publisher import Desk
    from tests.publishing import Upload


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


def test_a_reprepro_that_is_waited_for_says_nothing_among_its_answers(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    lockfile = desk.config.repo / "db/lockfile"
    with working(run, desk.config, desk.keys, what="looking") as archive:
        before = archive.listing("trixie")
        lockfile.touch()
        threading.Timer(1, lockfile.unlink).start()
        assert archive.listing("trixie") == before


def test_what_a_killed_run_has_started_is_waited_for_before_it_has_the_lock(tmp_path: Path) -> None:
    (tmp_path / lock.LOCK).write_text("process 1 (publishing x)")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)", "--basedir", tmp_path, "export"]) as started:
        while not lock.reprepro_at(tmp_path):  # until it is what it is called
            assert started.poll() is None
        with lock.locked(tmp_path, what="publishing", progress=Quiet()):
            assert started.poll() is not None


def test_the_lock_of_a_killed_reprepro_goes_once_what_it_had_forked_has(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    database, lockfile, program = tmp_path / "db/packages.db", tmp_path / "db/lockfile", tmp_path / "reprepro"
    database.touch()
    lockfile.touch()
    shutil.copyfile("/bin/sleep", program)
    program.chmod(0o755)
    with database.open() as kept, subprocess.Popen([program, "1"], stdin=kept) as forked:
        while not lock.reprepro_at(tmp_path):  # until it is what it is called
            assert forked.poll() is None
        lock.release(tmp_path, before=None)
        assert not lockfile.exists()
        assert forked.poll() is not None


@pytest.mark.slow
def test_a_reprepro_that_does_not_heed_an_interrupt_leaves_no_lock(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Processes()
    desk.publish(*desk.make("first"))
    lockfile = desk.config.repo / "db/lockfile"
    deaf = tmp_path / "bin/reprepro"
    deaf.parent.mkdir()
    deaf.write_text(f"#!/bin/sh\ntrap '' TERM\n>{lockfile}\nsleep 60\n")
    deaf.chmod(0o755)
    with working(run, desk.config, desk.keys, what="looking") as archive:
        monkeypatch.setenv("PATH", f"{deaf.parent}:{os.environ['PATH']}")
        threading.Timer(1, run.stop, (signal.SIGINT,)).start()
        with pytest.raises(Interrupted):
            archive.listing("trixie")
        assert not lockfile.exists()
