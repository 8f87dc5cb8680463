"""Write a bill of materials in CycloneDX 1.6: a bill as JSON on standard input, the document on standard output.

It is run by the python3 of a tool root, which has python3-cyclonedx-lib and nothing of debkit.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseAcknowledgement, LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL


def document(bill: dict[str, Any]) -> Bom:
    """Make the document: the source is what it is about, and depends on the packages that were built from it."""
    source = component(bill["source"], ComponentType.APPLICATION)
    packages = {each["purl"]: component(each, ComponentType.LIBRARY) for each in bill["packages"]}
    refs = {purl: package.bom_ref for purl, package in packages.items()}
    needed = [(source.bom_ref, bill["built"]), *((refs[each["purl"]], each["depends"]) for each in bill["packages"])]
    return Bom(
        serial_number=UUID(bill["serial"]),
        metadata=BomMetaData(
            timestamp=datetime.fromisoformat(bill["created"]),
            tools=ToolRepository(
                components=[Component(type=ComponentType.APPLICATION, name="debkit", version=bill["tool"], bom_ref="debkit")]
            ),
            component=source,
        ),
        components=packages.values(),
        dependencies=[Dependency(ref, dependencies=[Dependency(refs[purl]) for purl in purls]) for ref, purls in needed],
    )


def component(told: dict[str, Any], kind: ComponentType) -> Component:
    supplier, licence, source = told["supplier"], told["licence"], told["source"]
    return Component(
        type=kind,
        name=told["name"],
        version=told["version"],
        bom_ref=told["purl"],
        purl=PackageURL.from_string(told["purl"]),
        supplier=OrganizationalEntity(
            name=supplier["name"], contacts=[OrganizationalContact(name=supplier["name"], email=supplier["email"])]
        )
        if supplier
        else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=told["sha256"])] if told["sha256"] else [],
        licenses=[LicenseExpression(licence, acknowledgement=LicenseAcknowledgement.DECLARED)] if licence else [],
        properties=[Property(name="debkit:source", value=source)] if source else [],
    )


def main() -> None:
    text = JsonV1Dot6(document(json.load(sys.stdin))).output_as_string(indent=1)
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"the document is no CycloneDX 1.6: {problem.data.json_path}: {problem.data.message}")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
