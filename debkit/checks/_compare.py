"""The differences between one package on two architectures. Pure: no process is started and no .deb is read.

The text of a finding begins with what differs, a file or a name, and a colon: the configuration accepts by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.checks import _debs, _elf_facts
from debkit.checks._names import first_difference, match, shown
from debkit.host import runs_natively
from debkit.model import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from debkit.checks._contents import Contents
    from debkit.checks._names import Match

RELATIONS = (
    "Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Breaks", "Conflicts", "Replaces", "Provides"
)  # fmt: skip
# The architecture itself, sizes, hashes, and what compilers were used. Of the rest every field must agree.
OF_THE_ARCHITECTURE = frozenset({"architecture", "package", "installed-size", "build-ids"})
SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config", "templates", "triggers")
SYMBOLS = ("symbols", "shlibs")

Versions = tuple[tuple[str, str], ...]  # an operator and a version for each alternative, both empty where any will do


@dataclass(frozen=True, slots=True)
class Pair:
    """A package and its peer."""

    ours: Contents
    theirs: Contents

    @property
    def arches(self) -> tuple[str, str]:
        return self.ours.target.arch, self.theirs.target.arch

    def differ(self, tag: str, what: str, text: str, severity: Severity = Severity.ERROR) -> Finding:
        return Finding(severity=severity, tag=tag, package=self.ours.name, text=f"{what}: {text}")

    def both(self, ours: object, theirs: object) -> str:
        """Say what either has."""
        return f"{ours} in {self.ours.target}, {theirs} in {self.theirs.target}"

    def alone(self, tag: str, found: Match, kind: str = "") -> Iterator[Finding]:
        """Tell of what one side only has."""
        for side, names in ((self.ours, found.ours), (self.theirs, found.theirs)):
            yield from (self.differ(tag, name, f"{kind}only in {side.target}") for name in names)


def packages(ours: tuple[Contents, ...], theirs: tuple[Contents, ...]) -> tuple[tuple[Pair, ...], tuple[Finding, ...]]:
    """Pair the packages of two builds, and tell of those that one of them lacks, be it debug symbols only."""
    mine, yours = ({each.name: each for each in side} for side in (ours, theirs))
    if not mine or not yours:
        pairs: list[tuple[str, str]] = []
        missing = [*mine.values(), *yours.values()]
    else:
        arches = ours[0].target.arch, theirs[0].target.arch
        found = match(mine, yours, arches)
        pairs, missing = found.pairs, [*(mine[name] for name in found.ours), *(yours[name] for name in found.theirs)]
    findings = (
        Finding(severity=Severity.ERROR, tag="package-missing", package=each.name, text=f"{each.name}: only in {each.target}")
        for each in missing
    )
    return tuple(Pair(mine[own], yours[other]) for own, other in pairs), tuple(findings)


def fields(pair: Pair) -> Iterator[Finding]:
    """Compare the control fields that are neither dependencies nor different by nature."""
    mine, yours = ({key.lower(): value for key, value in side.fields.items()} for side in (pair.ours, pair.theirs))
    names = {key.lower(): key for key in (*pair.theirs.fields, *pair.ours.fields)}
    for key in sorted(names.keys() - OF_THE_ARCHITECTURE - {name.lower() for name in RELATIONS}):
        own, other = mine.get(key), yours.get(key)
        if key.endswith("built-using") or own == other:
            continue
        if own is None or other is None or first_difference(own, other, pair.arches):
            yield pair.differ("field-differs", names[key], pair.both(shown(own), shown(other)))


def files(pair: Pair) -> Iterator[Finding]:
    """Compare which files there are, of which kind, and where symbolic links lead."""
    found = match(pair.ours.entries, pair.theirs.entries, pair.arches)
    yield from pair.alone("file-in-one-architecture-only", found)
    for own, other in found.pairs:
        mine, yours = pair.ours.entries[own], pair.theirs.entries[other]
        if mine.kind != yours.kind:
            yield pair.differ("file-kind-differs", own, pair.both(f"a {mine.kind}", f"a {yours.kind}"))
        elif not match([mine.link], [yours.link], pair.arches).pairs:
            yield pair.differ("link-differs", own, pair.both(f"it leads to {mine.link}", f"to {yours.link}"))


def modes(pair: Pair) -> Iterator[Finding]:
    """Compare modes and owners."""
    for own, other in match(pair.ours.entries, pair.theirs.entries, pair.arches).pairs:
        mine, yours = pair.ours.entries[own], pair.theirs.entries[other]
        if mine.kind == yours.kind and mine.mode != yours.mode:
            yield pair.differ("mode-differs", own, pair.both(f"{mine.mode:04o}", f"{yours.mode:04o}"))
        if mine.owner != yours.owner:
            yield pair.differ("owner-differs", own, pair.both(mine.owner, yours.owner))


def dependencies(pair: Pair) -> Iterator[Finding]:
    """Compare the names in every dependency field, with their alternatives, and then the versions.

    dpkg-shlibdeps takes the least version that has the symbols in use, which may differ; it does not fail.
    """
    for field in RELATIONS:
        mine, yours = _groups(pair.ours, field), _groups(pair.theirs, field)
        found = match(mine, yours, pair.arches)
        yield from pair.alone("dependency-differs", found, f"in {field} ")
        for own, other in found.pairs:
            if mine[own] != yours[other]:
                told = pair.both(_versions(mine[own]), _versions(yours[other]))
                minimal = {operator for group in (*mine[own], *yours[other]) for operator, _ in group} <= {">=", ""}
                severity = Severity.WARNING if minimal else Severity.ERROR
                yield pair.differ("dependency-differs", own, f"in {field} {told}", severity)


def _groups(package: Contents, field: str) -> dict[str, list[Versions]]:
    """Give the versions that a field demands by "NAME:ARCH | NAME"; a name may be there twice, with a range of versions."""
    found: dict[str, list[Versions]] = {}
    for group in _debs.alternatives(package.fields, field):
        names = " | ".join(each["name"] + (f":{each['archqual']}" if each.get("archqual") else "") for each in group)
        found.setdefault(names, []).append(tuple(each["version"] or ("", "") for each in group))
    return {name: sorted(versions) for name, versions in found.items()}


def _versions(found: list[Versions]) -> str:
    return ", ".join(" | ".join(" ".join(each) if any(each) else "any version" for each in group) for group in found)


def conffiles(pair: Pair) -> Iterator[Finding]:
    """Compare which conffiles there are, and what is in them."""
    found = match(pair.ours.conffiles, pair.theirs.conffiles, pair.arches)
    yield from pair.alone("conffile-differs", found, "a conffile ")
    yield from _texts(pair, "conffile-differs", found.pairs, pair.ours.texts, pair.theirs.texts)


def units(pair: Pair) -> Iterator[Finding]:
    """Compare what is in systemd's units, and what it is to make of users and files."""
    pairs = match(pair.ours.units, pair.theirs.units, pair.arches).pairs
    yield from _texts(pair, "unit-differs", pairs, pair.ours.texts, pair.theirs.texts)


