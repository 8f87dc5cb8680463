"""Debian's security tracker: have its data, and say what a version of a source package is vulnerable to.

The data is one JSON file for all suites, gzipped or not: {SOURCE: {CVE: {"releases": {SUITE: {"status", "urgency", …}}}}}. From
a URL apt's own downloader fetches it, since that knows the machine's proxies and certificates; the copy is cached.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debian.debian_support import version_compare

from debkit.chroot import cache
from debkit.errors import EnvironmentFailure, NetworkError
from debkit.paths import put
from debkit.run import Command, temporary

if TYPE_CHECKING:
    from debkit.checks import Bench
    from debkit.config import VulnerabilitiesConfig

APT_HELPER = "/usr/lib/apt/apt-helper"
GZIP = b"\x1f\x8b"
LEVELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Hole:
    """What a version is vulnerable to in one suite. `fixed` is empty where the suite has no version without it.

    `urgency` is the tracker's own word. `level` is what counts, one of LEVELS, and empty where that is nothing.
    """

    cve: str
    urgency: str
    level: str
    fixed: str


@dataclass(frozen=True, slots=True)
class Tracker:
    """The data, and a note for people that says where it is from and how old."""

    sources: dict[str, Any]
    note: str

    def knows(self, suite: str) -> bool:
        """Whether it has anything of a suite: of an unknown one it would say that all is well."""
        return any(suite in entry["releases"] for entries in self.sources.values() for entry in entries.values())

    def holes(self, suite: str, source: str, version: str) -> tuple[Hole, ...]:
        """Give what this version of a source package is vulnerable to, but for what the tracker calls unimportant."""
        found = []
        for cve, entry in sorted(self.sources.get(source, {}).items()):
            release = entry["releases"].get(suite, {})
            urgency = str(release.get("urgency", "")).rstrip("*")  # a star: not set by a person
            if is_vulnerable(release, version) and urgency != "unimportant":
                fixed = release["fixed_version"] if release["status"] == "resolved" else ""
                found.append(Hole(cve, urgency or "not yet assigned", level(release, urgency), fixed))
        return tuple(found)


def is_vulnerable(release: dict[str, Any], version: str) -> bool:
    """Judge a version by a suite's entry. What is undetermined is not known to be vulnerable."""
    if release.get("status") != "resolved":
        return release.get("status") == "open"
    fixed = release["fixed_version"]
    try:
        return fixed != "0" and version_compare(version, fixed) < 0  # 0: no version in the suite ever was
    except ValueError as problem:
        raise _no_data("an entry of the security tracker's data", str(problem)) from problem


def level(release: dict[str, Any], urgency: str) -> str:
    """Say how much an entry counts. Most have no urgency any more: those count as medium, but as low where the security team has
    decided that the suite can wait for a point release, or do without.
    """
    if urgency in {*LEVELS, "end-of-life"}:
        return urgency if urgency in LEVELS else ""
    return "low" if "nodsa" in release else "medium"


def load(bench: Bench, config: VulnerabilitiesConfig) -> Tracker:
    """Have the data that the configuration names. Raises NetworkError where a URL cannot be reached and no copy is cached, and
    EnvironmentFailure for data that is none.
    """
    if config.is_remote:
        return _remote(bench, config)
    content, changed = Path(config.tracker).read_bytes(), Path(config.tracker).stat().st_mtime
    return Tracker(parse(content, config.tracker), f"{config.tracker}, which is {_age(changed)} old")


def parse(content: bytes, where: str) -> dict[str, Any]:
    """Read the data. Of its shape no more is demanded than what is used: that what is mended says since when."""
    try:
        data = json.loads(gzip.decompress(content) if content.startswith(GZIP) else content)
        releases = (r for entries in data.values() for entry in entries.values() for r in entry["releases"].values())
        whole = all(r["status"] != "resolved" or isinstance(r["fixed_version"], str) for r in releases)
    except (ValueError, OSError, EOFError, zlib.error, AttributeError, KeyError, TypeError) as problem:
        raise _no_data(where, str(problem)) from problem
    if not whole or not data:
        raise _no_data(where, "it has no sources with CVEs and their releases")
    return dict(data)


def _remote(bench: Bench, config: VulnerabilitiesConfig) -> Tracker:
    """Give the cached copy, fetched anew where it is too old; where that cannot be done an old one serves on.

    It is written whole or not at all, and not before it was read once, so that a login page never takes the place of data.
    """
    url = config.tracker
    shelf, name = cache.shelf("tracker"), hashlib.sha256(url.encode()).hexdigest()[:16]
    copy, note = shelf / f"{name}.json", ""
    with cache.locked(bench.run, shelf, name, f"which fetches {url}", progress=bench.progress):
        if not copy.exists() or time.time() - copy.stat().st_mtime > config.max_age:
            bench.progress.phase("fetching the security tracker's data")
            try:
                content = _fetch(bench, url)
            except NetworkError as problem:
                if not copy.exists():
                    raise
                note = f"; {problem.what}: {problem.cause}"
            else:
                data = parse(content, url)
                put(copy, content)
                return Tracker(data, f"{url}, fetched now")
        content, fetched = copy.read_bytes(), copy.stat().st_mtime
    return Tracker(parse(content, os.fspath(copy)), f"{url}, a copy that is {_age(fetched)} old{note}")


def _fetch(bench: Bench, url: str) -> bytes:
    with temporary("debkit-tracker.") as scratch:
        place = scratch / "data"
        options = ("-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1")
        done = bench.run(
            Command(
                argv=(APT_HELPER, *options, "download-file", url, os.fspath(place)),
                timeout=bench.config.timeout,
                ok=frozenset({0, 100}),
            )
        )
        if done.code == 0:
            return place.read_bytes()
    said = next((line for line in done.tail if line.startswith("E: Failed to fetch")), "E: apt does not say why")
    raise NetworkError(
        f"{url} could not be fetched",
        cause=said.removeprefix("E: ").removeprefix(f"Failed to fetch {url}").strip(),
        hint="check the network, or give a file: [checks.vulnerabilities] tracker in config/debkit.toml",
    )


def _age(moment: float) -> str:
    hours = max(time.time() - moment, 0) / 3600
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"  # noqa: PLR2004 (two days)


def _no_data(where: str, why: str) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"{where} is no data of Debian's security tracker",
        cause=why,
        hint="name the tracker's JSON for all sources: [checks.vulnerabilities] tracker in config/debkit.toml",
    )
