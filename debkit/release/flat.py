"""A flat repository (sources.list(5)) of a release's files, which apt reads straight from GitHub. Owns apt-ftparchive.

Its indices are assets beside the packages that they list: apt joins a repository's URL and the name of a file, and follows
GitHub's redirects from there.
"""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from debkit.run import Command, require_tool, temporary

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.release.assets import Asset
    from debkit.run import Run

# What there is but for the index of sources.
INDICES = ("Packages", "Packages.gz", "Release", "Release.gpg", "InRelease")
TO_SIGN = "Release"


def make_indices(run: Run, assets: tuple[Asset, ...], *, parent: Path, name: str, time: int) -> dict[str, bytes]:
    """Make the indices, by their names, of the packages among a release's assets; the last one, Release, is to be signed.

    Sources are indexed where none of their files is called otherwise than the .dsc calls it: dpkg-source(1) would not find it.
    `name` is the archive's. They are the same in each run: they say that they were made at `time`, in seconds since the epoch.
    """
    require_tool("apt-ftparchive")
    with temporary(".flat.", parent) as directory:
        packages, sources = directory / "packages", directory / "sources"
        for path, suffixes in ((packages, (".deb",)), (sources, _source_suffixes(assets))):
            path.mkdir()
            for asset in assets:
                if asset.name.endswith(suffixes):
                    (path / asset.name).hardlink_to(asset.path)  # a symbolic link would be followed, and its target named
        indices = {"Packages": _plain(_ftparchive(run, packages, "packages", "."))}
        if any(sources.iterdir()):
            indices["Sources"] = _plain(_ftparchive(run, sources, "sources", "."))
        files = {file: text.encode() for file, text in indices.items()}
        files |= {f"{file}.gz": gzip.compress(text, mtime=0) for file, text in files.items()}
        return {**files, TO_SIGN: _release(run, directory, files, name=name, time=time)}


def _source_suffixes(assets: tuple[Asset, ...]) -> tuple[str, ...]:
    sources = (".dsc", ".gz", ".xz", ".bz2", ".zst", ".lzma", ".asc")
    return () if any(asset.renamed and asset.name.endswith(sources) for asset in assets) else sources


def _release(run: Run, directory: Path, files: dict[str, bytes], *, name: str, time: int) -> bytes:
    """Write the Release file. It names no suite: apt would ask its user about another one in a later release."""
    into = directory / "release"
    into.mkdir()
    for file, content in files.items():
        (into / file).write_bytes(content)
    arches = sorted(set(re.findall(r"^Architecture: (\S+)$", files["Packages"].decode(), flags=re.MULTILINE)) - {"all"})
    fields = {"Origin": name, "Label": name} | ({"Architectures": " ".join(arches)} if arches else {})
    options = [word for field, text in fields.items() for word in ("-o", f"APT::FTPArchive::Release::{field}={text}")]
    made = format_datetime(datetime.fromtimestamp(time, UTC))
    text = _ftparchive(run, into, *options, "release", ".")
    return re.sub(r"^Date: .*$", f"Date: {made}\nAcquire-By-Hash: no", text, count=1, flags=re.MULTILINE).encode()


def _ftparchive(run: Run, directory: Path, *words: str) -> str:
    return run(Command(argv=("apt-ftparchive", "-q", *words), cwd=directory, separate=True)).stdout


def _plain(index: str) -> str:
    """Name files as they are asked for: what follows the repository's URL is an asset's name, and nothing else.

    apt-ftparchive takes files as the directory has them; they are put into an order.
    """
    index = re.sub(r"^Filename: \./", "Filename: ", index, flags=re.MULTILINE)
    index = re.sub(r"^Directory: \.\n", "", index, flags=re.MULTILINE)
    return "".join(f"{stanza}\n\n" for stanza in sorted(index.strip("\n").split("\n\n")))
