"""The archive's front page, and the same for copying: what is in it, how it is added, which key signs it. Owns jinja2.

The page is its own memory: what it says of a source is kept, word for word, as long as that source stays as it is, so that a
publish reads the changelog of what is new alone.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import distro_info
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from debkit.archive import client
from debkit.archive.catalogue import read_offers
from debkit.archive.conf import exported_suites
from debkit.archive.news import read_news
from debkit.archive.site import PAGE, SNIPPET
from debkit.paths import put

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debkit.archive.catalogue import Offer
    from debkit.config import Config
    from debkit.keys import Keys

TEMPLATES = Path(__file__).parent
SOURCE = "source.html.jinja"
# Of more sources than these only the newest are told of in full: the page must stay light on a telephone.
TOLD = 200
KEPT = re.compile(r"<!--([0-9a-f]{32})-->\n(.*?)<!--/-->\n", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A suite as the page shows it. `told` are its sources in full, as HTML; `rest` the others, by name and version."""

    suite: str
    title: str
    addition: tuple[str, ...]
    has_keyring: bool
    told: tuple[Markup, ...]
    rest: tuple[tuple[str, str], ...]
    packages: int


def write(config: Config, keys: Keys) -> None:
    """Write `index.html` and `INSTALL.md` at the archive's base where they have changed. The archive's lock must be held."""
    environment = _environment()
    file = config.repo / PAGE
    kept = dict(KEPT.findall(file.read_text(encoding="utf-8"))) if file.exists() else {}
    facts = {
        "name": config.archive.name,
        "url": config.archive.url.rstrip("/"),
        "keyring": client.keyring_name(config),
        "keyring_path": f"{client.KEYRINGS}/{client.keyring_name(config)}",
        "sources_path": f"{client.SOURCES}/{client.sources_name(config)}",
        "package": client.keyring_package(config),
        "fingerprints": tuple(dict.fromkeys(key.fingerprint for key in keys.signers)),
        "development": keys.archive.development,
        "shelves": [_shelf(config, suite, environment, kept) for suite in exported_suites(config)],
    }
    for name, template in ((PAGE, "page.html.jinja"), (SNIPPET, "install.md.jinja")):
        content = environment.get_template(template).render(facts).encode()
        if not (config.repo / name).exists() or (config.repo / name).read_bytes() != content:
            put(config.repo / name, content)


def title(suite: str) -> str:
    """Name a suite as people do: Debian 13 (trixie)."""
    for vendor, releases in (("Debian", distro_info.DebianDistroInfo()), ("Ubuntu", distro_info.UbuntuDistroInfo())):
        if suite in releases.all:
            return f"{vendor} {releases.version(suite) or 'unstable'} ({suite})"
    return suite


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"quote": quote, "day": _day, "grouped": _grouped, "enumerated": _enumerated}
    return environment


def _shelf(config: Config, suite: str, environment: Environment, kept: Mapping[str, str]) -> Shelf:
    offers = read_offers(config.repo, suite)
    told = offers if len(offers) <= TOLD else heapq.nlargest(TOLD, offers, key=lambda offer: _age(config.repo, offer))
    others = {offer.source for offer in offers} - {offer.source for offer in told}
    lines = client.addition(config, suite)
    return Shelf(
        suite=suite,
        title=title(suite),
        addition=lines,
        has_keyring=lines[-1].endswith(f" {client.keyring_package(config)}"),
        told=tuple(_told(config.repo, offer, environment, kept) for offer in told),
        rest=tuple((offer.source, offer.version) for offer in offers if offer.source in others),
        packages=sum(len({package.name for package in offer.packages}) for offer in offers),
    )


def _age(base: Path, offer: Offer) -> float:
    """When a source came into the pool, in seconds since the epoch. All of them are asked, so that it counts what it takes."""
    try:
        return os.stat(f"{base}/{offer.packages[0].file}").st_mtime  # noqa: PTH116
    except FileNotFoundError:
        return 0.0


def _told(base: Path, offer: Offer, environment: Environment, kept: Mapping[str, str]) -> Markup:
    """Tell of a source in full, in the words that the page has already where nothing has changed."""
    template = (TEMPLATES / SOURCE).read_bytes()
    mark = hashlib.md5(template + repr(offer).encode(), usedforsecurity=False).hexdigest()
    if mark not in kept:
        news = read_news(base / offer.dsc, tuple(base / package.file for package in offer.packages))
        text = environment.get_template(SOURCE).render(offer=offer, news=news)
    else:
        text = kept[mark]
    return Markup(f"<!--{mark}-->\n{text}<!--/-->\n")  # noqa: S704 (rendered, and escaped, by the template)


def _day(date: str) -> str:
    """Give the day of a changelog's date as 2024-01-02, or the date as it is where it is none."""
    try:
        return parsedate_to_datetime(date).date().isoformat()
    except ValueError:
        return date


def _grouped(fingerprint: str) -> str:
    """Write a fingerprint as GnuPG prints it, to be compared by eye."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, len(fingerprint), 4))


def _enumerated(words: list[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)
