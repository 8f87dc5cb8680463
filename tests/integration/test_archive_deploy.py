"""The archive is copied to where it is served, and no client notices."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess  # noqa: TID251  # a daemon that outlives many commands
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, front, publish, retention
from debkit.archive.change import working
from debkit.archive.serving.deploy import MARK, Target, deploy
from debkit.archive.serving.directory import Directory
from debkit.archive.serving.rsync import Rsync
from debkit.archive.serving.site import read_site
from debkit.errors import ArchiveError, ConfigError, NetworkError
from debkit.paths import put
from tests.archives import serve
from tests.command import Project, is_three_parts
from tests.disks import on_another_disk
from tests.publishing import POOL
from tests.readers import AptGet, Careful, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.run import Processes
    from tests.publishing import Upload

Place = tuple[str, "Path"]  # as deploy is told, and as it is here
RSYNCD = """\
port = {port}
address = 127.0.0.1
use chroot = no
pid file = {path}/pid
log file = {path}/log
[site]
path = {site}
read only = no
uid = {uid}
gid = {gid}
"""


@contextlib.contextmanager
def rsync_daemon(path: Path, site: Path) -> Iterator[str]:
    """An rsync daemon on the loopback that writes into `site`; gives what rsync calls that."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path.mkdir()
    conf = path / "rsyncd.conf"
    conf.write_text(RSYNCD.format(path=path, site=site, port=port, uid=os.getuid(), gid=os.getgid()))
    daemon = subprocess.Popen(("rsync", "--daemon", "--no-detach", f"--config={conf}"))
    try:
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            assert daemon.poll() is None, (path / "log").read_text()
            time.sleep(0.05)
        yield f"rsync://127.0.0.1:{port}/site/archive"
    finally:
        daemon.terminate()
        daemon.wait()


