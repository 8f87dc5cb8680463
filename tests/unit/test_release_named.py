from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.archive.released import names_of
from debkit.errors import ConfigError, SourceError
from debkit.release.named import find_repository, find_tag, find_token, place, source_of
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder import Recorder


TAGS = {"v1.0": "1.0", "1.0": "1.0", "v1.0-rc1": "1.0~rc1", "debian/1%2.0_rc1-1": "1:2.0~rc1-1", "debian/1.0.#lock": "1.0.lock"}


@pytest.mark.parametrize(("tag", "version"), TAGS.items())
def test_the_version_that_a_tag_names(tag: str, version: str) -> None:
    assert source_of("hello", tag) == ("hello", version)


@pytest.mark.parametrize("tag", ["nightly", "v", "release-1.0"])
def test_a_tag_that_names_none(tag: str) -> None:
    with pytest.raises(SourceError, match="names no version"):
        source_of("hello", tag)


def test_a_tree_says_how_its_tags_are_spelled_and_what_they_leave_out(tmp_path: Path) -> None:
    (tmp_path / "debian").mkdir()
    changelog = "hello (1:1.0-3) unstable; urgency=medium\n\n  * New.\n\n -- A B <a@b.c>  Tue, 02 Jan 2024 03:04:05 +0000\n"
    (tmp_path / "debian/changelog").write_text(changelog)
    assert source_of(f"{tmp_path}", "v1.0") == ("hello", "1:1.0-3")
    (tmp_path / "debian/gbp.conf").write_text("[DEFAULT]\ndebian-tag = packaged/%(version)s\n")
    assert source_of(f"{tmp_path}", "packaged/1%1.0-3") == ("hello", "1:1.0-3")


def test_in_a_part_of_a_repository_only_tags_count_that_are_said_to_be_its_own(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "mono/part")
    (tree.parent / ".git").mkdir()
    with pytest.raises(SourceError, match="does not tell which version"):
        source_of(f"{tree}", "v2.0")
    (tree / "debian/gbp.conf").write_text("[DEFAULT]\ndebian-tag = part-%(version)s\n")
    assert source_of(f"{tree}", "part-2.0") == ("hello-debkit", "2.0")
    with pytest.raises(SourceError, match="names no version"):
        source_of(f"{tree}", "v2.0")


def test_what_a_version_is_called_in_a_suite() -> None:
    assert names_of("1.0", "bookworm") == {"1.0", "1.0~bookworm1"}
    assert names_of("1.0", "trixie-backports") == {"1.0", "1.0~trixiebackports1", "1.0~trixie1"}


def test_where_the_tag_comes_from(recorder: Recorder, tmp_path: Path) -> None:
    workflow = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v2"}
    assert find_tag(recorder, "v1", tmp_path, workflow) == "v1"
    assert find_tag(recorder, "", tmp_path, workflow) == "v2"
    assert recorder.commands == []
    recorder.reply("git", stdout="v3\n")
    (tmp_path / ".git").mkdir()
    assert find_tag(recorder, "", tmp_path, workflow | {"GITHUB_REF_TYPE": "branch"}) == "v3"
    assert recorder.commands[-1].argv[-3:] == ("tag", "--points-at", "HEAD")
    for printed in ("", "v3\nv4\n"):
        recorder.reply("git", stdout=printed)
        with pytest.raises(ConfigError, match="which tag is to be released"):
            find_tag(recorder, "", tmp_path, {})


def test_what_is_in_no_git_repository_has_no_tag(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="which tag is to be released") as told:
        find_tag(recorder, "", tmp_path, {})
    assert told.value.cause == f"{tmp_path} is in no git repository"
    assert recorder.commands == []


def test_where_the_repository_and_the_token_come_from() -> None:
    assert find_repository("o/r", {"GITHUB_REPOSITORY": "x/y"}) == "o/r"
    assert find_repository("", {"GITHUB_REPOSITORY": "x/y"}) == "x/y"
    for name in ("", "o", "o/r/s", "https://github.com/o/r"):
        with pytest.raises(ConfigError, match="repository"):
            find_repository(name, {})
    assert find_token({"GITHUB_TOKEN": "a\n", "GH_TOKEN": "b"}).reveal() == "a"
    assert find_token({"GITHUB_TOKEN": "", "GH_TOKEN": "b"}).reveal() == "b"
    with pytest.raises(ConfigError, match="there is no token"):
        find_token({})


def test_where_files_are_downloaded_from() -> None:
    assert place({}, "o/r", "v1.0", "1.0") == "https://github.com/o/r/releases/latest/download/"
    server = {"GITHUB_SERVER_URL": "https://git.example"}
    assert place(server, "o/r", "v1.0-rc1", "1.0~rc1") == "https://git.example/o/r/releases/download/v1.0-rc1/"
