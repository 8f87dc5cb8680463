"""Streams beside a suite, and what is taken from one into the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, conf, history, promote
from debkit.archive.change import working
from debkit.archive.proof import expected_packages, see
from debkit.archive.serving.serve import served
from debkit.archive.verify import verify
from debkit.errors import ArchiveError, ConfigError
from debkit.model import Target
from tests.command import Project, is_three_parts
from tests.publishing import sound, state, versions

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.promote import Promoted
    from debkit.config import Config
    from debkit.run import Processes
    from tests.publisher import Desk

STREAM = "trixie-unstable"


@pytest.fixture
def config(config: Config) -> Config:
    """An archive with a stream beside trixie, as the error that misses it says."""
    with pytest.raises(ConfigError) as caught:
        conf.demand(config, STREAM, ())
    with (config.repo / "conf/distributions").open("a") as stream:
        stream.write("\n" + "\n".join(caught.value.excerpt) + "\n")
    return config


def promoted(run: Processes, desk: Desk, *sources: str, stream: str = STREAM, suite: str = "trixie") -> Promoted:
    with working(run, desk.config, desk.keys, what="promoting") as archive:
        return promote(archive, desk.config, stream, suite, sources)


def test_packages_go_from_a_stream_into_its_suite(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first", "second"))
    desk.publish(*desk.make("first", version="2.0"), *desk.make("third"), *desk.make("third", arch="arm64"), suite=STREAM)
    done = promoted(run, desk, "third")
    assert (done.taken, done.unchanged) == (("third 1.0",), ())
    assert versions(desk.config, "amd64") == {"first": "1.0", "second": "1.0", "third": "1.0"}
    assert versions(desk.config, "arm64") == {"third": "1.0"}
    assert versions(desk.config, "source")["third"] == "1.0"
    done = promoted(run, desk)
    assert (done.taken, done.unchanged) == (("first 2.0",), ("third 1.0",))
    assert versions(desk.config, "amd64") == {"first": "2.0", "second": "1.0", "third": "1.0"}
    assert versions(desk.config, "amd64", STREAM) == {"first": "2.0", "third": "1.0"}
    before = state(desk.config)
    assert promoted(run, desk).taken == ()
    assert state(desk.config) == before
    assert [(act.suite, act.act, act.detail) for act in history(desk.config.repo)][2:] == [
        ("trixie", "promote", f"third 1.0 from {STREAM}"),
        ("trixie", "promote", f"first 2.0 from {STREAM}"),
    ]
    sound(run, desk.config)
    verify(run, desk.config, desk.config.repo)


def test_what_is_older_or_unknown_or_for_another_suite_changes_nothing(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first", "second", version="2.0"))
    with pytest.raises(ConfigError, match=f"{STREAM} is empty") as empty:
        promoted(run, desk)
    assert empty.value.hint.startswith("debkit build --stream unstable; ")
    desk.publish(*desk.make("first", "second", "third"), suite=STREAM)
    before = state(desk.config)
    with pytest.raises(ArchiveError, match=r"trixie has first 2\.0, which is newer than 1\.0"):
        promoted(run, desk, "first", "third")
    with pytest.raises(ArchiveError, match="newer versions of 2 packages") as caught:
        promoted(run, desk)
    assert "second 2.0, which is newer than 1.0" in caught.value.cause
    for wrong, said in (
        ({"sources": ("fourth",)}, "has no source package fourth"),
        ({"suite": "bookworm"}, "nothing can be promoted from trixie-unstable to bookworm"),
        ({"suite": STREAM}, "nothing can be promoted"),
        ({"stream": "trixie-nowhere"}, "has no suite trixie-nowhere"),
    ):
        options = {"stream": STREAM, "suite": "trixie", **{name: value for name, value in wrong.items() if name != "sources"}}
        with pytest.raises(ConfigError, match=said):
            promoted(run, desk, *wrong.get("sources", ()), **options)  # type: ignore[arg-type]
    assert state(desk.config) == before
    sound(run, desk.config)


def test_what_cannot_be_fetched_is_not_promoted(run: Processes, desk: Desk) -> None:
    desk.publish(*desk.make("first", "second"), suite=STREAM)
    (desk.config.repo / "pool/main/f/first/first_1.0.tar.gz").unlink()
    before = state(desk.config)
    with pytest.raises(ArchiveError, match="trixie would list what cannot be fetched") as caught:
        promoted(run, desk)
    assert caught.value.cause.endswith("\npool/main/f/first/first_1.0.tar.gz")
    assert state(desk.config) == before
    assert promoted(run, desk, "second").taken == ("second 1.0",)


def test_the_keyring_package_stays_with_its_suite(run: Processes, desk: Desk) -> None:
    own = client.keyring_package(desk.config)
    desk.publish(*desk.make("first", own), suite=STREAM)
    assert promoted(run, desk).taken == ("first 1.0",)
    with pytest.raises(ConfigError, match=f"{own} is not to be promoted"):
        promoted(run, desk, own)
    sound(run, desk.config)


def test_a_client_of_the_stream_sees_it(run: Processes, desk: Desk) -> None:
    (published,) = desk.publish(*desk.make("first"), suite=STREAM)
    target = Target("trixie", "amd64")
    expected = expected_packages(desk.config.repo, published, target)
    assert [line.package for line in expected] == ["first"]
    with served(desk.config.repo) as site:
        see(run, desk.config, published, target=target, url=site.url, expected=expected)
    assert f"Suites: {STREAM}\n" in client.sources_file(desk.config, STREAM).read_text()
    assert any(f"debkit-{STREAM}.sources" in line for line in client.addition(desk.config, STREAM))


def test_as_it_is_typed(run: Processes, desk: Desk, key_state: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/debkit").symlink_to(key_state)
    env = {"XDG_STATE_HOME": os.fspath(tmp_path / "home")}
    project = Project(desk.config.project)
    (changes,) = desk.make("first")
    ended = project.debkit("repo", "add", "--suite", STREAM, os.fspath(changes), env=env)
    assert ended.code == 0, ended.err
    ended = project.debkit("repo", "promote", STREAM, "trixie", env=env)
    assert (ended.code, "first 1.0 is in trixie now" in ended.err) == (0, True), ended.err
    ended = project.debkit("repo", "promote", STREAM, "trixie", "first", env=env)
    assert (ended.code, "first 1.0 is already in trixie" in ended.err) == (0, True), ended.err
    ended = project.debkit("repo", "promote", STREAM, "trixie", "nothing", env=env)
    assert (ended.code, is_three_parts(ended)) == (3, True)
    ended = project.debkit("repo", "add", "--suite", "nowhere", os.fspath(changes), env=env)
    assert (ended.code, is_three_parts(ended)) == (3, True)
    ended = project.debkit(
        "build", "--stream", "nowhere", "--arch", "amd64", os.fspath(changes.with_name("first_1.0.dsc")), env=env
    )
    assert (ended.code, is_three_parts(ended)) == (3, True), ended.err
    assert "Codename: trixie-nowhere" in ended.err
