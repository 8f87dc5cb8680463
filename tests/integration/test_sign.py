from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from debian.deb822 import Changes

from debkit.config import KeysConfig
from debkit.errors import ArchiveError, SigningError
from debkit.keys import Keys, Passphrase, Secret, find_keys, signed_text
from debkit.run import Processes
from debkit.sign import sign_upload, verify
from debkit.source.results import read_changes
from tests.gnupg_homes import end_agent, gnupg_home, gpg, make_key
from tests.uploads import make_build, make_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.model import BuildResult, Source
    from debkit.run import Completed

WORDS = "Sesam, öffne dich"


@pytest.fixture
def home() -> Iterator[Path]:
    with gnupg_home() as path:
        yield path


def built(tmp_path: Path, **options: str) -> tuple[Source, tuple[BuildResult, ...]]:
    source = make_source(tmp_path / "source", **options)
    amd64 = make_build(tmp_path / "amd64", source, "amd64", build_all=True)
    return source, (amd64, make_build(tmp_path / "arm64", source, "arm64"))


def checksums(directory: Path) -> dict[str, str]:
    return {
        os.fspath(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in directory.rglob("*")
        if p.is_file()
    }


def test_an_upload_is_merged_signed_and_verified(run: Processes, home: Path, tmp_path: Path) -> None:
    config = KeysConfig(upload=make_key(home))
    source, results = built(tmp_path, version="2:1.0-1~x+y")
    before = {name: checksums(tmp_path / name) for name in ("source", "amd64", "arm64")}
    (tmp_path / "dist/.upload.1a2b3c4d/upload").mkdir(parents=True)
    (tmp_path / "dist/.upload.1a2b3c4d").chmod(0o1700)  # as a run leaves it that was killed
    with find_keys(run, config, environ={"GNUPGHOME": os.fspath(home)}, state=tmp_path) as keys:
        upload = sign_upload(run, keys, source=source, results=results, into=tmp_path / "dist/upload")
    assert upload.changes == tmp_path / "dist/upload/hello-debkit_1.0-1~x+y_multi.changes"
    assert upload.signer == config.upload
    assert not upload.development
    assert upload.suite == "trixie"
    stem = "hello-debkit_1.0-1~x+y"
    assert sorted(file.name for file in upload.files) == sorted(
        (
            f"{stem}_multi.changes", f"{stem}.dsc", f"{stem}.tar.xz", f"{stem}_source.buildinfo", f"{stem}_amd64.buildinfo",
            f"{stem}_arm64.buildinfo", f"{stem}_amd64.deb", f"{stem}_arm64.deb", "hello-debkit-data_1.0-1~x+y_all.deb",
        )
    )  # fmt: skip
    assert sorted(p.name for p in upload.changes.parent.iterdir()) == sorted(file.name for file in upload.files)
    assert sorted(p.name for p in (tmp_path / "dist").iterdir()) == ["upload"]
    merged = Changes(signed_text(keys.upload, upload.changes).splitlines())
    assert sorted(merged["Architecture"].split()) == ["all", "amd64", "arm64", "source"]
    assert sorted(merged["Binary"].split()) == ["hello-debkit", "hello-debkit-data"]
    for file in upload.changes.parent.glob("*.buildinfo"):
        assert signed_text(keys.upload, file).startswith("Format: 1.0\n")
    # What the source's .buildinfo says of the .dsc is true of the signed one.
    signed_dsc = hashlib.sha256((upload.changes.parent / f"{stem}.dsc").read_bytes()).hexdigest()
    assert signed_dsc in (upload.changes.parent / f"{stem}_source.buildinfo").read_text()
    assert {name: checksums(tmp_path / name) for name in before} == before


def test_one_architecture_and_the_source(run: Processes, tmp_path: Path) -> None:
    source, (amd64, _) = built(tmp_path)
    with find_keys(run, KeysConfig(), environ={}, state=tmp_path / "state") as keys:
        upload = sign_upload(run, keys, source=source, results=(amd64,), into=tmp_path / "upload")
        assert upload.development
        again = sign_upload(run, keys, source=source, results=(amd64,), into=tmp_path / "upload")
    assert again.changes == upload.changes
    assert sorted(read_changes(upload.changes).architectures) == ["all", "amd64", "source"]


def test_a_passphrase_is_answered_and_reaches_no_record(home: Path, tmp_path: Path) -> None:
    record: list[Completed] = []
    run = Processes(record.append)
    config = KeysConfig(upload=make_key(home, passphrase=WORDS))
    end_agent(home)
    source, results = built(tmp_path)
    environ = {"GNUPGHOME": os.fspath(home)}
    (tmp_path / "passphrase").write_text(WORDS)
    with find_keys(run, config, environ=environ, state=tmp_path, passphrase=Passphrase(file=tmp_path / "passphrase")) as keys:
        end_agent(home)
        upload = sign_upload(run, keys, source=source, results=results, into=tmp_path / "upload")
    assert verify(keys.upload, upload.changes) == upload.files
    assert WORDS not in repr(record)
    for file in (tmp_path / "upload").iterdir():
        assert WORDS.encode() not in file.read_bytes()


def test_a_wrong_passphrase_ends_it(run: Processes, home: Path, tmp_path: Path) -> None:
    config = KeysConfig(upload=make_key(home, passphrase=WORDS))
    source, results = built(tmp_path)
    with find_keys(
        run, config, environ={"GNUPGHOME": os.fspath(home)}, state=tmp_path, passphrase=Passphrase(ask=lambda _: None)
    ) as found:
        end_agent(home)
        keys = Keys(upload=found.upload, archive=found.archive, secrets={found.upload.fingerprint: Secret("open barley")})
        with pytest.raises(SigningError, match="could not be signed") as caught:
            sign_upload(run, keys, source=source, results=results, into=tmp_path / "upload")
    assert "Bad passphrase" in caught.value.cause
    assert "barley" not in caught.value.cause
    assert not (tmp_path / "upload").exists()
    assert not list(tmp_path.glob(".upload*"))


def test_an_authors_signature_gives_way_to_ours(run: Processes, home: Path, tmp_path: Path) -> None:
    author, ours = make_key(home, uid="Author <author@example.org>"), make_key(home)
    source, results = built(tmp_path)
    unsigned = source.dsc.read_text()
    source.dsc.write_text(gpg(home, "--local-user", author, "--clearsign", stdin=unsigned))
    text = source.changes.read_text()
    for algorithm in ("md5", "sha1", "sha256"):
        old = hashlib.new(algorithm, unsigned.encode()).hexdigest()
        new = hashlib.new(algorithm, source.dsc.read_bytes()).hexdigest()
        text = text.replace(f"{old} {len(unsigned.encode())}", f"{new} {source.dsc.stat().st_size}")
    source.changes.write_text(text)
    with find_keys(run, KeysConfig(upload=ours), environ={"GNUPGHOME": os.fspath(home)}, state=tmp_path) as keys:
        upload = sign_upload(run, keys, source=source, results=results, into=tmp_path / "upload")
    assert signed_text(keys.upload, upload.changes.parent / source.dsc.name).strip() == unsigned.strip()


def test_what_changed_after_the_build_is_not_signed(run: Processes, tmp_path: Path) -> None:
    source, results = built(tmp_path)
    results[0].debs[0].write_bytes(b"something else")
    with (
        find_keys(run, KeysConfig(), environ={}, state=tmp_path / "state") as keys,
        pytest.raises(ArchiveError, match="is not the file that"),
    ):
        sign_upload(run, keys, source=source, results=results, into=tmp_path / "upload")
    assert not (tmp_path / "upload").exists()


def test_verification_sees_what_changed_after_signing(run: Processes, tmp_path: Path) -> None:
    source, results = built(tmp_path)
    with find_keys(run, KeysConfig(), environ={}, state=tmp_path / "state") as keys:
        upload = sign_upload(run, keys, source=source, results=results, into=tmp_path / "upload")
        (upload.changes.parent / results[0].debs[0].name).write_bytes(b"something else")
        with pytest.raises(SigningError, match="is not the file that was signed"):
            verify(keys.upload, upload.changes)
        with pytest.raises(SigningError, match="is not signed by"):
            verify(keys.archive, upload.changes)
