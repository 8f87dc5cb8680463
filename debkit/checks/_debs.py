"""The .debs of one build: what they say of themselves, and which of them can be installed together."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debian.deb822 import Deb822, PkgRelation
from debian.debian_support import version_compare

from debkit.run import Command

if TYPE_CHECKING:
    from debkit.model import Target
    from debkit.run import Run


@dataclass(frozen=True, slots=True)
class Relation:
    """One package of a dependency field; `operator` is empty where any version will do."""

    name: str
    operator: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A .deb by its control file. `depends` is what Pre-Depends and Depends want, each with its alternatives."""

    path: Path
    name: str
    version: str
    arch: str
    depends: tuple[tuple[Relation, ...], ...] = ()
    conflicts: tuple[Relation, ...] = ()
    breaks: tuple[Relation, ...] = ()
    replaces: tuple[Relation, ...] = ()
    provides: tuple[str, ...] = ()
    debug: bool = False

    @property
    def refuses(self) -> tuple[Relation, ...]:
        """What it cannot be installed with."""
        return (*self.conflicts, *self.breaks)


def read(run: Run, paths: tuple[Path, ...]) -> tuple[Deb, ...]:
    """Read the control files of .debs, each package once."""
    debs = {(deb := parse(path, run(Command(argv=("dpkg-deb", "--field", os.fspath(path)))).stdout)).name: deb for path in paths}
    return tuple(debs.values())


def damaged(run: Run, paths: tuple[Path, ...]) -> tuple[tuple[Path, str], ...]:
    """Give the .debs that cannot be read to their end, such as one that is cut off, and what dpkg-deb says of each."""
    found = []
    for path in filter(Path.is_file, paths):
        done = run(Command(argv=("dpkg-deb", "--contents", os.fspath(path)), ok=frozenset({0, 2})))
        if done.code != 0:
            said = next((line for line in done.tail if line.startswith("dpkg-deb")), "it does not say why")
            found.append((path, said.rpartition(": ")[2]))
    return tuple(found)


def parse(path: Path, control: str) -> Deb:
    """Read one control file. `Auto-Built-Package: debug-symbols` marks what debhelper made beside the packages."""
    fields = Deb822(control)
    return Deb(
        path=path,
        name=fields["Package"],
        version=fields["Version"],
        arch=fields["Architecture"],
        depends=(*_groups(fields, "Pre-Depends"), *_groups(fields, "Depends")),
        conflicts=_relations(fields, "Conflicts"),
        breaks=_relations(fields, "Breaks"),
        replaces=_relations(fields, "Replaces"),
        provides=tuple(relation.name for relation in _relations(fields, "Provides")),
        debug=fields.get("Auto-Built-Package") == "debug-symbols",
    )


def installable(debs: tuple[Deb, ...], target: Target) -> tuple[Deb, ...]:
    """Leave out what no user of the target installs. A udeb is for the Debian installer alone."""
    return tuple(deb for deb in debs if not deb.debug and deb.path.suffix == ".deb" and deb.arch in {target.arch, "all"})


def rounds(debs: tuple[Deb, ...]) -> tuple[tuple[Deb, ...], ...]:
    """Part packages into rounds of what can be installed together: one round, unless packages of the source conflict.

    A package brings along those of the source that it depends on, since the suite has none of that version.
    """
    found = []
    left = list(debs)
    while left:
        chosen: list[Deb] = []
        for deb in left:
            wanted = _with_dependencies(deb, debs)
            if not any(_clash(a, b) for a in (*chosen, *wanted) for b in wanted):
                chosen += [each for each in wanted if each not in chosen]
        if not chosen:  # it conflicts with its own dependency: let apt say so
            chosen = list(_with_dependencies(left[0], debs))
        found.append(tuple(deb for deb in debs if deb in chosen))
        left = [deb for deb in left if deb not in chosen]
    return tuple(found)


def means(relations: tuple[Relation, ...], deb: Deb) -> bool:
    """Whether one of the relations is about this version of the package, by its own name."""
    return any(relation.name == deb.name and _holds(deb.version, relation) for relation in relations)


def _with_dependencies(deb: Deb, debs: tuple[Deb, ...]) -> tuple[Deb, ...]:
    """Give a package and what it brings along of the source: of alternatives the first, and the real package of a name."""
    found = [deb]
    for each in found:
        for group in each.depends:
            names = [relation.name for relation in group]
            real = (other for name in names for other in debs if other.name == name)
            virtual = (other for name in names for other in debs if name in other.provides)
            candidates = (*real, *virtual)
            if candidates and not any(other in found for other in candidates):
                found.append(candidates[0])
    return tuple(found)


def _clash(one: Deb, other: Deb) -> bool:
    return one != other and (_refuses(one, other) or _refuses(other, one))


def _refuses(one: Deb, other: Deb) -> bool:
    """Whether `one` cannot be there with `other`. A versioned relation does not mean a virtual package (policy 7.5)."""
    return means(one.refuses, other) or any(relation.name in other.provides and not relation.operator for relation in one.refuses)


def _holds(version: str, relation: Relation) -> bool:
    if not relation.operator:
        return True
    order: int = version_compare(version, relation.version)
    return {"<<": order < 0, "<=": order <= 0, "=": order == 0, ">=": order >= 0, ">>": order > 0}[relation.operator]


def alternatives(fields: Deb822, name: str) -> list[list[dict[str, Any]]]:
    """Read a dependency field as python-debian does: what is to be there, each with its alternatives."""
    # Substitution variables may leave empty members (", , libc6"), which python-debian only warns of.
    text = re.sub(r"(?:^|,)\s*(?=,|$)", "", fields.get(name, ""))
    parsed: list[list[dict[str, Any]]] = PkgRelation.parse_relations(text) if text.strip() else []  # type: ignore[assignment]
    return parsed


def _groups(fields: Deb822, name: str) -> tuple[tuple[Relation, ...], ...]:
    return tuple(
        tuple(Relation(each["name"], *(each["version"] or ("", ""))) for each in group) for group in alternatives(fields, name)
    )


def _relations(fields: Deb822, name: str) -> tuple[Relation, ...]:
    return tuple(relation for group in _groups(fields, name) for relation in group)
