"""Make and keep the directories that isolated apt works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.apt.model import AptRoot
    from debkit.model import Repository
    from debkit.run import Run


def prepare(
    run: Run,
    tarball: Path,
    path: Path,
    arch: str,
    *,
    foreign: tuple[str, ...] = (),
    repositories: tuple[Repository, ...] = (),
) -> AptRoot:
    """Make at `path` what apt needs to know of a chroot tarball: its apt configuration, keyrings and package status.

    A root that was made of this same tarball with the same further architectures and repositories is kept, lists and all;
    any other is replaced. The lists of a new root are empty: call `update`. Raises ChrootError for a tarball that is no chroot.
    """
    raise NotImplementedError


def make(path: Path, *, arch: str, sources: str, keyring: Path) -> AptRoot:
    """Make an empty system that knows only `sources` (deb822 text), signed by a key in `keyring` and by no other.

    Signed-By is set to that keyring whatever the text says, and nothing may switch verification off: an end user's .sources
    file can be given as it is. What stood at `path` is removed.
    """
    raise NotImplementedError


def updated(root: AptRoot) -> float | None:
    """When the lists were last refreshed with success, in seconds since the epoch, or None."""
    raise NotImplementedError
