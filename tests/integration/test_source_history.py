"""The version and changelog that git's tags give a tree, with real git and real gbp."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from debian.changelog import Changelog
from debian.debian_support import Version

from debkit.errors import SourceError
from debkit.run import Command
from debkit.source import read_changes
from debkit.source.git import Commit, last_commit, list_commits
from debkit.source.snapshot import Snapshot
from tests.archives import RUN
from tests.sources import Opener, edit, state, sums
from tests.trees import DATE, commit, git, make_tree
from tests.trees import changelog as entry_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import Source
    from debkit.run import Processes


def day(number: int) -> str:
    return f"{number:02d} Mar 2024 10:00:00 +0000"


def change(tree: Path, message: str, number: int) -> None:
    """Commit a change to the packaging, which needs no patch, on a day of March."""
    readme = next(tree.glob("**/debian/changelog")).parent / "README.source"
    edit(readme, f"{message}\n")
    commit(tree, message, date=day(number))


def entries(source: Source, extracted: Callable[[Source], Path]) -> Changelog:
    return Changelog((extracted(source) / "debian/changelog").read_text(), strict=True)


def rises(run: Processes, versions: list[str]) -> bool:
    """Whether each version is higher than the one before, as dpkg has it."""
    for lower, higher in pairwise(versions):
        run(Command(argv=("dpkg", "--compare-versions", lower, "lt", higher)))
    return True


@pytest.mark.parametrize("packaging", [False, True])
@pytest.mark.parametrize("native", [False, True])
def test_a_project_goes_from_release_to_release(
    tmp_path: Path, opened: Opener, run: Processes, extracted: Callable[[Source], Path], *, native: bool, packaging: bool
) -> None:
    tree = make_tree(tmp_path / "in/tree", distribution="unstable", native=native, packaging=packaging, git=True)
    revision = "" if native else "-1"
    git(tree, "tag", "v1.0")
    released = opened(tree)
    made = [released]
    for number, message in ((1, "checks: first"), (2, "second")):
        change(tree, message, number)
        made.append(opened(tree))
    debian = tree / ("packaging/debian" if packaging else "debian")
    old = (debian / "changelog").read_text()
    (debian / "changelog").write_text(entry_text("hello-debkit", f"1.1{revision}", "UNRELEASED") + "\n" + old)
    if not native:
        (tree / "../hello-debkit_1.0.orig.tar.gz").rename(tree / "../hello-debkit_1.1.orig.tar.gz")
    for number, message in ((3, "open 1.1"), (4, "third")):
        change(tree, message, number)
        made.append(opened(tree))
    git(tree, "tag", f"debian/1.1{revision}")
    before = state(tmp_path / "in")
    made.append(opened(tree))
    assert state(tmp_path / "in") == before
    versions = [source.version for source in made]
    assert rises(run, versions)
    assert versions[0] == f"1.0{revision}"
    assert [v.partition(".n")[0] for v in versions[1:5]] == [
        f"1.0{revision}+git20240301100000",
        f"1.0{revision}+git20240302100000",
        f"1.1{revision}~20240303100000",
        f"1.1{revision}~20240304100000",
    ]
    assert versions[5] == f"1.1{revision}"
    assert [source.snapshot for source in made] == [False, True, True, True, True, False]
    own, older = entries(made[2], extracted)
    assert (str(own.version), own.distributions, own.date) == (versions[2], "trixie", "Sat, 02 Mar 2024 10:00:00 +0000")
    assert [line.strip() for line in own.changes() if line] == [
        "* Snapshot: 2 commits after tag v1.0.", "* checks: first", "* second"]  # fmt: skip
    assert str(older.version) == f"1.0{revision}"
    finished, _ = entries(made[5], extracted)
    assert (finished.distributions, finished.date) == ("trixie", "Mon, 04 Mar 2024 10:00:00 +0000")
    assert finished.author == "Test Writer <test@example.org>"


@pytest.mark.parametrize("packaging", [False, True])
@pytest.mark.parametrize("annotated", [False, True])
def test_a_tag_alone_makes_a_release(
    tmp_path: Path, project: Config, extracted: Callable[[Source], Path], *, annotated: bool, packaging: bool
) -> None:
    tree = make_tree(tmp_path / "in/tree", distribution="unstable", packaging=packaging, git=True)
    git(tree, "tag", "v1.0")
    for number, message in enumerate(("first", "not for users\n\nGbp-Dch: Ignore", "second\n\nCloses: #12345"), 1):
        change(tree, message, number)
    git(tree, "tag", *(("-a", "-m", "out") if annotated else ()), "v1.1", date=day(9))
    before = state(tmp_path / "in")
    git(tmp_path, "clone", "-q", f"{tree}", "clone")
    one, two = (
        Opener(replace(project, project=tmp_path / name))(tmp_path / where)
        for name, where in (("one", "in/tree"), ("two", "clone"))
    )
    assert state(tmp_path / "in") == before
    assert sums(one) == sums(two)
    assert (one.version, one.snapshot, read_changes(one.changes).distribution) == ("1.1", False, "trixie")
    own, older = entries(one, extracted)
    assert [line.strip() for line in own.changes() if line] == ["* first", "* second (Closes: #12345)"]
    assert (own.author, own.date) == ("Test Writer <test@example.org>", "Sun, 03 Mar 2024 10:00:00 +0000")
    assert str(older.version) == "1.0"


def test_who_builds_does_not_show(tmp_path: Path, project: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    git(tree, "tag", "v1.1")
    made = [sums(Opener(replace(project, project=tmp_path / "one"))(tree))]
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.devscripts").write_text("DEBCHANGE_MULTIMAINT=no\nDEBCHANGE_TZ=Asia/Tokyo\n")
    (tmp_path / "home/.gbp.conf").write_text("[dch]\nid-length = 7\nfull = True\n")
    for name, value in (
        ("HOME", f"{tmp_path}/home"),
        ("DEBEMAIL", "else@example.org"),
        ("DEBFULLNAME", "Else"),
        ("TZ", "Asia/Tokyo"),
    ):
        monkeypatch.setenv(name, value)
    made.append(sums(Opener(replace(project, project=tmp_path / "two"))(tree)))
    assert made[0] == made[1]


def test_a_suite_after_the_first_has_the_release_too(tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    git(tree, "tag", "v1.1")
    second = opened(tree, suite="bookworm", first=False)
    own, _ = entries(second, extracted)
    assert (second.version, str(own.version), own.distributions) == ("1.1~bookworm1", "1.1~bookworm1", "bookworm")
    assert [line.strip() for line in own.changes() if line] == ["* Release 1.1~bookworm1."]


def test_the_upstream_tarball_of_a_tag_is_made_from_it(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, distribution="unstable")
    (tree / "../hello-debkit_1.0.orig.tar.gz").unlink()
    (tree / "debian/gbp.conf").write_text("[DEFAULT]\nupstream-tag = v%(version)s\n")
    commit(tree)
    edit(tree / "hello-debkit.c")
    commit(tree, "go on", date=day(1))
    git(tree, "tag", "v1.1")
    source = opened(tree)
    assert source.version == "1.1-1"
    assert "hello-debkit_1.1.orig.tar.gz" in sums(source)


def test_upstreams_own_tags_are_no_releases_of_the_package(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, distribution="unstable")
    debian = (tree / "debian").rename(tmp_path / "debian")
    commit(tree, "upstream")
    git(tree, "tag", "v1.0")
    debian.rename(tree / "debian")
    commit(tree, "packaging", date=day(1))
    assert opened(tree).version == "1.0-1"


def test_a_tag_of_upstreams_version_takes_the_changelogs_revision(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, distribution="unstable")
    (tree / "debian/changelog").write_text(entry_text("hello-debkit", "1:1.0-3", "unstable"))
    commit(tree)
    git(tree, "tag", "v1.0")
    assert opened(tree).version == "1:1.0-3"
    change(tree, "more", 1)
    assert opened.version(tree).startswith("1:1.0-3+git20240301100000.n")
    (tree / "../hello-debkit_1.0.orig.tar.gz").rename(tree / "../hello-debkit_1.1.orig.tar.gz")
    git(tree, "tag", "v1.1")
    assert opened(tree).version == "1:1.1-1"


def test_a_commit_that_changes_no_file_is_a_later_version_too(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    git(tree, "tag", "v1.0")
    versions = ["1.0"]
    for number in (1, 2):
        commit(tree, "nothing", date=day(number))
        versions.append(opened(tree).version)
    assert rises(run, versions)


def test_of_two_tags_on_a_commit_the_higher_counts(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    for tag in ("v1.1-rc1", "v1.1", "1.0.1", "v1"):
        git(tree, "tag", tag)
    assert opened.version(tree) == "1.1"


def test_local_changes_at_a_tag_are_a_snapshot_after_it(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    git(tree, "tag", "v1.0")
    edit(tree / "hello-debkit.c")
    edited = opened(tree)
    git(tree, "checkout", "-q", ".")
    assert opened.version(tree) == "1.0"
    (tree / "new.c").write_text("int x;\n")
    added = opened(tree)
    assert edited.snapshot
    assert edited.version.startswith("1.0+git")
    assert rises(run, ["1.0", edited.version, added.version, "1.0.1", "1.1~~", "1.1"])


def test_after_an_unreleased_entry_was_tagged_snapshots_come_after_the_release(
    tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]
) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    git(tree, "tag", "v1.0")
    assert opened.version(tree) == "1.0"
    change(tree, "more", 1)
    assert opened.version(tree).startswith("1.0+git20240301100000.n")
    git(tree, "tag", "v1.1")
    source = opened(tree)
    own, older = entries(source, extracted)
    assert (source.version, str(older.version), older.distributions) == ("1.1", "1.0", "trixie")
    assert [line.strip() for line in own.changes() if line] == ["* more"]


def test_an_unreleased_entry_becomes_that_of_the_tag(tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    git(tree, "tag", "v2.0")
    (own,) = entries(opened(tree), extracted)
    assert (str(own.version), own.distributions) == ("2.0", "trixie")
    assert [line.strip() for line in own.changes() if line] == ["* Say hello."]


@pytest.mark.parametrize("distribution", ["unstable", "UNRELEASED"])
def test_a_changelog_that_has_gone_on_contradicts_the_tag(tmp_path: Path, opened: Opener, distribution: str) -> None:
    tree = make_tree(tmp_path / "tree", version="1.5", distribution=distribution)
    old = "" if distribution == "unstable" else "\n" + entry_text("hello-debkit", "1.4", "unstable")
    edit(tree / "debian/changelog", old)
    commit(tree)
    git(tree, "tag", "v1.4")
    with pytest.raises(SourceError, match=r"tag v1\.4 is on a commit whose changelog has gone on"):
        opened.version(tree)


def test_a_revision_does_not_fit_a_native_source(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    git(tree, "tag", "debian/1.1-1")
    with pytest.raises(SourceError, match="names a version with a Debian revision"):
        opened.version(tree)


def test_a_shallow_clone_tells_no_other_version(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    git(tree, "tag", "v1.0")
    change(tree, "more", 1)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{tree}", "clone")
    with pytest.raises(SourceError, match="the git clone is shallow") as error:
        opened(clone)
    git(clone, *error.value.hint.split()[1:])
    assert sums(opened(clone)) == sums(opened(tree))


def test_a_shallow_clone_of_a_tag_has_its_version_where_the_changelog_says_all(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable")
    commit(tree, date=day(1))
    change(tree, "more", 2)
    git(tree, "tag", "v1.0")
    git(tree, "tag", "v1.1", "HEAD^")
    for tag in ("v1.0", "v1.1"):
        git(tmp_path, "-c", "advice.detachedHead=false", "clone", "-q", "--depth=1", "-b", tag, f"file://{tree}", tag)
    assert opened(tmp_path / "v1.0").version == "1.0"
    with pytest.raises(SourceError, match=r"shallow: the changes of 1\.1 cannot be listed"):
        opened(tmp_path / "v1.1")


def test_a_detached_head_has_its_own_commits_only(tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable", git=True)
    change(tree, "more", 1)
    git(tree, "tag", "v1.1")
    change(tree, "too late", 2)
    git(tree, "checkout", "-q", "--detach", "v1.1")
    own, _ = entries(opened(tree), extracted)
    assert [line.strip() for line in own.changes() if line] == ["* more"]


def test_a_part_of_a_repository_has_only_tags_that_its_gbp_conf_names(
    tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]
) -> None:
    top = tmp_path / "top"
    tree = make_tree(top / "part", distribution="unstable", packaging=True)
    commit(top)
    git(top, "tag", "v7.0")
    assert opened(tree).version == "1.0"
    (tree / "packaging/debian/gbp.conf").write_text("[DEFAULT]\ndebian-tag = part-%(version)s\n[dch]\npostedit = touch /no\n")
    commit(top, "name the tags", date=day(1))
    (top / "else").write_text("x\n")
    commit(top, "of another part", date=day(2))
    git(top, "tag", "part-2.0_rc1")
    source = opened(tree)
    own, _ = entries(source, extracted)
    assert source.version == "2.0~rc1"
    assert [line.strip() for line in own.changes() if line] == ["* name the tags"]
    (top / "else").write_text("y\n")
    commit(top, "of another part", date=day(3))
    before = opened(tree).version
    commit(top, "nothing", date=day(4))
    assert opened(tree).version == before


def test_hooks_in_gbp_conf_do_not_run(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable")
    (tmp_path / "code.py").write_text(f"open('{tmp_path}/ran', 'w')\n")
    (tree / "debian/gbp.conf").write_text(
        f"[dch]\npostedit = touch {tmp_path}/ran\ncustomizations = {tmp_path}/code.py\ngit-log = --output={tmp_path}/ran\n"
        f"dch-opt = --changelog={tmp_path}/ran\n"
    )
    commit(tree, date=DATE)
    git(tree, "tag", "v1.1")
    assert opened(tree).version == "1.1"
    assert not (tmp_path / "ran").exists()


def grown(tree: Path, seed: int, *, commits: int = 14) -> list[set[int]]:
    """Make a repository of random commits and merges, whose clocks are wrong; give of each commit which are before it."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    before: list[set[int]] = []
    stream: list[str] = []
    for number in range(commits):
        parents = chance.sample(range(number), min(number, chance.choice((1, 1, 2)))) if number else []
        before.append(set().union(parents, *(before[parent] for parent in parents)))
        when = 1700000000 + chance.choice((0, 0, 1, -5, 100, -100000))
        stream += [f"commit refs/heads/c{number}", f"mark :{number + 1}", f"committer T <t@e.org> {when} +0000", "data 0"]
        stream += [f"{'merge' if place else 'from'} :{parent + 1}" for place, parent in enumerate(parents)]
        for name in chance.sample(("sub/a", "sub/b", "c"), chance.choice((0, 1, 1, 2))):
            content = f"{chance.randrange(3)}"
            stream += [f"M 644 inline {name}", f"data {len(content)}", content]
    git(tree, "init", "-q")
    RUN(Command(argv=("git", "fast-import", "--quiet"), cwd=tree, stdin=("\n".join(stream) + "\n").encode()))
    return before


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_clocks_and_merges_a_commit_is_later_than_those_before_it(tmp_path: Path, run: Processes, seed: int) -> None:
    (tmp_path / "sub").mkdir()
    before = grown(tmp_path, seed)
    for part in (None, tmp_path, tmp_path / "sub"):
        versions, contents = [], []
        for number in range(len(before)):
            git(tmp_path, "symbolic-ref", "HEAD", f"refs/heads/c{number}")
            if part is None:
                listed = list_commits(run, tmp_path)
                made = Commit(listed[0][1], max(time for time, _ in listed), clean=True, number=len(listed))
                contents.append(made.id)
            else:
                made = last_commit(run, part)
                listing = git(part, "ls-tree", "-r", "HEAD", "./")
                contents.append(listing)
            versions.append(Version(Snapshot("1.0", made.time, "", made.id, number=made.number).version))
        for number, earlier in enumerate(before):
            for one in earlier:
                assert versions[one] <= versions[number]
                assert versions[one] < versions[number] or contents[one] == contents[number], (part, one, number)


def test_a_snapshot_of_a_shallow_clone_has_no_number_rather_than_another(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "mono/tree", git=False)
    commit(tree.parent)
    edit(tree / "Makefile", "# second\n")
    commit(tree.parent, "second", date=day(1))
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{tree.parent}", "shallow")
    assert ".n2." in opened.version(tree)
    described = opened.draft(tmp_path / "shallow/tree")
    assert described.version == opened.version(tree).replace(".n2.", ".")
    assert described.verdict.why.endswith("; the clone is shallow, so that its commits cannot be counted")
    git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
    assert opened.version(tmp_path / "shallow/tree") == opened.version(tree)
