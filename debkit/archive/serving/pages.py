"""GitHub Pages: what a site there may be (docs.github.com, "GitHub Pages limits" and "About large files on GitHub")."""

from __future__ import annotations

import os
from pathlib import Path

from debkit.errors import ArchiveError

SITE_BYTES = 10**9
FILE_BYTES = 100 * 10**6
NO_JEKYLL = ".nojekyll"  # or what begins with a dot or an underscore is left out, and Markdown made into something else
NAMED = 5


def demand(base: Path, files: frozenset[str], root: Path) -> None:
    """Check that the files of `base`, and whatever else `root` has outside of .git, can be a site. Raises ArchiveError."""
    sizes = {name: (base / name).stat().st_size for name in files}
    for directory, names, others in os.walk(root):
        names[:] = [name for name in names if name != ".git"]
        paths = (Path(directory) / name for name in others)
        sizes |= {name: path.lstat().st_size for path in paths if (name := path.relative_to(root).as_posix()) not in files}
    large = sorted((name for name in sizes if sizes[name] > FILE_BYTES), key=sizes.__getitem__, reverse=True)
    if large:
        raise ArchiveError(
            f"GitHub takes no file of more than {_megabytes(FILE_BYTES)}",
            cause="\n".join(f"{name} has {_megabytes(sizes[name])}" for name in large),
            hint="deploy to a server of your own, or make the package smaller",
        )
    if (total := sum(sizes.values())) > SITE_BYTES:
        largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:NAMED]
        raise ArchiveError(
            f"the site would have {_megabytes(total)}, and GitHub Pages take {_megabytes(SITE_BYTES)}",
            cause="\n".join(("its largest files:", *(f"{name} has {_megabytes(sizes[name])}" for name in largest))),
            hint="debkit repo prune --keep 1, which removes what only states from before [archive] grace have;"
            " or deploy to a server of your own",
        )


def _megabytes(size: int) -> str:
    return f"{size / 10**6:,.1f} MB"
