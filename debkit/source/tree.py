"""A source tree, read: what its packaging says, its files, and the hash of them. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.errors import SourceError
from debkit.source import copying
from debkit.source.changelog import read_changelog
from debkit.source.control import read_control
from debkit.source.listing import Leftovers, list_tree, outputs_of
from debkit.source.place import find_packaging
from debkit.source.tags import read_history

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.run import Run
    from debkit.source.changelog import Entry
    from debkit.source.copying import Taken
    from debkit.source.listing import Listing
    from debkit.source.tags import History

NATIVE, QUILT, OLD = "3.0 (native)", "3.0 (quilt)", "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A tree as it was read. `packaging` is its directory that becomes debian/, `content` the hash of all `files`.

    `history` is None where no tag of git counts.
    """

    given: str
    path: Path
    packaging: str
    entry: Entry
    format: str
    architectures: tuple[str, ...]
    binaries: tuple[str, ...]
    listing: Listing
    files: tuple[Taken, ...]
    content: str
    maintainers: tuple[str, ...]
    history: History | None

    @property
    def has_orig(self) -> bool:
        return _has_orig(self.format, self.entry)

    @property
    def clean(self) -> bool:
        """Whether nothing differs from git's last commit."""
        return self.listing.commit is not None and self.listing.commit.clean


def read_tree(run: Run, path: Path, *, given: str, config: Config, staging: Path) -> Tree:
    """Read a tree's packaging and list its files. Writes nothing. Raises SourceError for what can be seen to be wrong."""
    root = path.resolve()
    packaging = find_packaging(path, given)
    debian = path / packaging
    entry, control = read_changelog(debian / "changelog"), read_control(debian / "control")
    if control.source != entry.name:
        raise SourceError(
            f"{given} has two names: {entry.name} in {packaging}/changelog, {control.source} in {packaging}/control",
            cause="the source package has one name, and both files must say it",
            hint=f"${{EDITOR:-editor}} {debian / 'changelog'} {debian / 'control'}",
        )
    kind = _format(debian / "source/format", entry)
    leftovers = Leftovers(packaging, control.binaries)
    listing = list_tree(run, root, leftovers=leftovers, outputs=outputs_of(config, staging, root))
    files = copying.take(root, listing.names, packaging=packaging)
    history = None
    if listing.commit and listing.commit.id:
        history = read_history(run, root, packaging, version=entry.version, quilt=_has_orig(kind, entry))
    return Tree(
        given=given,
        path=root,
        packaging=packaging,
        entry=entry,
        format=kind,
        architectures=control.architectures,
        binaries=control.binaries,
        listing=listing,
        files=files,
        content=copying.digest(files),
        maintainers=control.maintainers,
        history=history,
    )


def _has_orig(kind: str, entry: Entry) -> bool:
    return kind == QUILT or (kind == OLD and entry.has_revision)


def _format(path: Path, entry: Entry) -> str:
    """Read the source format. Raises SourceError for one that debkit does not make, or that the version does not fit."""
    kind = (path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else "") or OLD
    if kind not in {NATIVE, QUILT, OLD}:
        raise SourceError(
            f"the source format {kind!r} is not one that debkit makes",
            cause=f"{path} names it; the others are made by hand or by their own tools",
            hint=f"echo '{QUILT}' > {path}, or '{NATIVE}' where there is no upstream tarball",
        )
    if (kind, entry.has_revision) in {(NATIVE, True), (QUILT, False)}:
        has = "has a revision" if entry.has_revision else "has no revision"
        raise SourceError(
            f"version {entry.version} does not fit the source format {kind}",
            cause=f"the version {has}: native packages have none, those with an upstream tarball need one (Debian policy 5.6.12)",
            hint=f"echo '{QUILT if kind == NATIVE else NATIVE}' > {path}, or change the version in debian/changelog",
        )
    return kind
