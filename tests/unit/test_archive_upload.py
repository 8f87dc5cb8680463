from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from debkit.archive.upload import read_upload
from debkit.errors import ArchiveError
from tests.bulk import ar, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder import Recorder

DEB = "small_1.0_amd64.deb"
BROKEN = ar({"debian-binary": b"2.0\n", "control.tar.gz": b"broken", "data.tar.gz": b""})


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    changes = tmp_path / "small_1.0_amd64.changes"
    changes.write_text(write_files(tmp_path, "small", version="1.0", arch="amd64"))
    return changes


def test_a_package_says_itself_what_it_is(recorder: Recorder, changes: Path) -> None:
    read = read_upload(recorder, changes)
    assert (read.distribution, read.source, read.version, read.dsc_name) == ("unstable", "small", "1.0", "small_1.0.dsc")
    assert [(deb.package, deb.version, deb.arch, deb.file.name) for deb in read.debs] == [("small", "1.0", "amd64", DEB)]
    assert [file.name for file in read.sources] == ["small_1.0.tar.gz"]
    assert read.dsc.startswith("Format: 3.0 (native)\n")
    assert not recorder.commands


def listing(changes: Path) -> None:
    """Have the .changes list the package with the size that it has now."""
    size = changes.with_suffix(".deb").stat().st_size
    changes.write_text(re.sub(rf" \d+ (\S+ \S+ )?({DEB})", rf" {size} \1\2", changes.read_text()))


def test_a_package_packed_with_zstd_is_read_by_dpkg_deb(recorder: Recorder, changes: Path, tmp_path: Path) -> None:
    (tmp_path / DEB).write_bytes(ar({"debian-binary": b"2.0\n", "control.tar.zst": b"", "data.tar.zst": b""}))
    listing(changes)
    recorder.reply("dpkg-deb", "--field", stdout="Package: small\nVersion: 1:1.0\nArchitecture: amd64\n")
    assert read_upload(recorder, changes).debs[0].version == "1:1.0"


@pytest.mark.parametrize("content", [b"", b"no package\n", ar({"debian-binary": b"2.0\n"}), BROKEN])
def test_what_is_no_package_is_named(recorder: Recorder, changes: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / DEB).write_bytes(content)
    listing(changes)
    with pytest.raises(ArchiveError, match=f"{DEB} is not a Debian package") as caught:
        read_upload(recorder, changes)
    assert caught.value.cause


def test_a_file_that_is_not_the_one_that_is_listed_is_named(recorder: Recorder, changes: Path, tmp_path: Path) -> None:
    with (tmp_path / DEB).open("ab") as file:
        file.write(b"more")
    with pytest.raises(ArchiveError, match=f"lists {DEB}, whose size is another"):
        read_upload(recorder, changes)
    (tmp_path / DEB).unlink()
    with pytest.raises(ArchiveError, match=f"lists {DEB}, which is not beside it"):
        read_upload(recorder, changes)


@pytest.mark.parametrize(("missing", "said"), [(".dsc", "has no source"), (".deb", "has no packages")])
def test_an_upload_is_a_source_and_its_packages(recorder: Recorder, changes: Path, missing: str, said: str) -> None:
    lines = changes.read_text().splitlines(keepends=True)
    changes.write_text("".join(line for line in lines if not line.rstrip().endswith(missing)))
    with pytest.raises(ArchiveError, match=said):
        read_upload(recorder, changes)
