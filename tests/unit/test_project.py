"""What `debkit init` finds out about a project, and the files that it makes of it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import project
from debkit.archive import conf
from debkit.config import ArchiveConfig, Config, load
from debkit.errors import ConfigError, SourceError
from debkit.project.facts import repository
from debkit.source.listing import Leftovers, list_tree
from debkit.source.ours import MARK, NAMES
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recorder import Recorder

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ACTION = project.Action("debkit/debkit", COMMIT)
WORKFLOW = f"""\
name: release # written by debkit init: a pushed tag is built, released on GitHub and published on its Pages
on: {{push: {{tags: ["debian/[0-9]*", "v[0-9]*", "[0-9]*"]}}}}
permissions: {{}}
jobs:
  debkit:
    uses: debkit/debkit/.github/workflows/release.yml@{COMMIT}
    with: {{suites: '["trixie"]', arches: '["amd64", "arm64"]'}}
    permissions: {{contents: write, id-token: write, attestations: write}}
    secrets: {{DEBKIT_ARCHIVE_KEY: "${{{{ secrets.DEBKIT_ARCHIVE_KEY }}}}", DEBKIT_SIGNING_KEY: "${{{{ secrets.DEBKIT_SIGNING_KEY }}}}"}}
"""  # noqa: E501 (as the file has it)


def facts(path: Path, **changes: object) -> project.Facts:
    known = project.Facts(
        path=path,
        packaging="debian",
        name="hello",
        distribution="unstable",
        arches=("amd64", "arm64"),
        version="1:1.0~rc1-1",
        quilt=True,
        has_orig=True,
        orig_from_git=True,
        outputs=("dist", "parts", "repo", "site"),
        git=path,
        ignored=(),
        repository="Someone/Hello",
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def made(found: project.Facts, config: Config | None = None) -> dict[str, str]:
    config = config or project.chosen(found, suites=(), arches=(), name="")
    stanzas = tuple(conf.stanza(config, suite, found.distribution) for suite in config.build.suites)
    return {draft.name: draft.text for draft in project.draft(found, config, action=ACTION, stanzas=stanzas)[0]}


def test_the_workflow_is_ten_lines(tmp_path: Path) -> None:
    text = made(facts(tmp_path))[".github/workflows/release.yml"]
    assert text == WORKFLOW
    assert text.count("\n") <= 10


def test_the_readme_shows_the_workflow_as_it_is_written() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert re.findall(r"^```yaml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL) == [WORKFLOW.replace(COMMIT, "COMMIT")]


def test_all_but_lines_in_files_of_others_is_marked(tmp_path: Path) -> None:
    drafts = made(facts(tmp_path))
    assert set(drafts) == {*NAMES, "debian/source/local-options"}
    assert all(MARK in text.splitlines()[0] for text in drafts.values())
    assert "debian/source/local-options" not in made(facts(tmp_path, quilt=False))


def test_the_configuration_says_what_was_chosen(tmp_path: Path) -> None:
    config = project.chosen(facts(tmp_path), suites=("bookworm", "sid"), arches=("riscv64",), name="tools")
    project.write(tmp_path, tuple(project.Draft(name, text) for name, text in made(facts(tmp_path), config).items()))
    assert load(tmp_path) == config
    assert config.build.arches == ("riscv64",)
    assert config.archive == ArchiveConfig(name="tools", url="https://someone.github.io/Hello")
    conf.demand(config, "bookworm", ("riscv64", "all"))
    conf.demand_distribution(config, "sid", "unstable")


def test_where_nothing_is_known_nothing_is_claimed(tmp_path: Path) -> None:
    found = facts(tmp_path, repository="")
    config = project.chosen(found, suites=(), arches=(), name="")
    project.write(tmp_path, tuple(project.Draft(name, text) for name, text in made(found).items()))
    assert load(tmp_path) == config == Config(project=tmp_path, archive=ArchiveConfig(name="hello"))


def test_the_archive_takes_what_the_changelog_names(tmp_path: Path) -> None:
    found = facts(tmp_path, distribution="noble-proposed")
    config = project.chosen(found, suites=(), arches=(), name="")
    project.write(tmp_path, tuple(project.Draft(name, text) for name, text in made(found).items()))
    for distribution in ("trixie", "unstable", "UNRELEASED", "noble-proposed"):
        conf.demand_distribution(config, "trixie", distribution)


def test_reprepro_is_called_as_in_this_project(tmp_path: Path) -> None:
    here = (Path(__file__).parents[2] / "repo/conf/options").read_text()
    said = [line for line in made(facts(tmp_path))["repo/conf/options"].splitlines() if not line.startswith("#")]
    assert said == [line for line in here.splitlines() if not line.startswith("#")]


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "repo/conf").mkdir(parents=True)
    (tmp_path / "repo/conf/options").write_text("verbose\n")
    (tmp_path / ".gitignore").write_bytes(b"*.o\n\xff")
    drafts, kept = project.draft(facts(tmp_path), Config(project=tmp_path), action=ACTION, stanzas=())
    project.write(tmp_path, drafts)
    assert kept == ("repo/conf/options",)
    assert (tmp_path / "repo/conf/options").read_text() == "verbose\n"
    assert (tmp_path / ".gitignore").read_bytes().startswith(b"*.o\n\xff\n\n# written by debkit init")
    assert project.draft(facts(tmp_path), Config(project=tmp_path), action=ACTION, stanzas=())[0] == ()


def test_directories_of_the_project_are_not_debkits(tmp_path: Path) -> None:
    drafts = made(facts(tmp_path, outputs=("parts", "repo", "site")))
    assert "/dist/" not in drafts[".gitignore"]
    assert "(parts|repo|site)/" in drafts["debian/source/local-options"]


@pytest.mark.parametrize("blocked", [".github", "config", "repo"])
def test_nothing_is_written_where_one_file_cannot_be(tmp_path: Path, blocked: str) -> None:
    drafts = tuple(project.Draft(name, text) for name, text in made(facts(tmp_path)).items())
    (tmp_path / blocked).write_text("in the way\n")
    with pytest.raises(SourceError, match="cannot be written"):
        project.write(tmp_path, drafts)
    assert [path.name for path in tmp_path.iterdir()] == [blocked]


def test_what_was_written_before_a_failure_is_undone(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.o\n")
    (tmp_path / ".gitignore").chmod(0o640)
    drafts, _ = project.draft(facts(tmp_path), Config(project=tmp_path), action=ACTION, stanzas=())
    with pytest.raises(UnicodeEncodeError):
        project.write(tmp_path, (*drafts, project.Draft("last", "\ud800")))
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]
    assert (tmp_path / ".gitignore").read_text() == "*.o\n"
    assert (tmp_path / ".gitignore").stat().st_mode & 0o777 == 0o640


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / ".gitignore").symlink_to("elsewhere")
    drafts, _ = project.draft(facts(tmp_path), Config(project=tmp_path), action=ACTION, stanzas=())
    with pytest.raises(SourceError, match="cannot be written") as caught:
        project.write(tmp_path, drafts)
    assert "symbolic link" in caught.value.cause


@pytest.mark.parametrize("name", [*NAMES, "debian/source/local-options"])
@pytest.mark.parametrize(
    ("put", "told"),
    [
        (Path.mkdir, "it is a directory"),
        (lambda file: file.symlink_to("nowhere"), "it is a symbolic link to nowhere, which is not there"),
        (lambda file: file.symlink_to("."), "it is a symbolic link to ."),
        (os.mkfifo, "it is no regular file"),
    ],
    ids=["directory", "dangling link", "link to a directory", "fifo"],
)
def test_what_is_no_file_is_not_kept_as_one(tmp_path: Path, name: str, put: Callable[[Path], object], told: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    put(tmp_path / name)
    with pytest.raises(SourceError, match="cannot be written") as caught:
        project.draft(facts(tmp_path), Config(project=tmp_path), action=ACTION, stanzas=())
    assert caught.value.cause == f"{tmp_path / name} is in its way: {told}"


def test_a_link_to_a_file_is_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "shared.mk").touch()
    (tmp_path / "debkit.mk").symlink_to("shared.mk")
    drafts, kept = project.draft(facts(tmp_path), Config(project=tmp_path), action=ACTION, stanzas=())
    project.write(tmp_path, drafts)
    assert kept == ("debkit.mk",)
    assert (tmp_path / "shared.mk").read_text() == ""


@pytest.mark.parametrize(
    ("url", "found", "pages"),
    [
        ("git@github.com:Some-One/hello.git\n", "Some-One/hello", "https://some-one.github.io/hello"),
        ("https://github.com/a/b", "a/b", "https://a.github.io/b"),
        ("https://github.com/a/b.c.git/", "a/b.c", "https://a.github.io/b.c"),
        ("ssh://git@github.com/a/A.github.io.git", "a/A.github.io", "https://a.github.io"),
        ("https://salsa.debian.org/a/b.git", "", ""),
        ("https://github.com.example.org/a/b", "", ""),
        ("", "", ""),
    ],
)
def test_where_it_lives_on_github(tmp_path: Path, url: str, found: str, pages: str) -> None:
    assert repository(url) == found
    assert facts(tmp_path, repository=found).url == pages


@pytest.mark.parametrize(
    ("architecture", "arches"),
    [
        ("any", ("amd64", "arm64")),
        ("all", ("amd64", "arm64")),
        ("arm64", ("arm64",)),
        ("riscv64", ("riscv64",)),
        ("linux-any", ("amd64", "arm64")),
    ],
)
def test_it_is_built_for_what_it_has(tmp_path: Path, recorder: Recorder, architecture: str, arches: tuple[str, ...]) -> None:
    tree = make_tree(tmp_path / "tree")
    control = tree / "debian/control"
    control.write_text(control.read_text().replace("Architecture: any", f"Architecture: {architecture}"))
    found = project.look(recorder, tree, Config(project=tree))
    assert (found.arches, found.name, found.distribution, found.version) == (arches, "hello-debkit", "UNRELEASED", "1.0")
    assert (found.git, found.quilt, found.packaging) == (None, False, "debian")


def test_doubts(tmp_path: Path) -> None:
    def told(found: project.Facts, action: project.Action = ACTION, kept: tuple[str, ...] = ()) -> str:
        return "\n".join(project.doubts(found, Config(project=tmp_path), action=action, kept=kept))

    assert told(facts(tmp_path)) == ""
    assert "no git repository" in told(facts(tmp_path, git=None))
    assert "top of the repository" in told(facts(tmp_path, git=tmp_path.parent))
    assert "no tag names a version of this part" in told(facts(tmp_path, git=tmp_path.parent))
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian/gbp.conf").write_text("[DEFAULT]\ndebian-tag = part-%(version)s\n")
    assert "no tag names" not in told(facts(tmp_path, git=tmp_path.parent))
    assert "no remote origin on GitHub" in told(facts(tmp_path, repository=""))
    assert "no debian/gbp.conf tells" in told(facts(tmp_path, orig_from_git=False))
    assert "debkit/debkit@v1 is no commit" in told(facts(tmp_path), project.Action("debkit/debkit", "v1"))
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/release.yml").write_text("on: push\n")
    kept = (".github/workflows/release.yml",)
    assert f"uses debkit/debkit/.github/workflows/release.yml@{COMMIT}" in told(facts(tmp_path), kept=kept)
    (tmp_path / ".github/workflows/release.yml").write_text(WORKFLOW)
    assert told(facts(tmp_path), kept=kept) == ""
    (tmp_path / ".github/workflows/release.yml").write_text(WORKFLOW.replace('"trixie"', '"sid"'))
    assert 'does not build what [build] in config/debkit.toml has, ["trixie"]' in told(facts(tmp_path), kept=kept)


def test_the_debkit_that_releases_is_the_one_that_runs(tmp_path: Path, recorder: Recorder) -> None:
    assert project.own(recorder, tmp_path, "1.2") == project.Action("debkit/debkit", "v1.2")
    with pytest.raises(ConfigError) as caught:
        project.own(recorder, tmp_path, "1.2~20261127.gc0ffee")
    assert "--action OWNER/NAME@COMMIT" in caught.value.hint
    (tmp_path / ".git").mkdir()
    for url, name in (
        ("git@github.com:them/fork.git\n", "them/fork"),
        ("/srv/git/debkit\n", "debkit/debkit"),
        ("", "debkit/debkit"),
    ):
        recorder.reply("remote", stdout=url)
        recorder.reply("rev-parse", stdout=f"{COMMIT}\n")
        assert project.own(recorder, tmp_path, "1.2~20261127.gc0ffee") == project.Action(name, COMMIT)


def test_the_way_to_the_first_release(tmp_path: Path) -> None:
    drafts, _ = project.draft(facts(tmp_path), Config(project=tmp_path), action=ACTION, stanzas=())
    told = "\n".join(project.steps(facts(tmp_path), drafts))
    assert "git add .github/workflows/release.yml config/debkit.toml debkit.mk repo/conf/distributions" in told
    assert "git tag debian/1%1.0_rc1-1 && git push origin HEAD debian/1%1.0_rc1-1" in told  # DEP-14
    assert "gh secret set DEBKIT_ARCHIVE_KEY --repo Someone/Hello" in told
    assert "git tag v2.0 " in "\n".join(project.steps(facts(tmp_path, has_orig=False, version="2.0"), ()))


def test_what_init_wrote_is_no_source(tmp_path: Path, recorder: Recorder) -> None:
    leftovers = Leftovers("debian", ())
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian/changelog").touch()
    (tmp_path / "config").mkdir()
    (tmp_path / "config/other").touch()
    before = list_tree(recorder, tmp_path, leftovers=leftovers, outputs=())
    drafts = tuple(project.Draft(name, text) for name, text in made(facts(tmp_path, quilt=False)).items())
    project.write(tmp_path, drafts)
    assert list_tree(recorder, tmp_path, leftovers=leftovers, outputs=()) == before
    for name in NAMES:
        (tmp_path / name).write_text("# the project's own\n# " + MARK)
    own = list_tree(recorder, tmp_path, leftovers=leftovers, outputs=())
    assert set(own.names) - set(before.names) == set(NAMES)


SHARED = {
    "deb", "build", "part", "deployed", "restore", "verify-parts", "publish", "onboard", "release", "pages", "doctor", "help"
}  # fmt: skip


def recipes(text: str) -> dict[str, str]:
    """Give each target's line and recipe."""
    found = re.findall(r"^(([a-z-]+):[^\n]*\n(?:\t.*\n)*)", text, flags=re.MULTILINE)
    return {name: whole for whole, name in found}


def test_the_targets_are_those_of_debkits_own_makefile(tmp_path: Path) -> None:
    text, own = made(facts(tmp_path))["debkit.mk"], (Path(__file__).parents[2] / "Makefile").read_text()
    ours, theirs = recipes(own), recipes(text)
    assert theirs.keys() == {*SHARED, "setup", "ci"}
    assert {name: theirs[name] for name in SHARED} == {name: ours[name] for name in SHARED}
    for name in ("SOURCE", "ARCH", "SUITE", "FLAGS", "PARTS", "PART", "SITE", r"\$\(foreach", "OPTIONS :"):
        assert re.findall(rf"^{name}.*(?:\\\n.*)*$", text, re.MULTILINE) == re.findall(
            rf"^{name}.*(?:\\\n.*)*$", own, re.MULTILINE
        ), name
