from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import urllib.request
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import publish
from debkit.release.assets import parse_checksums
from debkit.run import Command
from tests.command import Ended, Project, is_three_parts
from tests.github_double import RELEASES, REPOSITORY, TOKEN, Double, Wrong, double
from tests.trees import commit, git, make_tree

if TYPE_CHECKING:
    import subprocess  # noqa: TID251  # a type only
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.run import Processes
    from tests.publishing import Upload

SOURCE = "hello-debkit"
FILES = {
    "hello-debkit_1.0.dsc", "hello-debkit_1.0.tar.xz", "hello-debkit_1.0_amd64.deb", "hello-debkit_1.0_arm64.deb",
    "hello-debkit-data_1.0_all.deb", "hello-debkit_1.0_amd64.buildinfo", "hello-debkit_1.0_arm64.buildinfo",
    "hello-debkit_1.0_source.buildinfo",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Desk:
    """An archive with some versions, and the double of GitHub that its releases go to."""

    project: Project
    github: Double
    state: Path

    @property
    def env(self) -> dict[str, str]:
        return {
            "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY, "no_proxy": "127.0.0.1",
            "GITHUB_API_URL": self.github.url, "GITHUB_REF_TYPE": "", "XDG_STATE_HOME": f"{self.state}",
        }  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        return self.project.start("release", "github", SOURCE, *words, env=self.env)

    def release(self, *words: str, tag: str = "v1.0", code: int = 0, **env: str) -> Ended:
        ended = self.project.debkit("release", "github", SOURCE, "--tag", tag, *words, env=self.env | env)
        assert ended.code == code, ended.err
        assert TOKEN not in ended.out + ended.err
        assert not code or is_three_parts(ended), ended.err
        assert not list(self.project.path.glob("dist/.release.*"))
        return ended

    @property
    def pool(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.project.archive.glob("pool/*/*/*/*")}


@pytest.fixture
def archive(run: Processes, config: Config, keys: Keys, make_upload: Upload) -> Config:
    publish(run, config, make_upload(), keys)
    return config


@pytest.fixture
def desk(archive: Config, key_state: Path, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/debkit").symlink_to(key_state)
    with double() as github:
        yield Desk(Project(archive.project), github, tmp_path / "state")


def test_a_release_has_the_archives_own_bytes(desk: Desk, run: Processes, tmp_path: Path) -> None:
    (desk.project.path / "dist").mkdir()
    (desk.project.path / "dist/report.json").write_text("{}")
    ended = desk.release()
    assert f"https://github.com/{REPOSITORY}/releases/tag/v1.0" in ended.err
    there = desk.github.contents()
    changes = {name for name in there if name.endswith(".changes")}
    assert len(changes) == 1
    assert there.keys() == FILES | changes | {"report.json", "SHA256SUMS", "SHA256SUMS.asc"}
    assert {name: content for name, content in there.items() if name in desk.pool} == desk.pool
    sums = parse_checksums(there["SHA256SUMS"].decode())
    assert sums == {
        name: hashlib.sha256(content).hexdigest() for name, content in there.items() if not name.startswith("SHA256SUMS")
    }
    for name in ("SHA256SUMS", "SHA256SUMS.asc"):
        (tmp_path / name).write_bytes(there[name])
    keyring = desk.project.archive / "debkit-archive-keyring.pgp"
    run(Command(argv=("gpgv", "--keyring", f"{keyring}", f"{tmp_path}/SHA256SUMS.asc", f"{tmp_path}/SHA256SUMS")))
    # All was there before anybody could see it.
    assert desk.github.changes[-1].startswith("PATCH")
    assert len(desk.github.uploads) == len(there)


def test_every_request_fits_githubs_own_description(desk: Desk, github_description: str) -> None:
    desk.github.judge = github_description
    desk.github.digests = False
    desk.github.make_release(tag_name="v1.0", draft=True, body="<!-- debkit -->")
    twin = desk.github.make_release(tag_name="v1.0", draft=True, body="<!-- debkit -->")
    desk.github.make_asset(1, "hello-debkit_1.0_amd64.deb", b"", state="starter")
    desk.github.wrongs.append(Wrong("arm64.deb", 502, done=True))
    desk.release("--flat-repo")
    assert twin["id"] not in desk.github.releases
    desk.github.releases.clear()
    desk.release()
    assert desk.github.verdicts == []
    kinds = {re.sub(r"\d+", "N", re.sub(r"[?].*", "", line)) for line in desk.github.asked}
    assert kinds >= {
        f"GET /repos/{REPOSITORY}", f"GET /repos/{REPOSITORY}/git/matching-refs/tags/vN.N", f"GET {RELEASES}", f"POST {RELEASES}",
        f"GET {RELEASES}/N/assets", f"POST {RELEASES}/N/assets", f"GET {RELEASES}/assets/N", f"DELETE {RELEASES}/assets/N",
        f"DELETE {RELEASES}/N", f"PATCH {RELEASES}/N",
    }  # fmt: skip


def test_the_judge_refuses_what_does_not_fit(desk: Desk, github_description: str) -> None:
    desk.github.judge = github_description
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    for body in ({"tag": "v1.0"}, {"tag_name": "v1.0", "draft": "yes"}):
        request = urllib.request.Request(f"{desk.github.url}{RELEASES}", json.dumps(body).encode(), headers)  # noqa: S310
        with contextlib.suppress(OSError), urllib.request.urlopen(request):  # noqa: S310
            pass
    assert ["422" in verdict for verdict in desk.github.verdicts] == [True, True]


def test_a_tree_that_has_the_tag_is_released_with_its_notes(desk: Desk, run: Processes, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "debian/source").mkdir(parents=True)
    (tree / "debian/source/format").write_text("3.0 (native)\n")
    (tree / "debian/control").write_text(
        f"Source: {SOURCE}\nMaintainer: A B <a@b.c>\n\nPackage: {SOURCE}\nArchitecture: any\nDescription: x\n"
    )
    (tree / "debian/changelog").write_text(
        f"{SOURCE} (1.0) unstable; urgency=medium\n\n  * New.\n\n -- A B <a@b.c>  Tue, 02 Jan 2024 03:04:05 +0000\n"
    )
    identity = ("-c", "user.name=A B", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "fix: greet politely"), ("tag", "v1.0")):
        run(Command(argv=("git", *identity, *words), cwd=tree))
    ended = desk.project.debkit("release", "github", f"{tree}", env=desk.env)
    assert ended.code == 0, ended.err
    (release,) = desk.github.releases.values()
    assert release["tag_name"] == "v1.0"
    assert "greet politely" in release["body"].partition("<!-- debkit -->")[0]


def test_a_part_of_a_repository_is_released_as_it_was_built_whatever_the_tag_names(desk: Desk, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "mono/part", distribution="unstable")
    commit(tree.parent)
    git(tree, "tag", "v7.0")
    desk.github.tags.append("v7.0")
    ended = desk.project.debkit("release", "github", f"{tree}", env=desk.env)
    assert ended.code == 0, ended.err
    (release,) = desk.github.releases.values()
    assert (release["tag_name"], release["name"]) == ("v7.0", f"{SOURCE} 1.0")
    commit(tree.parent, "later")
    ended = desk.project.debkit("release", "github", f"{tree}", "--tag", "v7.0", "--dry-run", env=desk.env)
    assert is_three_parts(ended)
    assert "does not tell which version" in ended.err


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_tag_that_git_does_not_have_is_told_as_that(desk: Desk, tmp_path: Path, more: tuple[str, ...]) -> None:
    tree = make_tree(tmp_path / "tree", distribution="unstable")
    commit(tree)
    git(tree, "tag", "v1.0")
    for tag in ("v1.1", "nosuch"):
        ended = desk.project.debkit("release", "github", f"{tree}", "--tag", tag, *more, env=desk.env)
        assert ended.code == 3
        assert is_three_parts(ended), ended.err
        assert f"there is no tag {tag} in {tree}" in ended.err
        assert "one is v1.0" in ended.err or "the nearest is v1.0" in ended.err
        assert f"git tag {tag}" in ended.err
    git(tree, "tag", "v1.1")
    ended = desk.project.debkit("release", "github", f"{tree}", "--tag", "v1.1", *more, env=desk.env)
    assert (ended.code, "the archive has no" in ended.err) == (14, True)
    git(tree, "tag", "-d", "v1.0", "v1.1")
    commit(tree, "later")
    ended = desk.project.debkit("release", "github", f"{tree}", "--tag", "v1.0", *more, env=desk.env)
    assert ended.code == 0, ended.err  # the archive has it, and GitHub the tag, or a dry run comes before the tag


def test_what_is_published_already_is_left_alone(desk: Desk) -> None:
    desk.release()
    before = json.dumps(desk.github.releases), dict(desk.github.content), len(desk.github.changes)
    assert "was there already" in desk.release().err
    assert (json.dumps(desk.github.releases), desk.github.content, len(desk.github.changes)) == before


def test_other_bytes_under_a_name_are_an_error_before_anything_is_sent(desk: Desk) -> None:
    draft = desk.github.make_release(tag_name="v1.0", draft=True)
    desk.github.make_asset(draft["id"], "hello-debkit_1.0_amd64.deb", b"another build")
    ended = desk.release(code=23)
    assert "has hello-debkit_1.0_amd64.deb with other content" in ended.err
    assert desk.github.changes == []


def test_the_same_bytes_are_not_sent_again(desk: Desk) -> None:
    draft = desk.github.make_release(tag_name="v1.0", draft=True)
    name = "hello-debkit_1.0_amd64.deb"
    desk.github.make_asset(draft["id"], name, desk.pool[name])
    desk.release()
    assert name not in desk.github.uploads
    assert desk.github.contents()[name] == desk.pool[name]


@pytest.mark.parametrize("digests", [True, False])
def test_a_damaged_asset_is_seen_with_a_digest_or_without(desk: Desk, digests: bool) -> None:  # noqa: FBT001
    desk.github.digests = digests
    desk.release()
    assert [line for line in desk.github.asked if "/objects/" in line] == [] if digests else True
    name = "hello-debkit_1.0_amd64.deb"
    number = next(asset["id"] for asset in desk.github.assets.values() if asset["name"] == name)
    content = bytearray(desk.github.content[number])
    content[100] ^= 1
    desk.github.content[number] = bytes(content)
    if digests:
        desk.github.assets[number]["digest"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    desk.release(code=23)
    assert desk.github.leaked == []


def test_names_that_github_changes_are_told(desk: Desk, run: Processes, archive: Config, keys: Keys, make_upload: Upload) -> None:
    publish(run, archive, make_upload(version="1.1~rc1"), keys)
    desk.github.tags.append("v1.1-rc1")
    desk.github.tags.append("debian/1.1_rc1")
    desk.release(tag="debian/1.1_rc1")
    there = desk.github.contents("debian/1.1_rc1")
    assert "hello-debkit_1.1.rc1_amd64.deb" in there
    assert there["hello-debkit_1.1.rc1_amd64.deb"] == desk.pool["hello-debkit_1.1~rc1_amd64.deb"]
    assert not [name for name in there if "~" in name]
    assert "hello-debkit_1.1.rc1.dsc" in parse_checksums(there["SHA256SUMS"].decode())
    (release,) = desk.github.releases.values()
    assert "| `hello-debkit_1.1.rc1_amd64.deb` | `hello-debkit_1.1~rc1_amd64.deb` |" in release["body"]
    assert release["prerelease"]


def test_names_that_would_collide_are_an_error_before_anything_is_asked(
    desk: Desk, run: Processes, archive: Config, keys: Keys, make_upload: Upload
) -> None:
    # In bookworm the version 1.0 would be called 1.0~bookworm1; here a source is called so that both names are one.
    publish(run, archive, make_upload(version="1.0~bookworm1", suite="bookworm"), keys)
    pool = next(desk.project.archive.glob("pool/*/*/hello-debkit"))
    changes = next(pool.glob("hello-debkit_1.0~bookworm1_*.changes"))
    shutil.copy(changes, pool / changes.name.replace("~", "."))
    ended = desk.release(code=23)
    assert "would both be called" in ended.err
    assert desk.github.asked == []


def test_other_suites_are_in_the_same_release(
    desk: Desk, run: Processes, archive: Config, keys: Keys, make_upload: Upload
) -> None:
    publish(run, archive, make_upload(version="1.0~bookworm1", suite="bookworm"), keys)
    publish(run, archive, replace(make_upload(), suite="sid"), keys)  # the very same upload, in a second suite
    desk.release()
    there = desk.github.contents()
    assert "hello-debkit_1.0.bookworm1_amd64.deb" in there
    assert len(there) == 2 * (len(FILES) + 1) + 2
    assert len(desk.github.uploads) == len(there)


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("arm64.deb", cut=True),
        Wrong("arm64.deb", 502, done=True),
        Wrong("arm64.deb", 403, {"Retry-After": "1"}, "You have exceeded a secondary rate limit."),
        Wrong("GET", 503),
        Wrong("GET", 0),
        *(
            pytest.param(wrong, marks=pytest.mark.slow)
            for wrong in (
                Wrong("POST", cut=True),
                Wrong("arm64.deb", 500),
                Wrong("arm64.deb", 0, done=True),
                Wrong("arm64.deb", 403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "API rate limit exceeded"),
                Wrong("arm64.deb", 429, {"Retry-After": "0"}),
                Wrong("GET", 403, {"Retry-After": "0"}, "You have exceeded a secondary rate limit.", times=2),
                Wrong("GET", 403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "API rate limit exceeded"),
                Wrong(f"POST {RELEASES} ", 0),
                Wrong("PATCH", 502, done=True),
                Wrong("PATCH", 0),
            )
        ),
    ],
    ids=lambda wrong: f"{wrong.match.split()[0]}-{wrong.status or 'cut' if wrong.cut else wrong.status}{'-done' * wrong.done}",
)
def test_what_passes_is_waited_for(desk: Desk, wrong: Wrong) -> None:
    wrong = replace(wrong, match=wrong.match.rstrip())
    desk.github.wrongs.append(wrong)
    desk.release()
    assert desk.github.wrongs == []
    there = desk.github.contents()
    assert there.keys() >= FILES
    assert len(desk.github.releases) == 1


