"""What the hook that signs makes sure of, with the real reprepro."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.archive import conf, snapshots
from debkit.archive.index import listed
from debkit.archive.verify import verify
from debkit.config import Config, KeysConfig
from debkit.errors import SigningError
from debkit.keys import find_keys
from tests.command import Project
from tests.disks import on_another_disk
from tests.gnupg_homes import gnupg_home, make_key
from tests.publishing import sound, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Processes
    from tests.publisher import Desk


def by_hash(suite: Path) -> dict[str, Path]:
    """Where the indices lie by hash, by name."""
    found = listed((suite / "Release").read_text())
    return {name: suite / name.rpartition("/")[0] / "by-hash/SHA256" / sha256 for sha256, _, name in found}


def test_what_is_right_is_kept_and_what_is_wrong_replaced(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    suite = desk.config.repo / "dists/trixie"
    before = by_hash(suite)
    same = [name for name in before if "arm64" in name]
    assert len(same) == 3
    wrong, absent, kept = (before[name] for name in same)
    inode = kept.stat().st_ino
    for file in (wrong, absent):  # the index itself, which is the same file, stays as it is
        file.unlink()
    wrong.write_text("wrong\n")
    desk.publish(*desk.make("second"))
    assert {name: by_hash(suite)[name] for name in same} == {name: before[name] for name in same}
    assert kept.stat().st_ino == inode
    sound(run, desk.config)
    newest = snapshots.snapshots(desk.config.repo, "trixie")[-1]
    for name, file in by_hash(suite).items():
        assert file.samefile(suite / name)
        assert file.samefile(newest.path / name)
    assert not list(suite.rglob("*.new"))


@pytest.mark.parametrize(
    "harmed",
    [
        ("echo more >>Packages.new", "Packages is not what the Release file says"),
        ("rm Packages.new Packages.gz.new", "is missing"),
    ],
)
def test_an_index_that_is_not_what_is_signed_stops_it(
    run: Processes, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harmed: tuple[str, str]
) -> None:
    harm, said = harmed
    hook = tmp_path / "sign-release"
    hook.write_text(f'#!/bin/sh\n(cd "${{1%/*}}/main/binary-amd64" && {harm})\nexec "{conf.HOOK}" "$@"\n')
    hook.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(conf, "HOOK", hook)
        with pytest.raises(SigningError) as caught:
            desk.publish(*desk.make("first"))
    assert said in caught.value.cause
    assert not (desk.config.repo / "dists/trixie/InRelease").exists()
    desk.publish(*desk.make("first"))
    sound(run, desk.config)


@dataclass(frozen=True, slots=True)
class Readers:
    """What a client's gpgv and sqv (Debian 13's, which reads InRelease, too) make of what is signed: lines of shell."""

    inline: str = 'exec "$gpgv" "$@"'
    detached: str = 'exec "$gpgv" "$@"'
    sqv_inline: str = 'echo text >"$4"; echo "$DEBKIT_RELEASE_KEY"'
    sqv_detached: str = 'echo "$DEBKIT_RELEASE_KEY"'

    def install(self, directory: Path) -> None:
        directory.mkdir()
        for name, text in (
            ("gpgv", f"gpgv={shutil.which('gpgv')}\ncase $* in\n*/InRelease.new) {self.inline} ;;\n*) {self.detached} ;;"),
            ("sqv", f"case $* in\n--help) echo --cleartext ;;\n*--cleartext*) {self.sqv_inline} ;;\n*) {self.sqv_detached} ;;"),
        ):
            (directory / name).write_text(f"#!/bin/sh\n{text}\nesac\n")
            (directory / name).chmod(0o755)


REJECTED = 'echo "BAD $*"; exit 1'
# The first of two signatures is by a key that gpgv would have told to have expired.
ONE_OF_TWO = '"$gpgv" "$@" | sed "0,/GOODSIG/s//EXPKEYSIG/"'


@pytest.fixture
def two_keys(run: Processes, desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """Who signs with an old key and a new one."""
    with gnupg_home() as home:
        wanted = KeysConfig(archive=make_key(home), also=(make_key(home, uid="Old <old@example.org>"),))
        (desk.config.repo / "conf/uploaders").write_text(f"allow * by key {wanted.archive[-16:]}+\n")
        with find_keys(run, wanted, environ={"GNUPGHOME": os.fspath(home)}, state=tmp_path) as keys:
            yield replace(desk, keys=keys)


@pytest.mark.parametrize(
    ("readers", "said"),
    [
        (Readers(inline=REJECTED), "gpgv does not accept what was signed: BAD"),
        (Readers(detached=REJECTED), "gpgv does not accept what was signed: BAD"),
        (Readers(inline=ONE_OF_TWO), "gpgv accepts 1 of 2 signatures"),
        (Readers(detached=ONE_OF_TWO), "gpgv accepts 1 of 2 signatures"),
        (Readers(sqv_inline=REJECTED), "sqv, by which Debian 13's apt verifies, does not accept what was signed: BAD"),
        (Readers(sqv_detached=REJECTED), "sqv, by which Debian 13's apt verifies, does not accept what was signed: BAD"),
        (Readers(), ""),
    ],
    ids=["inline", "detached", "one-inline", "one-detached", "sqv-inline", "sqv-detached", "all-accept"],
)
def test_what_a_client_would_not_accept_stops_it(
    run: Processes, two_keys: Desk, monkeypatch: pytest.MonkeyPatch, readers: Readers, said: str
) -> None:
    """Each alone: both files are looked at side by side, by both tools."""
    desk, suite = two_keys, two_keys.config.repo / "dists/trixie"
    desk.publish(*desk.make("first"))
    told = (suite / "InRelease").read_bytes()
    programs = desk.directory / "bin"
    readers.install(programs)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        if said:
            with pytest.raises(SigningError, match="could not be signed") as caught:
                desk.publish(*desk.make("second"))
            assert said in caught.value.cause
        else:
            desk.publish(*desk.make("second"))
    assert ((suite / "InRelease").read_bytes() == told) is bool(said)
    assert versions(desk.config, "amd64") == {"first": "1.0", **({} if said else {"second": "1.0"})}
    sound(run, desk.config)
    desk.publish(*desk.make("second", version="2.0"))
    assert versions(desk.config, "amd64") == {"first": "1.0", "second": "2.0"}
    sound(run, desk.config)


def test_where_nothing_can_be_linked_it_is_copied(run: Processes, desk: Desk, key_state: Path) -> None:
    """To another file system there are no hard links, as on some there are none at all; what was linked is the same here."""
    desk.publish(*desk.make("first"))
    suite = desk.config.repo / "dists/trixie"
    states, project = suite / "snapshots", Project(desk.config.project)
    home = desk.directory / "home"
    home.mkdir()
    (home / "debkit").symlink_to(key_state)
    (changes,) = desk.make("second")
    for words in (("add", "--suite", "trixie", os.fspath(changes)), ("rollback", "trixie"), ("refresh",)):
        prefix = on_another_disk(project, states, "8M")
        ended = project.debkit("repo", *words, prefix=prefix, env={"XDG_STATE_HOME": os.fspath(home)})
        assert ended.code == 0, ended.err
        shutil.rmtree(states)
        (project.path / "after").rename(states)
        newest = snapshots.snapshots(desk.config.repo, "trixie")[-1]
        assert all(file.read_bytes() == (newest.path / name).read_bytes() for name, file in by_hash(suite).items())
        assert not list(suite.rglob("*.new"))
        shutil.rmtree(project.path / "before")
    assert verify(run, desk.config, desk.config.repo).states == 4
    sound(run, desk.config)


def test_a_link_that_cannot_be_made_stops_it(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    told = (desk.config.repo / "dists/trixie/InRelease").read_bytes()
    blocked = by_hash(desk.config.repo / "dists/trixie")["main/binary-arm64/Packages"]
    blocked.unlink()
    blocked.mkdir()
    with pytest.raises(SigningError) as caught:
        desk.publish(*desk.make("second"))
    assert caught.value.cause.startswith("snapshots/")
    assert (desk.config.repo / "dists/trixie/InRelease").read_bytes() == told
    blocked.rmdir()
    desk.publish(*desk.make("second"))
    sound(run, desk.config)


def test_an_archive_by_a_relative_path(run: Processes, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk.make("first", "second")
    monkeypatch.chdir(desk.config.project.parent)
    replace(desk, config=Config(project=Path(desk.config.project.name))).publish(*made)
    sound(run, desk.config)
