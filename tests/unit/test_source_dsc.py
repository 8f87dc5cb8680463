"""Reading a .dsc, a .changes and a .buildinfo, and refusing those that are broken."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.model import FileRef
from debkit.source import read_buildinfo, read_changes
from debkit.source.dsc import read_dsc, verify_files
from debkit.source.signature import dearmoured, gpgv_argv, verify_signature

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder import Recorder

CONTENT = b"upstream"
SUM = hashlib.sha256(CONTENT).hexdigest()
DSC = f"""\
Format: 3.0 (quilt)
Source: hello
Binary: hello, hello-data
Architecture: any all
Version: 1:1.0-1
Maintainer: Test Writer <test@example.org>
Checksums-Sha256:
 {SUM} 8 hello_1.0.orig.tar.gz
Files:
 d41d8cd98f00b204e9800998ecf8427e 8 hello_1.0.orig.tar.gz
"""
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niHUE=\n-----END PGP SIGNATURE-----\n"
SIGNED = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{DSC}\n{SIGNATURE}"


def laid(path: Path, text: str = DSC) -> Path:
    (path / "hello_1.0-1.dsc").write_text(text)
    (path / "hello_1.0.orig.tar.gz").write_bytes(CONTENT)
    return path / "hello_1.0-1.dsc"


@pytest.mark.parametrize("text", [DSC, SIGNED])
def test_a_dsc_is_read(tmp_path: Path, text: str) -> None:
    dsc = read_dsc(laid(tmp_path, text))
    assert (dsc.name, dsc.version, dsc.format) == ("hello", "1:1.0-1", "3.0 (quilt)")
    assert (dsc.architectures, dsc.binaries) == (("any", "all"), ("hello", "hello-data"))
    assert dsc.files == (FileRef("hello_1.0.orig.tar.gz", 8, SUM),)
    verify_files(dsc)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no Source and no Version"),
        ("what is this\n", "no Source"),
        (DSC.replace("Version: 1:1.0-1\n", ""), "no Version field"),
        (DSC.replace("1:1.0-1", "one"), "'one' is not a version"),
        (DSC.replace("Source: hello", "Source: ../hello"), "not a package name"),
        (DSC.replace("Sha256", "Sha1"), "no Checksums-Sha256"),
        (DSC.replace(" 8 hello", " big hello"), "no Checksums-Sha256 that can be read"),
        (DSC.replace(" 8 hello", " 8 ../hello"), "no plain file name"),
    ],
)
def test_a_broken_dsc_is_refused_with_its_fault(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SourceError, match=r"not a usable \.dsc") as error:
        read_dsc(laid(tmp_path, text))
    assert why in error.value.cause
    assert error.value.hint


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    dsc = read_dsc(laid(tmp_path))
    (tmp_path / "hello_1.0.orig.tar.gz").write_bytes(b"upstreaM")
    with pytest.raises(SourceError, match="is not the file that") as error:
        verify_files(dsc)
    assert SUM in error.value.cause


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    dsc = read_dsc(laid(tmp_path))
    (tmp_path / "hello_1.0.orig.tar.gz").unlink()
    with pytest.raises(SourceError, match="missing beside") as error:
        verify_files(dsc)
    assert "apt-get source --download-only hello=1:1.0-1" in error.value.hint


def checked(recorder: Recorder, tmp_path: Path, status: str, *, code: int = 0, payload: str = DSC, text: str = SIGNED) -> str:
    dsc, keyring = laid(tmp_path, text), tmp_path / "keys.gpg"
    keyring.write_bytes(b"\x99binary")
    lines = "".join(f"[GNUPG:] {line}\n" for line in status.splitlines())
    recorder.reply("gpgv", stdout=lines, code=code, files=((tmp_path / "signed-part", payload.encode()),))
    fingerprint = verify_signature(recorder, dsc, keyring, work=tmp_path)
    assert recorder.argvs == [gpgv_argv(keyring, dsc, tmp_path / "signed-part")]
    return fingerprint


GOOD = "NEWSIG\nGOODSIG 1234 Someone\nVALIDSIG ABCDEF 2024-01-01 1704067200"


def test_a_good_signature_names_its_key(recorder: Recorder, tmp_path: Path) -> None:
    assert checked(recorder, tmp_path, GOOD) == "ABCDEF"


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        ("BADSIG 1234 Someone", 1, "changed after it was signed"),
        ("ERRSIG 1234 1 10 01 1704067200 9 -\nNO_PUBKEY 1234", 2, "not in the keyring"),
        ("EXPKEYSIG 1234 Someone\nVALIDSIG ABCDEF", 0, "has expired"),
        ("REVKEYSIG 1234 Someone\nVALIDSIG ABCDEF", 0, "revoked"),
        ("NODATA 4", 2, ""),
        ("", 0, "gpgv exited with 0"),
    ],
)
def test_any_other_signature_is_refused(recorder: Recorder, tmp_path: Path, status: str, code: int, why: str) -> None:
    with pytest.raises(SourceError, match="is not accepted") as error:
        checked(recorder, tmp_path, status, code=code)
    assert why in error.value.cause
    assert error.value.cause


def test_a_missing_signature_is_refused(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        checked(recorder, tmp_path, GOOD, text=DSC)
    assert error.value.cause == "it is not signed"
    assert not recorder.commands


def test_fields_outside_the_signature_are_refused(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        checked(recorder, tmp_path, GOOD, payload=DSC.replace("1:1.0-1", "1:0.9-1"))
    assert error.value.cause == "it says more than what is signed"


def test_a_missing_keyring_is_told(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist") as error:
        verify_signature(recorder, laid(tmp_path, SIGNED), tmp_path / "none.gpg", work=tmp_path)
    assert "config/debkit.toml" in error.value.cause


def test_armoured_keys_become_binary(tmp_path: Path) -> None:
    block = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\n{}\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
    text = "".join(block.format(base64.b64encode(key).decode()) for key in (b"first key", b"second key"))
    assert dearmoured(text) == b"first keysecond key"


CHANGES = f"""\
Format: 1.8
Source: hello (1.0)
Binary: hello hello-data
Architecture: all amd64
Version: 1.0+b1
Distribution: trixie
Checksums-Sha256:
 {SUM} 8 hello_1.0+b1_amd64.deb