def test_a_draft_whose_answer_was_lost_does_not_lead_to_two_releases(desk: Desk) -> None:
    desk.github.wrongs.append(Wrong(f"POST {RELEASES}", 0, done=True))
    desk.github.hidden = 1
    desk.release()
    assert len(desk.github.releases) == 1
    assert desk.github.contents().keys() >= FILES


def test_of_two_drafts_one_is_published_and_the_other_removed(desk: Desk) -> None:
    mine = desk.github.make_release(tag_name="v1.0", draft=True, body="<!-- debkit -->")
    twin = desk.github.make_release(tag_name="v1.0", draft=True, body="<!-- debkit -->")
    desk.github.make_asset(twin["id"], "hello-debkit_1.0_amd64.deb", b"half")
    theirs = desk.github.make_release(tag_name="v1.0", draft=True, body="Somebody's own words.")
    desk.github.make_release(tag_name="v0.9", draft=True, body="<!-- debkit -->")
    desk.release()
    assert desk.github.releases.keys() == {mine["id"], theirs["id"], 4 + 1}
    assert desk.github.contents().keys() >= FILES


def test_a_release_that_was_made_by_hand_gets_the_files_and_keeps_its_words(desk: Desk) -> None:
    desk.github.page = 2
    desk.github.make_release(tag_name="v1.0", name="The first", body="Somebody's own words.")
    for number in range(5):
        desk.github.make_release(tag_name=f"v0.{number}")
    assert "was published already and lacked files" in desk.release().err
    assert desk.github.contents().keys() >= FILES
    release = desk.github.releases[1]
    assert release["name"] == "The first"
    assert release["body"].startswith("Somebody's own words.\n\n<!-- debkit -->")
    assert "was there already" in desk.release().err


