"""debian/control, as far as debkit must know it before dpkg reads it: the source's name, its packages and architectures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.deb822 import Deb822
from debian.debian_support import DpkgArchTable

from debkit.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

FIELD = re.compile(r"(?P<name>[!-\"$-,.-9;-~][!-9;-~]*):")  # Debian policy 5.1: no space or colon, no leading '#' or '-'


@dataclass(frozen=True, slots=True)
class Control:
    """What a source makes. `architectures` is what dpkg-source will write into the .dsc.

    The first of `maintainers` is the Maintainer, the others are the Uploaders.
    """

    source: str
    binaries: tuple[str, ...]
    architectures: tuple[str, ...]
    maintainers: tuple[str, ...] = ()


def read_control(path: Path) -> Control:
    """Read it as strictly as dpkg does. Raises SourceError with the line, or the package and the field that lacks."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as problem:
        template = path.with_suffix(".in").exists()
        raise SourceError(
            f"{path} is missing",
            cause="it is made from control.in, which was not done yet" if template else "every source package has one",
            hint=f"cd {path.parent.parent} && " + ("debian/rules debian/control" if template else "dh_make --addmissing"),
        ) from problem
    except IsADirectoryError as problem:
        raise _broken(path, "it is a directory") from problem
    except UnicodeDecodeError as problem:
        raise _broken(path, f"it is not UTF-8 (byte {problem.start})") from problem
    if wrong := syntax_error(text):
        raise _broken(path, wrong)
    source, *binaries = [*Deb822.iter_paragraphs(text.splitlines(), use_apt_pkg=False)] or [Deb822()]
    for paragraph, fields, title in ((source, ("Source", "Maintainer"), "the first paragraph"), *_expected(binaries)):
        for field in fields:
            if not str(paragraph.get(field, "")).strip():
                raise _broken(path, f"{title} has no {field} field")
    if not binaries:
        raise _broken(path, "it names no package: a paragraph with Package and Architecture fields")
    found = [word for binary in binaries for word in str(binary["Architecture"]).split()]
    people = [str(source["Maintainer"]), *re.split(r"(?<=>)\s*,\s*", str(source.get("Uploaders", "")))]
    return Control(
        str(source["Source"]),
        tuple(str(binary["Package"]) for binary in binaries),
        folded(tuple(found)),
        tuple(" ".join(person.split()).rstrip(",") for person in people if person.strip()),
    )


def folded(architectures: tuple[str, ...]) -> tuple[str, ...]:
    """Put the packages' architectures together as dpkg-source does: `any` swallows all others but `all`."""
    distinct = tuple(dict.fromkeys(architectures))
    return tuple(a for a in ("any", "all") if a in distinct) if "any" in distinct else distinct


def builds_on(architectures: tuple[str, ...], arch: str) -> bool:
    """Whether a source's Architecture field makes a package of `arch`'s own (wildcards: Debian policy 11.1)."""
    table = DpkgArchTable.load_arch_table()
    return any(table.matches_architecture(arch, alias) for alias in architectures if alias != "all")


def syntax_error(text: str) -> str:
    """Say what is wrong with text in deb822's form, and on which line, or nothing."""
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            seen = set()
        elif line.startswith("#"):
            continue
        elif line[0] in " \t":
            if not seen:
                return f"line {number}: a continuation line with no field above it"
        elif field := FIELD.match(line):
            if field["name"].lower() in seen:
                return f"line {number}: the field {field['name']} stands twice in its paragraph"
            seen.add(field["name"].lower())
        else:
            return f"line {number}: neither 'Field: value' nor a continuation that starts with a space: {line[:60]!r}"
    return ""


def _expected(binaries: list[Deb822]) -> list[tuple[Deb822, tuple[str, ...], str]]:
    return [(b, ("Package", "Architecture"), f"the paragraph of {b.get('Package') or 'a package'}") for b in binaries]


def _broken(path: Path, why: str) -> SourceError:
    return SourceError(f"{path} is broken", cause=why, hint=f"${{EDITOR:-editor}} {path}")
