"""Which version a tree has, of all that its changelog and its tags can say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from debkit.errors import SourceError
from debkit.source.changelog import Entry
from debkit.source.tags import History, Tag
from debkit.source.version import Top, Verdict, author_of, decide

AUTHOR = "Test Writer <test@example.org>"
TIME = 1700000000


def entry(version: str, released: str | None = None) -> Entry:
    """An entry that is released, or an UNRELEASED one above one of the version `released`."""
    distribution = "unstable" if released is None else "UNRELEASED"
    return Entry("hello", version, distribution, AUTHOR, TIME - 50, version if released is None else released)


def history(here: str = "", before: str = "", after: int = 0, *, shallow: bool = False) -> History:
    return History(
        head="h",
        time=TIME,
        author=AUTHOR,
        number=1,
        newest=TIME,
        here=Tag(f"v{here}", here, "h") if here else None,
        before=Tag(f"v{before}", before, "b") if before else None,
        after=after,
        misfits=(),
        touched="t",
        shallow=shallow,
    )


RELEASE = Verdict(base="1.1", why="tag v1.1", time=TIME)
ADDED = replace(RELEASE, top=Top.ADDED)
RETITLED = replace(RELEASE, top=Top.RETITLED)
LATER = Verdict(base="1.0", why="2 commits after tag v1.0", top=Top.ADDED, mark="+git", since="b", time=TIME)
OWN = Verdict(base="1.1", why="as the changelog says; no tag names a version")
EARLIER = Verdict(base="1.1", why="snapshot of an unreleased tree", top=Top.RETITLED, mark="~")


@pytest.mark.parametrize(
    ("told", "known", "verdict"),
    [
        (entry("1.1"), history("1.1"), replace(RELEASE, time=0)),
        (entry("1.1"), history("1.1", "1.0"), replace(RELEASE, time=0)),
        (entry("1.0"), history("1.1"), replace(ADDED, since="t")),
        (entry("1.0"), history("1.1", "1.0"), replace(ADDED, since="b")),
        (entry("1.1", ""), history("1.1"), RETITLED),
        (entry("1.1", "1.0"), history("1.1", "1.0"), RETITLED),
        (entry("1.1", ""), history("1.1", shallow=True), RETITLED),
        (entry("0.9", ""), history("1.1"), RETITLED),
        (entry("2.0", "1.0"), history("1.1"), RETITLED),
        (entry("1.0", ""), history("1.1", "1.0"), replace(ADDED, since="b")),
        (entry("1.1"), history(), OWN),
        (entry("1.1"), None, Verdict(base="1.1", why="as the changelog says; no tag of its git counts here")),
        (entry("1.1"), history("", "1.0", 2), replace(OWN, why="as the changelog says; no tag names it; the highest is v1.0")),
        (entry("1.1", ""), None, EARLIER),
        (entry("1.1", "1.0"), history("", "1.0", 2), EARLIER),
        (entry("1.0"), history("", "1.0", 2), LATER),
        (entry("0.9"), history("", "1.0", 2), LATER),
        (entry("1.0", ""), history("", "1.0", 2), LATER),
        (entry("1.0"), history("", "1.0", 1), replace(LATER, why="1 commit after tag v1.0")),
    ],
)
def test_a_clean_tree(told: Entry, known: History | None, verdict: Verdict) -> None:
    assert decide(told, known, clean=True) == verdict


@pytest.mark.parametrize(
    ("told", "known", "verdict"),
    [
        (entry("1.0"), history("1.0"), replace(LATER, why="tag v1.0, with local changes", since="h")),
        (entry("1.0"), history("1.0", shallow=True), replace(LATER, why="tag v1.0, with local changes", since="h")),
        (entry("1.0"), history("", "1.0", 2), replace(LATER, why="2 commits after tag v1.0, with local changes")),
        (entry("1.0"), history("0.9", "1.0", 2), replace(LATER, why="2 commits after tag v1.0, with local changes")),
        (entry("1.1", "1.0"), history("1.0"), EARLIER),
        (entry("1.1"), None, Verdict(base="1.1", why="as the changelog says")),
    ],
)
def test_a_changed_tree(told: Entry, known: History | None, verdict: Verdict) -> None:
    assert decide(told, known, clean=False) == verdict


def test_an_added_entry_is_dated_after_the_one_before() -> None:
    late = replace(entry("1.0"), time=TIME + 100)
    assert decide(late, history("1.1"), clean=True).time == TIME + 101


@pytest.mark.parametrize(("told", "tag"), [(entry("1.2"), "1.1"), (entry("1.2", "1.1"), "1.1"), (entry("1.3", "1.2"), "1.1")])
def test_a_changelog_that_has_gone_on_contradicts_the_tag(told: Entry, tag: str) -> None:
    with pytest.raises(SourceError, match="has gone on") as error:
        decide(told, history(tag), clean=True)
    assert f"{told.released} as released" in error.value.cause


def test_a_version_that_the_format_has_no_room_for_is_refused_where_it_counts() -> None:
    misfit = replace(history(), misfits=("debian/1.0-1",))
    with pytest.raises(SourceError, match=r"debian/1\.0-1 names a version with a Debian revision"):
        decide(entry("1.0"), misfit, clean=True)
    assert decide(entry("1.0"), misfit, clean=False).base == "1.0"
    assert decide(entry("1.0"), replace(misfit, here=Tag("v1.0", "1.0", "h")), clean=True).base == "1.0"


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (entry("1.0"), history(shallow=True)),
        (entry("1.0", ""), history(shallow=True)),
        (entry("1.0"), history("", "1.0", 2, shallow=True)),
        (entry("1.0"), history("1.1", shallow=True)),
        (entry("1.0", ""), history("1.1", shallow=True)),
    ],
)
def test_a_shallow_clone_does_not_guess(told: Entry, known: History) -> None:
    with pytest.raises(SourceError, match="shallow") as error:
        decide(told, known, clean=True)
    assert error.value.hint == "git fetch --unshallow --tags"


def test_who_signs_an_entry_maintains_the_package() -> None:
    people = ("A Team <team@example.org>", "Ann <ann@example.org>")
    assert author_of("ann <ann@example.org>", people) == "Ann <ann@example.org>"
    assert author_of("GitHub <noreply@example.org>", people) == "A Team <team@example.org>"
