"""Reading the newest changelog entry and writing it anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.source.changelog import Entry, read_changelog, retitled, with_rebuild, without_epoch
from tests.trees import DATE, TIMESTAMP, changelog

if TYPE_CHECKING:
    from pathlib import Path

AUTHOR = "Test Writer <test@example.org>"
OLDER = (
    "\nhello (0.9) unstable; urgency=low\n\n  * Café.\n\n -- Someone Else <else@example.org>  Mon, 01 Jan 2024 00:00:00 +0000\n"
)


def written(path: Path, text: str) -> Path:
    (path / "changelog").write_text(text)
    return path / "changelog"


def test_the_newest_entry_is_read(tmp_path: Path) -> None:
    entry = read_changelog(written(tmp_path, changelog("hello", "1:1.0-2", "UNRELEASED") + OLDER))
    assert entry == Entry("hello", "1:1.0-2", "UNRELEASED", AUTHOR, TIMESTAMP, "0.9")
    assert entry.unreleased
    assert entry.upstream == "1.0"
    assert entry.has_revision


def test_a_native_version_is_its_own_upstream() -> None:
    assert Entry("hello", "2.0~rc1", "unstable", AUTHOR, 0).upstream == "2.0~rc1"
    assert not Entry("hello", "2.0", "unstable", AUTHOR, 0).has_revision
    assert without_epoch("3:2.0-1") == "2.0-1"
    assert Entry("hello", "1.0-2-3", "unstable", AUTHOR, 0).upstream == "1.0-2"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("not a changelog at all\n", "not a changelog"),
        (changelog("hello", "1.0", "unstable").replace(" -- ", " - "), ""),
        (changelog("hello", "1.0", "unstable").replace(DATE, "yesterday"), "yesterday"),
        (changelog("hello", "v1.0", "unstable"), "starts with a digit"),
        (changelog("Hello", "1.0", "unstable"), "not a package name"),
        (changelog("hello", "1.0", "unstable").replace("; urgency=medium", ""), ""),
    ],
)
def test_a_broken_changelog_is_refused_with_its_fault(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SourceError, match="changelog cannot be read") as error:
        read_changelog(written(tmp_path, text))
    assert why in error.value.cause
    assert error.value.cause
    assert error.value.hint == f"dpkg-parsechangelog -l {tmp_path / 'changelog'}"


def test_a_changelog_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "changelog").write_bytes(changelog("hello", "1.0", "unstable", text="Caf\xe9.").encode("latin-1"))
    with pytest.raises(SourceError) as error:
        read_changelog(tmp_path / "changelog")
    assert "not UTF-8" in error.value.cause


def test_a_snapshot_changes_the_newest_entry_only(tmp_path: Path) -> None:
    text = changelog("hello", "1.0", "UNRELEASED", text="Fix (see 1.0); UNRELEASED.") + OLDER
    new = retitled(text, version="1.0~x", distribution="trixie", time=TIMESTAMP + 60)
    assert new == text.replace("(1.0) UNRELEASED;", "(1.0~x) trixie;").replace("03:04:05", "03:05:05")
    assert read_changelog(written(tmp_path, new)) == Entry("hello", "1.0~x", "trixie", AUTHOR, TIMESTAMP + 60, "1.0~x")


def test_a_rebuild_gets_an_entry_of_its_own(tmp_path: Path) -> None:
    text = changelog("hello", "1.0-1", "unstable") + OLDER
    new = with_rebuild(text, Entry("hello", "1.0-1", "unstable", AUTHOR, TIMESTAMP), version="1.0-1~bookworm1",
                       distribution="bookworm", time=TIMESTAMP + 1)  # fmt: skip
    assert new.endswith(text)
    assert "  * Rebuild for bookworm.\n" in new
    assert read_changelog(written(tmp_path, new)) == Entry(
        "hello", "1.0-1~bookworm1", "bookworm", AUTHOR, TIMESTAMP + 1, "1.0-1~bookworm1"
    )
