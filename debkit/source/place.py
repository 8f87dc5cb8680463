"""Which of the three things a source can be given as: a tree, a .dsc, or a package's name; and where a tree's packaging is."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from debkit.errors import SourceError

PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian policy 5.6.1
LAYOUTS = ("debian", "packaging/debian")


class Kind(Enum):
    """What was given."""

    TREE = "tree"
    DSC = "dsc"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Place:
    """What was given, decided. `path` has nothing to say of a name."""

    kind: Kind
    given: str

    @property
    def path(self) -> Path:
        return Path(os.path.abspath(self.given))  # noqa: PTH100 (resolve() would follow a link that the user chose to name)


def locate(where: str) -> Place:
    """Decide by looking: what exists is a path, and so is what holds a slash or ends in .dsc; else it names a package."""
    path = Path(where)
    if not where.strip():
        raise SourceError(
            "the source has an empty name", cause="perhaps a shell variable that is not set", hint="debkit build . for this tree"
        )
    if path.is_dir():
        return Place(Kind.TREE, where)
    if path.is_file() and path.suffix == ".dsc":
        return Place(Kind.DSC, where)
    if path.exists():
        raise SourceError(
            f"{where} is neither a source tree nor a .dsc",
            cause="a source is a directory with debian/ or packaging/debian/, a .dsc file, or the name of a package",
            hint=f"debkit build {path.parent}",
        )
    if "/" in where or path.suffix == ".dsc":
        raise _missing(path)
    if PACKAGE_NAME.fullmatch(where):
        return Place(Kind.NAME, where)
    idea = nearest_name(where)
    raise SourceError(
        f"{where!r} is neither a path that exists nor a valid package name",
        cause="package names have lower-case letters, digits, '+', '-' and '.', at least two (Debian policy 5.6.1)",
        hint=f"debkit build {idea}" if idea else "debkit build PATH-OF-A-SOURCE-TREE",
    )


def nearest_name(text: str) -> str:
    """Guess the valid package name that was meant (apt's NAME=VERSION and dpkg's NAME_VERSION too), or nothing."""
    start = re.split(r"[=:,\s]|_(?=\d)", text.strip().lower())[0]
    idea = re.sub(r"[^a-z0-9+.-]", "", start.replace("_", "-")).lstrip("+.-")
    return idea if PACKAGE_NAME.fullmatch(idea) else ""


def find_packaging(tree: Path, given: str) -> str:
    """Find the directory in the tree that becomes debian/, as a relative path. Raises SourceError when there is none or two."""
    found = [layout for layout in LAYOUTS if (tree / layout).is_dir()]
    if (tree / "debian").is_symlink() and "debian" in found:
        found = [_linked(tree)]
    if not found:
        raise _not_a_tree(tree, given)
    if len(found) > 1:
        raise SourceError(
            f"{given} has two packagings: debian/ and packaging/debian/",
            cause="only one of them can become debian/ in the source package",
            hint=f"git -C {given} rm -r debian\nor: git -C {given} rm -r packaging/debian",
        )
    if not (tree / found[0] / "changelog").is_file():
        raise SourceError(
            f"{given} has no {found[0]}/changelog",
            cause="the source package's name and version are read from it",
            hint=f"cd {tree / found[0]}/.. && dch --create",
        )
    return found[0]


def _linked(tree: Path) -> str:
    """Where a debian/ that is a symbolic link leads."""
    target, root = (tree / "debian").resolve(), tree.resolve()
    if root not in target.parents:
        raise SourceError(
            f"{tree / 'debian'} is a link out of the tree",
            cause=f"it leads to {target}, so the tree does not hold all of its source",
            hint="put debian/ or packaging/debian/ into the tree itself",
        )
    return target.relative_to(root).as_posix()


def _missing(path: Path) -> SourceError:
    try:
        siblings = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        siblings = []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    return SourceError(
        f"{path} does not exist",
        cause=f"the nearest name there is {close[0]}" if close else "the path is mistyped, or relative to another directory",
        hint=f"debkit build {path.parent / close[0]}" if close else f"ls {path.parent}",
    )


def _not_a_tree(tree: Path, given: str) -> SourceError:
    inside = sorted(
        found.parent.parent if layout == "debian" else found.parent.parent.parent
        for layout in LAYOUTS
        for depth in ("", "*/", "*/*/")
        for found in tree.glob(f"{depth}{layout}/changelog")
    )
    around = [parent for parent in tree.parents if any((parent / layout / "changelog").is_file() for layout in LAYOUTS)]
    idea = next(iter(inside or around), None)
    return SourceError(
        f"{given} is not a source tree",
        cause="it has neither debian/ nor packaging/debian/" + (f"; {idea} has" if idea else ""),
        hint=f"debkit build {os.path.relpath(idea)}" if idea else f"cd {given} && dh_make --createorig\nor: name another tree",
    )
