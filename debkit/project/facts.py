"""What a project is: its packaging, read as a build reads it, and where on GitHub it lives. Nothing is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from debkit.config import ArchiveConfig, BuildConfig, Config
from debkit.model import ARCHES
from debkit.source import builds_on
from debkit.source.git import git, in_git, toplevel
from debkit.source.ours import NAMES
from debkit.source.tree import QUILT, read_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run

OUTPUTS = ("dist", "parts", "repo", "site")
ORIGIN = re.compile(r"(?:https://|ssh://git@|git@)github\.com[:/](?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A project. `distribution` is what its changelog names, `repository` the OWNER/NAME on GitHub, empty where it has none.

    `arches` are those that are built by default and that it has something for; `outputs` the directories that debkit will make
    and that are not the project's own. `git` is the top of the git repository that it is in, and `ignored` are debkit's
    files, and the directories on the way to them, that git would not take. `orig_from_git` is whether there is a gbp.conf.
    """

    path: Path
    packaging: str
    name: str
    distribution: str
    arches: tuple[str, ...]
    version: str
    quilt: bool
    has_orig: bool
    orig_from_git: bool
    outputs: tuple[str, ...]
    git: Path | None
    ignored: tuple[str, ...]
    repository: str

    @property
    def url(self) -> str:
        """Where GitHub Pages serves the repository, empty where it has none."""
        owner, _, name = self.repository.partition("/")
        host = f"{owner.lower()}.github.io"
        return "" if not owner else f"https://{host}" if name.lower() == host else f"https://{host}/{name}"


def look(run: Run, path: Path, config: Config) -> Facts:
    """Read a project. Raises SourceError for what a build could not use either."""
    tree = read_tree(run, path, given=f"{path}", config=config, staging=config.dist / "source")
    under_git = in_git(path)
    return Facts(
        path=path,
        packaging=tree.packaging,
        name=tree.entry.name,
        distribution=tree.entry.distribution,
        arches=_arches(tree.architectures),
        version=tree.entry.version,
        quilt=tree.format == QUILT,
        has_orig=tree.has_orig,
        orig_from_git=(path / tree.packaging / "gbp.conf").is_file(),
        outputs=tuple(name for name in OUTPUTS if not any(file.startswith(f"{name}/") for file in tree.listing.names)),
        git=toplevel(path) if under_git else None,
        ignored=_ignored(run, path) if under_git else (),
        repository=repository(git(run, path, "remote", "get-url", "origin", ok=frozenset({0, 2}))) if under_git else "",
    )


def chosen(facts: Facts, *, suites: tuple[str, ...], arches: tuple[str, ...], name: str) -> Config:
    """Give the configuration that a project without one is to have; what is empty is chosen here."""
    build = BuildConfig(arches=arches or facts.arches)
    return Config(
        project=facts.path,
        build=replace(build, suites=suites) if suites else build,
        archive=ArchiveConfig(name=name or facts.name, url=facts.url),
    )


def repository(url: str) -> str:
    """Give the OWNER/NAME of a git URL on GitHub, or nothing."""
    found = ORIGIN.fullmatch(url.strip())
    return f"{found['owner']}/{found['name']}" if found else ""


def _ignored(run: Run, path: Path) -> tuple[str, ...]:
    """List what upstream's .gitignore has: one of autotools' often has config, where debkit's configuration is to be."""
    ways = {way: None for name in NAMES for way in (*(f"{d}/" for d in reversed(PurePosixPath(name).parents[:-1])), name)}
    return tuple(git(run, path, "check-ignore", "--no-index", "--", *ways, ok=frozenset({0, 1})).splitlines())


def _arches(architectures: tuple[str, ...]) -> tuple[str, ...]:
    usual = BuildConfig().arches
    if "all" in architectures:
        return usual
    fitting = tuple(arch for arch in dict.fromkeys((*usual, *ARCHES)) if builds_on(architectures, arch))
    return tuple(arch for arch in fitting if arch in usual) or fitting[:1] or usual
