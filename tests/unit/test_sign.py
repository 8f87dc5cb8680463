from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.errors import ArchiveError, SigningError
from debkit.keys import Keys, Secret
from debkit.model import SigningKey
from debkit.sign import GPG, _debsign, check_parts, debsign_argv, file_ref, merge_argv

if TYPE_CHECKING:
    from tests.recorder import Recorder

KEY = SigningKey(fingerprint="A" * 40, uid="Test Writer", home=Path("/gnupg home"), development=False)
CHANGES = """\
Format: 1.8
Source: {source}
Architecture: {arch}
Version: {version}
Distribution: trixie
Checksums-Sha256:
{files}"""


def changes(path: Path, *files: str, source: str = "hello", version: str = "1.0", arch: str = "amd64") -> Path:
    listed = "".join(f" {'0' * 64} 1 {name}\n" for name in files)
    path.write_text(CHANGES.format(source=source, version=version, arch=arch, files=listed))
    return path


def test_debsign_is_told_the_key_and_nothing_that_is_secret() -> None:
    file = Path("/dist/hello_1.0_multi.changes")
    assert debsign_argv(KEY, file, batch=True) == (
        "debsign", "--no-conf", f"-p{GPG} --batch", "-k" + "A" * 40, "--no-re-sign", "hello_1.0_multi.changes",
    )  # fmt: skip
    assert debsign_argv(KEY, file, batch=False)[2] == f"-p{GPG}"
    assert "--pinentry-mode loopback" in GPG


def test_mergechanges_gets_plain_names() -> None:
    parts = (Path("/a b/hello_1.0_source.changes"), Path("/a b/hello_1.0_amd64.changes"))
    assert merge_argv(parts) == ("mergechanges", "-f", "hello_1.0_source.changes", "hello_1.0_amd64.changes")


def test_a_key_without_passphrase_needs_no_terminal(recorder: Recorder, tmp_path: Path) -> None:
    _debsign(recorder, Keys(upload=KEY, archive=KEY), tmp_path / "x.changes", Path("/desk"))
    (command,) = recorder.commands
    assert command.argv[0] == "debsign"
    assert command.env == (("GNUPGHOME", "/gnupg home"), ("TMPDIR", "/desk"))
    assert command.cwd == tmp_path
    assert not recorder.answers


def test_a_passphrase_goes_through_a_terminal_only(recorder: Recorder, tmp_path: Path) -> None:
    keys = Keys(upload=KEY, archive=KEY, secrets={KEY.fingerprint: Secret("open sesame")})
    _debsign(recorder, keys, tmp_path / "x.changes", Path("/desk"))
    (command,) = recorder.commands
    (((_, answer),),) = recorder.answers
    assert answer == "open sesame"
    assert "sesame" not in repr(command)
    assert "--batch" not in " ".join(command.argv)


def test_a_failed_signature_tells_what_gpg_said(recorder: Recorder, tmp_path: Path) -> None:
    printed = "signfile changes\ngpg: signing failed: Bad passphrase\ndebsign: gpg error occurred!  Aborting....\n"
    recorder.reply("debsign", stdout=printed, code=2)
    with pytest.raises(SigningError, match=r"x\.changes could not be signed") as caught:
        _debsign(recorder, Keys(upload=KEY, archive=KEY), tmp_path / "x.changes", Path("/desk"))
    assert caught.value.cause == "gpg: signing failed: Bad passphrase\ndebsign: gpg error occurred!  Aborting...."


def test_parts_that_fit(tmp_path: Path) -> None:
    source = changes(tmp_path / "s", "hello_1.0.dsc", "hello_1.0.tar.xz", "hello_1.0_source.buildinfo", arch="source")
    amd64 = changes(
        tmp_path / "a", "hello_1.0_amd64.deb", "hello-data_1.0_all.deb", "hello_1.0_amd64.buildinfo", arch="all amd64"
    )
    arm64 = changes(tmp_path / "b", "hello_1.0_arm64.deb", "hello_1.0_arm64.buildinfo", arch="arm64")
    check_parts((source, amd64, arm64))


def test_architecture_all_is_there_once(tmp_path: Path) -> None:
    parts = tuple(changes(tmp_path / arch, f"hello_1.0_{arch}.deb", "hello-data_1.0_all.deb") for arch in ("amd64", "arm64"))
    with pytest.raises(ArchiveError, match=r"hello-data_1.0_all\.deb was built twice") as caught:
        check_parts(parts)
    assert "arm64" in caught.value.cause


def test_parts_of_two_versions(tmp_path: Path) -> None:
    parts = (changes(tmp_path / "a", "a_1_amd64.deb"), changes(tmp_path / "b", "a_2_arm64.deb", version="2.0"))
    with pytest.raises(ArchiveError, match="not of one source"):
        check_parts(parts)


def test_no_build_at_all(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no build of hello"):
        check_parts((changes(tmp_path / "s", "hello_1.0.dsc"),))


def test_a_file_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    assert file_ref(tmp_path / "x").sha256.startswith("e3b0c44298fc1c149afbf4c8996fb924")
