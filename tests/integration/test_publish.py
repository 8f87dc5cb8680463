"""What other machines have built is signed, published and proven here; what is not fit for that changes nothing."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from debkit import archive
from debkit.archive.index import read_index
from debkit.config import load
from debkit.console import Console
from debkit.errors import Interrupted
from debkit.keys import Passphrase
from debkit.model import CheckReport, Outcome, Target
from debkit.pipeline.publish import Wish, publish_parts
from debkit.report import SCHEMA
from tests.command import Project, is_three_parts, make_project
from tests.github_double import REPOSITORY, TOKEN, double
from tests.parts import make_part

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = '[build]\nsuites = ["trixie", "bookworm"]\narches = ["amd64", "arm64"]\n[checks]\nrun = ["lintian"]\n'
# What is not the same in an archive that was restored: it is dated and signed anew. The last has the times of deployments.
ANEW = {"Release", "InRelease", "Release.gpg", ".debkit-deploy"}
AMD64 = Target("trixie", "amd64")


@pytest.fixture
def project(tmp_path: Path, debkit_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    return make_project(tmp_path / "project", CONFIG)


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def nothing_happened(project: Project) -> bool:
    return not list(project.archive.glob("*/**/*.deb")) and not list(project.path.glob("dist/*/upload"))


@pytest.mark.slow
def test_two_suites_are_published_and_seen_by_apt_and_the_same_again_changes_nothing(project: Project, tmp_path: Path) -> None:
    trixie = make_part(tmp_path / "parts/trixie", "amd64")
    bookworm = make_part(tmp_path / "parts/bookworm", "amd64", suite="bookworm", version="1.0~bookworm1")
    before = contents(tmp_path / "parts")
    summary = {"GITHUB_STEP_SUMMARY": os.fspath(tmp_path / "summary.md")}
    ended = project.debkit("publish", os.fspath(trixie), os.fspath(bookworm), env=summary)
    assert ended.code == 0, ended.err
    assert contents(tmp_path / "parts") == before
    report = project.report
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(report)
    assert [source["suite"] for source in report["sources"]] == ["trixie", "bookworm"]
    assert [build["target"]["suite"] for build in report["builds"]] == ["trixie", "bookworm"]
    assert {check["outcome"] for check in report["checks"]} == {"pass"}
    assert [(seen["target"]["suite"], seen["version"], seen["installed"], seen["ran"]) for seen in report["sightings"]] == [
        ("trixie", "1.0", True, ["/usr/bin/hello-debkit --version"]),
        ("bookworm", "1.0~bookworm1", True, ["/usr/bin/hello-debkit --version"]),
    ]
    assert {line.package for line in read_index(project.archive, "trixie", "amd64")} == {"hello-debkit", "hello-debkit-data"}
    assert "- published to bookworm (amd64 arm64): hello-debkit, hello-debkit-data\n" in (tmp_path / "summary.md").read_text()
    ended = project.debkit("publish", os.fspath(trixie), os.fspath(bookworm))
    assert ended.code == 0, ended.err
    assert [done["unchanged"] for done in project.report["published"]] == [True, True]


@pytest.mark.slow
def test_a_job_that_is_done_again_on_another_machine_changes_nothing_or_completes(project: Project, tmp_path: Path) -> None:
    part = make_part(tmp_path / "part", "amd64")
    served = f'{CONFIG}[archive]\nurl = "https://apt.example.org"\n'
    with double() as github:
        env = {
            "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_API_URL": github.url, "no_proxy": "127.0.0.1",
        }  # fmt: skip

        def done(machine: Project, site: Path) -> tuple[dict[Path, bytes], str]:
            """Take the steps of the job that publishes, with no archive at hand; give what is deployed, and what was said."""
            said = ""
            for words in (
                *((("repo", "restore", f"{site}"),) if site.exists() else ()),
                ("publish", f"{part}"),
                ("repo", "onboard"),
                ("repo", "deploy", "--preset", "pages", f"{site}"),
                ("release", "github", "hello-debkit", "--tag", "v1.0"),
            ):
                ended = machine.debkit(*words, env=env)
                assert ended.code == 0, ended.err
                said = ended.err
            there = {path.relative_to(site): content for path, content in contents(site).items() if path.name not in ANEW}
            return there, said

        first, _ = done(make_project(tmp_path / "first", served), tmp_path / "site")
        released = github.contents()
        changes = len(github.changes)
        again, said = done(make_project(tmp_path / "second", served), tmp_path / "site")
        assert again == first
        assert "was there already" in said
        assert (github.contents(), len(github.changes)) == (released, changes)
        lost = next(number for number, asset in github.assets.items() if asset["name"].endswith("_amd64.deb"))
        del github.assets[lost]
        third = make_project(tmp_path / "third", served)
        assert third.debkit("repo", "restore", f"{tmp_path / 'site'}").code == 0
        said = third.debkit("release", "github", "hello-debkit", "--tag", "v1.0", env=env).err
        assert "lacked files" in said
        made = {"SHA256SUMS", "SHA256SUMS.asc", "report.json"}
        assert {name for name, content in github.contents().items() if released[name] != content} <= made
        assert github.contents().keys() == released.keys()


@pytest.mark.slow
def test_what_was_cut_off_between_signature_and_archive_is_finished_by_the_next(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = make_part(tmp_path / "part", "amd64")
    wish = Wish(parts=(part,))

    def cut_off(*_: object, **__: object) -> None:
        raise Interrupted(15)

    with monkeypatch.context() as patch:
        patch.setattr(archive, "publish", cut_off)
        with pytest.raises(Interrupted):
            publish_parts(wish, load(project.path), Console(), passphrase=Passphrase())
    assert list(project.path.glob("dist/trixie/upload/*_multi.changes"))
    assert project.report["error"]["what"] == "interrupted"
    assert not list(project.archive.glob("*/**/*.deb"))
    ended = project.debkit("publish", os.fspath(part))
    assert ended.code == 0, ended.err
    assert not project.report["published"][0]["unchanged"]
    assert project.report["sightings"][0]["installed"]


def test_a_stream_takes_what_is_published(project: Project, tmp_path: Path) -> None:
    ended = project.debkit("publish", os.fspath(make_part(tmp_path / "part", "amd64")), "--stream", "unstable")
    assert ended.code == 3
    assert "has no suite trixie-unstable" in ended.err
    assert nothing_happened(project)


def test_a_release_needs_a_real_key(project: Project, tmp_path: Path) -> None:
    ended = project.debkit("publish", os.fspath(make_part(tmp_path / "part", "amd64")), "--release")
    assert ended.code == 13
    assert is_three_parts(ended), ended.err
    assert nothing_happened(project)


def test_what_is_not_as_it_was_left_is_refused(project: Project, tmp_path: Path) -> None:
    part = make_part(tmp_path / "part", "amd64")
    with (part / "trixie/amd64/hello-debkit_1.0_amd64.deb").open("ab") as deb:
        deb.write(b"\n")
    left = contents(make_part(project.path / "dist", "amd64"))
    ended = project.debkit("publish", os.fspath(part))
    assert {path: path.read_bytes() for path in left} == left
    assert ended.code == 14
    assert is_three_parts(ended), ended.err
    assert "trixie/amd64/hello-debkit_1.0_amd64.deb: changed" in ended.err
    assert nothing_happened(project)


def test_a_part_that_is_not_there_is_told(project: Project, tmp_path: Path) -> None:
    part = make_part(tmp_path / "part", "amd64")
    left = make_part(project.path / "dist", "amd64")
    before = contents(left)
    ended = project.debkit("publish", os.fspath(part), os.fspath(tmp_path / "parts/packages-trixie-arm64"))
    assert {path: path.read_bytes() for path in before} == before
    assert ended.code == 3
    assert is_three_parts(ended), ended.err
    assert "packages-trixie-arm64 is no directory" in ended.err
    assert nothing_happened(project)


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.FAIL, 11), (Outcome.ERROR, 12), (Outcome.SKIPPED, 12)])
def test_what_did_not_pass_its_checks_is_refused(project: Project, tmp_path: Path, outcome: Outcome, code: int) -> None:
    report = CheckReport(check="lintian", target=AMD64, outcome=outcome, seconds=1, reason="the reason")
    ended = project.debkit("publish", os.fspath(make_part(tmp_path / "part", "amd64", checks=(report,))))
    assert ended.code == code, ended.err
    assert is_three_parts(ended), ended.err
    assert "the reason" in ended.err
    assert nothing_happened(project)


@pytest.mark.slow
def test_what_came_to_no_verdict_may_be_accepted(project: Project, tmp_path: Path) -> None:
    part = make_part(tmp_path / "part", "amd64", checks=(), planned=())
    ended = project.debkit("publish", os.fspath(part))
    assert ended.code == 12
    assert "it was not made where" in ended.err
    ended = project.debkit("publish", os.fspath(part), "--accept-incomplete-checks")
    assert ended.code == 0, ended.err


@pytest.mark.slow
def test_a_part_may_be_read_only_and_in_a_place_with_a_blank(project: Project, tmp_path: Path) -> None:
    part = make_part(tmp_path / "a part", "amd64")
    other = shutil.copytree(part, tmp_path / "b part")
    for path in part.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    ended = project.debkit("publish", os.fspath(part), os.fspath(other))
    assert ended.code == 14
    assert "trixie/amd64 is in two parts" in ended.err
    ended = project.debkit("publish", os.fspath(part))
    assert ended.code == 0, ended.err
