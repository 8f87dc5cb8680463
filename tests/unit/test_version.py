"""The version is that of the changelog's newest entry, wherever debkit runs."""

from __future__ import annotations

import re
import subprocess  # noqa: TID251  # what is asked is a fresh process
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

import debkit
from debkit.report import Ledger
from tests.unit.test_packaging import CHECKOUT, PACKAGING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEWEST = re.findall(r"^debkit \((.+?)\) ", (PACKAGING / "changelog").read_text(), re.MULTILINE)[0]


def test_the_command_says_the_changelogs_version() -> None:
    argv = [sys.executable, "-m", "debkit", "--version"]
    said = subprocess.run(argv, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    assert said == f"debkit, version {NEWEST}\n"


def test_the_report_says_the_changelogs_version(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "report.json")
    ledger.finish(None)
    assert f'"debkit": "{NEWEST}"' in ledger.path.read_text()


@pytest.mark.parametrize("packaging", ["packaging/debian", "debian"])
def test_the_newest_entry_is_found_where_the_packaging_is(tmp_path: Path, packaging: str) -> None:
    (tmp_path / packaging).mkdir(parents=True)
    (tmp_path / packaging / "changelog").write_text("debkit (0.3~20270101.gabc) trixie; urgency=medium\n\ndebkit (0.2) trixie;\n")
    assert debkit._newest(tmp_path) == "0.3~20270101.gabc"


def test_what_pip_has_installed_has_pythons_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Callable[[str], str] = {"debkit": "0.2.dev0+g1"}.__getitem__
    monkeypatch.setattr(metadata, "version", asked)
    assert debkit._newest(tmp_path) == "0.2.dev0+g1"


@pytest.mark.parametrize(
    ("debian", "python"),
    [
        ("0.2.0", "0.2.0"),
        ("0.2.0-1", "0.2.0+1"),
        ("0.2.0~bookworm1", "0.2.0.dev0+bookworm1"),
        ("0.2.0~20261124135945.g4bef241", "0.2.0.dev0+20261124135945.g4bef241"),
        ("0.2.0+12.gABC", "0.2.0+12.gabc"),
    ],
)
def test_python_is_told_a_version_of_its_own_kind(debian: str, python: str) -> None:
    assert debkit._as_python(debian) == python


def test_the_package_build_writes_its_version_into_the_line_that_has_it() -> None:
    (script,) = re.findall(r"sed -i '(s/.*?/)' \S+/debkit/__init__\.py", (PACKAGING / "rules").read_text())
    _, pattern, line, _ = script.split("/")
    text = (CHECKOUT / "debkit/__init__.py").read_text()
    assert len(re.findall(pattern, text, re.MULTILINE)) == 1
    assert line == '__version__ = "$(DEB_VERSION)"'
