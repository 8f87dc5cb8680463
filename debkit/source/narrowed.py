"""A build's .changes without what another build brings into the same upload. Owns python-debian's writer of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from debian.deb822 import Changes

from debkit.source.results import read_changes

if TYPE_CHECKING:
    from pathlib import Path

LISTS = ("Files", "Checksums-Sha1", "Checksums-Sha256")
PACKAGES = (".deb", ".udeb", ".ddeb")


def is_all(name: str) -> bool:
    """Whether a file is a package for all architectures (NAME_VERSION_ARCH.deb)."""
    stem, _, suffix = name.rpartition(".")
    return f".{suffix}" in PACKAGES and stem.endswith("_all")


def narrowed(path: Path, left_out: frozenset[str]) -> str:
    """Write an unsigned .changes without the files `left_out`, which are packages, and without what it says of these packages.

    The .buildinfo that it lists tells of the build as it was, and stays. Raises SourceError for what is no .changes.
    """
    fields: Any = Changes(path.read_text(encoding="utf-8").splitlines())
    kept = [file.name for file in read_changes(path).files if file.name not in left_out and file.name.endswith(PACKAGES)]
    for name in LISTS:
        if name in fields:
            fields[name] = [entry for entry in fields[name] if entry["name"] not in left_out]
    packages = {name.partition("_")[0] for name in kept}
    gone = {name.partition("_")[0] for name in left_out} - packages
    arches = {name.rpartition(".")[0].rpartition("_")[2] for name in kept}
    fields["Architecture"] = " ".join(arch for arch in fields["Architecture"].split() if arch in arches | {"source"})
    if "Binary" in fields:
        fields["Binary"] = " ".join(name for name in fields["Binary"].split() if name not in gone)
    if "Description" in fields:
        lines = [line for line in fields["Description"].splitlines() if line.strip().partition(" ")[0] not in gone]
        fields["Description"] = "\n".join(lines)
    return str(fields.dump())
