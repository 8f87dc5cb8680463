"""Sources opened with the real git, dpkg-source, dpkg-genchanges, git-buildpackage and gpgv."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import gnupg
import pytest
from debian.debian_support import Version

from debkit.config import SourceConfig
from debkit.errors import SourceError
from debkit.run import Command, Processes
from debkit.source import describe, open_source, read_changes
from tests.trees import changelog, commit, git, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.config import Config
    from debkit.model import Source
    from debkit.run import Completed

LATER = "Wed, 03 Jan 2024 00:00:00 +0000"


class Opener:
    """Opens sources in one project and staging directory, and keeps what was run for it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.ran: list[Completed] = []
        self.run = Processes(self.ran.append)

    def __call__(
        self, where: Path | str, *, suite: str = "trixie", first: bool = True, fetch: Callable[[str], Path] | None = None
    ) -> Source:
        staging = self.config.dist / "source"
        return open_source(self.run, f"{where}", suite=suite, first_suite=first, config=self.config, staging=staging, fetch=fetch)

    def version(self, where: Path) -> str:
        """The version that a dry run would tell."""
        draft = describe(self.run, f"{where}", suite="trixie", config=self.config, staging=self.config.dist / "source")
        assert draft
        return draft.version

    def packed(self) -> int:
        """How often dpkg-source made a source package."""
        return sum(done.command.argv[:2] == ("dpkg-source", "--build") for done in self.ran)


@pytest.fixture
def opened(project: Config) -> Opener:
    return Opener(project)


@pytest.fixture
def extracted(tmp_path: Path, run: Processes) -> Callable[[Source], Path]:
    def extract(source: Source) -> Path:
        into = tmp_path / "extracted" / source.dsc.name
        into.parent.mkdir(exist_ok=True)
        run(Command(argv=("dpkg-source", "--no-copy", "-x", f"{source.dsc}", f"{into}")))
        return into

    return extract


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    os.umask(before)
    yield os.umask
    os.umask(before)


def sums(source: Source) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in source.dsc.parent.iterdir()}


def state(tree: Path) -> dict[str, tuple[int, int, bytes]]:
    """All there is to know of a directory, that of git too."""
    return {
        f"{path}": (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (tree, *tree.rglob("*"))
    }


def edit(path: Path, text: str = "\n/* edited */\n") -> None:
    with path.open("a") as stream:
        stream.write(text)


def rewrite_in_the_past(path: Path) -> None:
    path.write_text("int y;\n")
    os.utime(path, (1, 1))


def make_old_format(path: Path) -> Path:
    tree = make_tree(path, native=False, distribution="unstable")
    (tree / "debian/source/format").write_text("1.0\n")
    return tree


@pytest.mark.parametrize("packaging", [False, True])
@pytest.mark.parametrize("native", [False, True])
def test_a_tree_becomes_a_source_package_and_is_never_written_to(
    tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path], *, native: bool, packaging: bool
) -> None:
    tree = make_tree(tmp_path / "in/tree", native=native, packaging=packaging, git=True)
    edit(tree / ("packaging" if packaging else ".") / "debian/control", "# edited\n")
    os.utime(tree / "Makefile")  # git would like to refresh its index now
    before = state(tmp_path / "in")
    source = opened(tree)
    assert opened.version(tree) == source.version
    assert state(tmp_path / "in") == before
    assert source.format == ("3.0 (native)" if native else "3.0 (quilt)")
    assert source.architectures == ("any",)
    inside = extracted(source)
    assert (inside / "debian/control").read_text().endswith("# edited\n")
    assert not (inside / "packaging/debian").exists()
    assert (inside / "Makefile").read_bytes() == (tree / "Makefile").read_bytes()
    assert (inside / "debian/changelog").read_text().startswith(f"hello-debkit ({source.version}) trixie;")


@pytest.mark.parametrize("make", [make_tree, lambda path: make_tree(path, native=False, kind="both"), make_old_format])
def test_equal_content_makes_equal_bytes(
    tmp_path: Path, project: Config, umask: Callable[[int], int], make: Callable[[Path], Path]
) -> None:
    made = []
    for name, mask, when in (("one", 0o022, 1704200000), ("other/deeper", 0o077, 1704300000)):
        umask(mask)
        tree = make(tmp_path / name / "tree")
        if mask == 0o077:
            (tree / "Makefile").chmod(0o600)
            (tree / "debian").chmod(0o700)
        text = (tree / "debian/changelog").read_text()
        (tree / "debian/changelog").write_text(text.replace("UNRELEASED", "unstable"))
        for path in tree.rglob("*"):
            os.utime(path, (when, when))
        source = Opener(replace(project, project=tmp_path / name / "project"))(tree)
        made.append(sums(source))
        assert {path.stat().st_mode & 0o777 for path in source.dsc.parent.iterdir()} == {0o644}
        assert source.dsc.parent.stat().st_mode & 0o777 == 0o755
    assert made[0] == made[1]
    assert len(made[0]) >= 3


