"""Write what a key's life changes: [keys] in config/debkit.toml, and who may upload in the archive's conf/uploaders.

Both are files that people write, too: what stands beside is left as it is, comments and all.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from debkit.errors import ConfigError
from debkit.paths import put

if TYPE_CHECKING:
    from pathlib import Path

HEADER = re.compile(r"^[ \t]*\[[ \t]*keys[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)
NEXT = re.compile(r"^[ \t]*\[", re.MULTILINE)
# A rule about one key, or its place in a group (reprepro(1)); the last digits of its fingerprint are enough there.
RULE = re.compile(r"^(?P<what>\s*(?:allow\b.*\bby key|group\s+\S+\s+add)\s+)(?:0x)?(?P<id>[0-9A-Fa-f]+)(?P<plus>\+?)\s*$")
Setting = str | tuple[str, ...] | None


def lines(values: dict[str, Setting]) -> tuple[str, ...]:
    """Write settings as lines of TOML, less those that are to be absent (None)."""
    shown = {key: value for key, value in values.items() if value is not None}
    return tuple(f"{key} = {_toml(value)}" for key, value in shown.items())


def _toml(value: str | tuple[str, ...]) -> str:
    # Fingerprints and dates: nothing that needs escaping.
    return f'"{value}"' if isinstance(value, str) else f"[{', '.join(map(_toml, value))}]"


def changed(text: str, values: dict[str, Setting]) -> str | None:
    """Give a configuration with other settings in [keys], or None where it is written in a way that is not understood."""
    header = HEADER.search(text)
    if header is None:
        return None
    start = header.end() + 1
    following = NEXT.search(text, start)
    end = following.start() if following else len(text)
    names = "|".join(map(re.escape, values))
    rest = re.sub(rf"^[ \t]*({names})[ \t]*=.*(\n|\Z)", "", text[start:end], flags=re.MULTILINE)
    new = f"{text[:start].rstrip()}\n" + "".join(f"{line}\n" for line in lines(values)) + rest + text[end:]
    wanted = tomllib.loads(text)
    wanted["keys"] |= {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    wanted["keys"] = {key: value for key, value in wanted["keys"].items() if value is not None}
    try:
        return new if tomllib.loads(new) == wanted else None
    except tomllib.TOMLDecodeError:
        return None


def prepared(file: Path, values: dict[str, Setting]) -> str:
    """Give `file` with other settings in [keys]. Raises ConfigError with the lines to write by hand where that cannot be."""
    new = changed(file.read_text(encoding="utf-8") if file.exists() else "", values)
    if new is None:
        raise ConfigError(
            f"[keys] of {file} cannot be changed by debkit",
            cause="it is not there, or a setting of it takes several lines; nothing was changed",
            hint=f"editor {file}, so that [keys] has these lines and no other ones for {', '.join(values)}",
            excerpt=lines(values),
        )
    return new


def write_keys(file: Path, values: dict[str, Setting]) -> None:
    """Change settings of [keys] in `file`. Raises ConfigError as `prepared` does."""
    put(file, prepared(file, values).encode(), mode=file.stat().st_mode & 0o777)


def let_in(uploaders: Path, old: str, new: str) -> bool:
    """Give the key `new` each right to upload that `old` has. Whether that changed anything."""
    text = uploaders.read_text(encoding="utf-8") if uploaders.exists() else ""
    rules = [line for line in text.splitlines() if _names(line, old)]
    added = [RULE.sub(rf"\g<what>{new[-16:]}\g<plus>", line) for line in rules]
    missing = [line for line in added if line not in text.splitlines()]
    return _put(uploaders, text, "\n".join((*text.splitlines(), *missing, "")) if missing else text)


def shut_out(uploaders: Path, old: str) -> bool:
    """Take every right to upload from a key. Whether that changed anything."""
    text = uploaders.read_text(encoding="utf-8") if uploaders.exists() else ""
    return _put(uploaders, text, "".join(line for line in text.splitlines(keepends=True) if not _names(line, old)))


def _put(file: Path, old: str, new: str) -> bool:
    if new == old:
        return False
    put(file, new.encode(), mode=file.stat().st_mode & 0o777)
    return True


def _names(rule: str, fingerprint: str) -> bool:
    found = RULE.match(rule)
    return found is not None and fingerprint.endswith(found["id"].upper())
