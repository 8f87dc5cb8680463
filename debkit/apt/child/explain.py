"""Find out why packages cannot be installed: the one name or version that is at fault, and the way that leads to it.

apt says only that what it was asked for "is not going to be installed". Here the reachable versions are taken as a graph, and
those that nothing can satisfy are struck out until none is left; where all could be had alone, two of them must conflict.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import apt_pkg

from debkit.apt.child.wanted import DUMMY, relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from debkit.apt.child.system import Json

STRONG = ("PreDepends", "Depends")
AGAINST = {"Conflicts": "conflicts with", "Breaks": "breaks"}
MOST = 6  # reasons that a reader takes in
ALIKE = 3  # characters that two names which look alike may differ in length


def why_not(cache: Any, roots: list[Any]) -> Json:
    """Tell why these versions cannot be installed.

    Gives the culprit (a name), the case (absent, version, conflict, unclear), lines that tell it, and names like the culprit's.
    """
    depcache = apt_pkg.DepCache(cache)
    depcache.init()  # it is the cache's one and only, and apt's resolver takes candidates away as it fails
    for root in roots:
        depcache.set_candidate_ver(root.parent_pkg, root)
    view = View(depcache)
    impossible = view.impossible(roots)
    for root in roots:
        if root.id in impossible:
            return view.trail(cache, root, impossible)
    return conflict(cache, depcache, roots)


class View:
    """What apt may choose among: of each package its candidate and what is installed."""

    def __init__(self, depcache: Any) -> None:
        self._depcache = depcache

    def targets(self, group: list[Any]) -> list[Any]:
        """Give the versions that would satisfy one group of alternatives."""
        return [version for dependency in group for version in dependency.all_targets() if self._usable(version)]

    def impossible(self, roots: list[Any]) -> set[int]:
        """Give the ids of the reachable versions that cannot be installed whatever is chosen, conflicts left aside."""
        needs: dict[int, list[list[int]]] = {}
        queue = list(roots)
        while queue:
            version = queue.pop()
            if version.id in needs:
                continue
            needs[version.id] = []
            for group in groups(version):
                targets = self.targets(group)
                needs[version.id].append([target.id for target in targets])
                queue += [target for target in targets if target.id not in needs]
        impossible: set[int] = set()
        while True:
            more = {
                version
                for version, wanted in needs.items()
                if version not in impossible and any(all(target in impossible for target in targets) for targets in wanted)
            }
            if not more:
                return impossible
            impossible |= more

    def trail(self, cache: Any, version: Any, impossible: set[int]) -> Json:
        """Follow what cannot be had from a version down to the name or version that is missing."""
        lines: list[str] = []
        walked: set[int] = set()
        while True:
            walked.add(version.id)
            group = next(g for g in groups(version) if all(t.id in impossible for t in self.targets(g)))
            wish = " | ".join(told(dependency) for dependency in group)
            lines.append(f"{_who(version)} needs {wish}")
            deeper = [target for target in self.targets(group) if target.id not in walked]
            if not deeper:
                return {**missing(cache, group), "lines": [*lines, *missing(cache, group)["lines"]]}
            version = deeper[0]

    def _usable(self, version: Any) -> bool:
        package = version.parent_pkg
        candidate = self._depcache.get_candidate_ver(package)
        return any(other is not None and other.id == version.id for other in (candidate, package.current_ver))


def groups(version: Any) -> list[list[Any]]:
    return [group for kind in STRONG for group in version.depends_list.get(kind, ())]


def _forbidden(version: Any) -> list[list[Any]]:
    return [group for kind in AGAINST for group in version.depends_list.get(kind, ())]


def told(dependency: Any) -> str:
    return relation(dependency.target_pkg.get_fullname(pretty=True), dependency.target_ver, dependency.comp_type)


def missing(cache: Any, group: list[Any]) -> Json:
    """Tell what there is instead of what a group of alternatives asks for."""
    first = group[0].target_pkg
    name, versions = first.name, sorted({v.ver_str for v in first.version_list})
    if versions:
        text = f"there is no other {name} than {', '.join(versions)}"
        return {"culprit": told(group[0]), "case": "version", "lines": [text], "near": []}
    others = sorted({v.arch for p in _same_name(cache, name) for v in p.version_list})
    if others:
        text = f"{name} is there only for {', '.join(others)}, and not for use by {first.architecture}"
        return {"culprit": name, "case": "absent", "lines": [text], "near": []}
    near = nearest(name, (p.name for p in cache.packages if p.has_versions))
    return {"culprit": name, "case": "absent", "lines": [f"there is no package {name}"], "near": near}


def conflict(cache: Any, depcache: Any, roots: list[Any]) -> Json:
    """Mark everything that is wanted and tell which of it cannot stand together."""
    with apt_pkg.ActionGroup(depcache):
        for auto in (False, True):
            for root in roots:
                depcache.mark_install(root.parent_pkg, auto, True)  # noqa: FBT003 (python-apt takes no keyword)
    found = Clashes(depcache)
    broken = [version for p in cache.packages if (version := after(depcache, p)) is not None and depcache.is_inst_broken(p)]
    clashes = [clash for version in (*roots, *broken) for clash in found.below(version)]
    lines = list(dict.fromkeys(line for _, line in clashes))[:MOST]
    return {
        "culprit": next((name for name, _ in clashes if name), ""),
        "case": "conflict" if lines else "unclear",
        "lines": lines or ["apt found no way to have them all together"],
        "near": [],
    }


class Clashes:
    """Walks from what is wanted down to what keeps it out, with all marked that apt could mark."""

    def __init__(self, depcache: Any) -> None:
        self._depcache = depcache
        self._walked: set[int] = set()

    def below(self, version: Any) -> Iterator[tuple[str, str]]:
        """Give who forbids it (or nobody) and a line, for each thing that a version needs, itself included, and does not get."""
        if version.id in self._walked:
            return
        self._walked.add(version.id)
        yield from self._against(version)
        for group in groups(version):
            targets = [target for dependency in group for target in dependency.all_targets()]
            if any(is_there(self._depcache, target) for target in targets):
                continue
            yield "", f"{_who(version)} needs {' | '.join(map(told, group))}"
            for target in targets:
                yield from self.below(target)

    def _against(self, version: Any) -> Iterator[tuple[str, str]]:
        """Tell which package that would be there conflicts with a version, or it with that."""
        for dependency in (d for group in _forbidden(version) for d in group):
            for target in dependency.all_targets():
                if target.parent_pkg.id != version.parent_pkg.id and is_there(self._depcache, target):
                    yield self._line(version, dependency, target)
        for dependency in version.parent_pkg.rev_depends_list:
            against = dependency.dep_type_untranslated in AGAINST and is_there(self._depcache, dependency.parent_ver)
            if against and any(target.id == version.id for target in dependency.all_targets()):
                yield self._line(dependency.parent_ver, dependency, version)

    @staticmethod
    def _line(version: Any, dependency: Any, target: Any) -> tuple[str, str]:
        verb = AGAINST[dependency.dep_type_untranslated]
        name = "" if version.parent_pkg.name == DUMMY else version.parent_pkg.name
        other = f"{target.parent_pkg.name} {target.ver_str}"
        return name, f"{_who(version)} {verb} {told(dependency)}, and {other} is wanted too"


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Give up to three names that look like this one.

    Only names of a like length and the same first letter are compared, since there are tens of thousands.
    """
    alike = {other for other in names if other[:1] == name[:1] and abs(len(other) - len(name)) <= ALIKE}
    return difflib.get_close_matches(name, sorted(alike), n=3, cutoff=0.75)


def _who(version: Any) -> str:
    name = version.parent_pkg.name
    return "the source" if name == DUMMY else f"{name} {version.ver_str}"


def _same_name(cache: Any, name: str) -> list[Any]:
    return [cache[name, arch] for arch in apt_pkg.get_architectures() if (name, arch) in cache]


def after(depcache: Any, package: Any) -> Any:
    """Give the version that would be there once the marks were acted on, or None."""
    if depcache.marked_delete(package):
        return None
    if depcache.marked_keep(package):
        return package.current_ver
    return depcache.get_candidate_ver(package)


def is_there(depcache: Any, version: Any) -> bool:
    there = after(depcache, version.parent_pkg)
    return there is not None and bool(there.id == version.id)
