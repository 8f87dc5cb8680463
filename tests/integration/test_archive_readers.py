"""Many readers of an archive while it changes: each sees one whole state of it or another."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from debkit.archive import client
from debkit.keys import export_public
from debkit.run import Command
from tests.archives import serve
from tests.bulk import package_names
from tests.publishing import versions
from tests.readers import AptGet, Careful, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Processes
    from tests.publisher import Desk
    from tests.readers import Reader

CLIENTS = 2
# The same place by another name, by which it shows what apt has asked for.
APART = "/./"
# What apt says of an index that is not, or is no more, what InRelease has.
MISMATCH = r"Hash Sum mismatch|File has unexpected size"


@pytest.mark.parametrize("publishes", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_no_mismatch_is_seen(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], publishes: int) -> None:
    """Half of the publishes bring a new package, half a newer version of one."""
    names = package_names(publishes // 2)
    first, *rest = (*desk.make(*names), *desk.make(*names, version="2.0"))
    desk.publish(first)
    with serve(desk.config.repo) as site:
        readers = tuple(readers_of(tmp_path / "clients", site.url, client.keyring_file(desk.config)))
        with reading(*readers):
            for changes in rest:
                desk.publish(changes)
    assert versions(desk.config, "amd64") == dict.fromkeys(names, "2.0")
    with capsys.disabled():
        print(f"\n{publishes} publishes: {report(readers)}")  # noqa: T201
    assert all(reader.rounds >= publishes // 5 for reader in readers)
    assert not [trouble for reader in readers for trouble in reader.troubles]
    by_apt = {path for path in site.asked if path.startswith(APART) and "Release" not in path}
    assert by_apt
    assert not [path for path in by_apt if "/by-hash/SHA256/" not in path]


def test_who_cannot_read_at_all_says_so(tmp_path: Path) -> None:
    """A thread that dies is not one that has seen no trouble."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "keyring.pgp").touch()
    with serve(tmp_path / "empty") as site:
        readers = tuple(readers_of(tmp_path / "clients", site.url, tmp_path / "keyring.pgp"))
        with reading(*readers):
            while not all(reader.rounds > 1 for reader in readers):
                time.sleep(0.05)
    assert all(len(reader.troubles) == reader.rounds for reader in readers)
    assert "HTTP Error 404" in readers[-1].troubles[0]


@pytest.mark.slow
def test_plain_reprepro_shows_mismatches(run: Processes, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For contrast: what the same readers see of as many publishes by reprepro alone."""
    names = package_names(100)
    first, *rest = (*desk.make(*names), *desk.make(*names, version="2.0"))
    upload, archive, base = desk.keys.upload, desk.keys.archive, desk.config.repo
    distributions = base / "conf/distributions"
    distributions.write_text(distributions.read_text().replace("\nUploaders:", f"\nSignWith: {archive.fingerprint}\nUploaders:"))
    (base / "conf/uploaders").write_text(f"allow * by key {upload.fingerprint[-16:]}+\n")
    keyring = tmp_path / "keyring.pgp"
    keyring.write_bytes(export_public(archive))
    reprepro = ("reprepro", "--basedir", os.fspath(base), "--gnupghome", os.fspath(upload.home))
    run(Command(argv=(*reprepro, "include", "trixie", os.fspath(first))))
    with serve(base) as site:
        readers = tuple(readers_of(tmp_path / "clients", site.url, keyring))
        with reading(*readers):
            for changes in rest:
                run(Command(argv=(*reprepro, "include", "trixie", os.fspath(changes))))
    with capsys.disabled():
        print(f"\n200 publishes by plain reprepro: {report(readers)}")  # noqa: T201
    seen = [trouble for reader in readers if isinstance(reader, AptGet) for trouble in reader.troubles]
    assert [trouble for trouble in seen if re.search(MISMATCH, trouble)], seen


def readers_of(root: Path, url: str, keyring: Path) -> Iterator[Reader]:
    for number in range(CLIENTS):
        yield AptGet(root / f"apt-{number}", url=f"{url}{APART.rstrip('/')}", keyring=keyring)
    (root / "careful").mkdir()
    yield Careful(root / "careful", url=url, keyring=keyring)


def report(readers: tuple[Reader, ...]) -> str:
    return ", ".join(f"{type(reader).__name__} {reader.rounds} rounds, {len(reader.troubles)} troubles" for reader in readers)
