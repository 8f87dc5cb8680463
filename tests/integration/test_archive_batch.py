"""Many uploads at once: all of them or none, and one index."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import retention
from debkit.archive.change import DATABASE, working
from debkit.archive.index import read_index
from debkit.archive.reprepro import Reprepro
from debkit.config import Config
from debkit.errors import ArchiveConflict, ArchiveError, ConfigError
from debkit.keys import unsigned_text
from tests.bulk import make_uploads, package_names
from tests.command import Project, is_three_parts
from tests.gnupg_homes import gnupg_home, make_key
from tests.publishing import sound, state, versions

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.reprepro import Entry
    from debkit.run import Processes
    from tests.publisher import Desk

NAMES = package_names(5)


def test_many_at_once_are_written_to_the_index_once(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    release = desk.config.repo / "dists/trixie/Release"
    first, *published = desk.publish(*desk.make("first", *NAMES))
    assert first.unchanged
    assert [(each.source, each.arches, each.packages, each.unchanged) for each in published] == [
        (name, ("amd64",), (name,), False) for name in NAMES
    ]
    assert versions(desk.config, "amd64") == dict.fromkeys(("first", *NAMES), "1.0")
    kept = release.read_bytes()
    assert all(each.unchanged for each in desk.publish(*desk.make("first", *NAMES)))
    assert release.read_bytes() == kept
    sound(run, desk.config)


def test_what_was_built_elsewhere_joins_what_is_there(run: Processes, desk: Desk) -> None:
    both = [changes for arch in ("amd64", "arm64") for changes in desk.make(*NAMES, arch=arch)]
    published = desk.publish(*both)
    assert {each.arches for each in published} == {("amd64", "arm64")}
    for arch in ("amd64", "arm64", "source"):
        assert [line.package for line in read_index(desk.config.repo, "trixie", arch)] == list(NAMES)
    sound(run, desk.config)


def test_versions_of_one_source_follow_upon_another(run: Processes, desk: Desk) -> None:
    old, new = desk.make("first"), desk.make("first", version="2.0")
    desk.publish(*old, *desk.make(*NAMES), *new)
    assert versions(desk.config, "amd64") == {**dict.fromkeys(NAMES, "1.0"), "first": "2.0"}
    with working(run, desk.config, desk.keys, what="pruning") as archive:
        retention.prune(archive, keep=1, grace=0)  # the version in between was in no index
    sound(run, desk.config)
    before = state(desk.config)
    with pytest.raises(ArchiveError, match=r"has first 3\.0, which is newer than 2\.5"):
        desk.publish(*desk.make("first", version="3.0"), *desk.make("first", version="2.5"))
    assert state(desk.config) == before
    sound(run, desk.config)


def test_one_that_does_not_fit_keeps_all_out(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first"))
    before = state(desk.config)
    (changes,) = desk.make("first")
    deb = changes.with_suffix(".deb")
    text, kept = changes.read_text(), deb.read_bytes()
    deb.write_bytes(kept + b"more")
    with pytest.raises(ArchiveError, match="whose size is another"):
        desk.publish(*desk.make(*NAMES), changes)
    assert state(desk.config) == before
    deb.write_bytes(kept)
    changes.write_text(re.sub(r"\w{64}( \d+ first_1.0_amd64.deb)", "0" * 64 + r"\1", text))
    with pytest.raises(ArchiveConflict, match=r"first 1\.0 is in the archive with other content"):
        desk.publish(*desk.make(*NAMES), changes)
    assert state(desk.config) == before
    sound(run, desk.config)


@pytest.mark.parametrize("how", ["unsigned", "altered", "a stranger's"])
def test_each_is_signed_by_who_may_upload(run: Processes, desk: Desk, how: str) -> None:
    bad, *good = desk.make(*NAMES)
    if how == "a stranger's":
        with gnupg_home() as home:
            (bad,) = make_uploads(desk.directory / "theirs", NAMES[:1], home=home, key=make_key(home))
    else:
        text = bad.read_text()
        bad.write_text(unsigned_text(text) if how == "unsigned" else text.replace("Be small", "Be big"))
    with pytest.raises(ArchiveError, match=f"{bad.name} may not be uploaded") as caught:
        desk.publish(*good, bad)
    assert "uploaders" in caught.value.cause
    assert not list(desk.config.repo.glob("pool/**/*.deb"))
    sound(run, desk.config)


def test_a_path_with_blanks(run: Processes, desk: Desk) -> None:
    project = desk.config.project.rename(desk.config.project.with_name("my own project"))
    config = Config(project=project)
    blank = replace(desk, config=config, directory=desk.directory.with_name("my uploads"))
    blank.publish(*blank.make(*NAMES))
    assert versions(config, "amd64") == dict.fromkeys(NAMES, "1.0")
    sound(run, config)


def test_the_command(run: Processes, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/debkit").symlink_to(desk.state)
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    project, made = Project(desk.config.project), [os.fspath(changes) for changes in desk.make(*NAMES)]
    unclear = project.debkit("repo", "add", *made)
    assert unclear.code == ConfigError.exit_code
    assert is_three_parts(unclear)
    assert "--suite bookworm" in unclear.err
    added = project.debkit("repo", "add", "--suite", "trixie", *made)
    assert added.code == 0, added.err
    assert f"{NAMES[0]} 1.0 published to {desk.config.repo} (trixie: amd64)" in added.err
    assert "development key" in added.err
    again = project.debkit("repo", "add", "--suite", "trixie", made[0])
    assert f"{NAMES[0]} 1.0 is already in {desk.config.repo} (trixie: amd64)" in again.err
    assert "reading 1 upload\n" in again.err
    assert versions(desk.config, "amd64") == dict.fromkeys(NAMES, "1.0")
    sound(run, desk.config)
    twice = [os.fspath(changes) for version in ("1.2", "1.3") for changes in desk.make("tiny", version=version)]
    both = project.debkit("repo", "add", "--suite", "trixie", *twice)
    assert "tiny 1.2 gives way to a newer version in trixie" in both.err
    assert f"tiny 1.3 published to {desk.config.repo} (trixie: amd64)" in both.err
    assert versions(desk.config, "amd64")["tiny"] == "1.3"


def test_an_archive_without_a_database_is_not_asked_what_it_has(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    listing_of = Reprepro.listing_of

    def noted(archive: Reprepro, suite: str, names: frozenset[str]) -> tuple[Entry, ...]:
        asked.append((desk.config.repo / DATABASE).exists())
        return listing_of(archive, suite, names)

    monkeypatch.setattr(Reprepro, "listing_of", noted)
    desk.publish(*desk.make(*NAMES))
    assert asked == [True]  # what has come of it
    assert all(each.unchanged for each in desk.publish(*desk.make(*NAMES)))
    assert asked == [True, True]
