"""What is to be released and where: the tag, the version that it names, the source, the repository, and the token for it.

GitHub Actions says most of it in the environment.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import ConfigError, SourceError
from debkit.keys import Secret
from debkit.source.changelog import read_changelog
from debkit.source.dsc import read_dsc
from debkit.source.git import git, in_git, toplevel
from debkit.source.place import Kind, find_packaging, locate
from debkit.source.tags import forms, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debkit.run import Run
    from debkit.source.changelog import Entry

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
NO_CONF = Path(os.devnull)
SERVER = "https://github.com"


def find_tag(run: Run, tag: str, tree: Path, environ: Mapping[str, str]) -> str:
    """Give the tag to release: the one that is named, that the workflow runs for, or that the tree's last commit has."""
    if tag:
        return tag
    if environ.get("GITHUB_REF_TYPE") == "tag" and environ.get("GITHUB_REF_NAME"):
        return environ["GITHUB_REF_NAME"]
    tree = tree if tree.is_dir() else Path()
    tags = tags_at(run, tree) if in_git(tree) else []
    if len(tags) != 1:
        none = "the last commit has no tag" if in_git(tree) else f"{tree.resolve()} is in no git repository"
        raise ConfigError(
            "which tag is to be released is not known",
            cause=f"the last commit has the tags {', '.join(tags)}" if tags else none,
            hint=f"debkit release github --tag {tags[0] if tags else 'TAG'}",
        )
    return tags[0]


def tags_at(run: Run, tree: Path) -> list[str]:
    """List the tags of a tree's last commit."""
    return git(run, tree, "tag", "--points-at", "HEAD").split()


def missing_tag(run: Run, tag: str, tree: Path) -> ConfigError | None:
    """Make the error of a tag that a tree's git does not have; None where it has it, or there is no git to ask."""
    if not (tree.is_dir() and in_git(tree)):
        return None
    tags = git(run, tree, "tag", "--sort=-creatordate").split()
    if tag in tags:
        return None
    near = difflib.get_close_matches(tag, tags, n=1)
    told = (*(f"the nearest is {name}" for name in near), *(f"the last one is {name}" for name in tags[:1] if name not in near))
    return ConfigError(
        f"there is no tag {tag} in {toplevel(tree)}",
        cause=", ".join(told) or "it has no tags at all: nothing was tagged yet, or the clone was made without tags",
        hint=f"git fetch --tags, where another clone has it\nor, to tag the last commit: git tag {shlex.quote(tag)}",
    )


def find_repository(name: str, environ: Mapping[str, str]) -> str:
    """Give the repository as OWNER/NAME. Raises ConfigError."""
    name = name or environ.get("GITHUB_REPOSITORY", "")
    if not REPOSITORY.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no repository on GitHub" if name else "which repository on GitHub is meant is not known",
            cause="one is named as OWNER/NAME" if name else "GITHUB_REPOSITORY is not set, as it is in a workflow",
            hint="debkit release github --repository OWNER/NAME",
        )
    return name


def find_token(environ: Mapping[str, str]) -> Secret:
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""
    if not token.strip():
        raise ConfigError(
            "there is no token for GitHub",
            cause="neither GITHUB_TOKEN nor GH_TOKEN is set",
            hint="GITHUB_TOKEN=$(gh auth token) debkit release github; in a workflow: GITHUB_TOKEN: ${{ github.token }}; "
            "to see what would be done: debkit release github --dry-run",
        )
    return Secret(token.strip())


def source_of(where: str, tag: str) -> tuple[str, str]:
    """Say which source package is meant (a tree's, a .dsc's, or what is named), and which version of it a tag names.

    In a tree gbp.conf says how tags are spelled, and the changelog what a tag leaves out, as `debkit.source.tags` has it: for a
    part of a repository no others count. Raises SourceError.
    """
    place = locate(where)
    match place.kind:
        case Kind.NAME:
            return where, _version(tag, NO_CONF)
        case Kind.DSC:
            return read_dsc(place.path).name, _version(tag, NO_CONF)
        case Kind.TREE:
            packaging = place.path / find_packaging(place.path, where)
            entry = read_changelog(packaging / "changelog")
            top = toplevel(place.path) == place.path.resolve()
            return entry.name, _version(tag, packaging / "gbp.conf", entry, top=top)


def _version(tag: str, conf: Path, entry: Entry | None = None, *, top: bool = True) -> str:
    counted = forms(conf, top=top)
    if not counted:
        raise SourceError(
            f"the tag {tag} does not tell which version of this part of the repository is meant",
            cause=f"no tag counts for it, since {conf} has no debian-tag: the changelog of the tag's commit has its version",
            hint=f"git checkout {tag}",
        )
    for form in counted:
        if version := form.version(tag):
            return settled(version, form.kind, entry.version, quilt=entry.has_revision) if entry else version
    raise SourceError(
        f"the tag {tag} names no version", cause="it is neither like v1.0 nor like debian/1.0-1", hint="git tag v1.0"
    )


def version_of(tag: str) -> str:
    """Give the version that a tag of a usual form names, or nothing."""
    return next(filter(None, (form.version(tag) for form in forms(NO_CONF, top=True))), "")


def is_prerelease(version: str) -> bool:
    """Whether a version comes before the one that it is named after, as 1.0~rc1 does."""
    return "~" in version


def place(environ: Mapping[str, str], repository: str, tag: str, version: str) -> str:
    """Say from where a release's files are downloaded: for all time to come the latest's, which no prerelease ever is."""
    releases = f"{environ.get('GITHUB_SERVER_URL') or SERVER}/{repository}/releases"
    return f"{releases}/download/{tag}/" if is_prerelease(version) else f"{releases}/latest/download/"
