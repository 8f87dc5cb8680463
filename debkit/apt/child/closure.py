"""Have apt say what local packages need at run time, of all that would be there once they were installed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apt_pkg

from debkit.apt.child.explain import after, groups, is_there
from debkit.apt.child.solve import solved
from debkit.apt.child.system import sha256

if TYPE_CHECKING:
    from debkit.apt.child.system import Json


def closure(request: Json) -> list[Json]:
    """Answer with the local packages, which have no other wishes beside them, and all that they depend on."""
    with solved(request) as found:
        records = apt_pkg.PackageRecords(found.cache)
        queue = [after(found.depcache, package) for package in found.wishes]
        local = {version.id: Path(deb) for version, deb in zip(queue, request["debs"], strict=True)}
        seen = {version.id for version in queue}
        members = []
        for version in queue:
            needed = _needed(found.depcache, version)
            members.append({**_about(version, records, local), "depends": sorted({v.parent_pkg.name for v in needed})})
            new = {target.id: target for target in needed if target.id not in seen}
            seen |= new.keys()
            queue += new.values()
    return sorted(members, key=lambda member: (member["name"], member["arch"]))


def _needed(depcache: Any, version: Any) -> list[Any]:
    """Give what a version depends on. Of alternatives that are all there, it may be any: all are given."""
    return [
        target for group in groups(version) for dependency in group for target in dependency.all_targets()
        if is_there(depcache, target) and target.id != version.id
    ]  # fmt: skip


def _about(version: Any, records: Any, local: dict[int, Path]) -> Json:
    """Tell of a version what its list does, or the package status where no list has it any more."""
    files = [file for file in version.file_list if not file[0].not_source] or version.file_list
    records.lookup(files[0])
    digest = sha256(records.hashes)
    if deb := local.get(version.id):
        with deb.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": version.parent_pkg.name,
        "version": version.ver_str,
        "arch": version.arch,
        "source": records.source_pkg or version.parent_pkg.name,
        "source_version": records.source_ver or version.ver_str,
        "maintainer": records.maintainer,
        "sha256": digest,
    }
