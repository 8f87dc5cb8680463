"""What the indices of a suite say of a source's earlier versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.archive.index import previous_debs

if TYPE_CHECKING:
    from pathlib import Path

INDEX = """\
Package: tool
Version: {version}
Filename: pool/main/t/tool/tool_{version}_amd64.deb

Package: tool-data
Source: tool ({version})
Version: 1:{version}
Filename: pool/main/t/tool/tool-data_{version}_all.deb

Package: other
Version: 0.1
Filename: pool/main/o/other/other_0.1_amd64.deb
"""


def test_the_newest_older_version_is_what_is_upgraded_from(tmp_path: Path) -> None:
    directory = tmp_path / "dists/trixie/main/binary-amd64"
    directory.mkdir(parents=True)
    (directory / "Packages").write_text(INDEX.format(version="1.9") + "\n" + INDEX.format(version="1.10"))
    names = [f"pool/main/t/tool/{name}" for name in ("tool_1.10_amd64.deb", "tool-data_1.10_all.deb")]
    assert previous_debs(tmp_path, "trixie", "amd64", "tool", "2.0") == tuple(tmp_path / name for name in names)
    assert [path.name for path in previous_debs(tmp_path, "trixie", "amd64", "tool", "1.10")] == [
        "tool_1.9_amd64.deb",
        "tool-data_1.9_all.deb",
    ]


def test_what_was_never_published_has_none(tmp_path: Path) -> None:
    assert previous_debs(tmp_path, "trixie", "amd64", "tool", "2.0") == ()
