"""debian/copyright as an SPDX licence expression, where it is machine-readable. Owns python-debian's Copyright.

Few of Debian's short names (copyright-format 1.0, section 7.1) are SPDX's. What SPDX does not know becomes a LicenseRef with its
text (SPDX 2.3, Annex D), so that nothing is guessed.
"""

from __future__ import annotations

import logging
import lzma
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from debian.copyright import Copyright, NotMachineReadableError
from debian.debfile import DebError, DebFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.checks._debs import Deb

# SPDX's identifiers that Debian's names differ from in their case alone.
SAME = {
    name.lower(): name
    for name in (
        "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0",
        "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0", "EPL-1.0", "EPL-2.0", "EUPL-1.2", "ISC", "MIT-0", "MPL-1.1",
        "MPL-2.0", "OFL-1.1", "OpenSSL", "Python-2.0", "Unlicense", "Zlib",
    )
} | {"expat": "MIT"}  # fmt: skip
GNU = re.compile(r"(?P<family>A?GPL|LGPL|GFDL)-(?P<major>\d)(?:\.(?P<minor>\d))?(?P<later>\+?)")
GNU_VERSIONS = {
    "AGPL": {"1.0", "3.0"},
    "GFDL": {"1.1", "1.2", "1.3"},
    "GPL": {"1.0", "2.0", "3.0"},
    "LGPL": {"2.0", "2.1", "3.0"},
}
UNREADABLE = (DebError, tarfile.TarError, lzma.LZMAError, EOFError, KeyError)
NO_TEXT = "The text stands in debian/copyright of the source package."

# python-debian warns of what is of no concern here, such as an http URL of the format.
logging.getLogger("debian.copyright").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """A licence that SPDX has no identifier for."""

    ref: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Licence:
    """An SPDX expression, empty where nothing is known, and the licences in it that SPDX does not know."""

    expression: str = ""
    extracted: tuple[Extracted, ...] = ()


def of(debs: tuple[Deb, ...]) -> Licence:
    """Read the first machine-readable copyright file that the packages of one source have: it is about the source."""
    return next((found for deb in debs if (found := read(_copyright(deb))).expression), Licence())


def read(text: str) -> Licence:
    """Put the licences of all paragraphs together: each holds for a part of the source."""
    try:
        whole: Any = Copyright(text.splitlines(), strict=False)
        named = [p.license for p in whole.all_files_paragraphs() if p.license and p.license.synopsis]
        texts = {p.license.synopsis: p.license.text for p in whole.all_license_paragraphs()}
    except (NotMachineReadableError, ValueError):
        return Licence()
    unknown: dict[str, Extracted] = {}

    def term(name: str) -> str:
        if found := identifier(name):
            return found
        own = next((each.text for each in named if each.synopsis == name and each.text), "")
        ref = "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.]+", "-", name.replace("+", "-or-later")).strip("-") or "unnamed")
        unknown[ref] = Extracted(ref=ref, name=name, text=texts.get(name, "") or own or NO_TEXT)
        return ref

    parts = sorted({translate(each.synopsis, term) for each in named} - {""})
    joined = " AND ".join(f"({part})" if " OR " in part and len(parts) > 1 else part for part in parts)
    return Licence(joined, tuple(unknown[ref] for ref in sorted(unknown)))


def translate(synopsis: str, term: Callable[[str], str]) -> str:
    """Write "A or B, and C" as "(A OR B) AND C". Without a comma `and` binds closer in both (copyright-format, section 7.2)."""
    found = ""
    for clause in filter(str.strip, synopsis.split(",")):
        start = re.match(r"\s*(?:(and|or)\s+)?", clause, re.IGNORECASE)
        words = re.split(r"\s+(and|or)\s+", clause[start.end() if start else 0 :].strip(), flags=re.IGNORECASE)
        part = " ".join(word.upper() if number % 2 else term(word) for number, word in enumerate(words))
        operator = (start[1] if start and start[1] else "and").upper()
        found = f"{_bound(found)} {operator} {_bound(part)}" if found else part
    return found


def identifier(name: str) -> str:
    """Give SPDX's identifier of one of Debian's short names, or nothing. An exception ("with …") is never left out."""
    if found := GNU.fullmatch(name):
        version = f"{found['major']}.{found['minor'] or 0}"
        known = version in GNU_VERSIONS[found["family"]]
        return f"{found['family']}-{version}-{'or-later' if found['later'] else 'only'}" if known else ""
    return SAME.get(name.lower(), "")


def _bound(part: str) -> str:
    return f"({part})" if " " in part else part


def _copyright(deb: Deb) -> str:
    """Take the file out of a package; its directory may be a link to another package's."""
    path = f"usr/share/doc/{deb.name}/copyright"
    try:
        with DebFile(str(deb.path)) as packed:
            content = packed.data.get_content(path) if packed.data.has_file(path) else b""
    except UNREADABLE:
        return ""
    return content.decode(errors="replace") if isinstance(content, bytes) else ""
