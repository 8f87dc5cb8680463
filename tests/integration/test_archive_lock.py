"""Publishing while another process has the archive locked."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from debkit.archive import lock, publish
from debkit.errors import LockedError
from tests.publishing import sound

if TYPE_CHECKING:
    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.model import Published
    from debkit.run import Processes
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
