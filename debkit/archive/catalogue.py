"""What a suite offers, as a person looks at it: sources, each with its packages. Read from the suite's indices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debian.debian_support import Version

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package, and the architectures that have it. `file` is one of its files under the base."""

    name: str
    version: str
    arches: tuple[str, ...]
    summary: str
    file: str


@dataclass(frozen=True, slots=True)
class Offer:
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
    """A version of a package while the indices are read."""

    summary: str
    file: str
    arches: set[str] = field(default_factory=set)


def read_offers(base: Path, suite: str) -> tuple[Offer, ...]:
    """Read what a suite offers to those who install packages, by source; debug symbols are left out.

    10 000 packages take some 30 ms: python-debian would take as many seconds.
    """
    packages: dict[str, dict[tuple[str, str], _Found]] = {}
    versions: dict[str, set[str]] = {}
    for index in sorted((base / "dists" / suite).glob("*/binary-*/Packages")):
        for stanza in index.read_text(encoding="utf-8").split("\n\n"):
            name, version = _value(stanza, "Package"), _value(stanza, "Version")
            if not name or name.endswith("-dbgsym"):
                continue
            source, _, source_version = (_value(stanza, "Source") or name).partition(" ")
            versions.setdefault(source, set()).add(source_version.strip("()") or version)
            of_source = packages.setdefault(source, {})
            if (name, version) not in of_source:
                of_source[name, version] = _Found(_value(stanza, "Description"), _value(stanza, "Filename"))
            of_source[name, version].arches.add(_value(stanza, "Architecture"))
    return tuple(
        Offer(
            source,
            max(versions[source], key=Version) if len(versions[source]) > 1 else next(iter(versions[source])),
            tuple(
                Package(name, version, tuple(sorted(found.arches)), found.summary, found.file)
                for (name, version), found in sorted(packages[source].items())
            ),
        )
        for source in sorted(packages)
    )


def _value(stanza: str, name: str) -> str:
    """Give a field's value, of a long one the first line."""
    start = 0 if stanza.startswith(f"{name}: ") else stanza.find(f"\n{name}: ") + 1
    if not (start or stanza.startswith(f"{name}: ")):
        return ""
    end = stanza.find("\n", start)
    return stanza[start + len(name) + 2 : end if end >= 0 else None]
