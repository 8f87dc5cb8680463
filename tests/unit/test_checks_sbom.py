from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.apt import Member
from debkit.checks import _bill, _licence, _needs, _spdx
from debkit.checks._licence import Extracted, Licence
from debkit.checks._needs import Needs
from debkit.chroot import roots
from debkit.chroot.roots import ToolRoot
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.errors import ChrootError, DebkitError, DependencyError, NetworkError
from debkit.model import BuildResult, BuildState, CheckReport, Outcome, Target, Via
from debkit.source.results import read_changes
from tests.recorder import Reply, contains
from tests.spdx import demand_spdx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.recorder import Recorder

FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
CHANGES = """\
Format: 1.8
Date: Tue, 02 Jan 2024 04:04:05 +0100
Source: hello
Binary: hello hello++
Architecture: amd64
Version: 1:1.0-1
Distribution: unstable
Maintainer: Test Writer <test@example.org>
Checksums-Sha256:
 0000000000000000000000000000000000000000000000000000000000000000 1 hello_1.0-1_amd64.deb
"""
LICENCE = Licence("MIT AND LicenseRef-odd", (Extracted(ref="LicenseRef-odd", name="odd", text="Do as you like."),))


def member(name: str, version: str, *depends: str, source: str, maintainer: str = "A Person <a@example.org>") -> Member:
    return Member(
        name=name,
        version=version,
        arch="amd64",
        source=source,
        source_version=version.partition("+b")[0],
        maintainer=maintainer,
        sha256=hashlib.sha256(name.encode()).hexdigest() if name != "libold1" else "",
        depends=depends,
    )


NEEDS = Needs(
    frozenset({"hello", "hello++"}),
    (
        member("hello", "1:1.0-1+b2", "hello++", "libold1", source="hello"),
        member("hello++", "1:1.0-1+b2", source="hello"),
        member("libold1", "3", source="old", maintainer="Old Things Team <team+old@tracker.example.org>"),
    ),
)


@pytest.fixture
def bill(tmp_path: Path) -> _bill.Bill:
    (tmp_path / "hello.changes").write_text(CHANGES)
    (tmp_path / "hello.dsc").write_text("a .dsc")
    return _bill.draw(NEEDS, read_changes(tmp_path / "hello.changes"), tmp_path / "hello.dsc", LICENCE, Target("trixie", "amd64"))


@pytest.fixture
def judge(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CheckReport]:
    """Judge a build that needs NEEDS; what makes the tool root may fail with a `problem`."""

    def judged(
        problem: DebkitError | None = None, *, needs: Needs | DependencyError = NEEDS, changes: bool = True
    ) -> CheckReport:
        @contextlib.contextmanager
        def tools(_run: object, suite: str, packages: tuple[str, ...], **__: object) -> Iterator[ToolRoot]:
            assert (suite, packages) == ("trixie", ("python3-cyclonedx-lib", "python3-jsonschema"))
            if problem:
                raise problem
            yield ToolRoot(Path("/cache/tools"))

        def of(*_: object, **__: object) -> Needs:
            if isinstance(needs, DependencyError):
                raise needs
            return needs

        monkeypatch.setattr(roots, "tools", tools)
        monkeypatch.setattr(_needs, "of", of)
        monkeypatch.setattr(_licence, "of", lambda _: LICENCE)
        (tmp_path / "hello.changes").write_text(CHANGES)
        recorder.replies.insert(0, Reply(("/srv/sbom/_cyclonedx.py",), '{"bomFormat": "CycloneDX"}\n'))
        recorder.replies.insert(0, Reply(("--field",), "Package: hello\nVersion: 1:1.0-1+b2\nArchitecture: amd64\n"))
        bench = checks.Bench(run=recorder, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist")
        result = BuildResult(
            target=Target("bookworm", "amd64"),
            via=Via.NATIVE,
            backend="sbuild",
            state=BuildState.SUCCEEDED,
            phases=(),
            disk_bytes=0,
            log=tmp_path / "build.log",
            argv=(),
            changes=tmp_path / "hello.changes" if changes else None,
            debs=(tmp_path / "hello_1.0-1+b2_amd64.deb",),
        )
        return checks.judge("sbom", bench, result)

    return judged


# The bill


def test_a_bill_has_what_was_built_its_source_and_what_that_needs(bill: _bill.Bill) -> None:
    hello, plus, old = bill.packages
    assert bill.source.purl == "pkg:deb/debian/hello@1:1.0-1?arch=source&distro=trixie"
    assert bill.source.sha256 == hashlib.sha256(b"a .dsc").hexdigest()
    assert bill.built == (hello.purl, plus.purl)
    assert plus.purl == "pkg:deb/debian/hello%2B%2B@1:1.0-1%2Bb2?arch=amd64&distro=trixie"
    assert (hello.depends, hello.source) == ((plus.purl, old.purl), "hello 1:1.0-1")
    assert [each.licence for each in bill.packages] == [LICENCE.expression, LICENCE.expression, ""]
    assert bill.created == "2024-01-02T03:04:05Z"


def test_a_bill_is_the_same_for_the_same_and_another_for_another(bill: _bill.Bill, tmp_path: Path) -> None:
    changes, target = read_changes(tmp_path / "hello.changes"), Target("trixie", "amd64")
    again = _bill.draw(NEEDS, changes, tmp_path / "hello.dsc", LICENCE, target)
    other = _bill.draw(NEEDS, changes, None, LICENCE, target)
    assert again == bill
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill.serial)
    assert other.serial != bill.serial