def test_half_of_an_upload_is_deleted_and_sent_again(desk: Desk) -> None:
    draft = desk.github.make_release(tag_name="v1.0", draft=True, body="<!-- debkit -->")
    starter = desk.github.make_asset(draft["id"], "hello-debkit_1.0_amd64.deb", b"", state="starter")
    desk.release()
    assert f"DELETE {RELEASES}/assets/{starter['id']}" in desk.github.asked
    assert desk.github.contents()["hello-debkit_1.0_amd64.deb"] == desk.pool["hello-debkit_1.0_amd64.deb"]


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"token": "another"}, 22, "GitHub does not take the token"),
        ({"may_write": False}, 22, f"the token may not write releases in {REPOSITORY}"),
        ({"tags": ["v1.0-other"]}, 22, f"{REPOSITORY} has no tag v1.0"),
        (
            {"wrongs": [Wrong("GET", 403, {"Retry-After": "99999"}, "API rate limit exceeded", times=9)]},
            16,
            "rate limit is used up",
        ),
    ],
)
def test_what_github_refuses_is_one_error(desk: Desk, change: dict[str, object], code: int, text: str) -> None:
    for name, value in change.items():
        setattr(desk.github, name, value)
    assert text in desk.release(code=code).err
    assert "POST" not in "".join(desk.github.changes) or not desk.github.may_write


