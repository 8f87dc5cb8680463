"""Open what the caller named and have its source package finished on disk: read, staged, packed, once per content and suite."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from debkit.errors import SourceError
from debkit.source import changelog, copying, snapshot
from debkit.source.changelog import read_changelog, upstream_of
from debkit.source.draft import Draft, drafted, implied_by, new_changelog, suffixed
from debkit.source.dsc import read_dsc, verify_files
from debkit.source.orig import archived_orig, find_orig, make_orig
from debkit.source.packing import finish, finished, pack, scratch, unpack, write_changes
from debkit.source.place import Kind, locate
from debkit.source.signature import verify_signature
from debkit.source.tree import read_tree
from debkit.source.version import Verdict
from debkit.source.whence import Whence, whence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import Source
    from debkit.run import Run
    from debkit.source.changelog import Entry
    from debkit.source.dsc import DscFile
    from debkit.source.tree import Tree

KEY_LENGTH = 12


def open_source(
    run: Run,
    where: str,
    *,
    suite: str,
    first_suite: bool,
    config: Config,
    staging: Path,
    fetch: Callable[[str], Path] | None = None,
) -> Source:
    """Have the source package of `where` finished, for one suite: a tree, a .dsc, or the name of a package that `fetch` gets.

    It stands in a directory of `staging` named after its version and content; there once, it is used again. All suites share
    `staging`, so that a snapshot has one version. Raises SourceError.
    """
    place = locate(where)
    staging.mkdir(parents=True, exist_ok=True)
    staging = staging.resolve()
    if place.kind is Kind.TREE:
        tree = read_tree(run, place.path, given=where, config=config, staging=staging)
        with snapshot.alone(staging):
            draft, taken = drafted(tree, suite, first_suite=first_suite, staging=staging)
            if taken:
                snapshot.remember(staging, draft.name, taken)
        return _open_tree(run, tree, draft, suite=suite, staging=staging, fetch=fetch)
    if place.kind is Kind.NAME and fetch is None:
        raise SourceError(
            f"there is no source tree {where}",
            cause="it could be the name of a package, but no archive is at hand to get it from",
            hint=f"ls, or debkit build ./{where}",
        )
    path = fetch(where) if place.kind is Kind.NAME and fetch else place.path
    return _open_dsc(run, path, suite=suite, first_suite=first_suite, keyring=config.source.keyring, staging=staging)


def foresee(
    run: Run, where: str, *, suite: str, first_suite: bool, config: Config, staging: Path
) -> tuple[Draft | None, Whence | None]:
    """Tell what `describe` does, and of a tree that has one where its upstream tarball will be taken from.

    Raises the errors that a tarball which stands there twice, or the lack of what makes it from git, would end a build with.
    """
    place = locate(where)
    if place.kind is not Kind.TREE:
        return describe(run, where, suite=suite, first_suite=first_suite, config=config, staging=staging), None
    tree = read_tree(run, place.path, given=where, config=config, staging=staging)
    draft = drafted(tree, suite, first_suite=first_suite, staging=staging)[0]
    if not tree.has_orig:
        return draft, None
    upstream, found, final = _to_be(tree, draft, staging)
    return draft, whence(run, tree, upstream=upstream, found=found, made=final)


def describe(run: Run, where: str, *, suite: str, first_suite: bool = True, config: Config, staging: Path) -> Draft | None:
    """Tell what `open_source` will make, writing nothing; None for the name of a package, which is not fetched.

    Raises the SourceErrors that can be seen by reading.
    """
    place = locate(where)
    if place.kind is Kind.NAME:
        return None
    if place.kind is Kind.TREE:
        tree = read_tree(run, place.path, given=where, config=config, staging=staging)
        return drafted(tree, suite, first_suite=first_suite, staging=staging)[0]
    dsc = read_dsc(place.path)
    verify_files(dsc)
    return Draft(
        name=dsc.name,
        version=dsc.version if first_suite else suffixed(dsc.version, suite),
        distribution="" if first_suite else suite,
        format=dsc.format,
        architectures=dsc.architectures,
        binaries=dsc.binaries,
        snapshot=False,
        time=0,
        verdict=Verdict(base=dsc.version, why="as the .dsc says"),
    )


def _open_tree(run: Run, tree: Tree, draft: Draft, *, suite: str, staging: Path, fetch: Callable[[str], Path] | None) -> Source:
    upstream, found, final = _to_be(tree, draft, staging)
    if source := finished(final, suite=suite, snapshot=draft.snapshot):
        return source
    with scratch(staging) as work:
        staged = work / f"{draft.name}-{upstream}"
        copying.copy(tree.files, staged)
        names = tuple(file.name for file in tree.files)
        if copying.digest(copying.take(staged, names)) != tree.content:
            raise copying.changed(tree.path)
        _write_entry(run, tree, staged, draft)
        if tree.has_orig:
            for orig in found or _origs(run, tree, staged, upstream=upstream, fetch=fetch):
                shutil.copyfile(orig, work / orig.name)
        copying.normalise(staged, draft.time)
        pack(run, staged, timestamp=draft.time, given=tree.given)
        write_changes(run, staged, name=draft.name, version=draft.version, timestamp=draft.time)
        finish(work, final)
    return _proven(final, suite, snapshot=draft.snapshot)


def _to_be(tree: Tree, draft: Draft, staging: Path) -> tuple[str, tuple[Path, ...], Path]:
    """Give a tree's upstream version, the upstream files beside it, and where its source package will stand, or stands."""
    upstream = upstream_of(draft.verdict.base)
    found = find_orig(tree.path, tree.packaging, name=draft.name, upstream=upstream) if tree.has_orig else ()
    key = _key(tree.content, draft.distribution, *implied_by(tree, draft), *(_sum(path) for path in found))
    return upstream, found, _final(staging, draft.name, draft.version, key)


