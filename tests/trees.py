"""Tiny Debian source trees, good and bad on purpose, for the tests of every room."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING, Literal

from debkit.run import Command, Processes

if TYPE_CHECKING:
    from pathlib import Path

DATE = "Tue, 02 Jan 2024 03:04:05 +0000"
TIMESTAMP = 1704164645  # DATE, in seconds since the epoch

C_PROGRAM = """\
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return puts(VERSION) < 0;
    return puts("hello from %s") < 0;
}
"""

SCRIPT = """\
#!/bin/sh
if [ "$1" = --version ]; then echo @VERSION@; else echo "hello from %s"; fi
"""

MAKEFILE = """\
VERSION = {upstream}

all: {name}
{rule}
test: all
\t./{name} | grep -qx '{expected}'
install: all
\tinstall -D {name} $(DESTDIR)/usr/bin/{name}
clean:
\trm -f {name}
"""

C_RULE = """{name}: {name}.c
\t$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -DVERSION='"$(VERSION)"' -o $@ $<"""

SCRIPT_RULE = """{name}: {name}.in
\tsed 's/@VERSION@/$(VERSION)/' $< > $@
\tchmod +x $@"""

CONTROL = """\
Source: {name}
Section: misc
Priority: optional
Maintainer: Test Writer <test@example.org>
Build-Depends: debhelper-compat (= 13)
Standards-Version: 4.7.0
Rules-Requires-Root: no
"""

BINARY = """
Package: {package}
Architecture: {arch}
Depends: {depends}
Description: greets with one line ({part})
 A package that exists to be built, installed and removed again.
 .
 This is its {part} part.
"""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2024 Test Writer <test@example.org>
License: CC0-1.0
 To the extent possible under law, the author has waived all rights to this work.
 .
 On Debian systems the full text stands in /usr/share/common-licenses/CC0-1.0.
"""

POSTINST = """\
#!/bin/sh
set -e
#DEBHELPER#
{action}
"""


def make_tree(
    path: Path,
    *,
    name: str = "hello-debkit",
    version: str = "1.0",
    distribution: str = "UNRELEASED",
    native: bool = True,
    kind: Literal["any", "all", "both"] = "any",
    failing_build: bool = False,
    failing_tests: bool = False,
    bad_postinst: bool = False,
    leaves_file: bool = False,
    lintian_error: bool = False,
    git: bool = False,
    packaging: bool = False,
) -> Path:
    """Make the tree `path` (its parent may be missing) and return it.

    It holds a program `name` that prints "hello from NAME", written in C, or a script where `kind` is "all"; "both" adds
    NAME-data, which is Architecture: all. Not `native`: version VERSION-1, format 3.0 (quilt), and the .orig.tar.gz beside the
    tree. `packaging`: the directory is packaging/debian. `git`: committed at DATE. `leaves_file`: /var/lib/NAME/left stays
    after a purge. `lintian_error`: the packages have no copyright file.
    """
    upstream = _upstream_files(name, version, kind, failing_build=failing_build, failing_tests=failing_tests)
    for file, text in upstream.items():
        _write(path / file, text)
    if not native:
        _make_orig(path.parent / f"{name}_{version}.orig.tar.gz", f"{name}-{version}", upstream)
    debian = path / "packaging/debian" if packaging else path / "debian"
    _write(debian / "control", _control(name, kind))
    _write(debian / "changelog", changelog(name, version if native else f"{version}-1", distribution))
    _write(debian / "rules", "#!/usr/bin/make -f\n%:\n\tdh $@\n", executable=True)
    _write(debian / "source/format", "3.0 (native)\n" if native else "3.0 (quilt)\n")
    if not lintian_error:
        _write(debian / "copyright", COPYRIGHT)
    if kind == "both":
        _write(debian / f"{name}.install", f"usr/bin/{name}\n")
        _write(debian / f"{name}-data.install", f"data.txt usr/share/{name}\n")
    if bad_postinst or leaves_file:
        left = f"mkdir -p /var/lib/{name} && echo left > /var/lib/{name}/left"
        _write(debian / f"{name}.postinst", POSTINST.format(action="exit 1" if bad_postinst else left))
    if git:
        commit(path)
    return path


def changelog(name: str, version: str, distribution: str, *, text: str = "Say hello.") -> str:
    """One changelog entry, dated DATE."""
    return f"{name} ({version}) {distribution}; urgency=medium\n\n  * {text}\n\n -- Test Writer <test@example.org>  {DATE}\n"


def commit(tree: Path, message: str = "Say hello", *, date: str = DATE) -> None:
    """Commit all that is in the tree, making it a git repository first where it is not inside one."""
    if not (tree / ".git").exists():
        git(tree, "init", "-q", "-b", "main")
    git(tree, "add", "-A", ".")
    git(tree, "commit", "-q", "--allow-empty", "-m", message, date=date)


def git(tree: Path, *words: str, date: str = DATE) -> str:
    """Run git in the tree, as nobody in particular, and return what it printed."""
    who = tuple((f"GIT_{role}_{part}", value) for role in ("AUTHOR", "COMMITTER") for part, value in _identity(date))
    alone = (("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null"))
    return Processes()(Command(argv=("git", *words), cwd=tree, env=who + alone)).stdout


def _identity(date: str) -> tuple[tuple[str, str], ...]:
    return (("NAME", "Test Writer"), ("EMAIL", "test@example.org"), ("DATE", date))


def _upstream_files(name: str, version: str, kind: str, *, failing_build: bool, failing_tests: bool) -> dict[str, str]:
    expected = "goodbye" if failing_tests else f"hello from {name}"
    script = kind == "all"
    program = (SCRIPT if script else C_PROGRAM) % name
    rule = (SCRIPT_RULE if script else C_RULE).format(name=name)
    makefile = MAKEFILE.format(name=name, upstream=version, expected=expected, rule=rule)
    if failing_build and script:
        makefile = makefile.replace("sed ", "sed-that-is-missing ")
    elif failing_build:
        program = program.replace("puts(VERSION)", "puts(UNDECLARED_VERSION)")
    files = {"Makefile": makefile, f"{name}.in" if script else f"{name}.c": program}
    return files | {"data.txt": "data\n"} if kind == "both" else files


def _control(name: str, kind: str) -> str:
    depends = "${shlibs:Depends}, ${misc:Depends}"
    parts = []
    if kind in {"any", "both"}:
        parts.append(BINARY.format(package=name, arch="any", depends=depends, part="program"))
    if kind == "all":
        parts.append(BINARY.format(package=name, arch="all", depends="${misc:Depends}", part="script"))
    if kind == "both":
        parts.append(BINARY.format(package=f"{name}-data", arch="all", depends="${misc:Depends}", part="data"))
    return CONTROL.format(name=name) + "".join(parts)


def _make_orig(tarball: Path, top: str, files: dict[str, str]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for file, text in sorted(files.items()):
            member = tarfile.TarInfo(f"{top}/{file}")
            member.size, member.mtime = len(text.encode()), TIMESTAMP
            tar.addfile(member, io.BytesIO(text.encode()))
    tarball.write_bytes(gzip.compress(packed.getvalue(), mtime=TIMESTAMP))


def _write(path: Path, text: str, *, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755 if executable else 0o644)
