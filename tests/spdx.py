"""What SPDX 2.3 demands of a document, as far as it can be seen in one."""

from __future__ import annotations

import re
from typing import Any


def demand_spdx(document: dict[str, Any]) -> None:
    """Demand what SPDX 2.3 does of a document: its mandatory fields, the form of identifiers, and that each is there."""
    assert (document["spdxVersion"], document["dataLicense"], document["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert re.fullmatch(r"[a-z]+:[^#\s]+", document["documentNamespace"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
    assert all(re.match(r"(Tool|Person|Organization): \S", creator) for creator in document["creationInfo"]["creators"])
    ids = [package["SPDXID"] for package in document["packages"]]
    assert len(ids) == len(set(ids))
    extracted = {each["licenseId"] for each in document["hasExtractedLicensingInfos"]}
    for package in document["packages"]:
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", package["SPDXID"])
        assert package["name"]
        assert package["downloadLocation"]
        assert package["filesAnalyzed"] is False
        assert re.match(r"NOASSERTION$|(Person|Organization): \S", package["supplier"])
        assert all(re.fullmatch(r"[0-9a-f]{64}", each["checksumValue"]) for each in package.get("checksums", ()))
        assert set(re.findall(r"LicenseRef-[A-Za-z0-9.-]+", package["licenseDeclared"])) <= extracted
        (ref,) = package["externalRefs"]
        assert (ref["referenceCategory"], ref["referenceType"]) == ("PACKAGE-MANAGER", "purl")
    assert all(each["extractedText"] for each in document["hasExtractedLicensingInfos"])
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= {"SPDXRef-DOCUMENT", *ids}
    assert any(each["relationshipType"] == "DESCRIBES" for each in document["relationships"])
