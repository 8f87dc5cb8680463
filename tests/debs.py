"""Finished packages made with dpkg-deb alone, and the build that is said to have made them: what a check is given."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

from debkit.model import BuildResult, BuildState, Target, Via
from debkit.run import Command, Processes
from tests.trees import COPYRIGHT, DATE, TIMESTAMP, changelog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WHO = "Test Writer <test@example.org>"


def make_package(
    directory: Path,
    name: str = "hello-debkit",
    *,
    version: str = "1.0",
    arch: str = "all",
    scripts: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    conffiles: tuple[str, ...] = (),
    copyright: bool = True,  # noqa: A002 (the file's name)
    **fields: str,
) -> Path:
    """Make a .deb that lintian finds no error in, unless it is without `copyright`. `scripts` are its maintainer scripts, less
    their first line; `files` what else it ships, by path; `fields` further control fields, with `_` for `-`.
    """
    tree = directory / f".{name}-{arch}"
    doc = tree / "usr/share/doc" / name
    doc.mkdir(parents=True)
    (tree / "DEBIAN").mkdir()
    more = "".join(f"{key.replace('_', '-').title()}: {text}\n" for key, text in fields.items())
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: {WHO}\nSection: misc\nPriority: optional\n{more}"
        "Description: documents nothing but itself\n A package that exists to be installed and removed again.\n"
    )
    for script, text in (scripts or {}).items():
        (tree / "DEBIAN" / script).write_text(f"#!/bin/sh\nset -e\n{text}\n")
    for file, text in (files or {}).items():
        path = tree / file.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if conffiles:
        (tree / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in conffiles))
    (doc / "changelog.gz").write_bytes(gzip.compress(changelog(name, version, "unstable").encode(), mtime=0))
    if copyright:
        (doc / "copyright").write_text(COPYRIGHT)
    for path in tree.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.name in (scripts or {}) or path.parent.name == "bin" else 0o644)
    deb = directory / f"{name}_{version}_{arch}.deb"
    # Ubuntu's default, zstd, is an error for Debian's lintian.
    _run("dpkg-deb", "-Zxz", "--root-owner-group", "--build", os.fspath(tree), os.fspath(deb))
    return deb


def make_result(directory: Path, *debs: Path, target: Target) -> BuildResult:
    """Write the .changes of packages in `directory` and give the build they come from."""
    names = sorted({deb.name.partition("_")[0] for deb in debs})
    fields = {
        "Format": "1.8",
        "Date": DATE,
        "Source": "hello-debkit",
        "Binary": " ".join(names),
        "Architecture": " ".join(sorted({deb.stem.rpartition("_")[2] for deb in debs})),
        "Version": "1.0",
        "Distribution": "unstable",
        "Urgency": "medium",
        "Maintainer": WHO,
        "Changed-By": WHO,
        "Description": "".join(f"\n {name} - documents nothing but itself" for name in names),
        "Changes": "\n hello-debkit (1.0) unstable; urgency=medium\n .\n   * Say hello.",
        "Checksums-Sha1": "".join(f"\n {_sum('sha1', deb)} {deb.stat().st_size} {deb.name}" for deb in debs),
        "Checksums-Sha256": "".join(f"\n {_sum('sha256', deb)} {deb.stat().st_size} {deb.name}" for deb in debs),
        "Files": "".join(f"\n {_sum('md5', deb)} {deb.stat().st_size} misc optional {deb.name}" for deb in debs),
    }
    changes = directory / f"hello-debkit_1.0_{target.arch}.changes"
    changes.write_text("".join(f"{key}: {text}\n" for key, text in fields.items()))
    return BuildResult(
        target=target,
        via=Via.NATIVE,
        backend="none",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=directory / "build.log",
        argv=(),
        changes=changes,
        debs=debs,
    )


def _sum(kind: str, path: Path) -> str:
    return _run(f"{kind}sum", os.fspath(path)).split()[0]


def _run(*argv: str) -> str:
    return Processes()(Command(argv=argv, env=(("SOURCE_DATE_EPOCH", str(TIMESTAMP)),))).stdout
