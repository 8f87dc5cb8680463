"""Somebody adds the archive once, by what it says itself, and keeps it: over a change of its key, and until he removes it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import publish, transaction
from debkit.archive.handout import demand_handed_out
from debkit.archive.serving.serve import served
from debkit.config import load
from debkit.errors import SigningError
from debkit.keys import find_keys
from debkit.keys.rotate import Site
from debkit.keys.rotate import successor as find_successor
from tests.clients import clean
from tests.command import make_project
from tests.disks import AS_ROOT
from tests.gnupg_homes import gnupg_home, make_key
from tests.publishing import by_hand, signed, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Processes
    from tests.clients import Client
    from tests.command import Project

CONFIG = """\
[build]
suites = ["{suite}"]
arches = ["amd64"]

[archive]
name = "tools"
url = "{url}/"

[keys]
upload = "{upload}"
archive = "{archive}"
"""
PACKAGE = "tools-archive-keyring"
KEYRING = f"usr/share/keyrings/{PACKAGE}.pgp"


@dataclass(frozen=True, slots=True)
class Maintainer:
    """Who runs an archive: his keys, and where it is served. `suite` is the one that he publishes for."""

    run: Processes
    project: Project
    home: Path
    suite: str
    url: str
    upload: str

    def signs_with(self, archive: str, *, url: str = "") -> None:
        text = CONFIG.format(suite=self.suite, url=url or self.url, upload=self.upload, archive=archive)
        (self.project.path / "config/debkit.toml").write_text(text)

    def rotates(self, *words: str) -> str:
        """Change the archive's key by the command, and give the one that is named then."""
        ended = self.project.debkit("key", "rotate", *words, env={"GNUPGHOME": os.fspath(self.home)})
        assert ended.code == 0, ended.err
        return load(self.project.path).keys.archive

    def onboards(self) -> str:
        ended = self.project.debkit("repo", "onboard", env={"GNUPGHOME": os.fspath(self.home)})
        assert ended.code == 0, ended.err
        return ended.err

    def publishes(self, version: str, into: Path) -> None:
        config = load(self.project.path)
        with find_keys(self.run, config.keys, environ={"GNUPGHOME": os.fspath(self.home)}, state=into) as keys:
            upload = signed(self.run, keys, into / version, version=version, arches=("amd64",), suite=self.suite)
            publish(self.run, config, upload, keys)

    def block(self, title: str) -> tuple[str, ...]:
        """The commands under a heading of INSTALL.md."""
        text = (self.project.archive / "INSTALL.md").read_text()
        found = re.search(rf"^## [^\n]*{re.escape(title)}\n.*?^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        assert found, text
        return tuple(found[1].splitlines())


@pytest.fixture
def maintainer(
    run: Processes, debkit_cache: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Maintainer]:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    project = make_project(tmp_path / "project")
    with gnupg_home() as home, served(project.archive) as site:
        upload = make_key(home, uid="Upload <upload@example.org>")
        (project.archive / "conf/uploaders").write_text(f"allow * by key {upload[-16:]}+\n")
        suite = getattr(request, "param", "trixie")
        yield Maintainer(run, project, home, suite, site.url, upload)


def years(maintainer: Maintainer, client: Client, work: Path) -> str:
    """Somebody adds the archive, and the archive's key is changed for another, which is given."""
    home, archive = maintainer.home, maintainer.project.archive
    old = make_key(home, uid="Tools 2024 <tools@example.org>")
    maintainer.signs_with(old)
    maintainer.publishes("1.0", work)
    maintainer.onboards()
    client.types(*maintainer.block(f"({maintainer.suite})"))
    client.types("sudo apt-get update", "sudo apt-get install hello-debkit")
    assert client.version("hello-debkit") == "1.0"
    first = client.version(PACKAGE)

    new = maintainer.rotates()
    assert load(maintainer.project.path).keys.also == (old,) != (new,)
    maintainer.publishes("1.1", work)
    maintainer.onboards()
    client.types("sudo apt-get update", "sudo apt-get upgrade")
    assert client.version("hello-debkit") == "1.1"
    client.types(f"dpkg --compare-versions {client.version(PACKAGE)} gt {first}")
    assert (client.root / KEYRING).read_bytes() == (archive / f"{PACKAGE}.pgp").read_bytes()

    assert maintainer.rotates("--finish", "--now") == new
    maintainer.publishes("1.2", work)
    maintainer.onboards()
    client.types("sudo apt-get update", "sudo apt-get upgrade")
    assert client.version("hello-debkit") == "1.2"
    return new


def move(maintainer: Maintainer, client: Client, key: str) -> None:
    """The archive gets another address."""
    for url in (f"{maintainer.url}/.", maintainer.url):
        maintainer.signs_with(key, url=url)
        maintainer.onboards()
        client.types("sudo apt-get update", "sudo apt-get upgrade", "sudo apt-get update")
        assert f"URIs: {url}/\n" in (client.root / "etc/apt/sources.list.d/tools.sources").read_text()


def remove(client: Client) -> None:
    """What was installed goes, comes again, and goes with all that it had."""
    for verb in ("remove", "purge"):
        client.types(f"sudo apt-get {verb} hello-debkit", "! dpkg-query --show hello-debkit")
        if verb == "remove":
            client.types("sudo apt-get install hello-debkit")
            assert client.version("hello-debkit") == "1.2"


def end(maintainer: Maintainer, client: Client) -> None:
    """It is removed, comes back without and with its instructions, and goes for good."""
    newest = max(maintainer.project.archive.glob(f"pool/main/t/{PACKAGE}/*.deb"), key=lambda deb: deb.stat().st_mtime)
    shutil.copy(newest, client.root / "root")
    address = maintainer.url.removeprefix("http://")
    client.types(f"sudo apt-get remove {PACKAGE}")
    client.types("sudo apt-get update")
    assert address not in client.types("apt-cache policy")
    client.types(f"sudo apt-get install /root/{newest.name}", "sudo apt-get update")
    assert address in client.types("apt-cache policy")
    client.types(f"sudo apt-get remove {PACKAGE}", *maintainer.block(f"({maintainer.suite})"))
    assert address in client.types("apt-cache policy")
    client.types(f"sudo apt-get purge {PACKAGE}", "sudo apt-get update")
    assert address not in client.types("apt-cache policy")
    assert not [*(client.root / "etc/apt/sources.list.d").glob("tools*"), *(client.root / KEYRING).parent.glob("tools*")]
    client.types(*maintainer.block(f"({maintainer.suite})"), *maintainer.block("Remove it"))
    assert address not in client.types("apt-cache policy")
    assert not [*(client.root / "etc/apt/sources.list.d").glob("tools*"), *(client.root / KEYRING).parent.glob("tools*")]


def test_it_is_added_once_and_outlives_its_key(run: Processes, maintainer: Maintainer, tmp_path: Path) -> None:
    with clean(run, maintainer.suite) as client:
        years(maintainer, client, tmp_path)
        remove(client)


@pytest.mark.slow
@pytest.mark.parametrize("maintainer", ["bookworm", "trixie", "sid"], indirect=True)
def test_it_goes_as_quietly_as_it_came(run: Processes, maintainer: Maintainer, tmp_path: Path) -> None:
    with clean(run, maintainer.suite) as client:
        key = years(maintainer, client, tmp_path)
        move(maintainer, client, key)
        remove(client)
        end(maintainer, client)


def test_a_key_is_not_retired_before_the_next_is_handed_out(maintainer: Maintainer, tmp_path: Path) -> None:
    env = {"GNUPGHOME": os.fspath(maintainer.home)}
    maintainer.signs_with(make_key(maintainer.home, uid="Tools <tools@example.org>"))
    maintainer.onboards()
    new = maintainer.rotates("--overlap", "0")
    maintainer.publishes("1.1", tmp_path)
    verified = maintainer.project.debkit("repo", "verify", env=env)
    assert verified.code == 14, verified.err
    assert f"trixie: the keyring package has other keys than {PACKAGE}.pgp" in verified.err
    before = load(maintainer.project.path)
    refused = maintainer.project.debkit("key", "rotate", "--finish", env=env)
    assert refused.code == 13, refused.err
    assert f"{PACKAGE} of trixie does not have {new}" in refused.err
    assert "is not signed by" not in refused.err
    assert load(maintainer.project.path) == before
    clone = replace(before, archive=replace(before.archive, path=tmp_path / "clone"))
    shutil.copytree(maintainer.project.archive / "conf", clone.repo / "conf")
    site = Site(keys=before.keys, file=maintainer.project.path / "config/debkit.toml", uploaders=clone.repo / "conf/uploaders")
    successor = find_successor(maintainer.run, site, environ=env)
    with pytest.raises(SigningError) as caught:
        demand_handed_out(maintainer.run, clone, successor)
    assert caught.value.cause == f"{PACKAGE} of trixie does not have {new}"
    maintainer.onboards()
    demand_handed_out(maintainer.run, clone, successor)
    assert maintainer.project.debkit("repo", "verify", env=env).code == 0
    assert maintainer.rotates("--finish") == new


# Run a command where dpkg knows of no build-essential, as on a machine that only ever had debkit.
WITHOUT_COMPILER = """
awk -v RS= -v ORS='\\n\\n' '!/^Package: build-essential\\n/' /var/lib/dpkg/status >"$0"
mount --bind "$0" /var/lib/dpkg/status
! dpkg-query --show build-essential
exec "$@"
"""


def test_no_compiler_is_needed(maintainer: Maintainer, tmp_path: Path) -> None:
    maintainer.signs_with(make_key(maintainer.home, uid="Tools <tools@example.org>"))
    prefix = (*AS_ROOT, "sh", "-ec", WITHOUT_COMPILER, os.fspath(tmp_path / "status"))
    ended = maintainer.project.debkit("repo", "onboard", env={"GNUPGHOME": os.fspath(maintainer.home)}, prefix=prefix)
    assert ended.code == 0, ended.err
    assert f"{PACKAGE} " in ended.err


def test_nothing_new_is_no_new_version(maintainer: Maintainer, tmp_path: Path) -> None:
    maintainer.signs_with(make_key(maintainer.home, uid="Tools <tools@example.org>"))
    assert "published to" in maintainer.onboards()
    before = state(load(maintainer.project.path))
    assert "as it should be" in maintainer.onboards()
    assert state(load(maintainer.project.path)) == before


def test_what_a_killed_run_has_left_is_not_shown(maintainer: Maintainer, tmp_path: Path) -> None:
    """Nothing new is to be published, and yet it is undone before anything is written of it."""
    maintainer.signs_with(make_key(maintainer.home, uid="Tools <tools@example.org>"))
    maintainer.onboards()
    base = maintainer.project.archive
    transaction.begin(base)
    by_hand(base, "remove", "trixie", PACKAGE)
    assert "as it should be" in maintainer.onboards()
    assert not transaction.pending(base)
    assert maintainer.project.debkit("repo", "verify").code == 0
