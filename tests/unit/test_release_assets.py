from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.errors import ReleaseConflict, ReleaseError
from debkit.model import FileRef
from debkit.release.assets import (
    MOST_BYTES,
    Asset,
    asset_name,
    checksums,
    demand_acceptable,
    demand_distinct,
    gather,
    parse_checksums,
)
from debkit.release.text import apt_lines, compose, is_ours, merge

if TYPE_CHECKING:
    from pathlib import Path


def asset(name: str, path: Path, *, size: int = 1, origin: str = "") -> Asset:
    return Asset(name=name, path=path, size=size, sha256="0" * 64, origin=origin or name)


@pytest.mark.parametrize(
    ("name", "mapped"),
    [
        ("a_1.0-1_amd64.deb", "a_1.0-1_amd64.deb"),
        ("a_1.0~rc1-1_amd64.deb", "a_1.0.rc1-1_amd64.deb"),
        ("a_1.0~~rc1_all.deb", "a_1.0.rc1_all.deb"),
        ("a_1.0.~1_all.deb", "a_1.0.1_all.deb"),
        ("a+b_1+c_all.deb", "a+b_1+c_all.deb"),
        ("a_1~", "a_1"),
    ],
)
def test_an_assets_name(name: str, mapped: str) -> None:
    assert asset_name(name) == mapped
    assert asset_name(mapped) == mapped


def test_names_that_would_be_one_are_refused() -> None:
    demand_distinct(["a_1~b", "a_1.c"])
    with pytest.raises(ReleaseConflict, match=r"a_1\.b and a_1~b would both be called a_1\.b"):
        demand_distinct(["a_1~b", "a_1.b"])


def test_files_are_laid_out_as_they_will_be_called(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "pool/a_1~b.deb").write_text("a")
    (laid,) = gather(tmp_path / "out", tmp_path, [FileRef("pool/a_1~b.deb", 1, "0" * 64)])
    assert (laid.name, laid.origin, laid.renamed) == ("a_1.b.deb", "a_1~b.deb", True)
    (tmp_path / "pool/a_1~b.deb").unlink()
    assert laid.path.read_text() == "a"


@pytest.mark.parametrize("size", [0, MOST_BYTES])
def test_what_github_would_refuse(tmp_path: Path, size: int) -> None:
    with pytest.raises(ReleaseError, match="does not take a"):
        demand_acceptable((asset("a", tmp_path, size=size),))
    with pytest.raises(ReleaseError, match="too large"):
        demand_acceptable(tuple(asset(f"a{number}", tmp_path) for number in range(1001)))


def test_checksums_are_read_as_they_are_written(tmp_path: Path) -> None:
    text = checksums([asset("b", tmp_path), asset("a", tmp_path)])
    assert text == f"{'0' * 64}  a\n{'0' * 64}  b\n"
    assert parse_checksums(text) == {"a": "0" * 64, "b": "0" * 64}


def test_a_text_tells_the_names_that_were_changed_alone(tmp_path: Path) -> None:
    text = compose("New.\n", [asset("a.b", tmp_path, origin="a~b"), asset("c", tmp_path)], signers=("F" * 40,))
    assert text.startswith("New.\n\n<!-- debkit -->\n")
    assert "| `a.b` | `a~b` |" in text
    assert "`c`" not in text
    assert "F" * 40 in text
    assert "### Names" not in compose("New.", [asset("c", tmp_path)], signers=("F" * 40,))


def test_what_somebody_else_has_written_stays() -> None:
    text = compose(
        "New.", [], signers=("F" * 40,), apt=apt_lines("trixie", "https://x/", keyring="k.pgp", name="n", packages=("p",))
    )
    assert "URIs: https://x/\nSuites: ./\nSigned-By: /usr/share/keyrings/k.pgp\n" in text
    assert is_ours(text)
    assert merge("", text) == text
    assert merge(text.replace("New.", "Old."), text) == text
    merged = merge("Their words.\n", text)
    assert merged.startswith("Their words.\n\n<!-- debkit -->")
    assert "New." not in merged
