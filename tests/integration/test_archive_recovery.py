"""An archive after a publish that was cut short, and after damage."""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: TID251  # a publish that is killed must be another process
import sys
import time
from typing import TYPE_CHECKING

import pytest

from debkit.archive import lock, publish, retention, snapshots, transaction
from debkit.archive.change import working
from debkit.archive.index import read_index
from debkit.config import KeysConfig
from debkit.errors import Interrupted
from debkit.keys import find_keys
from tests.publishing import CONF, POOL, signed, sound, state, versions

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.model import SignedUpload
    from debkit.run import Processes
    from tests.publishing import Upload

PUBLISH = """\
import sys
from pathlib import Path
from debkit.archive import conf, publish
from debkit.config import Config, KeysConfig
from debkit.keys import find_keys
from debkit.model import SignedUpload
from debkit.run import Processes

project, changes, work = map(Path, sys.argv[1:])
conf.HOOK = work / "sign-release"
upload = SignedUpload(suite="trixie", changes=changes, files=(), signer="", development=True)
run = Processes()
with run.interruptible(), find_keys(run, KeysConfig(), environ={}, state=work / "state") as keys:
    publish(run, Config(project=project), upload, keys)
"""

HOOK = """\
#!/bin/sh
[ ! -e "{work}/begun" ] || exec "{own}" "$@"
touch "{work}/begun"
sleep 8
"""


def end_in_the_middle(config: Config, upload: SignedUpload, work: Path, *, how: int, state: Path) -> None:
    """Publish in another process, and end it while the index is being signed: the packages are in the database, and not out."""
    (work / "state").symlink_to(state)
    (work / "publish.py").write_text(PUBLISH)
    (work / "sign-release").write_text(HOOK.format(work=work, own=CONF.parents[1] / "debkit/archive/sign-release"))
    (work / "sign-release").chmod(0o755)
    child = subprocess.Popen(
        [sys.executable, work / "publish.py", config.project, upload.changes, work],
        env={**os.environ, "PYTHONPATH": os.fspath(CONF.parents[1])},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (work / "begun").exists():
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(how)
        assert child.wait(60) != 0
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_a_publish_that_is_cut_short(run: Processes, config: Config, tmp_path: Path, how: int) -> None:
    state_home = tmp_path / "keys"
    with find_keys(run, KeysConfig(), environ={}, state=state_home) as keys:
        first = publish(run, config, signed(run, keys, tmp_path / "one"), keys)
        before = state(config)
        newer = signed(run, keys, tmp_path / "two", version="2.0")
        end_in_the_middle(config, newer, tmp_path, how=how, state=state_home)
        if how != signal.SIGKILL:
            assert state(config) == before
            sound(run, config)
        # Even after SIGKILL clients see the old version whole.
        for arch in ("amd64", "arm64"):
            assert set(versions(config, arch).values()) == {first.version}
            for line in read_index(config.repo, "trixie", arch):
                assert (config.repo / line.file).exists()
        wait_for_reprepro(config)
        publish(run, config, signed(run, keys, tmp_path / "three", version="1.5"), keys)
        assert set(versions(config, "amd64").values()) == {"1.5"}
        assert not publish(run, config, newer, keys).unchanged
    sound(run, config)


def wait_for_reprepro(config: Config) -> None:
    deadline = time.monotonic() + 90
    while lock.reprepro_at(config.repo):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_kill_between_begin_and_commit_of_a_first_publish(
    run: Processes, config: Config, keys: Keys, make_upload: Upload
) -> None:
    transaction.begin(config.repo)
    (config.repo / "db").mkdir()
    (config.repo / POOL).mkdir(parents=True)
    (config.repo / POOL / "half.deb").touch()
    (config.repo / ".db-before.new").mkdir()
    assert not publish(run, config, make_upload(), keys).unchanged
    assert not (config.repo / POOL / "half.deb").exists()
    sound(run, config)


def test_an_index_that_is_out_before_the_change_counts_is_taken_back(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run, config, make_upload(), keys)

    def interrupted(base: Path) -> None:
        assert set(versions(config, "amd64").values()) == {"2.0"}
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "commit", interrupted)
        with pytest.raises(Interrupted):
            publish(run, config, make_upload(version="2.0"), keys)
    for arch in ("amd64", "arm64", "source"):
        assert set(versions(config, arch).values()) == {"1.0"}
    # Clients may have seen it: what it lists stays for them; and what is published can be gone back to, however old.
    assert [file for file in (config.repo / POOL).iterdir() if "_2.0" in file.name]
    sound(run, config)
    newest = snapshots.snapshots(config.repo, "trixie")[-1]
    assert snapshots.is_published(config.repo, newest)
    newest.path.rename(newest.path.with_name("20200101T000000.000000Z"))
    with working(run, config, keys, what="pruning") as archive:
        retention.prune(archive, keep=1, grace=0)
    assert snapshots.snapshots(config.repo, "trixie")[0].name == "20200101T000000.000000Z"
    sound(run, config)


def test_a_damaged_index_is_mended(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    one = make_upload()
    publish(run, config, one, keys)
    for damaged in ("InRelease", "main/binary-arm64/Packages"):
        (config.repo / "dists/trixie" / damaged).unlink()
        assert publish(run, config, one, keys).unchanged
        assert (config.repo / "dists/trixie" / damaged).exists()
    assert versions(config, "arm64") == {"hello-debkit": "1.0", "hello-debkit-data": "1.0"}
