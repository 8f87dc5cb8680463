"""What a suite offers, as a person looks at it: sources, each with its packages. Read from the suite's indices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from debian.debian_support import Version

if TYPE_CHECKING:
    from pathlib import Path

# Fields of a stanza that begins with a newline.
PACKAGE, VERSION, SOURCE = "\nPackage: ", "\nVersion: ", "\nSource: "
ARCHITECTURE, DESCRIPTION, FILENAME = "\nArchitecture: ", "\nDescription: ", "\nFilename: "


class Package(NamedTuple):
    """One version of a package, and the architectures that have it. `file` is one of its files under the base."""

    name: str
    version: str
    arches: tuple[str, ...]
    summary: str
    file: str


class Offer(NamedTuple):
    """A source that a suite has packages of, and the newest version that it has of it."""

    source: str
    version: str
    packages: tuple[Package, ...]

    @property
    def dsc(self) -> str:
        """Where its .dsc is in the pool, under the base."""
        directory = self.packages[0].file.rpartition("/")[0]
        return f"{directory}/{self.source}_{self.version.partition(':')[2] or self.version}.dsc"


@dataclass(slots=True)
class _Found:
    """A source while the indices are read: the versions of it, and by name and version its packages with their architectures."""

    versions: set[str] = field(default_factory=set)
    packages: dict[tuple[str, str], tuple[str, set[str]]] = field(default_factory=dict)


def read_offers(base: Path, suite: str) -> tuple[Offer, ...]:
    """Read what a suite offers to those who install packages, by source; debug symbols are left out.

    A publish waits for it: 20 000 packages take 0.1 s, and would take python-debian as many as 10 s.
    """
    found: dict[str, _Found] = {}
    for index in sorted((base / "dists" / suite).glob("*/binary-*/Packages")):
        for stanza in f"\n{index.read_text(encoding='utf-8')}".replace("\n\n", "\n\n\n").split("\n\n"):
            name, version = _value(stanza, PACKAGE), _value(stanza, VERSION)
            if not name or name.endswith("-dbgsym"):
                continue
            source, _, source_version = (_value(stanza, SOURCE) or name).partition(" ")
            of_source = found.get(source) or found.setdefault(source, _Found())
            of_source.versions.add(source_version.strip("()") or version)
            arch = _value(stanza, ARCHITECTURE)
            if known := of_source.packages.get((name, version)):
                known[1].add(arch)
            else:
                of_source.packages[name, version] = (stanza, {arch})
    return tuple(_offer(source, found[source]) for source in sorted(found))


def _offer(source: str, found: _Found) -> Offer:
    newest = max(found.versions, key=Version) if len(found.versions) > 1 else next(iter(found.versions))
    packages = (
        Package(name, version, tuple(sorted(arches)), _value(stanza, DESCRIPTION), _value(stanza, FILENAME))
        for (name, version), (stanza, arches) in sorted(found.packages.items())
    )
    return Offer(source, newest, tuple(packages))


def _value(stanza: str, name: str) -> str:
    """Give a field's value, of a long one the first line."""
    start = stanza.find(name)
    if start < 0:
        return ""
    end = stanza.find("\n", start + 1)
    return stanza[start + len(name) : end if end >= 0 else None]