def scripts(pair: Pair) -> Iterator[Finding]:
    """Compare maintainer scripts, and what debconf and dpkg do for the package."""
    mine, yours = ({name for name in SCRIPTS if name in side.control} for side in (pair.ours, pair.theirs))
    found = match(mine, yours, pair.arches)
    yield from pair.alone("script-differs", found)
    yield from _texts(pair, "script-differs", found.pairs, pair.ours.control, pair.theirs.control)


def _texts(
    pair: Pair, tag: str, names: list[tuple[str, str]], ours: Mapping[str, bytes], theirs: Mapping[str, bytes]
) -> Iterator[Finding]:
    for own, other in names:
        if own not in ours or other not in theirs or ours[own] == theirs[other]:
            continue
        found = first_difference(
            ours[own].decode(errors="backslashreplace"), theirs[other].decode(errors="backslashreplace"), pair.arches
        )
        if found:
            line, mine, yours = found
            yield pair.differ(tag, own, pair.both(f"line {line} is {mine}", yours))


def symbols(pair: Pair) -> Iterator[Finding]:
    """Compare what libraries offer: dpkg's symbols and shlibs files, and where there are none the libraries themselves."""
    for name in SYMBOLS:
        mine, yours = (
            side.control.get(name, b"").decode(errors="backslashreplace").splitlines() for side in (pair.ours, pair.theirs)
        )
        yield from _gap(pair, name, "line", match(mine, yours, pair.arches))
    for own, copy, model_copy in linked(pair):
        offer, model = _elf_facts.interface(copy), _elf_facts.interface(model_copy)
        if not offer or not model:
            continue
        if not match([offer.soname], [model.soname], pair.arches).pairs:
            yield pair.differ("symbols-differ", own, pair.both(f"its SONAME is {offer.soname}", model.soname))
        if "symbols" not in pair.ours.control:
            yield from _gap(pair, own, "symbol", match(offer.symbols, model.symbols, pair.arches))


def linked(pair: Pair) -> Iterator[tuple[str, Path, Path]]:
    """Give the programs and libraries that both packages have: our path, our copy and theirs."""
    mine, yours = ({elf.path: elf.copy for elf in side.elfs if elf.copy} for side in (pair.ours, pair.theirs))
    for own, other in match(mine, yours, pair.arches).pairs:
        yield own, mine[own], yours[other]


def _gap(pair: Pair, what: str, kind: str, found: Match) -> Iterator[Finding]:
    """Tell of lines or symbols that are on one side only, all in one."""
    for side, names in ((pair.ours, found.ours), (pair.theirs, found.theirs)):
        if names:
            count = f"{len(names)} {kind}s" if len(names) > 1 else f"a {kind}"
            yield pair.differ("symbols-differ", what, f"{count} only in {side.target}: {', '.join(names[:3]).strip()}")


def machines(package: Contents) -> Iterator[Finding]:
    """Tell of every ELF file that its package's architecture does not run."""
    arch = package.target.arch
    for elf in package.elfs:
        if elf.machine and not runs_natively(arch, elf.machine):
            text = f"{elf.path}: of {elf.machine}, in a package of {package.target}"
            yield Finding(severity=Severity.ERROR, tag="wrong-architecture-elf", package=package.name, text=text)


PARTS: dict[str, Callable[[Pair], Iterator[Finding]]] = {
    "control fields": fields,
    "files": files,
    "modes and owners": modes,
    "dependencies": dependencies,
    "conffiles": conffiles,
    "maintainer scripts": scripts,
    "symbols": symbols,
    "units": units,
}