def test_a_tree_is_its_working_content(tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]) -> None:
    tree = make_tree(tmp_path / "tree")
    for name in ("deleted", "staged then deleted", "ignored", "kept"):
        (tree / name).write_text(f"{name}\n")
    (tree / ".gitignore").write_text("/ignored\n/debian/*.log\n")
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "all")
    (tree / "deleted").unlink()
    git(tree, "rm", "-q", "--cached", "staged then deleted")
    (tree / "staged then deleted").unlink()
    (tree / 'new caf\u00e9\n"file"').write_text("new\n")
    (tree / "ignored").write_text("again\n")
    (tree / os.fsdecode(b"latin-\xe9")).write_text("old\n")
    (tree / "link").symlink_to("kept")
    (tree / "dangling").symlink_to("nowhere")
    (tree / "debian/files").write_text("left by a build\n")
    edit(tree / "kept", "edited\n")
    (tree / "kept").chmod(0o755)
    inside = extracted(opened(tree))
    names = {path.relative_to(inside).as_posix() for path in inside.iterdir()}
    assert names == {
        "Makefile",
        "debian",
        "hello-debkit.c",
        "kept",
        "link",
        "dangling",
        os.fsdecode(b"latin-\xe9"),
        'new caf\u00e9\n"file"',
    }
    assert (inside / "kept").read_text() == "kept\nedited\n"
    assert (inside / "kept").stat().st_mode & 0o111
    assert (inside / "link").readlink() == Path("kept")
    assert not (inside / "debian/files").exists()


def test_a_tree_may_be_part_of_a_bigger_repository(tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]) -> None:
    tree = make_tree(tmp_path / "big/examples/one", packaging=True)
    (tmp_path / "big/other").write_text("not ours\n")
    (tree / "config").mkdir()
    (tree / "config/one.service").write_text("[Unit]\n")
    (tree / "packaging/debian/hello-debkit.service").symlink_to("../../config/one.service")
    commit(tmp_path / "big")
    first = opened(tree)
    inside = extracted(first)
    assert (inside / "debian/hello-debkit.service").read_text() == "[Unit]\n"
    assert not (inside / "other").exists()
    (tmp_path / "big/other").write_text("changed\n")
    commit(tmp_path / "big", "elsewhere", date=LATER)
    assert opened(tree).version == first.version, "what is outside the tree is not its state"


def test_a_repository_that_ignores_the_tree_is_not_its_repository(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "home/src/tree")
    (tmp_path / "home/.gitignore").write_text("*\n")
    git(tmp_path / "home", "init", "-q")
    assert opened(tree).snapshot


def test_ignored_packaging_is_refused(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / ".gitignore").write_text("debian/\n")
    git(tree, "init", "-q")
    with pytest.raises(SourceError, match="git ignores debian/changelog"):
        opened(tree)


def test_submodules_are_part_of_the_tree(tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path]) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "lib.c").write_text("int x;\n")
    commit(library)
    tree = make_tree(tmp_path / "tree")
    git(tree, "init", "-q")
    git(tree, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"{library}", "lib")
    commit(tree)
    before = opened(tree)
    assert (extracted(before) / "lib/lib.c").read_text() == "int x;\n"
    edit(tree / "lib/lib.c")
    edited = opened(tree)
    assert Version(edited.version) > Version(before.version)
    assert "edited" in (extracted(edited) / "lib/lib.c").read_text()
    git(tree, "submodule", "--quiet", "deinit", "-f", "lib")
    with pytest.raises(SourceError, match="submodule lib is not checked out"):
        opened(tree)


