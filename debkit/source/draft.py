"""What the source package of a tree will be: its version as changelog and git have it, and the changelog that goes with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from debkit.errors import SourceError
from debkit.run import temporary
from debkit.source import changelog, copying, snapshot
from debkit.source.changelog import Entry
from debkit.source.commits import read_changes_since
from debkit.source.entry import with_release, with_snapshot
from debkit.source.place import Kind, locate
from debkit.source.tree import read_tree
from debkit.source.version import Top, Verdict, author_of, decide, shallow

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.run import Run
    from debkit.source.commits import Change
    from debkit.source.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a source package will be, told before it is made. `time` is its changelog's, in seconds since the epoch.

    `verdict` says why it has this version, and what its changelog becomes. `clean`: nothing differs from git's last commit.
    """

    name: str
    version: str
    distribution: str
    format: str
    architectures: tuple[str, ...]
    binaries: tuple[str, ...]
    snapshot: bool
    time: int
    verdict: Verdict
    clean: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Implied:
    """A tree's changelog at `path`, its `text` as git implies it, and the newest `entry` of that; all for the `draft`."""

    path: Path
    text: str
    entry: str
    draft: Draft

    @property
    def new(self) -> bool:
        return self.draft.verdict.top is not Top.KEPT


def imply_changelog(run: Run, where: str, *, suite: str, config: Config, staging: Path) -> Implied:
    """Make the changelog that the source package of a tree would have for the first suite; the tree is not written to."""
    tree = open_tree(run, where, config=config, staging=staging)
    draft = drafted(tree, suite, first_suite=True, staging=staging)[0]
    debian = tree.path / tree.packaging
    with temporary("debkit-changelog-") as work:
        text = new_changelog(run, tree, draft, debian=debian, work=work)
    return Implied(path=debian / "changelog", text=text, entry=changelog.newest_entry(text), draft=draft)


def changes_of(run: Run, where: str, *, config: Config, staging: Path) -> tuple[Change, ...]:
    """List the commits since the highest version tag below the tree's last commit, or all.

    Raises SourceError where git knows no versions of the tree, or not all of its commits.
    """
    tree = open_tree(run, where, config=config, staging=staging)
    history = tree.history
    if history is None:
        raise SourceError(
            f"no version of {where} is in git",
            cause="it is not in git, nothing was committed yet, or it is a part of a repository, whose tags are not its own"
            " unless debian-tag in its gbp.conf says so",
            hint=f"git -C {tree.path} log",
        )
    if history.shallow:
        raise shallow("the changes since the version before cannot be listed")
    return read_changes_since(run, tree.path, history.before.commit if history.before else "")


def open_tree(run: Run, where: str, *, config: Config, staging: Path) -> Tree:
    """Read what must be a tree."""
    place = locate(where)
    if place.kind is not Kind.TREE:
        raise SourceError(
            f"{where} is not a source tree",
            cause="a changelog and notes are made from the git of a tree",
            hint="name the directory that has debian/ or packaging/debian/",
        )
    return read_tree(run, place.path, given=where, config=config, staging=staging)


def suffixed(version: str, suite: str) -> str:
    """Give the version for a suite after the first: one pool serves all, and two files of one name must not differ in it."""
    # A hyphen, as in trixie-backports, would become the start of a Debian revision.
    return f"{version}~{suite.replace('-', '')}1"


def drafted(tree: Tree, suite: str, *, first_suite: bool, staging: Path) -> tuple[Draft, snapshot.Snapshot | None]:
    """Decide what the tree's source package will be for a suite."""
    entry = tree.entry
    commit, verdict = tree.listing.commit, decide(entry, tree.history, clean=tree.clean)
    if verdict.mark and commit and commit.shallow:
        verdict = replace(verdict, why=f"{verdict.why}; the clone is shallow, so that its commits cannot be counted")
    kept = verdict.top is Top.KEPT
    draft = Draft(
        name=entry.name,
        version=verdict.base,
        distribution=entry.distribution if kept else suite,
        format=tree.format,
        architectures=tree.architectures,
        binaries=tree.binaries,
        snapshot=bool(verdict.mark),
        time=entry.time if kept else verdict.time,
        verdict=verdict,
        clean=tree.clean,
    )
    taken, history = None, tree.history
    if commit and history and verdict.mark == snapshot.AFTER:  # whose entry tells of commits that change no file, too
        number = 0 if commit.shallow else history.number
        commit = replace(commit, id=history.head, time=history.newest, number=number)
    if verdict.mark:
        taken = snapshot.choose(
            verdict.base,
            mark=verdict.mark,
            commit=commit,
            content=tree.content,
            newest=copying.newest(tree.path, tree.files),
            now=int(time.time()),
            last=snapshot.recall(staging, entry.name),
        )
        draft = replace(draft, version=taken.version, time=taken.time)
    if verdict.top is Top.ADDED:  # lintian wants each entry dated after the one before
        draft = replace(draft, time=max(draft.time, entry.time + 1))
    if not first_suite:  # in an entry of its own, unless there is a new one already
        draft = replace(draft, version=suffixed(draft.version, suite), distribution=suite, time=draft.time + kept)
    return draft, taken


def new_changelog(run: Run, tree: Tree, draft: Draft, *, debian: Path, work: Path) -> str:
    """Give the changelog of the tree's packaging, which stands in `debian`, as the draft has it. Scratch files go into `work`."""
    text = (debian / "changelog").read_text(encoding="utf-8")
    version, distribution, moment = draft.version, draft.distribution, draft.time
    verdict, history = draft.verdict, tree.history
    match verdict.top:
        case Top.KEPT if version == tree.entry.version:
            return text
        case Top.KEPT:
            return changelog.with_rebuild(text, tree.entry, version=version, distribution=distribution, time=moment)
        case Top.RETITLED:
            return changelog.retitled(text, version=version, distribution=distribution, time=moment)
        case Top.ADDED:
            author = author_of(history.author if history else "", tree.maintainers)
            entry = Entry(draft.name, version, distribution, author, moment)
            if tree.entry.unreleased:  # and of a version that was tagged; debchange(1) would go on with it
                old = tree.entry
                text = changelog.retitled(text, version=old.version, distribution=distribution, time=old.time)
            if draft.snapshot:
                return with_snapshot(run, tree.path, text, entry=entry, since=verdict.since, why=verdict.why)
            return with_release(run, tree.path, debian, text, entry=entry, since=verdict.since, work=work)
        case unknown:
            assert_never(unknown)


def implied_by(tree: Tree, draft: Draft) -> tuple[str, ...]:
    """Name what an entry that git implies depends on beside the files."""
    if tree.history is None or draft.verdict.top is Top.KEPT or draft.verdict.mark == snapshot.BEFORE:
        return ()
    return tree.history.head, draft.verdict.since, draft.verdict.why, f"{draft.time}"
