"""What git says of the tag that is to be released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.release.named import missing_tag
from tests.trees import commit, git, make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes


def test_a_tag_that_git_does_not_have_is_told_with_the_ones_that_it_has(run: Processes, tmp_path: Path) -> None:
    assert missing_tag(run, "v1.0", tmp_path) is None
    assert missing_tag(run, "v1.0", tmp_path / "hello") is None
    tree = make_tree(tmp_path / "tree")
    commit(tree)
    found = missing_tag(run, "v1.2.0", tree)
    assert found
    assert (found.exit_code, found.what) == (3, f"there is no tag v1.2.0 in {tree}")
    assert found.cause.startswith("it has no tags at all")
    assert found.hint == "git fetch --tags, where another clone has it\nor, to tag the last commit: git tag v1.2.0"
    git(tree, "tag", "-a", "-m", "x", "v1.2.0", date="2024-01-02T00:00:00Z")
    git(tree, "tag", "-a", "-m", "x", "debian/2.0-1", date="2024-01-03T00:00:00Z")
    assert missing_tag(run, "v1.2.0", tree) is None
    for tag, cause in {
        "v1.20": "the nearest is v1.2.0, the last one is debian/2.0-1",
        "debian/2.0-2": "the nearest is debian/2.0-1",
        "NO SUCH": "the last one is debian/2.0-1",
    }.items():
        found = missing_tag(run, tag, tree)
        assert found
        assert found.cause == cause
