"""A project that debkit never saw: from `git tag` to `apt install`, by what `debkit init` wrote, and the workflow it calls."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.chroot import store
from debkit.release.assets import parse_checksums
from debkit.run import Command, Processes
from tests import ci, workflows
from tests.archives import serve
from tests.clients import clean
from tests.command import Project
from tests.conftest import SUITE
from tests.github_double import REPOSITORY, TOKEN, double
from tests.gnupg_homes import gnupg_home
from tests.trees import commit, git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.model import Chroot

WORKFLOW = ".github/workflows/release.yml"


def told(tree: Path, *words: str, env: dict[str, str]) -> str:
    ended = Project(tree).debkit(*words, env=env)
    assert ended.code == 0, ended.err
    return ended.out + ended.err


def prepare(tree: Path, env: dict[str, str], *, url: str) -> tuple[str, str]:
    """Do what a maintainer does, by what debkit says; give the tag and the secret key."""
    git(tree, "remote", "add", "origin", f"https://github.com/{REPOSITORY}")
    steps = told(tree, "init", env=env)
    made = told(tree, "key", "init", "--no-passphrase", env=env)
    config, uploaders = tree / "config/debkit.toml", tree / "repo/conf/uploaders"
    settings, allowed = re.findall(r"^  (.*)$", made, re.MULTILINE)[:-1], re.findall(r"^  (allow .*)$", made, re.MULTILINE)
    served = re.sub(r'^url = ".*"$', f'url = "{url}"', config.read_text(), count=1, flags=re.MULTILINE)
    assert url in served
    config.write_text(served + "\n" + "\n".join(settings) + "\n")
    uploaders.write_text(uploaders.read_text() + "\n".join(allowed) + "\n")
    commit(tree, "Release with debkit")
    tag = re.findall(r"git tag (\S+)", steps)[0]
    git(tree, "tag", tag)
    return tag, told(tree, "key", "export", "--secret", env=env)


def release(machine: ci.Machine, tree: Path, key: str) -> None:
    """Push the tag: every job of the workflow runs that the project's own one calls."""
    (job,) = workflows.read(tree / WORKFLOW)["jobs"].values()
    secrets = {"DEBKIT_ARCHIVE_KEY": key, "DEBKIT_SIGNING_KEY": ""}
    names = ci.contexts(machine.github, **secrets)
    given = {name: workflows.resolved(value, names) for name, value in job["with"].items()}
    assert {name: workflows.resolved(value, names) for name, value in job["secrets"].items()} == secrets
    for each in workflows.jobs("release", names, given):
        machine.job(each)


@pytest.mark.slow
def test_from_a_tag_to_apt_install(
    run: Processes,
    tmp_path: Path,
    build_chroot: Callable[[str, str], Chroot],
    github_description: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dsc = apt.source(run, store.apt_root(build_chroot(SUITE, "amd64")), "libyaml", tmp_path / "theirs")
    tree, www = tmp_path / "theirs/tree", tmp_path / "www"
    run(Command(argv=("dpkg-source", "--skip-patches", "--extract", dsc.name, tree.name), cwd=dsc.parent))
    commit(tree)
    www.mkdir()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with gnupg_home() as home, serve(www) as site, double() as github:
        github.judge = github_description
        tag, key = prepare(tree, {"GNUPGHOME": os.fspath(home)}, url=site.url)
        github.tags[:] = [tag]
        told_by_github = {
            "repository": REPOSITORY, "sha": git(tree, "rev-parse", "HEAD").strip(), "ref": f"refs/tags/{tag}", "ref_name": tag,
            "ref_type": "tag", "api_url": github.url, "server_url": "https://github.com", "event_name": "push", "run_id": "1",
            "token": TOKEN,
        }  # fmt: skip
        machine = ci.Machine(tmp_path / "jobs", told_by_github, repositories={REPOSITORY: tree}, otherwise={})
        release(machine, tree, key)

        assert github.verdicts == []
        assets = github.contents(tag)
        assert {name.rpartition("_")[2] for name in assets if name.startswith("libyaml-0-2_")} == {"amd64.deb", "arm64.deb"}
        assert parse_checksums(assets["SHA256SUMS"].decode()).keys() >= {name for name in assets if name.endswith(".deb")}
        deployed = machine.root / "release-publish/work/site"
        pool = {path.name: path.read_bytes() for path in (deployed / "pool").rglob("*.deb")}
        ours = {name: content for name, content in pool.items() if "-archive-keyring_" not in name}
        assert {name: assets.get(name) for name in ours} == ours

        shutil.copytree(deployed, www, dirs_exist_ok=True)
        with clean(run, SUITE) as client:
            block = re.search(
                rf"^## [^\n]*\({SUITE}\)\n.*?^```sh\n(.*?)^```$", (www / "INSTALL.md").read_text(), re.MULTILINE | re.DOTALL
            )
            assert block
            client.types(*block[1].splitlines())
            client.types("sudo apt-get update", "sudo apt-get install libyaml-dev")
            assert client.version("libyaml-dev") == "0.2.5-2"
