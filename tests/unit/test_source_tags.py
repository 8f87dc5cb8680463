"""How tags spell versions, and what a version that a tag tells in part becomes. With real git in the integration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.source.git import git_argv
from debkit.source.tags import History, Kind, Tag, forms, read_history, settled
from tests.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

HEAD, OLD, OLDER = "a" * 40, "b" * 40, "c" * 40


def version(tag: str, conf: Path, text: str = "", *, top: bool = True) -> str:
    conf.write_text(text)
    return next((form.version(tag) for form in forms(conf, top=top) if form.version(tag)), "")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("debian/1.0-1", "1.0-1"),
        ("debian/1%2.0_rc1-1", "1:2.0~rc1-1"),
        ("debian/1.0.#.2", "1.0..2"),
        ("debian/1.0-rc1", "1.0-rc1"),
        ("v1.0", "1.0"),
        ("1.0", "1.0"),
        ("v1.0-2", "1.0-2"),
        ("v1.0-rc1", "1.0~rc1"),
        ("v1.0rc1", "1.0~rc1"),
        ("v1.0-beta.2", "1.0~beta.2"),
        ("v1.0_rc1", "1.0~rc1"),
        ("v1", "1"),
        ("2024-sprint", ""),
        ("v-next", ""),
        ("upstream/1.0", ""),
        ("ubuntu/1.0-1", ""),
        ("release", ""),
        ("v1.0/x", ""),
    ],
)
def test_the_usual_forms(tmp_path: Path, tag: str, expected: str) -> None:
    assert version(tag, tmp_path / "gbp.conf") == expected


@pytest.mark.parametrize(
    ("conf", "tag", "expected"),
    [
        ("debian-tag = ubuntu/%(version)s", "ubuntu/1.0-1", "1.0-1"),
        ("debian-tag = ubuntu/%(version)s", "debian/1.0-1", ""),
        ("debian-tag = ubuntu/%(version)s", "v1.0", "1.0"),
        ("upstream-tag = v%(version%~%-)s", "v1.0-rc1", "1.0~rc1"),
        ("upstream-tag = release.%(version)s", "release.1.0-rc1", "1.0-rc1"),
        ("upstream-tag = release.%(version)s", "releaseX1.0", ""),
        ("upstream-tag = release.%(version)s", "v1.0", ""),
        ("upstream-tag = v%(version%.%_)s", "v1_2", "1.2"),
        ("upstream-tag = v%(hversion)s", "v1-2", ""),
    ],
)
def test_gbp_conf_is_obeyed(tmp_path: Path, conf: str, tag: str, expected: str) -> None:
    assert version(tag, tmp_path / "gbp.conf", f"[DEFAULT]\n{conf}\n") == expected


def test_a_part_of_a_repository_has_only_the_forms_it_names(tmp_path: Path) -> None:
    assert version("v1.0", tmp_path / "gbp.conf", top=False) == ""
    assert version("part-1.0", tmp_path / "gbp.conf", "[DEFAULT]\ndebian-tag = part-%(version)s\n", top=False) == "1.0"


@pytest.mark.parametrize(
    ("told", "kind", "changelog", "quilt", "expected"),
    [
        ("1.0", Kind.PLAIN, "1.0", False, "1.0"),
        ("1.1", Kind.PLAIN, "2:1.0", False, "2:1.1"),
        ("1.1", Kind.DEBIAN, "2:1.0", False, "1.1"),
        ("1.0", Kind.PLAIN, "1.0-3", True, "1.0-3"),
        ("1.0", Kind.UPSTREAM, "1:1.0-3ubuntu2", True, "1:1.0-3ubuntu2"),
        ("1.1", Kind.PLAIN, "1.0-3", True, "1.1-1"),
        ("1.1", Kind.UPSTREAM, "", True, "1.1-1"),
        ("1.0-2", Kind.PLAIN, "1.0-3", True, "1.0-2"),
        ("1.0-rc1", Kind.UPSTREAM, "1.0-rc1-4", True, "1.0-rc1-4"),
        ("1.0", Kind.DEBIAN, "1.0-3", True, "1.0-3"),
    ],
)
def test_the_changelog_there_completes_a_version(told: str, kind: Kind, changelog: str, expected: str, *, quilt: bool) -> None:
    assert settled(told, kind, changelog, quilt=quilt) == expected


def asked(tree: Path, *tags: tuple[str, str, bool], version: str = "1.0") -> tuple[History, Recorder]:
    """Read a history of these tags: a name, what it is on, and whether the packaging is there; `version` is the tree's."""
    (tree / ".git").mkdir(parents=True)
    recorder = Recorder()
    recorder.reply("rev-list", "-1", "--encoding=UTF-8", stdout=f"{HEAD}\n1700000000\nA B <a@b>\n")
    recorder.reply("rev-list", "--topo-order", stdout=f"1700000000 {HEAD}\n1700000005 {OLD}\n")
    recorder.reply("for-each-ref", stdout="".join(f"{commit}  {name}\n" for name, commit, _ in tags))
    recorder.reply(
        "cat-file",
        "--batch-check=%(objectname)",
        stdout="".join(f"{'d' * 40 if packaged else 'x missing'}\ny missing\n" for *_, packaged in tags),
    )
    recorder.reply("rev-list", "--count", stdout="3\n")
    recorder.reply("rev-parse", "HEAD", stdout=f"{HEAD}\n")
    recorder.reply("rev-parse", "--is-shallow-repository", stdout="false\n")
    history = read_history(recorder, tree, "debian", version=version, quilt=False)
    assert history
    return history, recorder


def test_the_highest_version_counts_whatever_the_tags_order(tmp_path: Path) -> None:
    history, recorder = asked(
        tmp_path / "tree", ("v1.10", OLD, True), ("v1.9", OLDER, True), ("v2.0", OLDER, False), ("v1.1", HEAD, True)
    )
    assert (history.here, history.before) == (Tag("v1.1", "1.1", HEAD), Tag("v1.10", "1.10", OLD))
    assert (history.head, history.time, history.author, history.after) == (HEAD, 1700000000, "A B <a@b>", 3)
    assert (history.number, history.newest) == (2, 1700000005)
    assert git_argv("rev-list", "--count", f"{OLD}..HEAD") in recorder.argvs


def test_where_packaging_is_looked_for(tmp_path: Path) -> None:
    _, recorder = asked(tmp_path / "tree", ("v1.0", OLD, True))
    (question,) = (command.stdin for command in recorder.commands if "--batch-check=%(objectname)" in command.argv)
    assert question == f"{OLD}:debian/changelog\n{OLD}:packaging/debian/changelog\n".encode()


def test_no_more_changelogs_are_read_than_are_needed(tmp_path: Path) -> None:
    tags = [(f"v1.{number}", OLD, True) for number in range(50)]
    read = ("cat-file", "blob", "d" * 40)
    _, recorder = asked(tmp_path / "one", *tags)
    assert recorder.argvs.count(git_argv(*read)) == 1
    _, recorder = asked(tmp_path / "two", *tags, version="1:1.0")
    assert recorder.argvs.count(git_argv(*read)) == 50


def test_a_tag_with_a_revision_does_not_fit_a_native_source(tmp_path: Path) -> None:
    history, _ = asked(tmp_path / "tree", ("debian/1.0-1", HEAD, True))
    assert (history.here, history.misfits) == (None, ("debian/1.0-1",))
