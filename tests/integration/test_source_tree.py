"""What of a source tree goes into its source package, with the real git and dpkg-source."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from debian.debian_support import Version

from debkit.errors import SourceError
from tests.sources import Opener, edit, make_old_format, state, sums
from tests.trees import changelog, commit, git, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from debkit.config import Config
    from debkit.model import Source

LATER = "Wed, 03 Jan 2024 00:00:00 +0000"


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    os.umask(before)
    yield os.umask
    os.umask(before)


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
