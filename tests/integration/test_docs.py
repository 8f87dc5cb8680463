"""The manual and the man pages, made by the real Sphinx as `make docs` does."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

import debkit
from debkit.run import Command, CommandFailed, Processes
from docs import generate
from tests.trees import commit, git

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what `make docs` reads."""
    for name in ("debkit", "docs", "packaging"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "CONTRIBUTING.md", "Makefile"):
        shutil.copy(CHECKOUT / name, tmp_path)
    (tmp_path / "packaging/setup").write_text("")  # what it would install is what this test runs with
    return tmp_path


def make_docs(tree: Path) -> None:
    Processes()(Command(argv=("make", "docs"), cwd=tree))


def test_the_pages_are_made_without_a_warning(tree: Path) -> None:
    make_docs(tree)
    pages = {path.stem for path in (tree / "build/docs/html").rglob("*.html")}
    assert {"index", "users", "maintainers", "developers", "troubleshooting", "debkit-build", "debkit.toml", "report"} <= pages
    front = (tree / "build/docs/html/index.html").read_text()
    assert f'<p class="blurb">{debkit.__version__}</p>' in front
    assert 'href="users.html"' in front
    assert "ENVIRONMENT" not in front
    assert "Add a check in one file" in (tree / "build/docs/html/developers.html").read_text()


def test_the_man_pages_have_the_version_and_read_as_such(tree: Path) -> None:
    make_docs(tree)
    page = tree / "build/docs/man/debkit-build.1"
    assert re.search(rf'^\.TH "DEBKIT-BUILD" "1" ".*" "{re.escape(debkit.__version__)}"', page.read_text(), re.MULTILINE)
    argv = ("man", "--warnings", "--local-file", str(page))
    shown = Processes()(Command(argv=argv, env=(("MANWIDTH", "80"), ("LC_ALL", "C.UTF-8"))))
    assert "warning" not in shown.stdout
    text = re.sub(".\b", "", shown.stdout)
    assert "\nSYNOPSIS\n          debkit build [OPTION]... [SOURCE]\n" in text
    assert "\n       -a, --arch ARCH\n              Architecture to build for; may be given again.\n" in text
    assert (tree / "build/docs/man/debkit.toml.5").exists()


@pytest.mark.parametrize(
    ("page", "link", "warning"),
    [
        ("docs/users.md", "[there](nowhere.md)", "nowhere.md"),
        ("docs/users.md", "[there](archive.md#no-such-heading)", "no-such-heading"),
        ("README.md", "\n## Use it\n\n[there](docs/nowhere.md)\n", "nowhere.md"),
    ],
)
def test_a_link_that_leads_nowhere_is_an_error(tree: Path, page: str, link: str, warning: str) -> None:
    file = tree / page
    file.write_text(file.read_text().replace("\n## ", f"\n{link}\n\n## ", 1))
    with pytest.raises(CommandFailed) as caught:
        make_docs(tree)
    assert any("WARNING" in line and warning in line for line in caught.value.done.tail)


def test_what_drifted_is_told_with_what_mends_it(tree: Path) -> None:
    changelog = tree / "packaging/debian/changelog"
    changelog.write_text(changelog.read_text().replace(f"({debkit.__version__})", "(99.0)", 1))
    (tree / "docs/reference/debkit-build.md").write_text("by hand")
    with pytest.raises(CommandFailed) as caught:
        make_docs(tree)
    told = "\n".join(caught.value.done.tail)
    assert "docs/reference/debkit-build.md" in told
    assert "README.md" in told
    module = generate.MENDS.split()[1:]
    Processes()(Command(argv=(sys.executable, *module), cwd=tree))
    assert "\nVersion 99.0.\n" in (tree / "README.md").read_text()
    make_docs(tree)
    assert '"99.0"' in (tree / "build/docs/man/debkit.1").read_text()


def test_in_a_checkout_the_pages_have_the_version_of_a_build(tree: Path) -> None:
    (tree / ".gitignore").write_text("build/\n__pycache__/\n")
    commit(tree)
    git(tree, "tag", "v99.0")
    Processes()(Command(argv=(sys.executable, "-m", "sphinx", "-q", "-b", "man", "docs", "build/man"), cwd=tree))
    assert '"99.0"' in (tree / "build/man/debkit.1").read_text()


def test_the_same_source_makes_the_same_pages(tree: Path) -> None:
    def made(clock: str) -> dict[Path, bytes]:
        argv = (sys.executable, "-m", "sphinx", "-E", "-q", "-d", str(tree / "doctrees"), str(tree / "docs"), str(tree / "html"))
        Processes()(Command(argv=argv, env=(("SOURCE_DATE_EPOCH", "1795521600"), ("TZ", clock)), cwd=tree))
        return {path: path.read_bytes() for path in (tree / "html").rglob("*") if path.is_file()}

    assert made("UTC") == made("Pacific/Kiritimati")
