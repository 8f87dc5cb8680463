"""Which version a tree has: its changelog's, that of the tag on its commit, or a snapshot before or after one of these. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr
from enum import Enum
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.errors import SourceError
from debkit.source.snapshot import AFTER, BEFORE

if TYPE_CHECKING:
    from debkit.source.changelog import Entry
    from debkit.source.tags import History, Tag


class Top(Enum):
    """What becomes of the changelog's newest entry: it stays, it gets another heading and date, or one is put above it."""

    KEPT = "kept"
    RETITLED = "retitled"
    ADDED = "added"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided and `why`. `mark` is empty for a release; a snapshot's version is `base`, the mark, a date and a hash.

    `since` is the commit after which an added entry's changes begin, `time` a release's date in seconds since the epoch.
    """

    base: str
    why: str
    top: Top = Top.KEPT
    mark: str = ""
    since: str = ""
    time: int = 0


def decide(entry: Entry, history: History | None, *, clean: bool) -> Verdict:
    """Decide for a tree whose newest changelog entry is `entry`; `clean` is whether nothing differs from the last commit.

    Raises SourceError where changelog and tag contradict each other, and for a shallow clone whose tags could say otherwise.
    """
    if history is None:
        return _untagged(entry, "no tag of its git counts here" if clean else "")
    if clean and history.here:
        return _tagged(entry, history, history.here)
    if clean and history.misfits:
        raise SourceError(
            f"the tag {history.misfits[0]} names a version with a Debian revision, and the source is native",
            cause="native packages have no revision (Debian policy 5.6.12)",
            hint=f"git tag -d {history.misfits[0]}, and tag the version without it",
        )
    if history.shallow and not history.here:
        raise shallow("whether its version was tagged on an earlier commit, and so what this version is, cannot be told")
    last = max(filter(None, (history.here, history.before)), key=lambda tag: Version(tag.version), default=None)
    if last is None or Version(entry.version) > Version(last.version):
        return _untagged(entry, f"no tag names it; the highest is {last.name}" if last else "no tag names a version")
    after = history.after if last == history.before else 0
    return Verdict(
        base=last.version, why=distance(last, after, clean=clean), top=Top.ADDED, mark=AFTER, since=last.commit, time=history.time
    )


def distance(tag: Tag, after: int, *, clean: bool) -> str:
    """Say how far a tree is from a tag."""
    commits = f"{after} commit{'' if after == 1 else 's'} after tag {tag.name}" if after else f"tag {tag.name}"
    return commits if clean else f"{commits}, with local changes"


def author_of(committer: str, maintainers: tuple[str, ...]) -> str:
    """Choose who signs an entry that git implies: whoever made the commit, if they maintain the package, else its Maintainer.

    Anybody else's entry would be one of a non-maintainer upload (lintian: no-nmu-in-changelog). What the environment says of the
    caller does not count, so that every machine makes the same of one commit.
    """
    own = parseaddr(committer)[1]
    return next((person for person in maintainers if parseaddr(person)[1] == own), next(iter(maintainers), committer))


def _untagged(entry: Entry, why: str) -> Verdict:
    if entry.unreleased:
        return Verdict(base=entry.version, why="snapshot of an unreleased tree", top=Top.RETITLED, mark=BEFORE)
    return Verdict(base=entry.version, why=f"as the changelog says; {why}" if why else "as the changelog says")


def _tagged(entry: Entry, history: History, tag: Tag) -> Verdict:
    """Decide for a clean tree whose last commit has a tag."""
    why = distance(tag, 0, clean=True)
    released = Version(entry.released) if entry.released else None
    own = Version(tag.version)
    if released == own and not entry.unreleased:
        return Verdict(base=entry.version, why=why)
    if released is not None and released >= own:
        raise SourceError(
            f"the tag {tag.name} is on a commit whose changelog has gone on",
            cause=f"the tag names version {tag.version}, and the changelog there has {entry.released} as released"
            + (f" and {entry.version} as the next" if entry.unreleased else ""),
            hint=f"git tag -d {tag.name}, and tag the commit of that version",
        )
    # An entry of a version that was tagged before describes that one, though nobody has marked it released.
    stale = history.before is not None and Version(history.before.version) >= Version(entry.version)
    if entry.unreleased and (Version(entry.version) == own or not (stale or history.shallow)):
        return Verdict(base=tag.version, why=why, top=Top.RETITLED, time=history.time)
    if history.shallow:
        raise shallow(f"the changes of {tag.version} cannot be listed")
    since = history.before.commit if history.before else history.touched
    return Verdict(base=tag.version, why=why, top=Top.ADDED, since=since, time=max(history.time, entry.time + 1))


def shallow(lost: str) -> SourceError:
    """Make the error for a clone without its older commits; `lost` is what cannot be done with it."""
    return SourceError(
        f"the git clone is shallow: {lost}",
        cause="it was made with --depth, or by actions/checkout without fetch-depth: 0",
        hint="git fetch --unshallow --tags",
    )
