"""The upgrade from the published version: its packages as a repository of the clean system, and what moves between packages."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.checks import _debs, _staged
from debkit.model import Finding, Severity
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from debkit.checks._debs import Deb
    from debkit.run import Run

PUBLISHED = "/srv/debkit-published"  # in the clean system, where piuparts overlooks it
WATCH = "post_install_debkit"  # piuparts runs it after each installation, with these two variables
LOST, OBSOLETE = "conffile-lost", "conffile-obsolete"
TOLD = re.compile(rf"\s*({LOST}|{OBSOLETE}) (\S+) (\S+)")  # what it prints

# The published version is what apt knows of a package, whatever the suite has under its name. A package that is new in this
# version has no candidate, so that the suite's of that name is not taken for its ancestor.
PREFERENCES = """\
Package: {old}
Pin: origin ""
Pin-Priority: 990
"""
UNKNOWN = """
Package: {new}
Pin: release *
Pin-Priority: -1
"""
SCRIPT = """\
#!/bin/sh
set -eu
[ "$PIUPARTS_TEST $PIUPARTS_PHASE" = "upgrade upgrade" ] || exit 0
code=0
for package in {names}; do
  while read -r conffile _ more && [ "$conffile" ]; do
    case "$more" in
      "") [ -e "$conffile" ] || {{ code=1; echo "{lost} $package $conffile"; }} ;;
      obsolete) [ ! -e "$conffile" ] || echo "{obsolete} $package $conffile" ;;
    esac
  done <<END
$(dpkg-query --show --showformat '${{Conffiles}}\\n' "$package" | grep /)
END
done
exit $code
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a .deb ships: the paths of all but its directories, and those of its conffiles."""

    files: frozenset[str]
    conffiles: frozenset[str]


def lay(run: Run, root: Path, scripts: Path, previous: tuple[Deb, ...], tested: tuple[Deb, ...]) -> None:
    """Have apt in `root` know the published packages, and have piuparts look after the conffiles of the tested ones."""
    shelf = root / PUBLISHED.lstrip("/")
    shelf.mkdir()
    _staged.fill(run, shelf, {deb.path.name: deb.path for deb in previous})
    _staged.add(root, PUBLISHED, name="debkit-published", text=_staged.TRUSTED, alone=False)
    old = {deb.name for deb in previous}
    new = " ".join(deb.name for deb in tested if deb.name not in old)
    preferences = PREFERENCES.format(old=" ".join(sorted(old))) + (UNKNOWN.format(new=new) if new else "")
    (root / "etc/apt/preferences.d/debkit-published").write_text(preferences, encoding="utf-8")
    script = scripts / WATCH
    script.write_text(SCRIPT.format(names=" ".join(deb.name for deb in tested), lost=LOST, obsolete=OBSOLETE), encoding="utf-8")
    script.chmod(0o755)


def told(output: Iterable[str]) -> tuple[Finding, ...]:
    """Read what the script printed after an upgrade."""
    texts = {
        LOST: (Severity.ERROR, "is gone after the upgrade"),
        OBSOLETE: (
            Severity.WARNING,
            "is no conffile any more and stays behind (rm_conffile, mv_conffile: dpkg-maintscript-helper(1))",
        ),
    }
    found = [match.groups() for line in output if (match := TOLD.fullmatch(line))]
    return tuple(
        Finding(severity=texts[tag][0], tag=tag, package=package, text=f"{path} {texts[tag][1]}") for tag, package, path in found
    )


def contents(run: Run, deb: Deb) -> Contents:
    """List what a .deb ships."""
    listing = run(Command(argv=("dpkg-deb", "--contents", os.fspath(deb.path)))).stdout
    # It exits with 2 where there is no list of conffiles.
    control = run(
        Command(argv=("dpkg-deb", "--info", os.fspath(deb.path), "conffiles"), ok=frozenset({0, 2}), separate=True)
    ).stdout
    return Contents(
        files=frozenset(path for line in listing.splitlines() if (path := shipped(line))),
        conffiles=frozenset(line.strip() for line in control.splitlines() if line.startswith("/")),
    )


def shipped(line: str) -> str:
    """Give the path in a line of `dpkg-deb --contents`, empty for a directory's."""
    kind, path = line[:1], line.split(maxsplit=5)[-1]
    if kind == "d" or not path.startswith("./"):
        return ""
    mark = {"l": " -> ", "h": " link to "}.get(kind, "")
    return (path.partition(mark)[0] if mark else path)[1:]


def findings(run: Run, previous: tuple[Deb, ...], debs: tuple[Deb, ...]) -> tuple[Finding, ...]:
    """Find what an upgrade goes wrong with, whatever the order in which apt happens to unpack.

    A file that was in another package of the published version may be taken over only with Replaces, or where the other one
    must go first (policy 7.6.1); without Breaks an older one that stays behind lacks the file. A conffile that becomes an
    ordinary file is overwritten with all that the administrator changed in it (policy 10.7.3).
    """
    before = {deb: contents(run, deb) for deb in previous}
    found = []
    for deb in debs:
        now = contents(run, deb)
        for old, then in before.items():
            moved = sorted(now.files & then.files) if old.name != deb.name else []
            if moved and not _debs.means(deb.conflicts, old):
                found += _moved(deb, old, moved)
            found += [
                Finding(
                    severity=Severity.ERROR,
                    tag=LOST,
                    package=deb.name,
                    text=f"{path} was a conffile of {old.name} {old.version} and is an ordinary file now: an upgrade overwrites"
                    " what the administrator changed in it",
                )
                for path in sorted((then.conffiles & now.files) - now.conffiles)
            ]
    return tuple(found)


def _moved(deb: Deb, old: Deb, paths: list[str]) -> list[Finding]:
    if not _debs.means(deb.replaces, old):
        lacking, severity = "Replaces", Severity.ERROR
    elif not _debs.means(deb.breaks, old):
        lacking, severity = "Breaks", Severity.WARNING
    else:
        return []
    return [
        Finding(
            severity=severity,
            tag=f"moved-without-{lacking.lower()}",
            package=deb.name,
            text=f"{path} is also in {old.name} {old.version}, and {deb.name} has no {lacking} that means it",
        )
        for path in paths
    ]
