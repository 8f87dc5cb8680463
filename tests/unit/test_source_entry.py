"""What gbp dch and git are asked for a changelog entry, and what is made of their answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.source import entry
from debkit.source.changelog import Entry, newest_entry, newest_version, with_entry
from debkit.source.commits import Change, read_changes_since
from debkit.source.entry import dch_argv, with_release, with_snapshot
from debkit.source.git import git_argv
from tests.trees import TIMESTAMP, changelog

if TYPE_CHECKING:
    from debkit.run import Command
    from tests.recorder import Recorder

NEW = Entry("hello", "1.1", "trixie", "Ann <ann@example.org>", TIMESTAMP + 60)
OLD = changelog("hello", "1.0", "unstable")
TRAILER = " -- Ann <ann@example.org>  Tue, 02 Jan 2024 03:05:05 +0000\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(entry, "require_tool", Path)
    tree = tmp_path / "tree"
    (tree / ".git").mkdir(parents=True)
    (tree / "debian").mkdir()
    (tree / "debian/changelog").write_text("left alone")
    return tree


def dch(change: str) -> str:
    """What gbp dch leaves behind: an entry with the time of day."""
    date = "Sat, 01 Jan 2050 00:00:00 +0100"
    return f"hello (1.1) trixie; urgency=medium\n\n  * {change}\n\n -- Ann <ann@example.org>  {date}\n\n{OLD}"


@pytest.mark.parametrize(("said", "kept"), [("greet", "greet"), ("UNRELEASED", "Release 1.1.")])
def test_gbp_makes_an_entry_in_a_clone(tree: Path, recorder: Recorder, tmp_path: Path, said: str, kept: str) -> None:
    work = tmp_path / "work"
    (tree / "debian/gbp.conf").write_text("[DEFAULT]\npostedit = rm\nfull = True\n[dch]\nid-length = 7\ndch-opt = -x\n")

    def written(command: Command) -> None:
        assert command.cwd
        assert (command.cwd / "debian/changelog").read_text() == OLD
        (command.cwd / "debian/changelog").write_text(dch(said))

    recorder.reply("gbp", action=written)
    recorder.reply("clone", action=lambda command: Path(command.argv[-1]).mkdir(parents=True))
    text = with_release(recorder, tree, tree / "debian", OLD, entry=NEW, since="abc", work=work)
    assert text == f"hello (1.1) trixie; urgency=medium\n\n  * {kept}\n\n{TRAILER}\n{OLD}"
    ran = recorder.commands[-1]
    assert ran.argv == dch_argv(since="abc", version="1.1", distribution="trixie")
    assert dict(ran.env) == {
        "GBP_CONF_FILES": f"{work}/gbp.conf",
        "DEBFULLNAME": "Ann",
        "DEBEMAIL": "ann@example.org",
        "HOME": f"{work}",
    }
    assert (work / "gbp.conf").read_text() == "[DEFAULT]\nfull = True\nid-length = 7\n\n"
    assert (tree / "debian/changelog").read_text() == "left alone"


def test_gbps_words_are_relayed(tree: Path, recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("clone", action=lambda command: Path(command.argv[-1]).mkdir(parents=True))
    recorder.reply("gbp", stdout="gbp:error: Dch failed: oh\n", code=1)
    with pytest.raises(SourceError, match=r"gbp dch cannot make the changelog entry of hello 1\.1") as error:
        with_release(recorder, tree, tree / "debian", OLD, entry=NEW, since="abc", work=tmp_path / "work")
    assert error.value.cause == "gbp:error: Dch failed: oh"


def test_commits_are_read_with_their_trailers(tree: Path, recorder: Recorder) -> None:
    recorder.reply(
        "rev-list",
        stdout="1\0one\0\0\n2\0two\0Why.\n\nGbp-Dch: Full\nGit-Dch: short\n\0\n3\0three\0gbp-dch: ignore\0\n",
    )
    one, two, three = read_changes_since(recorder, tree, "abc")
    assert one == Change("1", "one")
    assert two == Change("2", "two", "Why.", frozenset({"full", "short"}))
    assert (three.ignored, two.ignored, three.body) == (True, False, "")
    assert recorder.argvs == [
        git_argv(
            "rev-list", "--no-merges", "--reverse", "--topo-order", "--encoding=UTF-8", "--no-commit-header",
            "--format=%H%x00%s%x00%b%x00", "abc..HEAD",
        )
    ]  # fmt: skip


def test_a_part_of_a_repository_has_its_own_commits(tree: Path, recorder: Recorder) -> None:
    (tree / "part").mkdir()
    assert read_changes_since(recorder, tree / "part", "") == ()
    assert recorder.argvs[0][-3:] == ("HEAD", "--", ".")


def test_a_snapshot_lists_its_commits(tree: Path, recorder: Recorder) -> None:
    recorder.reply("rev-list", stdout=f"1\0{'long ' * 20}\0\0\n2\0two\0Gbp-Dch: Ignore\0\n")
    text = with_snapshot(recorder, tree, OLD, entry=NEW, since="abc", why="2 commits after tag v1.0")
    items = "  * Snapshot: 2 commits after tag v1.0.\n  * " + "long " * 14 + "long\n    " + "long " * 4 + "long\n"
    assert text == f"hello (1.1) trixie; urgency=medium\n\n{items}\n{TRAILER}\n{OLD}"


def test_the_newest_entry_stands_alone() -> None:
    text = with_entry(f"\n{OLD}", NEW, ("new",))
    assert newest_entry(text) == f"hello (1.1) trixie; urgency=medium\n\n  * new\n\n{TRAILER}"
    assert newest_version(text) == "1.1"
    assert newest_version("no changelog") == ""
