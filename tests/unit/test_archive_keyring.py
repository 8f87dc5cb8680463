from __future__ import annotations

import io
import shutil
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.archive import keyring
from debkit.config import ArchiveConfig, BuildConfig, Config
from debkit.keys import Keys
from debkit.model import SigningKey

if TYPE_CHECKING:
    from debkit.archive.keyring import Draft

CONF = Path(__file__).parents[2] / "repo/conf"
OLD = SigningKey(fingerprint="A" * 40, uid="Ann Author (2024) <ann@example.org>", home=Path("/nowhere"), development=False)
NEW = replace(OLD, fingerprint="B" * 40)
DAY = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
PACKAGE = "tools-archive-keyring"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    def export(*keys: SigningKey) -> bytes:
        return "".join(key.fingerprint[0] for key in keys).encode()

    monkeypatch.setattr(keyring, "export_public", export)
    shutil.copytree(CONF, tmp_path / "repo/conf")
    building = BuildConfig(suites=("trixie", "bookworm"))
    return Config(project=tmp_path, build=building, archive=ArchiveConfig(name="tools", url="https://apt.example.org"))


def keys(*signers: SigningKey) -> Keys:
    return Keys(upload=OLD, archive=signers[0], also=signers[1:])


def drafted(config: Config, *signers: SigningKey, now: datetime = DAY) -> dict[str, str]:
    return {draft.suite: draft.version for draft in keyring.drafts(config, keys(*signers), now=now)}


def take(config: Config, draft: Draft) -> None:
    """Have the archive list a draft's packages, and hold its source."""
    dist, pool = config.repo / "dists" / draft.suite, f"pool/main/t/{draft.name}"
    (dist / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
    (dist / "InRelease").touch()
    (dist / "main/binary-amd64/Packages").write_text(
        f"Package: {draft.name}\nVersion: {draft.version}\nArchitecture: all\n"
        f"Filename: {pool}/{draft.name}_{draft.version}_all.deb\nDescription: keys\n"
    )
    (config.repo / pool).mkdir(parents=True, exist_ok=True)
    stem = config.repo / pool / f"{draft.name}_{draft.version}"
    stem.with_name(f"{stem.name}.dsc").touch()
    with tarfile.open(stem.with_name(f"{stem.name}.tar.xz"), "w:xz") as tar:
        for name, content in draft.files.items():
            member = tarfile.TarInfo(f"{draft.name}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def publish(config: Config, *signers: SigningKey, now: datetime = DAY) -> None:
    for draft in keyring.drafts(config, keys(*signers), now=now):
        take(config, draft)


def test_one_keyring_and_one_sources_file(config: Config) -> None:
    bookworm, trixie = keyring.drafts(config, keys(OLD), now=DAY)
    assert (bookworm.suite, bookworm.version) == ("bookworm", "2026.11.27+deb12")
    assert (trixie.suite, trixie.version) == ("trixie", "2026.11.27+deb13")
    assert trixie.files[f"{PACKAGE}.pgp"] == b"A"
    assert trixie.files["tools.sources"].decode() == (
        "Types: deb deb-src\nURIs: https://apt.example.org/\nSuites: trixie\nComponents: main\n"
        f"Signed-By: /usr/share/keyrings/{PACKAGE}.pgp\n"
    )
    assert trixie.files["debian/install"].decode() == f"{PACKAGE}.pgp usr/share/keyrings\ntools.sources etc/apt/sources.list.d\n"
    assert "Maintainer: Ann Author <ann@example.org>\n" in trixie.files["debian/control"].decode()
    assert trixie.files["debian/changelog"].decode() == (
        f"{PACKAGE} (2026.11.27+deb13) trixie; urgency=medium\n\n  * The archive is signed by {'A' * 40}.\n\n"
        " -- Ann Author <ann@example.org>  Fri, 27 Nov 2026 00:00:00 +0000\n"
    )


def test_a_new_version_comes_with_new_content_and_not_otherwise(config: Config) -> None:
    later = datetime(2027, 3, 4, tzinfo=UTC)
    publish(config, OLD)
    assert drafted(config, OLD, now=later) == {}
    assert drafted(config, NEW, OLD) == {"bookworm": "2026.11.27.1+deb12", "trixie": "2026.11.27.1+deb13"}
    assert drafted(config, NEW, OLD, now=later) == {"bookworm": "2027.03.04+deb12", "trixie": "2027.03.04+deb13"}
    moved = replace(config, archive=replace(config.archive, url="https://elsewhere.example.org"))
    assert len(drafted(moved, OLD)) == 2
    publish(config, NEW, OLD)
    newest = keyring.drafts(config, keys(NEW), now=DAY)[1]
    assert newest.version == "2026.11.27.2+deb13"
    entries = newest.files["debian/changelog"].decode()
    assert [line.split()[1] for line in entries.splitlines() if line.startswith(PACKAGE)] == [
        "(2026.11.27.2+deb13)", "(2026.11.27.1+deb13)", "(2026.11.27+deb13)",
    ]  # fmt: skip


def test_a_suite_that_lacks_it_gets_the_version_of_the_others(config: Config) -> None:
    bookworm, trixie = keyring.drafts(config, keys(OLD), now=DAY)
    take(config, trixie)
    assert drafted(config, OLD, now=datetime(2027, 3, 4, tzinfo=UTC)) == {"bookworm": bookworm.version}


def test_what_was_ever_published_is_never_made_again(config: Config) -> None:
    first = keyring.drafts(config, keys(OLD), now=DAY)
    publish(config, OLD)
    publish(config, NEW, OLD)
    for draft in first:  # a rollback
        take(config, draft)
    assert drafted(config, NEW) == {"bookworm": "2026.11.27.2+deb12", "trixie": "2026.11.27.2+deb13"}


def test_a_source_that_cannot_be_read_is_made_anew(config: Config) -> None:
    publish(config, OLD)
    for file in config.repo.glob("pool/**/*.tar.xz"):
        file.write_bytes(b"garbage")
    assert drafted(config, OLD) == {"bookworm": "2026.11.27.1+deb12", "trixie": "2026.11.27.1+deb13"}


@pytest.mark.parametrize(
    ("ever", "expected"),
    [
        ((), "2026.11.27"),
        (("2026.11.26.4",), "2026.11.27"),
        (("2026.11.26", "2026.11.27"), "2026.11.27.1"),
        (("2026.11.27.9", "2026.11.27.10"), "2026.11.27.11"),
        (("2031.01.01",), "2031.01.01.1"),  # a clock was wrong
    ],
)
def test_versions_grow(ever: tuple[str, ...], expected: str) -> None:
    assert keyring.next_version(ever, DAY) == expected


def test_a_suites_mark_sorts_as_the_suites_do() -> None:
    marks = [keyring.mark(suite) for suite in ("bookworm", "trixie", "sid", "noble", "trixie-unstable")]
    assert marks == ["+deb12", "+deb13", "+sid", "+ubuntu24.04", "+trixieunstable"]


def test_a_development_keys_name_is_no_maintainer(config: Config) -> None:
    nameless = replace(OLD, uid="debkit development key for the archive (not for publishing)")
    draft = keyring.drafts(config, keys(nameless), now=DAY)[0]
    assert "Maintainer: tools archive <archive@tools.invalid>\n" in draft.files["debian/control"].decode()
