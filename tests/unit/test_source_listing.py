"""Which files of a tree are its source. Git's part with real git is in the integration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.source.git import git, git_argv, list_files, unquoted
from debkit.source.listing import Leftovers, list_tree, outputs_of
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from tests.recorder import Recorder

LEFTOVERS = Leftovers("debian", ("hello", "hello-data"))


def test_without_git_all_is_taken_but_version_control_and_output(tmp_path: Path, project: Config, recorder: Recorder) -> None:
    root = project.project
    for name in ("a.c", ".hg/x", "CVS/Root", "dist/trixie/x.deb", "repo/db/x", "repo/conf/distributions", "debian/changelog",
                 "debian/files", "debian/hello/usr/bin/hello", "debian/.debhelper/x", "staging/y"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "empty").mkdir()
    (root / "link").symlink_to("empty")
    listing = list_tree(recorder, root, leftovers=LEFTOVERS, outputs=outputs_of(project, root / "staging", root))
    assert listing.names == ("a.c", "debian/changelog", "empty", "link", "repo/conf/distributions")
    assert listing.commit is None
    assert not recorder.commands


def test_a_tree_that_lies_in_the_output_is_still_read(tmp_path: Path, project: Config, recorder: Recorder) -> None:
    tree = make_tree(project.dist / "unpacked")
    listing = list_tree(recorder, tree, leftovers=LEFTOVERS, outputs=outputs_of(project, project.dist / "source", tree))
    assert "debian/changelog" in listing.names


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("debian/files", True),
        ("debian/hello/usr/bin/hello", True),
        ("debian/hello.substvars", True),
        ("debian/hello.postinst.debhelper", True),
        ("debian/debhelper-build-stamp", True),
        ("debian/tmp/usr", True),
        ("debian/hello.install", False),
        ("debian/tests/control", False),
        ("src/files", False),
        ("files", False),
    ],
)
def test_what_dh_clean_removes_is_not_source(name: str, *, left: bool) -> None:
    assert LEFTOVERS.hold(name) is left


def test_paths_that_git_quotes_are_whole() -> None:
    assert unquoted("plain name") == "plain name"
    assert unquoted(r'"caf\303\251 \"x\"\n\\"') == 'caf\u00e9 "x"\n\\'
    assert unquoted(r'"\377"') == "\udcff"


def test_git_is_asked_without_writing(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.delenv("SUDO_GID", raising=False)
    list_files(recorder, tmp_path)
    assert recorder.argvs == [
        ("git", "--no-optional-locks", "-c", "core.quotePath=true", "ls-files", "--stage", "-t"),
        ("git", "--no-optional-locks", "-c", "core.quotePath=true", "ls-files", "--others", "--exclude-standard"),
    ]
    assert {command.env for command in recorder.commands} == {(("SUDO_UID", "1000"),)}


def test_a_repository_of_another_user_is_told(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    recorder.reply("git", stdout=f"fatal: detected dubious ownership in repository at '{tmp_path}'\n", code=128)
    with pytest.raises(SourceError, match="does not trust") as error:
        git(recorder, tmp_path, "ls-files")
    assert error.value.hint == f"git config --global --add safe.directory '{tmp_path}'"


def test_gits_other_errors_are_relayed(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("git", stdout="fatal: bad object HEAD\n", code=128)
    with pytest.raises(SourceError, match="git cannot read") as error:
        git(recorder, tmp_path, "status")
    assert error.value.cause == "fatal: bad object HEAD"


def test_a_sparse_checkout_is_refused(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply(*git_argv("ls-files", "--stage"), stdout="S 100644 0123456789abcdef 0\tsrc/a.c\n")
    with pytest.raises(SourceError, match=r"src/a\.c is not checked out") as error:
        list_files(recorder, tmp_path)
    assert "sparse-checkout" in error.value.hint


def test_a_submodule_that_is_not_checked_out_is_refused(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    recorder.reply(*git_argv("ls-files", "--stage"), stdout="H 160000 0123456789abcdef 0\tlib\n")
    with pytest.raises(SourceError, match="submodule lib is not checked out") as error:
        list_files(recorder, tmp_path)
    assert error.value.hint.endswith("submodule update --init --recursive")


def test_what_debkit_has_written_for_the_tree_itself_is_no_source_of_it(tmp_path: Path, project: Config) -> None:
    tree = tmp_path / "tree"
    for name in ("dist/report.json", "repo/conf/distributions"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).touch()
    assert [output.path for output in outputs_of(project, project.dist / "source", tree)][-2:] == [tree / "dist", tree / "repo"]
    (tree / "dist/report.json").unlink()
    assert tree / "dist" not in [output.path for output in outputs_of(project, project.dist / "source", tree)]
