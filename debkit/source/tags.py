"""Tags that name versions: how they are spelled, and those that a tree's history has.

DEP-14 spells the version 1:2.0~rc1-1 as the tag debian/1%2.0_rc1-1, and git-buildpackage does so in whatever form gbp.conf says.
Beside these a tag vVERSION or VERSION counts, as most forges have them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from debian.debian_support import Version

from debkit.source.changelog import VERSION, newest_version, upstream_of, without_epoch
from debkit.source.commits import paths
from debkit.source.git import git, list_commits, toplevel
from debkit.source.orig import gbp_options
from debkit.source.place import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from debkit.run import Run

# gbp's placeholder, which may have one character stand for another: %(version%~%-)s.
PLACE = re.compile(r"%\(version(?:%(?P<old>[^%])%(?P<new>(?:[^%\\]|\\%)+))?\)s")
# uscan(1) has this rule for upstreams whose 1.0rc1 comes before 1.0.
PRERELEASE = re.compile(r"(?<=\d)[~.+-]?((?:rc|pre|dev|beta|alpha)\.?\d*)$", re.IGNORECASE)
REVISION = re.compile(r"\d[^-]*")
MISSING = " missing"  # git-cat-file(1), --batch-check


class Kind(Enum):
    """Whose word a tag is: the package's own with its whole version, upstream's with the upstream version, or either."""

    DEBIAN = "debian"
    UPSTREAM = "upstream"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Form:
    """One form of tags."""

    kind: Kind
    pattern: re.Pattern[str]
    old: str = ""
    new: str = ""

    def version(self, tag: str) -> str:
        """Give the version that a tag of this form names, or nothing for another tag."""
        if not (found := self.pattern.fullmatch(tag)):
            return ""
        told = found["version"].replace(self.new, self.old) if self.new else found["version"]
        version = told.replace("_", "~").replace("%", ":").replace("#", "")
        if self.kind is Kind.PLAIN:
            version = PRERELEASE.sub(r"~\1", version)
            if not REVISION.fullmatch(version.rpartition("-")[2]):
                return ""  # no version but a name, such as 2024-sprint
        return version if VERSION.fullmatch(version) else ""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and the version of the package that it names. `commit` is the id of what it is on."""

    name: str
    version: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What git knows of a tree's versions.

    `head`, `time` and `author` are of the last commit; of a part of a repository, the last that touched it. `number` is how many
    commits there are up to it, and `newest` the newest time of theirs. `here` is the highest
    tag on it, `before` the highest of those below, `after` how many commits came since that one. `misfits` are tags on the last
    commit whose versions the source format has no room for; `touched` is the last commit that changed the changelog. A `shallow`
    clone lacks older commits, and may lack tags.
    """

    head: str
    time: int
    author: str
    number: int
    newest: int
    here: Tag | None
    before: Tag | None
    after: int
    misfits: tuple[str, ...]
    touched: str
    shallow: bool


@dataclass(frozen=True, slots=True)
class _Named:
    """A tag that names a version, before it is known what the changelog says there. `blob` is that changelog's id."""

    tag: str
    commit: str
    kind: Kind
    version: str
    blob: str = ""


def forms(conf: Path, *, top: bool) -> tuple[Form, ...]:
    """Say which forms of tags count: those that gbp.conf names, and where it names none the usual ones.

    These are a repository's, so that for a tree that is not the `top` of its repository only the named ones count.
    """
    told = gbp_options(conf, "buildpackage", "tag", "dch")
    debian = told.get("debian-tag", "debian/%(version)s" if top else "")
    upstream = told.get("upstream-tag", "")
    own = [read_form(Kind.DEBIAN, debian), read_form(Kind.UPSTREAM, upstream)]
    if not upstream and top:
        own += [read_form(Kind.PLAIN, "v%(version)s"), read_form(Kind.PLAIN, "%(version)s")]
    return tuple(form for form in own if form)


