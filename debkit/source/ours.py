"""What `debkit init` has put into a tree: it is there for debkit and for GitHub, and is no part of the source package.

Where that would count as a change to upstream's files, dpkg-source by hand is told the same by debian/source/local-options, which
is never in a source package itself (dpkg-source(1)). A native source made by hand has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARK = "written by debkit init"  # in the first line; whoever takes it out makes the file part of the source
NAMES = (
    ".github/workflows/release.yml",
    ".gitignore",
    "config/debkit.toml",
    "debkit.mk",
    "repo/conf/distributions",
    "repo/conf/options",
    "repo/conf/uploaders",
)


def is_ours(tree: Path, name: str) -> bool:
    """Whether the file `name` of the tree is debkit's, and as init wrote it or changed since, but not the project's own."""
    if name not in NAMES or not (tree / name).is_file():
        return False
    with (tree / name).open("rb") as stream:
        return MARK.encode() in stream.readline()
