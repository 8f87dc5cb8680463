"""What the unit files of packages say of the services that they bring. The syntax is systemd.syntax(7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PLACES = ("usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/system")
KINDS = frozenset({".service", ".socket", ".timer", ".path"})
# systemd.exec(5): directories that are made for a unit.
DIRECTORIES = {"StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "LogsDirectory": "/var/log"}
# tmpfiles.d(5): the types of lines that make a path which is not there; modifiers may follow.
TMPFILES = ("usr/lib/tmpfiles.d", "lib/tmpfiles.d", "etc/tmpfiles.d")
MAKES = re.compile(r"[fFdDvqQpLcbC]\S*\s+\"?(/[^\s\"%]+)(?=[\s\"]|$)")
TEMPORARY = re.compile(r"/(var/)?(run|tmp)(/|$)")
# What dh_installsystemd(1) leaves in postinst: in the one case only for an administrator who has enabled the unit.
LEFT_ALONE = "deb-systemd-helper debian-installed '{unit}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit that a package installs. `enabled`: it is to be; `user` is what User= names, in whatever section of it.

    `privileged`: its program is started with all of root's rights on purpose (a "+" or "!" before it). `state` are the
    directories that hold what it knows.
    """

    name: str
    package: str
    enabled: bool
    user: str = ""
    privileged: bool = False
    state: tuple[str, ...] = ()


def read(package: str, tree: Path) -> tuple[Unit, ...]:
    """Read the units of an unpacked package, `tree` being what `dpkg-deb --raw-extract` gives. Templates have no instance."""
    postinst = _text(tree / "DEBIAN/postinst")
    files = [file for place in PLACES for file in sorted((tree / place).glob("*")) if file.suffix in KINDS]
    return tuple(_unit(package, file, postinst) for file in files if not file.is_symlink() and "@." not in file.name)


def made(tree: Path) -> tuple[str, ...]:
    """Give the paths that systemd-tmpfiles makes for an unpacked package, but for those where all is temporary."""
    lines = (line for place in TMPFILES for file in sorted((tree / place).glob("*.conf")) for line in _text(file).splitlines())
    paths = (match[1].rstrip("/") for line in lines if (match := MAKES.match(line.strip())))
    return tuple(path for path in paths if not TEMPORARY.match(path))


def settings(text: str) -> tuple[tuple[str, str, str], ...]:
    """Parse a unit file into (section, key, value)."""
    section, found = "", []
    for line in map(str.strip, re.sub(r"\\\n", " ", text).splitlines()):
        if heading := re.fullmatch(r"\[(.*)\]", line):
            section = heading[1]
        elif line and line[0] not in "#;" and "=" in line:
            key, _, value = line.partition("=")
            found.append((section, key.strip(), value.strip()))
    return tuple(found)


def _unit(package: str, file: Path, postinst: str) -> Unit:
    drop_ins = sorted(file.with_name(f"{file.name}.d").glob("*.conf"))
    found = tuple(setting for each in (file, *drop_ins) for setting in settings(_text(each)))
    users = [value for _, key, value in found if key == "User"]
    return Unit(
        name=file.name,
        package=package,
        enabled=any(section == "Install" for section, _, _ in found) and LEFT_ALONE.format(unit=file.name) not in postinst,
        user=users[-1] if users else "",
        privileged=any(key.startswith("ExecStart") and re.match(r"[-@:]*[+!]", value) for _, key, value in found),
        state=tuple(
            f"{DIRECTORIES[key]}/{name.partition(':')[0]}"
            for _, key, value in found
            if key in DIRECTORIES
            for name in value.split()
        ),
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