def test_ubuntus_packages_are_ubuntus() -> None:
    assert _bill.purl("libc6", "2.39-0ubuntu8", "amd64", "noble") == (
        "pkg:deb/ubuntu/libc6@2.39-0ubuntu8?arch=amd64&distro=noble"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("maintainer", "name", "team"),
    [
        ("A Person <a@example.org>", "A Person", False),
        ("Debian GCC Maintainers <debian-gcc@lists.debian.org>", "Debian GCC Maintainers", True),
        ('"Someone, Jr." <s@example.org>', "Someone, Jr.", False),
    ],
)
def test_a_maintainer_is_taken_apart(maintainer: str, name: str, *, team: bool) -> None:
    found = _bill.supplier(maintainer)
    assert found
    assert (found.name, found.team) == (name, team)
    assert _bill.supplier("nobody") is None


# SPDX


def test_the_spdx_document_fits_together(bill: _bill.Bill) -> None:
    document = _spdx.document(bill)
    demand_spdx(document)
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    told = {
        (names.get(each["spdxElementId"], ""), each["relationshipType"], names[each["relatedSpdxElement"]])
        for each in document["relationships"]
    }
    assert told == {
        ("", "DESCRIBES", "hello"),
        ("", "DESCRIBES", "hello++"),
        ("hello", "GENERATED_FROM", "hello"),
        ("hello++", "GENERATED_FROM", "hello"),
        ("hello", "DEPENDS_ON", "hello++"),
        ("hello", "DEPENDS_ON", "libold1"),
    }
    by_id = {package["SPDXID"]: package for package in document["packages"]}
    assert by_id["SPDXRef-amd64-libold1"]["supplier"] == "Organization: Old Things Team (team+old@tracker.example.org)"
    assert "checksums" not in by_id["SPDXRef-amd64-libold1"]
    assert by_id["SPDXRef-amd64-helloPP"]["supplier"] == "Person: A Person (a@example.org)"
    assert by_id["SPDXRef-source-hello"]["primaryPackagePurpose"] == "SOURCE"


# Licences


