"""What a release on GitHub is made of, and what GitHub calls it: an asset's name has no `~`, which versions do have."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import ReleaseConflict, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from debkit.model import FileRef

SUMS = "SHA256SUMS"
SIGNATURE = f"{SUMS}.asc"
# What GitHub takes: so many assets a release, each below so many bytes, and none that is empty.
MOST_ASSETS = 1000
MOST_BYTES = 2 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of a release. `origin` is what it is called elsewhere, empty for what is the release's own.

    What is `made` for the release is made anew by each run, and may take the place of what an earlier one has made. Of a
    signature, of which each is another, `signs` is the text: one of the same text serves as well.
    """

    name: str
    path: Path
    size: int
    sha256: str
    origin: str = ""
    made: bool = False
    signs: bytes = b""

    @property
    def renamed(self) -> bool:
        return bool(self.origin) and self.origin != self.name


def asset_name(name: str) -> str:
    """Give what GitHub makes of a file's name: one dot for each run of characters that are not letters, digits or `-_+@`.

    It would do so by itself, and not tell; it keeps a name that is so already.
    """
    return re.sub(r"[^A-Za-z0-9_+@-]+", ".", name).strip(".")


def gather(into: Path, base: Path, files: Iterable[FileRef]) -> tuple[Asset, ...]:
    """Lay out files (paths under a base, as they are known to be) in a directory, under the names that they will have.

    They stay what they are while others change the base. Raises ReleaseConflict where two files would have one name.
    """
    files = tuple(files)
    demand_distinct(Path(file.name).name for file in files)
    return tuple(_gathered(into, base / file.name, file) for file in files)


def _gathered(into: Path, path: Path, file: FileRef) -> Asset:
    laid = into / asset_name(path.name)
    try:
        laid.hardlink_to(path)
    except OSError:  # another file system, or another user's file (proc_sys_fs(5), protected_hardlinks)
        shutil.copyfile(path, laid)
    return Asset(name=laid.name, path=laid, size=file.size, sha256=file.sha256, origin=path.name)


def demand_distinct(names: Iterable[str]) -> None:
    """Check that GitHub tells files apart. Raises ReleaseConflict naming those that it would not."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_name[asset_name(name)].append(name)
    for name, origins in by_name.items():
        if len(origins) > 1:
            raise ReleaseConflict(
                f"{' and '.join(sorted(origins))} would both be called {name} on GitHub",
                cause="an asset's name has a dot for what is no letter, digit, - _ + or @, such as ~",
                hint="give one of them another version: dch --increment",
            )


def demand_acceptable(assets: tuple[Asset, ...]) -> None:
    """Check what GitHub would refuse. Raises ReleaseError, ReleaseConflict."""
    demand_distinct(asset.name for asset in assets)
    if len(assets) > MOST_ASSETS:
        raise ReleaseError(
            f"a release with {len(assets)} files is too large for GitHub",
            cause=f"it takes {MOST_ASSETS} files a release",
            hint="serve this version from the archive alone: debkit repo deploy",
        )
    for asset in assets:
        if not 0 < asset.size < MOST_BYTES:
            raise ReleaseError(
                f"GitHub does not take {asset.origin or asset.name}",
                cause="the file is empty"
                if not asset.size
                else f"it has {asset.size} bytes, and may have less than {MOST_BYTES}",
                hint="serve this version from the archive alone: debkit repo deploy",
            )


def checksums(assets: Iterable[Asset]) -> str:
    """Write SHA256SUMS as sha256sum(1) reads it, by the names that files have on GitHub. Signatures vouch for themselves."""
    return "".join(f"{asset.sha256}  {asset.name}\n" for asset in sorted(assets, key=lambda asset: asset.name) if not asset.signs)


def parse_checksums(text: str) -> dict[str, str]:
    """Read which SHA-256 each file should have."""
    return {name: sha256 for sha256, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", text, flags=re.MULTILINE)}
