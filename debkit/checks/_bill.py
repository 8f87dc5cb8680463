"""A bill of materials as plain values: what the build made, of which source, and what that needs at run time.

It is the same for the same packages and lists: its serial number comes from its content, its time from the changelog.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from distro_info import UbuntuDistroInfo

from debkit import __version__
from debkit.checks._licence import Licence
from debkit.source.results import unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.apt import Member
    from debkit.checks._needs import Needs
    from debkit.model import Target
    from debkit.source.results import ChangesFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """A Maintainer field, taken apart. `team` is a guess by the name: Debian does not tell people from teams."""

    name: str
    email: str
    team: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A package, or the source that was built. `purl` names it in the bill; `depends` are the purls of others.

    `source` is what a package was built from, as "NAME VERSION". `sha256` is of its .deb or .dsc, `licence` an SPDX expression;
    what is empty is not known.
    """

    purl: str
    name: str
    version: str
    arch: str
    source: str
    sha256: str
    supplier: Supplier | None
    licence: str = ""
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """`created` is in ISO 8601, UTC; `built` are the purls of what the build made out of `source`."""

    name: str
    created: str
    tool: str
    source: Component
    built: tuple[str, ...]
    packages: tuple[Component, ...]
    licence: Licence
    serial: str = ""


def draw(needs: Needs, changes: ChangesFile, dsc: Path | None, licence: Licence, target: Target) -> Bill:
    """Draw up the bill of one build."""
    made = next(member for member in needs.members if member.name in needs.built)
    purls = {member.name: purl(member.name, member.version, member.arch, target.suite) for member in needs.members}
    packages = tuple(_component(member, purls, licence if member.name in needs.built else Licence()) for member in needs.members)
    source = Component(
        purl=purl(made.source, made.source_version, "source", target.suite),
        name=made.source,
        version=made.source_version,
        arch="source",
        source="",
        sha256=hashlib.sha256(dsc.read_bytes()).hexdigest() if dsc else "",
        supplier=supplier(made.maintainer),
        licence=licence.expression,
    )
    bill = Bill(
        name=f"{made.source} {changes.version} for {target}",
        created=_created(changes),
        tool=__version__,
        source=source,
        built=tuple(purls[name] for name in sorted(needs.built & purls.keys())),
        packages=packages,
        licence=licence,
    )
    return replace(bill, serial=str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(asdict(bill)))))


def purl(name: str, version: str, arch: str, suite: str) -> str:
    """Name a package as the package URL specification does for deb."""
    vendor = "ubuntu" if suite in UbuntuDistroInfo().all else "debian"
    return f"pkg:deb/{vendor}/{quote(name)}@{quote(version, safe=':')}?arch={arch}&distro={suite}"


def supplier(maintainer: str) -> Supplier | None:
    found = re.fullmatch(r"\s*(.*?)\s*<([^<>]*)>\s*", maintainer)
    if not found:
        return None
    team = re.search(r"team|group|maint|developers|@lists\.|@tracker\.", maintainer, re.IGNORECASE)
    return Supplier(name=found[1].strip('"'), email=found[2], team=team is not None)


def _created(changes: ChangesFile) -> str:
    try:
        moment = parsedate_to_datetime(changes.date)
    except ValueError as problem:
        raise unreadable(changes.path, f"its Date cannot be read: {problem}") from problem
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _component(member: Member, purls: dict[str, str], licence: Licence) -> Component:
    return Component(
        purl=purls[member.name],
        name=member.name,
        version=member.version,
        arch=member.arch,
        source=f"{member.source} {member.source_version}",
        sha256=member.sha256,
        supplier=supplier(member.maintainer),
        licence=licence.expression,
        depends=tuple(purls[name] for name in member.depends if name in purls),
    )
