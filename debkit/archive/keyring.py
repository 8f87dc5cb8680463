"""The keyring package: what its source is made of, and which suites need a new version of it.

A user who has it never fetches a key again: while the archive's key is changed for another, everything is signed by both, and an
upgrade brings the new one. Its files lie where the archive's instructions have a user put them by hand, and are the same, so that
dpkg takes them over in silence.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import distro_info
from debian.debian_support import Version

from debkit.archive import client, conf
from debkit.archive.front.catalogue import read_offers
from debkit.archive.render import TEMPLATES, render
from debkit.keys import export_public

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys

CHANGELOG = "debian/changelog"
FORMAT = "3.0 (native)\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A source package to be: its files by their paths in the tree."""

    suite: str
    name: str
    version: str
    files: dict[str, bytes]

    def write(self, tree: Path) -> None:
        for name, content in self.files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755 if name == "debian/rules" else 0o644)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The keyring package's source as a suite has it; `base` is its version without the suite's mark."""

    base: str
    files: dict[str, bytes]


def drafts(config: Config, keys: Keys, *, now: datetime) -> tuple[Draft, ...]:
    """Give the keyring packages that are to be published: none where all suites have what they should.

    A new version comes with new content alone, and then for every suite that is published or configured; it begins with the day,
    so that it grows, and is the same for all suites but for the suite's mark at its end. Raises ConfigError without an archive.
    """
    known = conf.read_suites(config)
    exported = conf.exported_suites(config)
    suites = tuple(suite for suite in known if suite in exported or suite in config.build.suites)
    has = {suite: found for suite in suites if (found := held(config, suite))}
    wanted = {suite: _files(config, suite, keys) for suite in suites}
    newest = max((found.base for found in has.values()), key=Version, default="")
    at_newest = [suite for suite in has if has[suite].base == newest]
    if all(_without_changelog(has[suite].files) == wanted[suite] for suite in at_newest) and newest:
        base, lacking = newest, [suite for suite in suites if suite not in at_newest]
    else:
        base, lacking = next_version(_ever(config), now), list(suites)
    return tuple(_draft(config, keys, suite=suite, base=base, files=wanted[suite], held=has.get(suite)) for suite in lacking)


def outdated(config: Config, keyring: bytes, suites: Iterable[str]) -> tuple[str, ...]:
    """Say in which suites, whose indices are sound, the keyring package has not just `keyring`: its users learn of no new key."""
    has = ((suite, held(config, suite)) for suite in suites)
    return tuple(suite for suite, found in has if found and found.files.get(client.keyring_name(config)) != keyring)


def next_version(ever: tuple[str, ...], now: datetime) -> str:
    """Give the version for today that is greater than all there ever were: 2026.11.27, and after it 2026.11.27.1."""
    today = f"{now:%Y.%m.%d}"
    newest = max(ever, key=Version, default="")
    if not newest or Version(newest) < Version(today):
        return today
    day, number = _day_of(newest)
    return f"{day:%Y.%m.%d}.{number + 1}"


def mark(suite: str) -> str:
    """Give what a version for a suite ends in: as its suites follow one another, so that an upgrade to the next is one."""
    if number := suite in (debian := distro_info.DebianDistroInfo()).all and debian.version(suite):
        return f"+deb{number}"
    if suite in (ubuntu := distro_info.UbuntuDistroInfo()).all:
        return f"+ubuntu{ubuntu.version(suite).partition(' ')[0]}"
    return f"+{suite.replace('-', '')}"


def _draft(config: Config, keys: Keys, *, suite: str, base: str, files: dict[str, bytes], held: Held | None) -> Draft:
    name, version = client.keyring_package(config), f"{base}{mark(suite)}"
    day, number = _day_of(base)
    entry = (
        f"{name} ({version}) {suite}; urgency=medium\n\n"
        f"  * The archive is signed by {_signers(keys)}.\n\n"
        f" -- {_maintainer(config, keys)}  {format_datetime(day + timedelta(seconds=number))}\n"
    ).encode()
    before = held.files.get(CHANGELOG, b"") if held else b""
    return Draft(suite=suite, name=name, version=version, files={**files, CHANGELOG: entry + (b"\n" + before if before else b"")})


def _files(config: Config, suite: str, keys: Keys) -> dict[str, bytes]:
    """Give the source's files but for its changelog: they tell the keys and where the archive is, and nothing else."""
    facts = {
        "name": config.archive.name,
        "url": config.archive.url.rstrip("/"),
        "package": client.keyring_package(config),
        "keyring": client.keyring_name(config),
        "sources": client.sources_name(config),
        "maintainer": _maintainer(config, keys),
    }
    templates = (path.name.removesuffix(".jinja") for path in sorted((TEMPLATES / "debian").glob("*.jinja")))
    return {
        client.keyring_name(config): export_public(*keys.signers),
        client.sources_name(config): client.sources_text(config, suite).encode(),
        "debian/source/format": FORMAT.encode(),
        **{f"debian/{name}": render(f"debian/{name}", **facts).encode() for name in templates},
    }


def _without_changelog(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != CHANGELOG}


def held(config: Config, suite: str) -> Held | None:
    """Read the keyring package's source that a suite has, whose indices are sound."""
    package = client.keyring_package(config)
    offer = next((offer for offer in read_offers(config.repo, suite) if offer.source == package), None)
    if offer is None:
        return None
    return Held(base=offer.version.partition("+")[0], files=unpacked(config.repo / offer.dsc))


def unpacked(dsc: Path) -> dict[str, bytes]:
    """Read the files of a keyring package's source. What cannot be read is as good as not there: it is made anew."""
    files = {}
    try:
        with tarfile.open(dsc.with_suffix(".tar.xz")) as tar:
            for member in tar:
                if member.isfile() and (stream := tar.extractfile(member)):
                    files[member.name.partition("/")[2]] = stream.read()
    except (OSError, EOFError, tarfile.TarError):
        return {}
    return files


def _ever(config: Config) -> tuple[str, ...]:
    """List the versions that the pool has of the keyring package, those too that a rollback has undone."""
    package = client.keyring_package(config)
    found = (re.match(rf"{re.escape(package)}_([0-9.]+)\+", path.name) for path in config.repo.glob(f"pool/*/*/{package}/*.dsc"))
    return tuple(match[1] for match in found if match)


def _day_of(base: str) -> tuple[datetime, int]:
    """Take a version apart: the day, and which one of that day it is, from 0."""
    year, month, day, *number = (int(part) for part in base.split("."))
    return datetime(year, month, day, tzinfo=UTC), number[0] if number else 0


def _signers(keys: Keys) -> str:
    return " and ".join(dict.fromkeys(key.fingerprint for key in keys.signers))


def _maintainer(config: Config, keys: Keys) -> str:
    """Give who signs the archive, as its key names him, if it does as a package must."""
    found = re.fullmatch(r"([^(<]+?) *(?:\(.*\) *)?<([^<>@ ]+@[^<>@ ]+)>", keys.archive.uid)
    return f"{found[1]} <{found[2]}>" if found else f"{config.archive.name} archive <archive@{config.archive.name}.invalid>"