def test_output_in_the_project_is_not_source(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(opened.config.project, git=True)
    first = opened(tree)
    (opened.config.repo / "db").mkdir(parents=True)
    (opened.config.repo / "db/packages.db").write_text("x")
    assert opened(tree).version == first.version
    assert opened.packed() == 1


def test_every_edit_is_a_later_version_and_no_edit_is_the_same(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    versions = [opened(tree).version]
    assert versions[0].startswith("1.0~20240102030405.g")
    steps: tuple[Callable[[], object], ...] = (
        lambda: edit(tree / "hello-debkit.c"),
        lambda: edit(tree / "hello-debkit.c"),
        (tree / "Makefile").unlink,
        lambda: shutil.copy2(tree / "hello-debkit.c", tree / "older.c"),
        lambda: rewrite_in_the_past(tree / "older.c"),
    )
    for step in steps:
        step()
        source = opened(tree)
        assert source.snapshot
        versions.append(source.version)
        packed = opened.packed()
        os.utime(tree)
        again = opened(tree)
        assert (again, opened.packed()) == (source, packed)
    assert sorted(set(versions), key=Version) == versions
    assert Version(versions[-1]) < Version("1.0")


def test_a_commit_gives_every_clone_the_same_source(tmp_path: Path, project: Config) -> None:
    tree = make_tree(tmp_path / "tree", git=True)
    git(tmp_path, "clone", "-q", f"{tree}", "clone")
    made = [
        sums(Opener(replace(project, project=tmp_path / name))(tmp_path / where))
        for name, where in (("one", "tree"), ("two", "clone"))
    ]
    assert made[0] == made[1]


def test_a_released_tree_keeps_its_version_and_distribution(tmp_path: Path, opened: Opener) -> None:
    source = opened(make_tree(tmp_path / "tree", distribution="unstable"))
    changes = read_changes(source.changes)
    assert (source.version, source.suite, source.snapshot) == ("1.0", "trixie", False)
    assert (changes.version, changes.distribution, changes.architectures) == ("1.0", "unstable", ("source",))
    assert {file.name for file in changes.files} == {source.dsc.name, *(file.name for file in source.files)}


def test_a_released_tree_that_changed_is_another_source_package(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable")
    first = opened(tree)
    edit(tree / "hello-debkit.c")
    second = opened(tree)
    assert second.version == first.version
    assert sums(second) != sums(first)


@pytest.mark.parametrize("distribution", ["UNRELEASED", "unstable"])
def test_a_later_suite_gets_a_rebuilt_source(
    tmp_path: Path, opened: Opener, extracted: Callable[[Source], Path], distribution: str
) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, distribution=distribution)
    first, second = opened(tree), opened(tree, suite="bookworm", first=False)
    assert second.version == f"{first.version}~bookworm1"
    assert second.suite == read_changes(second.changes).distribution == "bookworm"
    assert sums(first)["hello-debkit_1.0.orig.tar.gz"] == sums(second)["hello-debkit_1.0.orig.tar.gz"]
    text = (extracted(second) / "debian/changelog").read_text()
    assert text.startswith(f"hello-debkit ({second.version}) bookworm;")
    assert ("Rebuild for bookworm" in text) is (distribution == "unstable")


def test_a_source_is_made_once_by_runs_beside_each_other(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree")
    start = threading.Barrier(4)

    def race(_: int) -> Source:
        start.wait()
        return opened(tree)

    with ThreadPoolExecutor(4) as pool:
        sources = set(pool.map(race, range(4)))
    assert len(sources) == 1
    assert [path.name for path in (opened.config.dist / "source").glob(".making-*")] == []


def test_half_a_source_is_made_again(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "tree")
    first = opened(tree)
    (first.dsc.parent / first.files[0].name).write_bytes(b"")
    assert opened(tree) == first
    assert opened.packed() == 2


@pytest.mark.parametrize("make", [make_tree, lambda path: make_tree(path, native=False), make_old_format])
def test_a_dsc_is_taken_as_it_is(
    tmp_path: Path, project: Config, extracted: Callable[[Source], Path], make: Callable[[Path], Path]
) -> None:
    made = Opener(project)(make(tmp_path / "in/tree"))
    opened = Opener(replace(project, project=tmp_path / "elsewhere"))
    source = opened(made.dsc)
    assert sums(source) == sums(made)
    assert opened.packed() == 0
    second = opened(made.dsc, suite="bookworm", first=False)
    assert second.version == f"{made.version}~bookworm1"
    assert (extracted(second) / "debian/changelog").read_text().count("\nhello-debkit (") == 1
    shared = {file for file in sums(made).items() if ".orig" in file[0]}
    assert shared <= set(sums(second).items())
    again = Opener(replace(project, project=tmp_path / "third"))(made.dsc, suite="bookworm", first=False)
    assert sums(again) == sums(second)


def test_a_package_is_fetched_by_name(tmp_path: Path, opened: Opener) -> None:
    made = opened(make_tree(tmp_path / "tree"))
    asked: list[str] = []

    def fetch(name: str) -> Path:
        asked.append(name)
        return made.dsc

    assert sums(opened("hello-debkit", fetch=fetch)) == sums(made)
    assert asked == ["hello-debkit"]
    with pytest.raises(SourceError, match="no source tree hello-debkit"):
        opened("hello-debkit")


def test_a_changed_tarball_is_refused(tmp_path: Path, opened: Opener) -> None:
    made = opened(make_tree(tmp_path / "tree"))
    copy = shutil.copytree(made.dsc.parent, tmp_path / "copy")
    edit(copy / made.files[0].name)
    with pytest.raises(SourceError, match="is not the file that"):
        opened(copy / made.dsc.name)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> gnupg.GPG:
    """A keyring with two keys, Alice's and Mallory's."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    gpg = gnupg.GPG(gnupghome=f"{home}")
    for name in ("Alice", "Mallory"):
        gpg.gen_key(f"Key-Type: eddsa\nKey-Curve: ed25519\nName-Real: {name}\nExpire-Date: 0\n%no-protection\n%commit\n")
    return gpg


def signed(gpg: gnupg.GPG, source: Source, name: str, into: Path) -> Path:
    copy = shutil.copytree(source.dsc.parent, into)
    key = next(key["fingerprint"] for key in gpg.list_keys() if name in key["uids"][0])
    (copy / source.dsc.name).write_text(f"{gpg.sign(source.dsc.read_text(), keyid=key, clearsign=True)}")
    return copy / source.dsc.name


@pytest.mark.parametrize("armour", [False, True])
def test_a_signature_is_demanded_when_a_keyring_is_given(
    tmp_path: Path, project: Config, signer: gnupg.GPG, *, armour: bool
) -> None:
    alice = next(key["fingerprint"] for key in signer.list_keys() if "Alice" in key["uids"][0])
    exported = signer.export_keys(alice, armor=armour)
    keyring = tmp_path / "keyring"
    keyring.write_bytes(exported.encode() if isinstance(exported, str) else exported)
    made = Opener(project)(make_tree(tmp_path / "tree"))
    opened = Opener(replace(project, project=tmp_path / "other", source=SourceConfig(keyring=keyring)))
    good = signed(signer, made, "Alice", tmp_path / "good")
    assert opened(good).version == made.version
    with pytest.raises(SourceError, match="not accepted") as error:
        opened(signed(signer, made, "Mallory", tmp_path / "bad"))
    assert "not in the keyring" in error.value.cause
    with pytest.raises(SourceError, match="not accepted") as error:
        opened(made.dsc)
    assert "not signed" in error.value.cause
    good.write_text(good.read_text().replace("Test Writer", "Mallory"))
    with pytest.raises(SourceError, match="not accepted") as error:
        opened(good)
    assert "changed after it was signed" in error.value.cause


def upstream_repository(path: Path, gbp: str) -> Path:
    """A quilt tree in git with upstream's files tagged v1.0, and no tarball beside it."""
    tree = make_tree(path, native=False, distribution="unstable")
    debian = tree / "debian"
    debian.rename(path.parent / "debian-aside")
    commit(tree, "upstream")
    git(tree, "tag", "v1.0")
    (path.parent / "debian-aside").rename(debian)
    (debian / "gbp.conf").write_text(f"[DEFAULT]\nupstream-tag = v%(version)s\n{gbp}")
    commit(tree, "packaging")
    return tree


def test_the_upstream_tarball_is_made_from_a_tag(tmp_path: Path, project: Config) -> None:
    tree = upstream_repository(tmp_path / "in/tree", "")
    (tree / "../hello-debkit_1.0.orig.tar.gz").unlink()
    before = state(tmp_path / "in")
    made = [sums(Opener(replace(project, project=tmp_path / name))(tree)) for name in ("one", "two")]
    assert "hello-debkit_1.0.orig.tar.gz" in made[0]
    assert made[0] == made[1]
    assert state(tmp_path / "in") == before


def test_the_upstream_tarball_comes_out_of_pristine_tar_unchanged(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = upstream_repository(tmp_path / "in/tree", "pristine-tar = True\n")
    orig = tmp_path / "in/hello-debkit_1.0.orig.tar.gz"
    who = tuple((f"GIT_{role}_{part}", "x@example.org") for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL"))
    run(Command(argv=("pristine-tar", "commit", f"{orig}", "v1.0"), cwd=tree, env=who))
    wanted = hashlib.sha256(orig.read_bytes()).hexdigest()
    orig.unlink()
    assert sums(opened(tree))[orig.name] == wanted


def test_the_upstream_tarball_comes_out_of_a_remotes_pristine_tar(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = upstream_repository(tmp_path / "in/tree", "pristine-tar = True\n")
    orig = tmp_path / "in/hello-debkit_1.0.orig.tar.gz"
    who = tuple((f"GIT_{role}_{part}", "x@example.org") for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL"))
    run(Command(argv=("pristine-tar", "commit", f"{orig}", "v1.0"), cwd=tree, env=who))
    wanted = hashlib.sha256(orig.read_bytes()).hexdigest()
    git(tmp_path, "clone", "-q", f"{tree}", "clone/tree")
    assert sums(opened(tmp_path / "clone/tree"))[orig.name] == wanted


def test_a_missing_upstream_tarball_is_told(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False)
    (tree / "../hello-debkit_1.0.orig.tar.gz").unlink()
    with pytest.raises(SourceError, match=r"hello-debkit_1\.0\.orig\.tar\.\* is missing") as error:
        opened(tree)
    assert f"{tmp_path / 'in'}" in error.value.cause
    tagged = upstream_repository(tmp_path / "other/tree", "")
    (tagged / "../hello-debkit_1.0.orig.tar.gz").unlink()
    git(tagged, "tag", "-d", "v1.0")
    with pytest.raises(SourceError, match="is missing") as error:
        opened(tagged)
    assert "v1.0 is not a valid treeish" in error.value.cause


def test_changed_upstream_files_are_told(tmp_path: Path, opened: Opener) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, git=True)
    edit(tree / "hello-debkit.c")
    with pytest.raises(SourceError, match=r"changes upstream files: hello-debkit\.c") as error:
        opened(tree)
    assert "+/* edited */" in error.value.excerpt
    assert list((opened.config.dist / "source").glob("hello-debkit_*")) == []


def test_patches_may_stand_unapplied_or_applied(tmp_path: Path, opened: Opener, run: Processes) -> None:
    tree = make_tree(tmp_path / "in/tree", native=False, distribution="unstable")
    edit(tree / "hello-debkit.c")
    run(Command(argv=("dpkg-source", "--commit", ".", "edit.patch"), cwd=tree, env=(("EDITOR", "true"),)))
    applied = opened(tree)
    run(Command(argv=("dpkg-source", "--after-build", "--unapply-patches", "."), cwd=tree))
    assert "edited" not in (tree / "hello-debkit.c").read_text()
    shutil.rmtree(tree / ".pc", ignore_errors=True)
    assert sums(opened(tree)) == sums(applied)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda tree: (tree / "debian/control").unlink(), "control is missing"),
        (lambda tree: (tree / "debian/control").write_text("x\n"), "control is broken"),
        (lambda tree: (tree / "debian/changelog").write_text("x\n"), "changelog cannot be read"),
        (lambda tree: (tree / "debian/changelog").unlink(), "has no debian/changelog"),
        (lambda tree: shutil.rmtree(tree / "debian"), "is not a source tree"),
        (lambda tree: (tree / "debian/changelog").write_text(changelog("other", "1.0", "unstable")), "has two names"),
        (lambda tree: (tree / "debian/changelog").write_text(changelog("hello-debkit", "1.0-1", "x")), "does not fit"),
        (lambda tree: (tree / "debian/source/format").write_text("3.0 (quilt)\n"), "does not fit"),
        (lambda tree: (tree / "debian/source/format").write_text("3.0 (git)\n"), "not one that debkit makes"),
        (lambda tree: edit(tree / "debian/control", "\nPackage: x\nArchitecture: no/such\nDescription: x\n"), "cannot make"),
        (lambda tree: os.mkfifo(tree / "pipe"), "neither a file, a directory nor a link"),
    ],
)
def test_a_spoilt_tree_is_told_in_three_parts(tmp_path: Path, opened: Opener, spoil: Callable[[Path], object], what: str) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable")
    spoil(tree)
    with pytest.raises(SourceError, match=what) as error:
        opened(tree)
    assert error.value.cause
    assert error.value.hint
    assert list(opened.config.dist.glob("source/*_*")) == []
