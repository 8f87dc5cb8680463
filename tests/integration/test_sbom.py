"""Both bills of materials of a package that needs real packages of the suite, CycloneDX by the real library."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from debkit import checks
from debkit.checks import _needs
from debkit.model import BuildResult, Outcome, Target
from tests.conftest import SUITE
from tests.debs import make_package, make_result
from tests.spdx import demand_spdx

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def result(target: Target, tmp_path: Path) -> BuildResult:
    return make_result(tmp_path, make_package(tmp_path, arch=target.arch, depends="libjansson4, libstdc++6"), target=target)


def test_both_bills_tell_the_same(bench: checks.Bench, result: BuildResult, target: Target, tmp_path: Path) -> None:
    report = checks.judge("sbom", bench, result)
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    spdx, cyclonedx = (tmp_path / "dist" / name for name in ("sbom.spdx.json", "sbom.cdx.json"))
    first, second = json.loads(spdx.read_text()), json.loads(cyclonedx.read_text())
    demand_spdx(first)
    assert (second["bomFormat"], second["specVersion"]) == ("CycloneDX", "1.6")
    assert second["metadata"]["timestamp"].startswith("2024-01-02T03:04:05")
    assert second["serialNumber"] == first["documentNamespace"]
    components = {each["purl"]: each for each in (second["metadata"]["component"], *second["components"])}
    packages = {each["externalRefs"][0]["referenceLocator"]: each for each in first["packages"]}
    assert components.keys() == packages.keys()
    names = {each["name"] for each in components.values()}
    assert {"hello-debkit", "libjansson4", "libstdc++6", "libc6"} <= names
    assert names & {"apt", "dpkg", "bash"} == set()  # there on every clean system, and needed by none of these
    for purl, package in packages.items():
        assert components[purl]["version"] == package["versionInfo"]
        assert [each["content"] for each in components[purl].get("hashes", ())] == [
            each["checksumValue"] for each in package.get("checksums", ())
        ]
    own = f"pkg:deb/debian/hello-debkit@1.0?arch={target.arch}&distro={SUITE}"
    assert components[own]["licenses"] == [{"acknowledgement": "declared", "expression": "CC0-1.0"}]
    assert edges_of(second)[own] == edges_of_spdx(first)[own]
    assert {purl.partition("@")[0] for purl in edges_of(second)[own]} == {
        "pkg:deb/debian/libjansson4",
        "pkg:deb/debian/libstdc%2B%2B6",
    }

    before = [file.read_bytes() for file in (spdx, cyclonedx)]
    assert checks.judge("sbom", bench, result).outcome is Outcome.PASS
    assert [file.read_bytes() for file in (spdx, cyclonedx)] == before


def test_a_document_against_the_schema_is_refused(
    bench: checks.Bench, result: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = _needs.of(bench, result)
    broken = replace(needs, members=tuple(replace(member, sha256="no sum") for member in needs.members))
    monkeypatch.setattr(_needs, "of", lambda *_: broken)
    report = checks.judge("sbom", bench, result)
    assert report.outcome is Outcome.ERROR
    assert "the document is no CycloneDX 1.6: $.components[0].hashes[0].content: 'no sum'" in report.reason
    assert not (tmp_path / "dist/sbom.cdx.json").exists()


def edges_of(document: dict[str, Any]) -> dict[str, set[str]]:
    return {each["ref"]: set(each.get("dependsOn", ())) for each in document["dependencies"]}


def edges_of_spdx(document: dict[str, Any]) -> dict[str, set[str]]:
    purls = {each["SPDXID"]: each["externalRefs"][0]["referenceLocator"] for each in document["packages"]}
    found: dict[str, set[str]] = {purl: set() for purl in purls.values()}
    for each in document["relationships"]:
        if each["relationshipType"] == "DEPENDS_ON":
            found[purls[each["spdxElementId"]]].add(purls[each["relatedSpdxElement"]])
    return found
