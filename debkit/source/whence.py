"""Where the upstream tarball of a tree will be taken from, told before it is: what is beside the tree, in git, or made already.

The suite's archive is not asked: that needs the network, and a chroot's lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.source.git import git, in_git
from debkit.source.orig import demand_tools, gbp_options, orig_pattern, uses_pristine_tar
from debkit.source.tags import Kind, read_form

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run
    from debkit.source.tree import Tree

UPSTREAM_TAG = "upstream/%(version)s"  # gbp.conf(5)


@dataclass(frozen=True, slots=True)
class Whence:
    """What is known of an upstream tarball: `told` names it and where it comes from, or why only an `archive` may have it."""

    told: str
    archive: bool = False


def whence(run: Run, tree: Tree, *, upstream: str, found: tuple[Path, ...], made: Path) -> Whence:
    """Tell it of a tree beside which the files `found` are, and whose source package would stand in `made`.

    Raises MissingTool where it would be made from git, and what makes it is not installed.
    """
    pattern = orig_pattern(tree.entry.name, upstream)
    if found:
        return Whence(f"{_names(found)} from {found[0].parent}")
    if there := tuple(path for path in sorted(made.glob("*")) if pattern.fullmatch(path.name)):
        return Whence(f"{_names(there)} from the same source package, which is made already: {made}")
    name = f"{tree.entry.name}_{upstream}.orig.tar.*"
    if told := _from_git(run, tree, name, upstream=upstream):
        return told
    return Whence(f"{name} is not beside the tree, and {_why_not(tree, upstream)}", archive=True)


def _from_git(run: Run, tree: Tree, name: str, *, upstream: str) -> Whence | None:
    """Tell how the tarball is made from git, or give None where it is not; as gbp-export-orig(1) decides it."""
    conf = _conf(tree)
    if not conf:
        return None
    demand_tools(conf)
    options = gbp_options(conf)
    if uses_pristine_tar(conf):
        kept = _kept(run, tree.path, name=tree.entry.name, upstream=upstream)
        return Whence(f"{kept} from git, by pristine-tar") if kept else None
    if options.get("upstream-tree", "TAG").upper() != "TAG":
        return Whence(f"{name} from git, as {tree.packaging}/gbp.conf says")
    form = read_form(Kind.UPSTREAM, options.get("upstream-tag", UPSTREAM_TAG))
    tags = git(run, tree.path, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags").splitlines()
    tag = next((tag for tag in tags if form and form.version(tag) == upstream), "")
    return Whence(f"{name} from git, of the tag {tag}") if tag else None


def _why_not(tree: Tree, upstream: str) -> str:
    conf = _conf(tree)
    if not conf:
        return f"no {tree.packaging}/gbp.conf says how to make it from git"
    if uses_pristine_tar(conf):
        return "no branch pristine-tar has it"
    return f"git has no tag {gbp_options(conf).get('upstream-tag', UPSTREAM_TAG)} of {upstream}"


def _conf(tree: Tree) -> Path | None:
    conf = tree.path / tree.packaging / "gbp.conf"
    return conf if conf.is_file() and in_git(tree.path) else None


def _names(files: tuple[Path, ...]) -> str:
    return ", ".join(file.name for file in files)


def _kept(run: Run, tree: Path, *, name: str, upstream: str) -> str:
    """Name the tarballs that pristine-tar can make again; its branch may be a remote's only."""
    branches = ("refs/heads/pristine-tar", "refs/remotes/*/pristine-tar")
    for ref in git(run, tree, "for-each-ref", "--format=%(refname)", *branches).splitlines():
        files = git(run, tree, "ls-tree", "--full-tree", "--name-only", ref).splitlines()
        kept = (file.removesuffix(".delta") for file in files if file.endswith(".delta"))
        if names := [file for file in kept if orig_pattern(name, upstream).fullmatch(file)]:
            return ", ".join(names)
    return ""
