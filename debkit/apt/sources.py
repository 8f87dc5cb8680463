"""Read apt's sources in both of their formats and write them in one: sources.list(5), deb822.

Only what the room needs: a stanza is an ordered mapping of field names to values, with the names as sources.list(5) spells them.
"""

from __future__ import annotations

import re
import shlex

# The one-line format's options that deb822 names otherwise; the rest differ in nothing but case, which apt does not look at.
OPTION_FIELDS = {"arch": "Architectures", "lang": "Languages", "target": "Targets", "signed-by": "Signed-By"}
SUFFIXES = {"+": "-Add", "-": "-Remove"}
LINE = re.compile(r"(?P<type>deb|deb-src)\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)")
FIELD = re.compile(r"([!-9;-~]+):\s*(.*)")

Stanza = dict[str, str]


def parse_list(text: str) -> list[Stanza]:
    """Read the one-line format. A line that is not an entry raises ValueError with the line."""
    stanzas = []
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if not line or line.startswith("#"):
            continue
        found = LINE.fullmatch(line)
        if not found:
            raise ValueError(line)
        stanza = {"Types": found["type"], "URIs": found["uri"], "Suites": found["suite"]}
        if components := found["components"].split():
            stanza["Components"] = " ".join(components)
        for option in shlex.split(found["options"] or ""):  # mmdebstrap quotes the keyring's path
            name, _, value = option.partition("=")
            suffix = SUFFIXES.get(name[-1:], "")
            name = name.rstrip("+-") if suffix else name
            stanza[OPTION_FIELDS.get(name.lower(), name.title()) + suffix] = value.replace(",", " ")
        stanzas.append(stanza)
    return stanzas


def parse_sources(text: str) -> list[Stanza]:
    """Read the deb822 format, disabled stanzas left out. A line that is none, or a missing field, raises ValueError."""
    stanzas: list[Stanza] = []
    current: Stanza = {}
    last = ""
    for line in (*text.splitlines(), ""):
        if line.startswith("#"):
            continue
        if not line.strip():
            if current:
                stanzas.append(current)
            current, last = {}, ""
        elif line[0] in " \t" and last:
            current[last] += "\n" + line
        elif found := FIELD.fullmatch(line.rstrip()):
            last = found[1]
            current[last] = found[2]
        else:
            raise ValueError(line)
    for stanza in stanzas:
        missing = [name for name in ("Types", "URIs", "Suites") if not value(stanza, name).strip()]
        if missing:
            raise ValueError(f"a stanza without {' and '.join(missing)}")
    return [stanza for stanza in stanzas if value(stanza, "Enabled").strip().lower() not in {"no", "false", "0"}]


def render(stanzas: list[Stanza]) -> str:
    """Write stanzas as a .sources file."""
    return "\n".join("".join(f"{name}: {text}\n" for name, text in stanza.items()) for stanza in stanzas)


def value(stanza: Stanza, name: str) -> str:
    """Give the value of a field whose name may stand in any case, else an empty string."""
    return next((text for key, text in stanza.items() if key.lower() == name.lower()), "")


def with_field(stanza: Stanza, name: str, text: str) -> Stanza:
    """Give the stanza with one field set, whatever the case that it stood in, or (empty text) taken away."""
    kept = {key: old for key, old in stanza.items() if key.lower() != name.lower()}
    return {**kept, name: text} if text else kept


def of_type(stanzas: list[Stanza], kind: str) -> list[Stanza]:
    """Give the same repositories for `deb` or `deb-src`, whichever of the two each was given for, and no entry twice."""
    found: list[Stanza] = []
    for stanza in stanzas:
        same = with_field(stanza, "Types", kind)
        if same not in found:
            found.append(same)
    return found