@pytest.fixture(params=["directory", "rsync"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    site = tmp_path / "site"
    if request.param == "directory":
        yield os.fspath(site / "archive"), site / "archive"
        return
    site.mkdir()
    with rsync_daemon(tmp_path / "rsyncd", site) as where:
        yield where, site / "archive"


@pytest.fixture
def impatient(config: Config) -> Config:
    """An archive that keeps nothing old."""
    return replace(config, archive=replace(config.archive, grace=0, keep=1))


def deployed(path: Path) -> dict[str, bytes]:
    """What lies there, but for the mark."""
    files = (file for file in path.rglob("*") if file.is_file() and file.name != MARK)
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def public(config: Config) -> dict[str, bytes]:
    return {name: (config.repo / name).read_bytes() for name in read_site(config.repo).files}


def test_what_is_for_the_world_is_copied_and_nothing_else(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, place: Place
) -> None:
    where, path = place
    publish(run, config, make_upload(), keys)
    publish(run, config, make_upload(version="2.0"), keys)
    first = deploy(run, config, where)
    assert deployed(path) == public(config)
    assert {"INSTALL.md", "debkit-archive-keyring.pgp", "debkit.sources", "index.html"} < set(deployed(path))
    assert first.copied == len(public(config))
    assert all(file.stat().st_mode & 0o777 == (0o755 if file.is_dir() else 0o644) for file in path.rglob("*"))
    again = deploy(run, config, where)
    assert (again.copied, again.removed, again.waiting) == (0, 0, 0)


def test_what_is_old_stays_for_its_grace_and_then_goes(
    run: Processes, impatient: Config, keys: Keys, make_upload: Upload, place: Place
) -> None:
    where, path = place
    patient = replace(impatient, archive=replace(impatient.archive, grace=3600))
    publish(run, impatient, make_upload(), keys)
    deploy(run, impatient, where)
    old = path / POOL / "hello-debkit_1.0_amd64.deb"
    assert old.exists()
    before = deployed(path)
    publish(run, impatient, make_upload(version="2.0"), keys)
    with working(run, impatient, keys, what="forgetting") as archive:
        retention.prune(archive, keep=1, grace=0)
    assert not (impatient.repo / POOL / old.name).exists()
    kept = deploy(run, patient, where)
    assert old.exists()
    assert kept.waiting
    assert set(before) <= set(deployed(path))
    gone = deploy(run, impatient, where)
    assert gone.removed == kept.waiting
    assert not old.exists()
    assert deployed(path) == public(impatient)


def test_the_files_of_a_name_that_the_archive_had_go_and_nothing_else(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, *, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, path = place
    publish(run, config, make_upload(), keys)
    deploy(run, config, where)
    old = {"debkit-archive-keyring.pgp", "debkit.sources"}
    theirs = {"their.sources", "their-archive-keyring.pgp", "robots.txt"}
    for name in theirs:
        (path / name).write_text(name)
    renamed = replace(config, archive=replace(config.archive, name="tools"))
    with working(run, renamed, keys, what="renaming"):
        front.write(renamed, keys)
    for kind in (Directory, Rsync):
        monkeypatch.setattr(kind, "remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deploy(run, renamed, where)
    assert old | theirs | set(public(renamed)) == set(deployed(path)), "deletions are last"
    monkeypatch.undo()
    assert deploy(run, renamed, where).removed == 2
    assert set(deployed(path)) == theirs | set(public(renamed))
    assert {"tools-archive-keyring.pgp", "tools.sources"} < set(deployed(path))
    assert deploy(run, renamed, where).removed == 0
    assert all((path / name).read_text() == name for name in theirs)


def interrupted(_: Target, __: tuple[str, ...]) -> None:
    raise KeyboardInterrupt


def test_a_deploy_that_was_cut_short_is_finished_by_the_next(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, *, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, path = place
    publish(run, config, make_upload(), keys)
    deploy(run, config, where)
    publish(run, config, make_upload(version="2.0"), keys)
    steps: list[tuple[type[Target], tuple[str, ...]]] = []
    for kind in (Directory, Rsync):
        whole = kind.put

        def put(self: Target, names: tuple[str, ...], whole: Callable[..., int] = whole) -> int:
            steps.append((type(self), names))
            if len(steps) == 4:
                raise KeyboardInterrupt
            return whole(self, names)

        monkeypatch.setattr(kind, "put", put)
    with pytest.raises(KeyboardInterrupt):
        deploy(run, config, where)
    site = read_site(config.repo)
    assert [names for _, names in steps] == list(site.stages[:4])
    there = deployed(path)
    assert {*site.pool, *site.by_hash} <= set(there)
    assert all(there[name] != (config.repo / name).read_bytes() for name in site.signatures)
    deploy(run, config, where)
    assert deployed(path) == public(config)


def test_clients_that_read_during_deploys_see_no_error(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, *, place: Place, tmp_path: Path
) -> None:
    where, path = place
    publish(run, config, make_upload(), keys)
    deploy(run, config, where)
    keyring = client.keyring_file(config)
    for name in ("apt", "careful"):
        (tmp_path / name).mkdir()
    with serve(path) as site:
        apt = AptGet(tmp_path / "apt", url=site.url, keyring=keyring)
        careful = Careful(tmp_path / "careful", url=site.url, keyring=keyring)
        with reading(apt, careful):
            for number in range(4):
                publish(run, config, make_upload(version=f"2.{number}"), keys)
                deploy(run, config, where)
    assert (apt.troubles, careful.troubles) == ([], [])
    assert min(apt.rounds, careful.rounds) > 4


def test_what_is_not_whole_is_not_deployed(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path
) -> None:
    where = os.fspath(tmp_path / "site")
    with pytest.raises(ArchiveError, match="is empty"):
        deploy(run, config, where)
    publish(run, config, make_upload(), keys)
    directory = config.repo / "dists/trixie"
    for file in (
        directory / "InRelease",
        directory / "main/binary-amd64/Packages.gz",
        config.repo / POOL / "hello-debkit_1.0.dsc",
        config.repo / POOL / "hello-debkit_1.0_arm64.deb",
    ):
        kept = file.read_bytes()
        put(file, b"")
        if file.suffix == ".dsc":
            file.unlink()
        with pytest.raises(ArchiveError, match="is not whole") as caught:
            deploy(run, config, where)
        assert file.name in caught.value.cause
        put(file, kept)
    assert not (tmp_path / "site").exists()
    deploy(run, config, where)


def test_places_that_are_not_to_be_written_to(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, place: Place
) -> None:
    where, path = place
    publish(run, config, make_upload(), keys)
    (path / "pool").mkdir(parents=True)
    (path / "pool/theirs").touch()
    with pytest.raises(ArchiveError, match="holds another archive") as theirs:
        deploy(run, config, where)
    assert deployed(path) == {"pool/theirs": b""}
    (path / "pool/theirs").rename(path / "index.html")
    (path / "index.html").write_bytes("Unsere Blätter".encode("latin-1"))
    with pytest.raises(ArchiveError, match="has a front page already"):
        deploy(run, config, where)
    assert deployed(path) == {"index.html": b"Unsere Bl\xe4tter"}
    assert theirs.value.hint.startswith("debkit repo deploy ")
    with pytest.raises(ConfigError, match="in the archive itself"):
        deploy(run, config, os.fspath(config.repo / "public"))
    for parent in (config.project, config.project.parent):
        with pytest.raises(ConfigError, match="is the project itself, or above it"):
            deploy(run, config, os.fspath(parent))
    with pytest.raises(NetworkError, match="could not be copied") as refused:
        deploy(run, config, "rsync://127.0.0.1:9/site")
    assert "Connection refused" in refused.value.cause
    with pytest.raises(NetworkError, match=r"could not be copied to nohost\.invalid:/x") as unknown:
        deploy(run, config, "nohost.invalid:/x")
    assert "mirror" not in unknown.value.cause + unknown.value.hint


def test_rsync_to_a_local_path(run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path) -> None:
    publish(run, config, make_upload(), keys)
    target = Rsync(run=run, base=config.repo, where=os.fspath(tmp_path / "a/new/place"))
    assert target.existing() == frozenset()
    assert target.read(MARK) is None
    target.write(MARK, "text")
    assert target.read(MARK) == "text"
    names = read_site(config.repo).pool
    assert target.put(names) == len(names)
    assert target.put(names) == 0
    assert target.existing() == set(names)
    target.remove(names[:2])
    assert target.existing() == set(names[2:])


def test_the_limits_of_github_pages(
    run: Processes, config: Config, keys: Keys, make_upload: Upload, *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    publish(run, config, make_upload(), keys)
    large = config.repo / POOL / "large_1.0_amd64.deb"
    with large.open("wb") as file:
        file.truncate(100 * 10**6 + 1)
    with pytest.raises(ArchiveError, match="no file of more than 100") as caught:
        deploy(run, config, os.fspath(site), to_pages=True)
    assert caught.value.cause == f"{POOL}/{large.name} has 100.0 MB"
    large.unlink()
    (site / ".git").mkdir(parents=True)
    for name, size in (("video", 100), (".git/pack", 900), *((f"film{number}", 100) for number in range(9))):
        with (site / name).open("wb") as file:
            file.truncate(size * 10**6)
    with pytest.raises(ArchiveError, match=r"the site would have 1,000\.\d MB") as caught:
        deploy(run, config, os.fspath(site), to_pages=True)
    assert "film1 has 100.0 MB" in caught.value.cause
    assert "[archive] grace" in caught.value.hint
    assert not (site / "pool").exists()
    (site / "video").unlink()
    deploy(run, config, os.fspath(site), to_pages=True)
    assert (site / ".nojekyll").exists()
    with pytest.raises(ConfigError, match="is no directory"):
        deploy(run, config, "host:/srv", to_pages=True)


def test_a_full_disk(run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path) -> None:
    publish(run, config, make_upload(), keys)
    project, site = Project(config.project), tmp_path / "site"
    site.mkdir()
    ended = project.debkit("repo", "deploy", os.fspath(site), prefix=on_another_disk(project, site, "32k"))
    assert ended.code == 17
    assert is_three_parts(ended)
    assert f"next: df -h {site}" in ended.err
    assert ".new" not in ended.err
    assert not list((project.path / "after").rglob("*.new"))


def test_the_command(run: Processes, config: Config, keys: Keys, make_upload: Upload, tmp_path: Path) -> None:
    publish(run, config, make_upload(), keys)
    ended = Project(config.project).debkit("repo", "deploy", os.fspath(tmp_path / "site"))
    assert ended.code == 0, ended.err
    assert f"deployed to {tmp_path}/site: {len(public(config))} files copied, 0 removed" in ended.err
    (config.repo / "dists/trixie/InRelease").write_text("")
    ended = Project(config.project).debkit("repo", "deploy", os.fspath(tmp_path / "site"))
    assert ended.code == 14
    assert is_three_parts(ended)
