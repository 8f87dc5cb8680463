"""Finding the upstream tarball, and saying where it was looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from debkit.errors import SourceError
from debkit.source import orig
from debkit.source.orig import clone_argv, export_argv, find_orig, gbp_options, make_orig, missing, places
from tests.recorder import Recorder


def touched(directory: Path, *names: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).touch()


def found(tree: Path) -> list[str]:
    return [path.name for path in find_orig(tree, "debian", name="hello", upstream="1.0")]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    touched(tmp_path / "work/hello/debian")
    return tmp_path / "work/hello"


@pytest.mark.parametrize("place", ["..", "../tarballs", "../build-area"])
def test_the_tarball_is_found_beside_the_tree(tree: Path, place: str) -> None:
    touched(tree / place, "hello_1.0.orig.tar.xz", "hello_1.0.orig.tar.xz.asc", "hello_1.0.orig-doc.tar.gz",
            "hello_1.0-1.debian.tar.xz", "hello_1.1.orig.tar.xz", "xhello_1.0.orig.tar.xz", "hello_1x0.orig.tar.xz")  # fmt: skip
    assert found(tree) == ["hello_1.0.orig-doc.tar.gz", "hello_1.0.orig.tar.xz", "hello_1.0.orig.tar.xz.asc"]


def test_the_place_in_gbp_conf_comes_first(tree: Path) -> None:
    touched(tree / "..", "hello_1.0.orig.tar.gz")
    touched(tree / "../../pool", "hello_1.0.orig.tar.xz")
    (tree / "debian/gbp.conf").write_text("[DEFAULT]\ntarball-dir = ../../pool\n")
    assert found(tree) == ["hello_1.0.orig.tar.xz"]
    assert len(places(tree, "debian")) == 4


def test_no_tarball_is_no_error_yet(tree: Path) -> None:
    assert found(tree) == []


def test_two_compressions_are_refused(tree: Path) -> None:
    touched(tree / "..", "hello_1.0.orig.tar.gz", "hello_1.0.orig.tar.xz")
    with pytest.raises(SourceError, match=r"twice: hello_1\.0\.orig\.tar\.gz and hello_1\.0\.orig\.tar\.xz"):
        found(tree)


def test_sections_of_gbp_conf_lie_over_each_other(tree: Path) -> None:
    conf = tree / "debian/gbp.conf"
    conf.write_text("[DEFAULT]\npristine-tar = True\nupstream-tag = v%(version)s\n[export-orig]\npristine-tar = False\n")
    assert gbp_options(conf) == {"pristine-tar": "False", "upstream-tag": "v%(version)s"}
    assert gbp_options(tree / "debian/none.conf") == {}


@pytest.fixture
def has_gbp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orig, "require_tool", Path)


def test_a_broken_gbp_conf_is_told(tree: Path) -> None:
    (tree / "debian/gbp.conf").write_text("pristine-tar = True\n")
    with pytest.raises(SourceError, match=r"gbp\.conf is broken"):
        found(tree)


def test_the_message_says_where_it_looked_and_what_to_do(tree: Path) -> None:
    error = missing(tree, "debian", name="hello", upstream="1.0")
    assert error.what == "the upstream tarball hello_1.0.orig.tar.* is missing"
    for place in (tree.parent, tree.parent / "tarballs", tree.parent / "build-area"):
        assert str(place) in error.cause
    assert "no debian/gbp.conf" in error.cause
    for tool in ("origtargz", "uscan", "gbp"):
        assert tool in error.hint


@pytest.mark.usefixtures("has_gbp")
def test_gbp_runs_in_a_clone_only(tree: Path, tmp_path: Path) -> None:
    (tree / ".git").mkdir()
    staged, work = tmp_path / "staged", tmp_path / "making"
    touched(staged / "debian")
    (staged / "debian/gbp.conf").write_text("[DEFAULT]\nupstream-tag = v%(version)s\n")
    recorder = Recorder()
    recorder.reply("clone", action=lambda command: Path(command.argv[-1]).mkdir(parents=True))
    recorder.reply("gbp", files=((work / "orig/hello_1.0.orig.tar.gz", b"tarball"),))
    made = make_orig(recorder, tree, "debian", staged, name="hello", upstream="1.0", work=work)
    assert made == (work / "orig/hello_1.0.orig.tar.gz",)
    assert recorder.argvs[0] == clone_argv(tree, work / "clone/.git")
    assert recorder.argvs[-1] == export_argv(work / "orig") == ("gbp", "export-orig", f"--tarball-dir={work}/orig")
    assert recorder.commands[-1].cwd == work / "clone"
    assert recorder.commands[-1].env == (("GBP_CONF_FILES", "debian/gbp.conf"),)
    assert (work / "clone/debian/gbp.conf").is_file()


@pytest.mark.usefixtures("has_gbp")
def test_gbps_words_are_relayed(tree: Path, tmp_path: Path) -> None:
    (tree / ".git").mkdir()
    touched(tmp_path / "staged/debian", "gbp.conf")
    recorder = Recorder()
    recorder.reply("clone", action=lambda command: Path(command.argv[-1]).mkdir(parents=True))
    recorder.reply("gbp", stdout="gbp:error: upstream/1.0 is not a valid treeish\n", code=1)
    with pytest.raises(SourceError, match="is missing") as error:
        make_orig(recorder, tree, "debian", tmp_path / "staged", name="hello", upstream="1.0", work=tmp_path / "making")
    assert "upstream/1.0 is not a valid treeish" in error.value.cause