Files:
 d41d8cd98f00b204e9800998ecf8427e 8 misc optional hello_1.0+b1_amd64.deb
"""
BUILDINFO = f"""\
Format: 1.0
Source: hello
Binary: hello
Architecture: amd64 all
Version: 1.0
Checksums-Sha256:
 {SUM} 8 hello_1.0_amd64.deb
Build-Architecture: amd64
Installed-Build-Depends:
 autoconf (= 2.72-3),
 libc6:arm64 (= 2.41-12)
"""


def test_a_changes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hello.changes"
    path.write_text(CHANGES)
    changes = read_changes(path)
    assert (changes.source, changes.version, changes.distribution) == ("hello", "1.0+b1", "trixie")
    assert (changes.architectures, changes.binaries) == (("all", "amd64"), ("hello", "hello-data"))
    assert changes.files == (FileRef("hello_1.0+b1_amd64.deb", 8, SUM),)
    assert changes.paths == (tmp_path / "hello_1.0+b1_amd64.deb",)


def test_a_buildinfo_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hello.buildinfo"
    path.write_text(BUILDINFO)
    info = read_buildinfo(path)
    assert (info.source, info.version, info.architectures, info.build_architecture) == ("hello", "1.0", ("amd64", "all"), "amd64")
    assert info.installed == ("autoconf (= 2.72-3)", "libc6:arm64 (= 2.41-12)")
    assert info.files[0].sha256 == SUM


@pytest.mark.parametrize("field", ["Source", "Version", "Distribution", "Architecture", "Checksums-Sha256"])
def test_a_broken_changes_is_refused(tmp_path: Path, field: str) -> None:
    (tmp_path / "a.changes").write_text(CHANGES.replace(f"{field}:", "X:"))
    with pytest.raises(SourceError, match="cannot be used") as error:
        read_changes(tmp_path / "a.changes")
    assert field in error.value.cause


def test_results_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        read_changes(tmp_path / "a.changes")
    assert error.value.cause == "it does not exist"
    (tmp_path / "b.buildinfo").write_bytes(b"\xff")
    with pytest.raises(SourceError) as error:
        read_buildinfo(tmp_path / "b.buildinfo")
    assert "not UTF-8" in error.value.cause
