"""The archive's front page, and the same for copying: what is in it, how it is added, which key signs it.

The page is its own memory: what it says of a source is kept, word for word, as long as that source stays as it is, so that a
publish reads the changelog of what is new alone.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import distro_info
from markupsafe import Markup

from debkit.archive import client
from debkit.archive.conf import exported_suites
from debkit.archive.front.catalogue import read_offers
from debkit.archive.front.news import read_news
from debkit.archive.render import TEMPLATES, render
from debkit.archive.serving.site import PAGE, SNIPPET
from debkit.config import base_suite
from debkit.paths import put

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from debkit.archive.front.catalogue import Offer
    from debkit.archive.front.news import Read
    from debkit.config import Config
    from debkit.keys import Keys

SOURCE = "source.html"
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


def write(config: Config, keys: Keys, read: Read = read_news) -> None:
    """Write `index.html` and `INSTALL.md` at the archive's base where they have changed. The archive's lock must be held."""
    file = config.repo / PAGE
    kept = dict(KEPT.findall(file.read_text(encoding="utf-8"))) if file.exists() else {}
    facts: dict[str, object] = {
        "name": config.archive.name,
        "keyring": client.keyring_name(config),
        "keyring_path": f"{client.KEYRINGS}/{client.keyring_name(config)}",
        "sources_path": f"{client.SOURCES}/{client.sources_name(config)}",
        "package": client.keyring_package(config),
        "fingerprints": tuple(dict.fromkeys(key.fingerprint for key in keys.signers)),
        "development": keys.archive.development,
        "shelves": [_shelf(config, suite, kept, read) for suite in exported_suites(config)],
    }
    for name, template in ((PAGE, "page.html"), (SNIPPET, "install.md")):
        content = render(template, **facts).encode()
        if not (config.repo / name).exists() or (config.repo / name).read_bytes() != content:
            put(config.repo / name, content)


def title(suite: str) -> str:
    """Name a suite as people do: Debian 13 (trixie)."""
    base = base_suite(suite)
    for vendor, releases in (("Debian", distro_info.DebianDistroInfo()), ("Ubuntu", distro_info.UbuntuDistroInfo())):
        if base in releases.all:
            return f"{vendor} {releases.version(base) or 'unstable'} ({suite})"
    return suite


def _shelf(config: Config, suite: str, kept: Mapping[str, str], read: Read) -> Shelf:
    offers = read_offers(config.repo, suite)
    told = offers if len(offers) <= TOLD else heapq.nlargest(TOLD, offers, key=partial(_age, os.fspath(config.repo)))
    others = {offer.source for offer in offers} - {offer.source for offer in told}
    lines = client.addition(config, suite)
    return Shelf(
        suite=suite,
        title=title(suite),
        addition=lines,
        has_keyring=lines[-1].endswith(f" {client.keyring_package(config)}"),
        told=tuple(_told(config.repo, offer, kept, read) for offer in told),
        rest=tuple((offer.source, offer.version) for offer in offers if offer.source in others),
        packages=sum(len({package.name for package in offer.packages}) for offer in offers),
    )


def _age(base: str, offer: Offer) -> float:
    """When a source came into the pool, in seconds since the epoch. Ten thousand times over, pathlib would take longest."""
    try:
        return os.stat(f"{base}/{offer.packages[0].file}").st_mtime  # noqa: PTH116
    except FileNotFoundError:
        return 0.0


def _told(base: Path, offer: Offer, kept: Mapping[str, str], read: Read) -> Markup:
    """Tell of a source in full, in the words that the page has already where nothing has changed."""
    template = (TEMPLATES / f"{SOURCE}.jinja").read_bytes()
    mark = hashlib.md5(template + repr(offer).encode(), usedforsecurity=False).hexdigest()
    if mark not in kept:
        news = read(base / offer.dsc, tuple(base / package.file for package in offer.packages))
        text = render(SOURCE, offer=offer, news=news)
    else:
        text = kept[mark]
    return Markup(f"<!--{mark}-->\n{text}<!--/-->\n")  # noqa: S704 (rendered, and escaped, by the template)