def test_what_is_not_there_is_one_error(desk: Desk) -> None:
    assert "there is no repository octo/other" in desk.release("--repository", "octo/other", code=22).err
    assert "cannot be reached" in desk.release(code=16, GITHUB_API_URL="http://127.0.0.1:9").err
    assert "is no repository" in desk.release("--repository", "octo", code=3).err
    assert "there is no token" in desk.release(code=3, GITHUB_TOKEN="").err
    assert "the archive has no hello-debkit 2.0" in desk.release(tag="v2.0", code=14).err
    assert "names no version" in desk.release(tag="nightly", code=5).err
    assert desk.github.changes == []


def test_a_dry_run_needs_no_token_and_asks_nobody(desk: Desk) -> None:
    ended = desk.release("--dry-run", "--flat-repo", GITHUB_TOKEN="", GITHUB_REPOSITORY="")
    for name in (*FILES, "InRelease", "debkit-archive-keyring.pgp", "SHA256SUMS.asc"):
        assert re.search(rf"^{re.escape(name)}$", ended.out, flags=re.MULTILINE), ended.out
    assert desk.github.asked == []


def test_the_token_is_not_told_even_to_who_debugs(desk: Desk) -> None:
    desk.github.token = "another"  # noqa: S105
    ended = desk.project.debkit("--debug", "-v", "release", "github", SOURCE, "--tag", "v1.0", env=desk.env)
    assert "Traceback" in ended.err
    assert TOKEN not in ended.err + ended.out
    assert not [path for path in desk.project.path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