def _origs(run: Run, tree: Tree, staged: Path, *, upstream: str, fetch: Callable[[str], Path] | None) -> tuple[Path, ...]:
    """Have the upstream tarball that is not beside the tree."""
    name = tree.entry.name
    try:
        return make_orig(run, tree.path, tree.packaging, staged, name=name, upstream=upstream, work=staged.parent)
    except SourceError as lacking:
        if fetch is None:
            raise
        return archived_orig(fetch, name=name, upstream=upstream, lacking=lacking)


def _open_dsc(run: Run, path: Path, *, suite: str, first_suite: bool, keyring: Path | None, staging: Path) -> Source:
    dsc = read_dsc(path)
    verify_files(dsc)
    with scratch(staging) as work:
        if keyring:
            verify_signature(run, path, keyring, work=work)
        version = dsc.version if first_suite else suffixed(dsc.version, suite)
        final = _final(staging, dsc.name, version, _key(_sum(path), suite if not first_suite else ""))
        if source := finished(final, suite=suite, snapshot=False):
            return source
        _copy_dsc(dsc, work)
        staged = work / f"{dsc.name}-{changelog.without_epoch(dsc.version).rpartition('-')[0] or dsc.version}"
        unpack(run, work / path.name, staged)
        entry = read_changelog(staged / "debian/changelog")
        if first_suite:
            write_changes(run, staged, name=dsc.name, version=version, timestamp=entry.time)
        else:
            _rebuild(run, staged, dsc, entry, suite=suite)
        finish(work, final)
    return _proven(final, suite, snapshot=False)


def _rebuild(run: Run, staged: Path, dsc: DscFile, entry: Entry, *, suite: str) -> None:
    """Make the source package anew for a suite after the first. The upstream tarball stays as it is."""
    work, timestamp = staged.parent, entry.time + 1
    for file in dsc.files:
        if ".orig" not in file.name:
            (work / file.name).unlink()
    (work / dsc.path.name).unlink()
    version = suffixed(dsc.version, suite)
    text = _changelog(staged)
    _put_changelog(staged, changelog.with_rebuild(text, entry, version=version, distribution=suite, time=timestamp))
    copying.normalise(staged, timestamp)
    pack(run, staged, timestamp=timestamp, given=f"{dsc.name} {version}")
    write_changes(run, staged, name=dsc.name, version=version, timestamp=timestamp)


def _write_entry(run: Run, tree: Tree, staged: Path, draft: Draft) -> None:
    text = new_changelog(run, tree, draft, debian=staged / "debian", work=staged.parent)
    if text != _changelog(staged):
        _put_changelog(staged, text)


def _changelog(staged: Path) -> str:
    return (staged / "debian/changelog").read_text(encoding="utf-8")


def _put_changelog(staged: Path, text: str) -> None:
    path = staged / "debian/changelog"
    if path.is_symlink():
        path.unlink()
    path.write_text(text, encoding="utf-8")


def _copy_dsc(dsc: DscFile, into: Path) -> None:
    for name in (dsc.path.name, *(file.name for file in dsc.files)):
        shutil.copyfile(dsc.path.parent / name, into / name)
    verify_files(replace(dsc, path=into / dsc.path.name))


def _proven(final: Path, suite: str, *, snapshot: bool) -> Source:
    source = finished(final, suite=suite, snapshot=snapshot)
    if source is None:
        raise SourceError(
            f"the source package in {final} did not last",
            cause="something else removes or changes files there",
            hint="run the same command again",
        )
    return source


def _final(staging: Path, name: str, version: str, key: str) -> Path:
    return staging / f"{name}_{changelog.without_epoch(version)}_{key[:KEY_LENGTH]}"


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return path.name + hashlib.file_digest(stream, "sha256").hexdigest()
