"""Reading debian/control as strictly as dpkg."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.source.control import folded, read_control, syntax_error

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
# a comment
Source: hello
Maintainer: Test Writer <test@example.org>
Build-Depends: debhelper-compat (= 13),
# a comment between
 pkgconf

Package: hello
Architecture: any
Description: greets

Package: hello-data
Architecture: all
Description: greets too
"""


def written(path: Path, text: str) -> Path:
    (path / "control").write_text(text)
    return path / "control"


def test_names_and_architectures_are_read(tmp_path: Path) -> None:
    control = read_control(written(tmp_path, GOOD))
    assert (control.source, control.binaries, control.architectures) == ("hello", ("hello", "hello-data"), ("any", "all"))


@pytest.mark.parametrize(
    ("packages", "source"),
    [
        (("all",), ("all",)),
        (("all", "any"), ("any", "all")),
        (("any", "amd64"), ("any",)),
        (("amd64", "arm64", "amd64"), ("amd64", "arm64")),
        (("linux-any", "all"), ("linux-any", "all")),
    ],
)
def test_architectures_fold_as_in_dpkg_source(packages: tuple[str, ...], source: tuple[str, ...]) -> None:
    assert folded(packages) == source


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the first paragraph has no Source field"),
        (GOOD.replace("Source: hello\n", ""), "the first paragraph has no Source field"),
        (GOOD.replace("Maintainer: Test Writer <test@example.org>\n", ""), "no Maintainer field"),
        (GOOD.replace("Architecture: all\n", ""), "the paragraph of hello-data has no Architecture field"),
        (GOOD.partition("\nPackage")[0], "it names no package"),
        (GOOD.replace(" pkgconf", "pkgconf"), "line 6: neither 'Field: value' nor a continuation"),
        (
            GOOD.replace("Description: greets\n", "Description: greets\nPackage: again\n"),
            "line 11: the field Package stands twice",
        ),
    ],
)
def test_a_broken_control_is_refused_with_its_fault(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SourceError, match="control is broken") as error:
        read_control(written(tmp_path, text))
    assert why in error.value.cause
    assert error.value.hint


def test_a_continuation_with_no_field_is_an_error() -> None:
    assert syntax_error("Source: a\n\n  floating\n") == "line 3: a continuation line with no field above it"


def test_no_control_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="control is missing") as error:
        read_control(tmp_path / "debian/control")
    assert "dh_make" in error.value.hint


def test_a_control_that_is_yet_to_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "control.in").touch()
    with pytest.raises(SourceError) as error:
        read_control(tmp_path / "control")
    assert error.value.hint.endswith("debian/rules debian/control")