def read_history(run: Run, tree: Path, packaging: str, *, version: str, quilt: bool) -> History | None:
    """Read it, of a tree whose changelog says `version`; None where no tag could count.

    A tag on a commit without the packaging is upstream's own, and does not count.
    """
    root = toplevel(tree)
    counted = forms(tree / packaging / "gbp.conf", top=root == tree)
    if not counted:
        return None
    form, own = "--format=%H%n%ct%n%an <%ae>", paths(tree)
    last = git(run, tree, "rev-list", "-1", "--encoding=UTF-8", "--no-commit-header", form, "HEAD", *own)
    head, time, author = last.strip("\n").split("\n")
    commits = list_commits(run, tree, *own[1:])
    ends = {head, git(run, tree, "rev-parse", "HEAD").strip()}
    named = _with_packaging(run, tree, packaging, _named(run, tree, counted))
    fitting = [each for each in named if quilt or "-" not in each.version]
    highest = partial(_highest, run, tree, quilt=quilt, epochs=":" in version)
    here = highest(each for each in fitting if each.commit in ends)
    before = highest(each for each in fitting if each.commit not in ends)
    after = git(run, tree, "rev-list", "--count", f"{before.commit}..HEAD", *own).strip() if before else "0"
    return History(
        head=head,
        time=int(time),
        author=author,
        number=len(commits),
        newest=max(moment for moment, _ in commits),
        here=here,
        before=before,
        after=int(after),
        misfits=tuple(each.tag for each in named if each.commit in ends and each not in fitting),
        touched=git(run, tree, "rev-list", "-1", "HEAD", "--", f"{packaging}/changelog").strip(),
        shallow=git(run, tree, "rev-parse", "--is-shallow-repository").strip() == "true",
    )


def read_form(kind: Kind, text: str) -> Form | None:
    """Read a form as gbp.conf writes it, or give None for one from which gbp itself reads no version."""
    if not (place := PLACE.search(text)):
        return None
    start, end = (re.escape(part.replace("%%", "%")) for part in (text[: place.start()], text[place.end() :]))
    new = (place["new"] or "").replace("\\%", "%")
    return Form(kind, re.compile(rf"{start}(?P<version>[\w%+.#-]+){end}", re.ASCII), place["old"] or "", new)


def _named(run: Run, tree: Path, counted: tuple[Form, ...]) -> list[_Named]:
    """List the tags in HEAD's history that name a version."""
    listed = git(
        run, tree, "for-each-ref", "--merged=HEAD", "--format=%(objectname) %(*objectname) %(refname:strip=2)", "refs/tags"
    )
    found = []
    for line in listed.split("\n")[:-1]:
        own, peeled, tag = line.split(" ", 2)  # of a lightweight tag there is nothing to peel
        kind, version = next(((form.kind, form.version(tag)) for form in counted if form.version(tag)), (Kind.PLAIN, ""))
        if version:
            found.append(_Named(tag, peeled or own, kind, version))
    return found


def _with_packaging(run: Run, tree: Path, packaging: str, named: list[_Named]) -> list[_Named]:
    """Keep those tags whose commits have a changelog, where it is now or in the other place where packaging is kept."""
    if not named:
        return []
    prefix = tree.relative_to(toplevel(tree)).as_posix()
    places = tuple(dict.fromkeys((packaging, *LAYOUTS)))
    asked = "".join(f"{each.commit}:{prefix}/{place}/changelog\n".replace(":./", ":") for each in named for place in places)
    told = git(run, tree, "cat-file", "--batch-check=%(objectname)", stdin=asked.encode()).split("\n")
    kept = []
    for number, each in enumerate(named):
        answers = told[number * len(places) : (number + 1) * len(places)]
        if blob := next((answer for answer in answers if not answer.endswith(MISSING)), ""):
            kept.append(_Named(each.tag, each.commit, each.kind, each.version, blob))
    return kept


def _highest(run: Run, tree: Path, named: Iterable[_Named], *, quilt: bool, epochs: bool) -> Tag | None:
    """Find the tag of the highest version, reading no more changelogs than that takes.

    A version that a tag does not tell whole is told by the changelog there: with `epochs` its order is known only then.
    """
    ranked = sorted(((Version(_upstream(each, quilt=quilt)), each) for each in named), key=lambda one: one[0], reverse=True)
    best: Tag | None = None
    for rank, each in ranked:
        if not epochs and rank < ranked[0][0]:
            break
        whole = each.kind is Kind.DEBIAN if not quilt or "-" in each.version else False
        text = "" if whole else git(run, tree, "cat-file", "blob", each.blob)
        tag = Tag(each.tag, settled(each.version, each.kind, newest_version(text), quilt=quilt), each.commit)
        best = tag if best is None or Version(tag.version) > Version(best.version) else best
    return best


def settled(version: str, kind: Kind, changelog: str, *, quilt: bool) -> str:
    """Complete the version that a tag names by the `changelog` version there: its epoch, its revision if upstream is equal."""
    epoch, colon, _ = changelog.rpartition(":")
    full = f"{epoch}{colon}{version}" if kind is not Kind.DEBIAN and ":" not in version else version
    if not quilt or (kind is not Kind.UPSTREAM and "-" in version):
        return full
    same = "-" in changelog and upstream_of(changelog) == without_epoch(version)
    return f"{full}-{changelog.rpartition('-')[2] if same else '1'}"


def _upstream(named: _Named, *, quilt: bool) -> str:
    own = quilt and named.kind is not Kind.UPSTREAM and "-" in named.version
    return named.version.rpartition("-")[0] if own else named.version
