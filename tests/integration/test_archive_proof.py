from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client, publish
from debkit.archive.proof import prove
from debkit.chroot import namespace, roots, store
from debkit.config import Config, KeysConfig
from debkit.errors import ArchiveError, DebkitError
from debkit.keys import find_keys
from debkit.model import ChrootKind, Target
from debkit.run import Command
from debkit.sign import sign_upload
from tests.uploads import make_build, make_source

if TYPE_CHECKING:
    from debkit.model import Published
    from debkit.run import Completed, Processes

CONF = Path(__file__).parents[2] / "repo/conf"
PROGRAM = '#!/bin/sh\n[ "$1" = --help ] || exit 2\ndpkg --print-architecture\n'
AMD64 = Target("trixie", "amd64")


def published(run: Processes, path: Path, *, program: str = PROGRAM, version: str = "1.0") -> tuple[Config, Published]:
    """An archive with one small package, signed by development keys."""
    config = Config(project=path / "project")
    shutil.copytree(CONF, config.repo / "conf")
    source = make_source(path / "source", version=version)
    results = (
        make_build(path / "amd64", source, "amd64", build_all=True, program=program),
        make_build(path / "arm64", source, "arm64", program=program),
    )
    with find_keys(run, KeysConfig(), environ={}, state=path / "state") as keys:
        upload = sign_upload(run, keys, source=source, results=results, into=path / "upload")
        return config, publish(run, config, upload, keys)


def test_a_clean_system_installs_it_from_the_archive_and_runs_it(run: Processes, debkit_cache: Path, tmp_path: Path) -> None:
    config, done = published(run, tmp_path, version="1:2.0~rc+x-1")
    sighting = prove(run, config, done, target=AMD64)
    assert sighting.installed
    assert sighting.packages == ("hello-debkit", "hello-debkit-data")
    assert sighting.version == "1:2.0~rc+x-1"
    assert sighting.ran == ("/usr/bin/hello-debkit --help",)
    log = (config.dist / "trixie/amd64/install.log").read_text()
    assert "\namd64\n" in log
    # Nothing of the machine's own archive knowledge was used, and the archive is as it was.
    assert not (config.repo / "db/lockfile").exists()


def test_the_printed_commands_install_it_even_from_a_private_home(run: Processes, debkit_cache: Path, tmp_path: Path) -> None:
    config, done = published(run, tmp_path)
    config.project.chmod(0o700)
    lines = [line.replace("sudo ", "") for line in client.instructions(config, done, machine="amd64")]
    clean = store.ensure(run, store.wanted(ChrootKind.CLEAN, AMD64, config.chroot), config=config.chroot)
    with roots.opened(run, clean) as root:
        home = root / config.project.relative_to("/")
        (home / "repo").mkdir(parents=True)
        home.chmod(0o700)

        def typed(*commands: str) -> Completed:
            argv = namespace.inside(
                root,
                ("sh", "-exc", "\n".join(commands)),
                binds=((config.repo, os.fspath(config.repo)),),
                read_only=((roots.RESOLVER, os.fspath(roots.RESOLVER)),),
            )
            return run(Command(argv=argv, ok=frozenset(range(256))))

        refused = typed(*lines[:2], lines[2].replace("-o APT::Sandbox::User=root", ""))
        assert "Permission denied" in refused.stdout
        assert refused.code == 100
        ended = typed(*lines, "hello-debkit --help")
    assert ended.code == 0, ended.stdout
    assert ended.stdout.splitlines()[-1] == "amd64"


def test_a_program_that_does_not_start_is_no_proof(run: Processes, debkit_cache: Path, tmp_path: Path) -> None:
    config, done = published(run, tmp_path, program="#!/usr/bin/there-is-no-such-interpreter\n")
    with pytest.raises(ArchiveError, match="no program of hello-debkit runs on a clean trixie/amd64") as caught:
        prove(run, config, done, target=AMD64)
    assert "exit 127" in caught.value.cause or "exit 126" in caught.value.cause
    assert caught.value.log == config.dist / "trixie/amd64/install.log"


def test_a_client_trusts_the_archives_key_only(run: Processes, tmp_path: Path) -> None:
    config, done = published(run, tmp_path)
    other, _ = published(run, tmp_path / "other")
    shutil.copy(client.keyring_file(other), client.keyring_file(config))
    with pytest.raises(ArchiveError, match="does not trust the archive") as caught:
        prove(run, config, done, target=AMD64)
    assert "none of the keyrings has key" in caught.value.cause
    assert caught.value.hint == f"gpg --show-keys {client.keyring_file(config)}"


def test_an_index_that_was_tampered_with_is_refused(run: Processes, tmp_path: Path) -> None:
    config, done = published(run, tmp_path)
    packages = config.repo / "dists/trixie/main/binary-amd64/Packages"
    for file in (packages, packages.with_name("Packages.gz")):
        file.write_bytes(packages.read_bytes() + b"\n")
    with pytest.raises(DebkitError, match=r"size|[Hh]ash|fit together"):
        prove(run, config, done, target=AMD64)


def test_a_target_that_was_not_published(run: Processes, tmp_path: Path) -> None:
    config, done = published(run, tmp_path)
    with pytest.raises(ArchiveError, match="has no package of hello-debkit"):
        prove(run, config, done, target=Target("trixie", "riscv64"))
