"""The upstream tarball of a source that has one: found beside the tree, made from its git, or as the suite's archive has it.

Owns gbp export-orig. It runs in a throwaway clone, since it writes beside the tree and knows packaging only as debian/.
"""

from __future__ import annotations

import configparser
import re
import shutil
from typing import TYPE_CHECKING

from debkit.errors import NetworkError, SourceError
from debkit.run import Command, CommandFailed, require_tool
from debkit.source.git import git_argv, in_git, toplevel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.run import Run

COMPRESSIONS = "gz|bz2|xz|lzma"
BESIDE = ("..", "../tarballs", "../build-area")


def orig_pattern(name: str, upstream: str) -> re.Pattern[str]:
    """Say what the upstream files are called: the tarball, those of components, and their signatures (dpkg-source(1))."""
    start = re.escape(f"{name}_{upstream}.orig")
    return re.compile(rf"{start}(?P<component>-[A-Za-z0-9-]+)?\.tar\.({COMPRESSIONS})(?P<signature>\.asc)?")


def find_orig(tree: Path, packaging: str, *, name: str, upstream: str) -> tuple[Path, ...]:
    """Find the tarball with its components and signatures beside the tree; empty when it is nowhere.

    Raises SourceError when a directory has the tarball in two compressions, since a source package takes one.
    """
    for directory in places(tree, packaging):
        found = _matching(directory, name, upstream)
        mains = [path.name for path in found if (m := _match(path, name, upstream)) and not m["component"] and not m["signature"]]
        if len(mains) > 1:
            raise SourceError(
                f"{directory} has the upstream tarball twice: {' and '.join(mains)}",
                cause="a source package takes one, and only one has the checksum that was published",
                hint=f"rm {directory / mains[0]}\nor: rm {directory / mains[1]}",
            )
        if mains:
            return found
    return ()


def places(tree: Path, packaging: str) -> tuple[Path, ...]:
    """Where upstream tarballs are kept: beside the tree, as uscan and git-buildpackage do, or where gbp.conf says."""
    told = gbp_options(tree / packaging / "gbp.conf").get("tarball-dir", "")
    root = tree.resolve()
    named = [root / told] if told and "%" not in told else []
    return tuple(dict.fromkeys(directory.resolve() for directory in (*named, *(root / place for place in BESIDE))))


def gbp_options(conf: Path, *sections: str) -> dict[str, str]:
    """Read what a gbp.conf says, its `sections` (export-orig's by default) laid over each other as gbp.conf(5) has it."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(conf, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as problem:
        raise SourceError(
            f"{conf} is broken", cause=str(problem).splitlines()[0], hint=f"${{EDITOR:-editor}} {conf}"
        ) from problem
    options = dict(parser.defaults())
    for section in sections or ("buildpackage", "export-orig"):
        if parser.has_section(section):
            options |= dict(parser.items(section))
    return options


def make_orig(run: Run, tree: Path, packaging: str, staged: Path, *, name: str, upstream: str, work: Path) -> tuple[Path, ...]:
    """Make the tarball from the tree's git, as debian/gbp.conf of the `staged` tree says, in `work`.

    Raises SourceError, saying where the tarball was looked for, when there is no gbp.conf or gbp fails.
    """
    conf = staged / "debian/gbp.conf"
    if not conf.is_file() or not in_git(tree):
        raise missing(tree, packaging, name=name, upstream=upstream)
    demand_tools(conf)
    clone, made = work / "clone", work / "orig"
    made.mkdir(parents=True)
    try:
        make_clone(run, tree, staged / "debian", clone)
        run(Command(argv=export_argv(made), cwd=clone, env=(("GBP_CONF_FILES", "debian/gbp.conf"),)))
    except CommandFailed as failed:
        raise missing(tree, packaging, name=name, upstream=upstream, said=failed.done.tail) from failed
    found = _matching(made, name, upstream)
    if not found:
        raise missing(tree, packaging, name=name, upstream=upstream, said=("gbp export-orig made nothing",))
    return found


def demand_tools(conf: Path) -> None:
    """Raise MissingTool where what makes the tarball from git, as this gbp.conf says, is not installed."""
    require_tool("gbp")
    if uses_pristine_tar(conf):
        require_tool("pristine-tar")


def uses_pristine_tar(conf: Path) -> bool:
    return gbp_options(conf).get("pristine-tar", "").lower() in {"true", "1", "yes", "on"}


def make_clone(run: Run, tree: Path, debian: Path, clone: Path) -> None:
    """Make a throwaway clone of the tree's repository for gbp, with no file in it but the packaging, as debian/."""
    run(Command(argv=clone_argv(toplevel(tree), clone / ".git")))
    run(Command(argv=git_argv("-C", f"{clone}/.git", "config", "core.bare", "false")))
    shutil.copytree(debian, clone / "debian", symlinks=True)


def archived_orig(fetch: Callable[[str], Path], *, name: str, upstream: str, lacking: SourceError) -> tuple[Path, ...]:
    """Take the tarball out of the source package that the suite's own archive has, as origtargz(1) does first.

    Raises `lacking`, the error of there being none elsewhere, with what the archive has instead.
    """
    try:
        dsc = fetch(name)
    except (SourceError, NetworkError) as problem:
        raise _extended(lacking, f"nor could it be had from the suite's archive: {problem.what}") from problem
    if not (found := _matching(dsc.parent, name, upstream)):
        raise _extended(lacking, f"nor has the suite's archive that version; it has {dsc.stem}")
    return found


def _extended(lacking: SourceError, also: str) -> SourceError:
    return SourceError(lacking.what, cause=f"{lacking.cause}\n{also}", hint=lacking.hint)


def clone_argv(repository: Path, into: Path) -> tuple[str, ...]:
    # A mirror has the branches of remotes too: pristine-tar is often there only. Shared copies no objects.
    return git_argv("clone", "--quiet", "--mirror", "--shared", f"{repository}", f"{into}")


def export_argv(into: Path) -> tuple[str, ...]:
    return ("gbp", "export-orig", f"--tarball-dir={into}")


def missing(tree: Path, packaging: str, *, name: str, upstream: str, said: tuple[str, ...] = ()) -> SourceError:
    """Make the error for an upstream tarball that is nowhere; `said` is what gbp printed when it was tried."""
    looked = ", ".join(str(place) for place in places(tree, packaging))
    why = "\n".join(line for line in said if line.strip()) if said else f"no {packaging}/gbp.conf says how to make it from git"
    return SourceError(
        f"the upstream tarball {name}_{upstream}.orig.tar.* is missing",
        cause=f"it is not in {looked}, and could not be made from git:\n{why}",
        hint=f"cd {tree} && origtargz\nor: uscan --download-current-version, or gbp export-orig, or put it beside the tree",
    )


def _matching(directory: Path, name: str, upstream: str) -> tuple[Path, ...]:
    if not directory.is_dir():
        return ()
    return tuple(sorted(path for path in directory.iterdir() if path.is_file() and _match(path, name, upstream)))


def _match(path: Path, name: str, upstream: str) -> re.Match[str] | None:
    return orig_pattern(name, upstream).fullmatch(path.name)
