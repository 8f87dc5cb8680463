"""The nouns of the apt room, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.errors import NetworkError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class AptRoot:
    """A directory that apt takes for a whole system: etc/apt, keyrings, var/lib/dpkg/status, var/lib/apt/lists.

    `foreign` are the further architectures it may install, for cross builds. With `empty` nothing is installed in it, whatever
    its package status says. Signed-By paths in it are absolute: it cannot be moved.
    """

    path: Path
    arch: str
    foreign: tuple[str, ...] = ()
    empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One binary package at one version, as a signed list describes it. `filename` is the path in its repository, `size` is in
    bytes; the `uri` of a local .deb starts with "copy:".
    """

    name: str
    version: str
    arch: str
    filename: str
    size: int
    sha256: str
    uri: str

    @property
    def deb(self) -> str:
        """The file name that apt gives it in /var/cache/apt/archives."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What apt would do: the packages to install or upgrade, by name, and the names (NAME or NAME:ARCH) to purge."""

    install: tuple[Pin, ...]
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One package of what packages need at run time. `depends` are the names of those that it depends on itself.

    `source` and `source_version` are what it was built from; `sha256` is empty where no list has this version any more.
    """

    name: str
    version: str
    arch: str
    source: str
    source_version: str
    maintainer: str
    sha256: str
    depends: tuple[str, ...] = ()


class Superseded(NetworkError):
    """The mirror no longer has a pinned version. The lists have been refreshed: resolve again, then download."""


class Untrusted(NetworkError):
    """A repository's signature is missing, bad, too old, or by a key that the root does not trust."""
