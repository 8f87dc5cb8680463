"""A bill of materials in SPDX 2.3, as JSON. Debian has no library that writes it; it is small (spec, Annexes D and E)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from debkit.checks._bill import Bill, Component, Supplier

UNKNOWN = "NOASSERTION"


def document(bill: Bill) -> dict[str, Any]:
    """Write the document: it describes what was built, each generated from the source and dependent on what it needs."""
    ids = {component.purl: _id(component) for component in (bill.source, *bill.packages)}
    relations = [
        *(("SPDXRef-DOCUMENT", "DESCRIBES", ids[purl]) for purl in bill.built),
        *((ids[purl], "GENERATED_FROM", ids[bill.source.purl]) for purl in bill.built),
        *((ids[each.purl], "DEPENDS_ON", ids[other]) for each in bill.packages for other in each.depends),
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bill.name,
        "documentNamespace": f"urn:uuid:{bill.serial}",
        "creationInfo": {"created": bill.created, "creators": [f"Tool: debkit-{bill.tool}"]},
        "packages": [_package(component) for component in (bill.source, *bill.packages)],
        "hasExtractedLicensingInfos": [
            {"licenseId": each.ref, "name": each.name, "extractedText": each.text} for each in bill.licence.extracted
        ],
        "relationships": [
            {"spdxElementId": one, "relationshipType": relation, "relatedSpdxElement": other}
            for one, relation, other in relations
        ],
    }


def _package(component: Component) -> dict[str, Any]:
    package = {
        "SPDXID": _id(component),
        "name": component.name,
        "versionInfo": component.version,
        "supplier": _actor(component.supplier),
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": component.licence or UNKNOWN,
        "copyrightText": UNKNOWN,
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": component.purl}
        ],
    }  # fmt: skip
    if component.sha256:
        package["checksums"] = [{"algorithm": "SHA256", "checksumValue": component.sha256}]
    if component.source:
        package["sourceInfo"] = f"built from {component.source}"
    else:
        package["primaryPackagePurpose"] = "SOURCE"
    return package


def _id(component: Component) -> str:
    """Name an element in letters, digits, dots and hyphens: names of packages have no upper case, so P is free for their plus."""
    return f"SPDXRef-{component.arch}-{component.name.replace('+', 'P')}"


def _actor(supplier: Supplier | None) -> str:
    if not supplier:
        return UNKNOWN
    return f"{'Organization' if supplier.team else 'Person'}: {supplier.name} ({supplier.email})"
