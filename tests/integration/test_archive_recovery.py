"""An archive after a publish that was cut short, and after damage."""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: TID251  # a publish that is killed must be another process
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import change, conf, history, lock, promote, publish, publish_all, retention, snapshots, transaction
from debkit.archive.change import working
from debkit.archive.index import read_index, sha256_of
from debkit.archive.reprepro import Reprepro
from debkit.archive.verify import verify
from debkit.config import KeysConfig
from debkit.errors import ArchiveError, DebkitError, Interrupted
from debkit.keys import find_keys
from debkit.run import CommandFailed, Processes
from tests.publisher import read
from tests.publishing import CONF, POOL, signed, sound, state, versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.model import SignedUpload
    from debkit.run import Command, Completed
    from tests.publisher import Desk
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


def test_a_kill_while_the_database_is_copied(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    publish(run, config, make_upload(), keys)
    (config.repo / ".db-before.new").mkdir()
    (config.repo / ".db-before.new/packages.db").touch()
    (config.repo / transaction.POOL).touch()
    with working(run, config, keys, what="recovering"):
        pass
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


def test_a_first_publish_that_is_killed_once_its_index_is_out(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_base: Path) -> None:
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "commit", interrupted)
        with pytest.raises(Interrupted):
            publish(run, config, make_upload(), keys)
    assert not versions(config, "amd64")
    publish(run, config, make_upload(), keys)
    assert set(versions(config, "amd64").values()) == {"1.0"}
    sound(run, config)


def test_a_state_that_was_undone_before_it_was_out_does_not_count(
    run: Processes, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.publish(*desk.make("first"))
    hook = tmp_path / "sign-release"
    hook.write_text(f'#!/bin/sh\n"{conf.HOOK}" "$@" && exit 1\n')
    hook.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(conf, "HOOK", hook)
        with pytest.raises(DebkitError):
            desk.publish(*desk.make("first", version="2.0"))
    (one,) = snapshots.snapshots(desk.config.repo, "trixie")
    assert snapshots.is_published(desk.config.repo, one)
    verify(run, desk.config, desk.config.repo)
    sound(run, desk.config)


def test_a_recovery_that_is_cut_short_is_begun_again(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run, config, make_upload(), keys)

    def interrupted(*_: object) -> None:
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "commit", interrupted)  # the index is out
        patch.setattr(change, "is_current", interrupted)  # the database is put back
        with pytest.raises(Interrupted):
            publish(run, config, make_upload(version="2.0"), keys)
    assert set(versions(config, "arm64").values()) == {"2.0"}
    with change.working(run, config, keys, what="looking"):
        pass
    for arch in ("amd64", "arm64", "source"):
        assert set(versions(config, arch).values()) == {"1.0"}
    sound(run, config)


def test_a_reprepro_that_is_killed_leaves_no_lock(config: Config, keys: Keys, make_upload: Upload) -> None:
    """Even one that changes nothing takes it."""

    class Deadly(Processes):
        def __call__(self, command: Command, on_line: Callable[[str], None] | None = None) -> Completed:
            done = super().__call__(command, on_line)
            if "listfilter" not in command.argv:
                return done
            (config.repo / "db/lockfile").touch()
            raise CommandFailed(replace(done, code=-signal.SIGKILL))

    publish(Processes(), config, make_upload(), keys)
    with pytest.raises(ArchiveError, match="reprepro failed"):
        publish(Deadly(), config, make_upload(version="2.0"), keys)
    assert not (config.repo / "db/lockfile").exists()
    assert not publish(Processes(), config, make_upload(version="2.0"), keys, wait=1).unchanged


def test_a_damaged_index_is_mended(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> None:
    one = make_upload()
    publish(run, config, one, keys)
    for damaged in ("InRelease", "main/binary-arm64/Packages"):
        (config.repo / "dists/trixie" / damaged).unlink()
        assert publish(run, config, one, keys).unchanged
        assert (config.repo / "dists/trixie" / damaged).exists()
    for index in config.repo.glob("dists/trixie/main/binary-arm64/by-hash/SHA256/*"):
        index.unlink()
        index.write_text("another state's\n")
    assert publish(run, config, one, keys).unchanged
    for index in config.repo.glob("dists/trixie/main/binary-arm64/by-hash/SHA256/*"):
        assert sha256_of(index) == index.name
    assert versions(config, "arm64") == {"hello-debkit": "1.0", "hello-debkit-data": "1.0"}


@pytest.mark.parametrize("verb", ["publish", "promote"])
def test_an_index_is_mended_by_a_change_that_is_told(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, monkeypatch: pytest.MonkeyPatch, *, verb: str
) -> None:
    """A kill while it is exported must be known to have been."""
    with (config.repo / "conf/distributions").open("a") as stream:
        stream.write("\nCodename: trixie-next\nArchitectures: amd64 arm64 source\nComponents: main\nUploaders: uploaders\n")
        stream.write("AlsoAcceptFor: unstable\n")
    one = make_upload()

    def again() -> None:
        with working(run, config, keys, what="promoting") as archive:
            promote(archive, config, "trixie-next", "trixie")

    publish_all(run, config, read(run, one.changes), keys, suite="trixie-next")
    again()
    (config.repo / "dists/trixie/InRelease").unlink()
    begun: list[bool] = []
    export = Reprepro.export

    def watched(self: Reprepro, suite: str, *, cleanup: bool = False) -> None:
        begun.append(transaction.pending(config.repo))
        export(self, suite, cleanup=cleanup)

    monkeypatch.setattr(Reprepro, "export", watched)
    if verb == "publish":
        assert publish(run, config, one, keys).unchanged
    else:
        again()
    assert begun == [True]
    assert [(act.suite, act.act) for act in history(config.repo)] == [
        ("trixie-next", "publish"),
        ("trixie", "promote"),
        ("trixie", "refresh"),
    ]
    sound(run, config)
