"""Signed uploads to publish, and what an archive of them is to look like afterwards."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from debkit.archive import lock, snapshots
from debkit.archive.index import read_index
from debkit.run import Command
from debkit.sign import sign_upload
from tests.archives import RUN
from tests.gnupg_homes import gpg
from tests.uploads import make_build, make_source, write_changes

if TYPE_CHECKING:
    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.model import SignedUpload
    from debkit.run import Processes

CONF = Path(__file__).parents[1] / "repo/conf"
POOL = "pool/main/h/hello-debkit"


class Upload(Protocol):
    def __call__(self, **options: Any) -> SignedUpload: ...


def signed(
    run: Processes, keys: Keys, into: Path, *, version: str = "1.0", arches: tuple[str, ...] = ("amd64", "arm64"),
    text: str = "hello", noise: str = "", source_text: str = "hello", suite: str = "trixie", distribution: str = "unstable",
) -> SignedUpload:  # fmt: skip
    source = make_source(into / "source", version=version, text=source_text, suite=suite, distribution=distribution)
    results = tuple(make_build(into / arch, source, arch, build_all=arch == arches[0], text=text, noise=noise) for arch in arches)
    return sign_upload(run, keys, source=source, results=results, into=into / "upload")


def plain_upload(keys: Keys, into: Path, name: str) -> Path:
    """The .changes of what dpkg-buildpackage makes on amd64 of a source whose package is for all architectures."""
    source = make_source(into, name=name, arches="all")
    build = make_build(into, source, "all")
    buildinfo = into / f"{name}_1.0_amd64.buildinfo"
    (into / f"{name}_1.0_all.buildinfo").rename(buildinfo)
    files = (source.dsc, *(into / file.name for file in source.files), *build.debs, buildinfo)
    changes = into / f"{name}_1.0_amd64.changes"
    text = write_changes(name, "1.0", "source all", "unstable", files, binaries=name)
    upload = keys.upload
    changes.write_text(gpg(upload.home, "--local-user", upload.fingerprint, "--clearsign", stdin=text))
    return changes


def copied(upload: SignedUpload, into: Path) -> SignedUpload:
    """The same upload elsewhere, for tampering with it."""
    shutil.copytree(upload.changes.parent, into / "copied")
    return replace(upload, changes=into / "copied" / upload.changes.name)


def state(config: Config) -> dict[str, bytes]:
    """All files of the archive but the locks; the database by what it says."""
    return {
        os.fspath(file.relative_to(config.repo)): file.read_bytes()
        for file in config.repo.rglob("*")
        if file.is_file() and not file.is_relative_to(config.repo / "db") and file.name != lock.LOCK
    }


def versions(config: Config, arch: str, suite: str = "trixie") -> dict[str, str]:
    return {line.package: line.version for line in read_index(config.repo, suite, arch)}


def sound(run: Processes, config: Config) -> None:
    """reprepro itself finds nothing wrong, nothing is left over, and the index is what the database says."""
    for words in (("check",), ("checkpool",)):
        run(Command(argv=("reprepro", "--basedir", os.fspath(config.repo), *words)))
    left = run(Command(argv=("reprepro", "--basedir", os.fspath(config.repo), "dumpunreferenced"))).stdout.split()
    old = snapshots.listed(config.repo.glob("dists/*/snapshots/*"), frozenset({*left, *map(snapshots.source_of, left)}))
    orphans = [file for file in left if file not in old and snapshots.source_of(file) not in old]
    assert not orphans, orphans
    assert not list((config.repo / "dists").rglob("*.new"))
    assert not list(config.repo.glob(".[!l]*"))
    assert not (config.repo / "db/lockfile").exists()
    assert (config.repo / lock.LOCK).read_text() == ""


def by_hand(base: Path, *words: str) -> None:
    """Have reprepro do something without debkit."""
    RUN(Command(argv=("reprepro", "--basedir", os.fspath(base), "--export", "silent-never", "--keepunreferencedfiles", *words)))


def overwrite(*paths: Path) -> None:
    """Change files, and not what is linked to them."""
    for path in paths:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        rewrite(path, bytes(content))


def change(path: Path, old: bytes, new: bytes) -> None:
    """Change some words of a file, and not what is linked to it."""
    content = path.read_bytes()
    assert old in content
    rewrite(path, content.replace(old, new))


def rewrite(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)
