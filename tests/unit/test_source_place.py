"""What a source can be given as, and the message for what it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.source.place import Kind, find_packaging, locate, nearest_name
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_directory_is_a_tree_even_when_its_name_is_a_packages(tmp_path: Path) -> None:
    make_tree(tmp_path / "bzip2")
    assert locate("bzip2").kind is Kind.TREE
    assert locate("bzip2").path == tmp_path / "bzip2"
    assert locate(".").kind is Kind.TREE


def test_a_dsc_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a_1.dsc").touch()
    assert locate("a_1.dsc").kind is Kind.DSC


def test_what_is_no_path_names_a_package() -> None:
    assert locate("libstdc++6").kind is Kind.NAME


@pytest.mark.parametrize("missing", ["examples/local-rga", "a_1.dsc", "/nowhere/at/all"])
def test_a_missing_path_is_not_taken_for_a_name(missing: str) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        locate(missing)


def test_a_missing_path_brings_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "examples/local-rag").mkdir(parents=True)
    with pytest.raises(SourceError) as error:
        locate("examples/local-rga")
    assert "local-rag" in error.value.cause
    assert error.value.hint == "debkit build examples/local-rag"


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a_1_amd64.changes").touch()
    with pytest.raises(SourceError, match=r"neither a source tree nor a \.dsc"):
        locate("a_1_amd64.changes")


@pytest.mark.parametrize(
    ("given", "idea"),
    [
        ("Bzip2", "bzip2"),
        ("bzip2=1.0.8-5", "bzip2"),
        ("bzip2_1.0.8-5", "bzip2"),
        ("local_rag", "local-rag"),
        ("-x y", ""),
        ("z", ""),
    ],
)
def test_an_invalid_name_brings_the_nearest_valid_one(given: str, idea: str) -> None:
    assert nearest_name(given) == idea
    with pytest.raises(SourceError, match="valid package name") as error:
        locate(given)
    assert error.value.cause
    assert error.value.hint.startswith(f"debkit build {idea}")


def test_both_layouts_are_found(tmp_path: Path) -> None:
    assert find_packaging(make_tree(tmp_path / "a"), "a") == "debian"
    assert find_packaging(make_tree(tmp_path / "b", packaging=True), "b") == "packaging/debian"


def test_a_link_to_the_packaging_is_followed(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "a", packaging=True)
    (tree / "debian").symlink_to("packaging/debian")
    assert find_packaging(tree, "a") == "packaging/debian"


def test_a_link_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    other, tree = make_tree(tmp_path / "other"), tmp_path / "a"
    tree.mkdir()
    (tree / "debian").symlink_to(other / "debian")
    with pytest.raises(SourceError, match="link out of the tree"):
        find_packaging(tree, "a")


def test_two_packagings_are_refused(tmp_path: Path) -> None:
    make_tree(tmp_path / "a", packaging=True)
    with pytest.raises(SourceError, match="two packagings"):
        find_packaging(make_tree(tmp_path / "a"), "a")


def test_not_a_source_tree_names_one_inside(tmp_path: Path) -> None:
    make_tree(tmp_path / "examples/one", packaging=True)
    with pytest.raises(SourceError, match="is not a source tree") as error:
        find_packaging(tmp_path, ".")
    assert error.value.hint == "debkit build examples/one"


def test_not_a_source_tree_names_the_one_around(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "a")
    (tree / "src").mkdir()
    with pytest.raises(SourceError, match="src is not a source tree") as error:
        find_packaging(tree / "src", "src")
    assert error.value.hint == "debkit build a"


def test_an_empty_directory_is_not_a_source_tree(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not a source tree") as error:
        find_packaging(tmp_path, ".")
    assert "dh_make" in error.value.hint


def test_no_changelog_is_told_apart_from_no_tree(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "a")
    (tree / "debian/changelog").unlink()
    with pytest.raises(SourceError, match="a has no debian/changelog") as error:
        find_packaging(tree, "a")
    assert error.value.hint.endswith("dch --create")