@pytest.mark.parametrize(
    ("synopsis", "expression"),
    [
        ("Expat", "MIT"),
        ("bsd-3-clause", "BSD-3-Clause"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("GPL-9", "LicenseRef-GPL-9"),
        ("Apache-2.0 or Expat", "Apache-2.0 OR MIT"),
        ("GPL-1+ or Artistic-2.0, and BSD-3-clause", "(GPL-1.0-or-later OR Artistic-2.0) AND BSD-3-Clause"),
        ("GPL-3+ with Bison exception", "LicenseRef-GPL-3-or-later-with-Bison-exception"),
        ("public-domain", "LicenseRef-public-domain"),
        ("Expat,", "MIT"),
        ("???", "LicenseRef-unnamed"),
    ],
)
def test_debians_short_names_become_spdxs(synopsis: str, expression: str) -> None:
    found = _licence.read(f"{FORMAT}\nFiles: *\nCopyright: nobody\nLicense: {synopsis}\n Its text.\n")
    assert found.expression == expression
    assert [each.text for each in found.extracted] == (["Its text."] if "LicenseRef" in expression else [])


def test_every_part_of_a_source_counts() -> None:
    text = (
        f"{FORMAT}\nFiles: *\nCopyright: a\nLicense: odd\n\nFiles: b\nCopyright: b\nLicense: Expat or ISC\n\n"
        "License: odd\n Do as you like.\n"
    )
    found = _licence.read(text)
    assert found.expression == "LicenseRef-odd AND (MIT OR ISC)"
    assert found.extracted == (Extracted(ref="LicenseRef-odd", name="odd", text="Do as you like."),)


@pytest.mark.parametrize("text", ["", "This is free software.\n", f"{FORMAT}", "Format: x\nFiles: *\n"])
def test_a_text_for_people_says_nothing(text: str) -> None:
    assert _licence.read(text) == Licence()


# The check


def test_both_files_are_written_and_named(judge: Callable[..., CheckReport], recorder: Recorder, tmp_path: Path) -> None:
    report = judge()
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert [step.text for step in report.steps] == [
        f"{tmp_path}/dist/sbom.spdx.json: built 2, needed 1",
        f"{tmp_path}/dist/sbom.cdx.json: built 2, needed 1",
    ]
    demand_spdx(json.loads((tmp_path / "dist/sbom.spdx.json").read_text()))
    assert json.loads((tmp_path / "dist/sbom.cdx.json").read_text()) == {"bomFormat": "CycloneDX"}
    command = recorder.commands[-1]
    assert contains(command.argv, ("python3", "-I", "/srv/sbom/_cyclonedx.py"))
    assert "--net" in command.argv
    assert json.loads(command.stdin)["source"]["name"] == "hello"


@pytest.mark.parametrize("kind", [ChrootError, NetworkError])
def test_without_the_library_cyclonedx_is_skipped_and_spdx_is_not(
    judge: Callable[..., CheckReport], tmp_path: Path, kind: type[DebkitError]
) -> None:
    judge()
    report = judge(kind("the mirror has no trixie", cause="it is Ubuntu's", hint="name another"))
    assert report.outcome is Outcome.SKIPPED
    assert report.reason == "no CycloneDX: python3-cyclonedx-lib of trixie cannot be had: the mirror has no trixie"
    assert [(step.name, step.outcome) for step in report.steps] == [("SPDX", Outcome.PASS), ("CycloneDX", Outcome.SKIPPED)]
    assert [file.name for file in (tmp_path / "dist").iterdir()] == ["sbom.spdx.json"]  # nothing of the run before


def test_a_library_that_breaks_off_is_an_environment_error(judge: Callable[..., CheckReport], recorder: Recorder) -> None:
    recorder.reply("/srv/sbom/_cyclonedx.py", stdout="the document is no CycloneDX 1.6: no\n", code=1)
    report = judge()
    assert report.outcome is Outcome.ERROR
    assert report.reason == "python3-cyclonedx-lib exited with 1: the document is no CycloneDX 1.6: no"


def test_what_there_is_nothing_to_tell_of(judge: Callable[..., CheckReport]) -> None:
    assert judge(needs=Needs(frozenset(), ())).outcome is Outcome.NOT_RUN
    assert judge(changes=False).outcome is Outcome.SKIPPED
    report = judge(needs=DependencyError("hello cannot be installed", cause="no such thing", hint="name it"))
    assert (report.outcome, report.findings[0].tag) == (Outcome.FAIL, "uninstallable")


def test_a_date_that_cannot_be_read_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "x.changes").write_text(CHANGES)
    changes = replace(read_changes(tmp_path / "x.changes"), date="yesterday")
    with pytest.raises(DebkitError, match="cannot be used"):
        _bill.draw(NEEDS, changes, None, LICENCE, Target("trixie", "amd64"))
