"""Have apt's own resolver say what an installation would change, in the steps that sbuild takes inside the chroot.

First the upgrade of all that is installed, then, from what that leaves, the package with the build dependencies. Both are libapt
working on the chroot's own status, lists and pins, so the choice is what `apt-get install` inside would make.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import apt_inst
import apt_pkg

from debkit.apt.child import wanted
from debkit.apt.child.explain import nearest, why_not
from debkit.apt.child.system import Trouble, enter, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.apt.child.system import Json

Key = tuple[str, str]  # a package's name and architecture, the latter never "all"
CROSS_SOLVER = "sbuild-cross-resolver"  # in sbuild: keeps Multi-Arch: foreign and essential packages of the build architecture


class Solved(NamedTuple):
    """What apt knows with all marked: `wishes` are the packages that were asked for, `before` those that are installed.

    The upgrade that went before has brought `upgraded` and `dropped`.
    """

    cache: Any
    depcache: Any
    wishes: list[Any]
    before: set[Key]
    upgraded: dict[Key, Json]
    dropped: set[Key]


def solve(request: Json) -> Json:
    """Answer with the pins to install and the names to remove."""
    with solved(request) as found:
        installed, removed = _changes(found.cache, found.depcache)
        # What the upgrade has chosen stands, unless the second step went on from it.
        kept = {key: pin for key, pin in found.upgraded.items() if key not in removed}
        install = {**kept, **_pins(found.cache, installed)}
        remove = ((found.dropped | removed) & found.before) - install.keys()
    return {"install": [install[key] for key in sorted(install)], "remove": [f"{name}:{arch}" for name, arch in sorted(remove)]}


@contextlib.contextmanager
def solved(request: Json) -> Iterator[Solved]:
    """Mark what the installation would change. libapt reads from the scratch directory as long as this lasts."""
    enter(request)
    apt_pkg.config.set("APT::Install-Recommends", "true" if request["recommends"] else "false")
    with tempfile.TemporaryDirectory(prefix="debkit-apt.") as scratch:
        if request["dsc"]:
            _offer_dummy(request, Path(scratch))
        for deb in request["debs"]:
            apt_pkg.config.set("APT::Sources::With::", deb)
        cache = apt_pkg.Cache(None)
        depcache = apt_pkg.DepCache(cache)
        before = {(p.name, p.architecture) for p in cache.packages if p.current_ver}
        upgraded, dropped = _upgrade(cache, depcache, Path(scratch)) if request["upgrade"] else ({}, set())
        if upgraded:
            cache = apt_pkg.Cache(None)
            depcache = apt_pkg.DepCache(cache)
        wishes = _wishes(cache, depcache, request)
        cross = bool(request["dsc"]) and request["host"] != request["root"]["arch"]
        with _cross_solver(request["root"], Path(scratch)) if cross else contextlib.nullcontext():
            _install(cache, depcache, wishes, automatic=not apt_pkg.config.find("APT::Solver"), wish=request["wish"])
        yield Solved(cache, depcache, wishes, before, upgraded, dropped)


def _offer_dummy(request: Json, scratch: Path) -> None:
    """Add the package that has the build dependencies to what apt knows, as `apt-get --with-source` does."""
    root, host = request["root"], request["host"]
    cross = host != root["arch"]
    for profile in request["profiles"]:
        apt_pkg.config.set("APT::Build-Profiles::", profile)
    if cross and not _has_cross_solver():
        # As sbuild does from 0.88.1: nothing of an architecture that cannot run may do the work of a tool. It changes what libapt
        # makes of the lists, so they must be read anew.
        apt_pkg.config.set("APT::BarbarianArchitectures::", host)
        for name in ("pkgcache", "srcpkgcache"):
            apt_pkg.config.set(f"Dir::Cache::{name}", "")
    with os.fdopen(apt_pkg.open_maybe_clear_signed_file(request["dsc"]), encoding="utf-8") as file:
        dsc = next(iter(apt_pkg.TagFile(file)))
    depends, conflicts = wanted.fields_for(all_packages=request["all"], arch_packages=request["arch"])
    core = (*request["core"], *(wanted.cross_core(host) if cross else ()))
    native = root["arch"] if cross else ""
    both = []
    for fields, more in ((depends, core), (conflicts, ())):
        text = ", ".join((*(dsc[name] for name in fields if name in dsc), *more))
        groups = apt_pkg.parse_src_depends(text, False, host) if text else []  # noqa: FBT003 (python-apt takes no keyword)
        both.append(wanted.qualified(groups, native))
    text = wanted.stanza(arch=host, depends=wanted.field(wanted.first_only(both[0])), conflicts=wanted.field(both[1]))
    (scratch / "Packages").write_text(text, encoding="utf-8")
    apt_pkg.config.set("APT::Sources::With::", f"{scratch}/Packages")


def _upgrade(cache: Any, depcache: Any, scratch: Path) -> tuple[dict[Key, Json], set[Key]]:
    """Do sbuild's `apt-get dist-upgrade` on paper: give what it brings and drops, and leave libapt with the
    status that follows from it.

    Where it brings nothing, cache and depcache are as they were.
    """
    depcache.upgrade(True)  # noqa: FBT003 (python-apt takes no keyword)
    if not depcache.inst_count:
        return {}, set()
    installed, removed = _changes(cache, depcache)
    records = apt_pkg.PackageRecords(cache)
    gone = {*removed, *((v.parent_pkg.name, v.parent_pkg.architecture) for v in installed)}
    native = apt_pkg.config["APT::Architecture"]
    with Path(apt_pkg.config["Dir::State::status"]).open() as status, (scratch / "status").open("w") as new:
        for section in apt_pkg.TagFile(status):
            arch = section.get("Architecture", native)
            if (section["Package"], native if arch == "all" else arch) not in gone:
                new.write(f"{str(section).strip()}\n\n")
        for version in installed:
            records.lookup(version.file_list[0])
            new.write(f"{records.record.strip()}\nStatus: install ok installed\n\n")
    pins = _pins(cache, installed)
    apt_pkg.config.set("Dir::State::status", f"{scratch}/status")
    apt_pkg.config.set("Dir::Cache::pkgcache", "")  # else the root's would be written anew for this status
    apt_pkg.init_system()
    return pins, removed


@contextlib.contextmanager
def _cross_solver(root: Json, scratch: Path) -> Iterator[None]:
    """Use sbuild's resolver for cross builds where it and apt-utils are installed, as sbuild itself does.

    It is a program that reads apt's configuration again, so it is given one of the root.
    """
    if _has_cross_solver():
        conf = scratch / "apt.conf"
        conf.write_text(f'Dir "{root["path"]}";\nAPT {{ Architecture "{root["arch"]}"; Install-Recommends "false"; }};\n')
        os.environ["APT_CONFIG"] = os.fspath(conf)
        apt_pkg.config.set("APT::Solver", CROSS_SOLVER)
    yield
    apt_pkg.config.clear("APT::Solver")


def _has_cross_solver() -> bool:
    return all(Path("/usr/lib/apt/solvers", name).exists() for name in (CROSS_SOLVER, "apt"))


def _wishes(cache: Any, depcache: Any, request: Json) -> list[Any]:
    """Give the packages to install, the wanted version of each made its candidate."""
    if request["dsc"]:
        return [cache[wanted.DUMMY, request["host"]]]
    packages = [_named(cache, depcache, name) for name in request["names"]]
    for deb in request["debs"]:
        with Path(deb).open("rb") as file:
            control = apt_pkg.TagSection(apt_inst.DebFile(file).control.extractdata("control"))
        arch = control["Architecture"]
        native = request["root"]["arch"]
        key = (control["Package"], native if arch == "all" else arch)
        if arch not in ("all", native, *request["root"]["foreign"]):
            raise Trouble("foreign", deb=deb, arch=arch, native=native)
        packages.append(_candidate(depcache, cache[key], control["Version"], control["Package"]))
    return packages


def _named(cache: Any, depcache: Any, wish: str) -> Any:
    """Give the package of NAME, NAME:ARCH or NAME=VERSION; for a virtual one its only provider, as apt-get has it."""
    name, _, version = wish.partition("=")
    name, _, arch = name.partition(":")
    key = (name, arch) if arch else name
    if key not in cache:
        raise Trouble("unknown", name=name, near=nearest(name, (p.name for p in cache.packages)))
    package = cache[key]
    if not package.has_versions:
        providers = {other.parent_pkg.get_fullname(pretty=True): other.parent_pkg for _, _, other in package.provides_list}
        if len(providers) != 1:
            near = sorted(providers) or nearest(name, (p.name for p in cache.packages if p.has_versions))
            raise Trouble("unknown", name=name, near=near)
        (package,) = providers.values()
    return _candidate(depcache, package, version, name) if version else package


def _candidate(depcache: Any, package: Any, version: str, name: str) -> Any:
    found = [v for v in package.version_list if v.ver_str == version]
    if not found:
        raise Trouble("version", name=name, version=version, versions=[v.ver_str for v in package.version_list])
    depcache.set_candidate_ver(package, found[0])
    return package


def _install(cache: Any, depcache: Any, packages: list[Any], *, automatic: bool, wish: str) -> None:
    """Do what `apt-get install` does between reading its arguments and asking."""
    wanted_versions = [depcache.get_candidate_ver(package) or package.version_list[0] for package in packages]
    resolver = apt_pkg.ProblemResolver(depcache)
    for package in packages:
        resolver.clear(package)
        resolver.protect(package)
    with apt_pkg.ActionGroup(depcache):
        # All are marked before the dependencies of any are looked at: one may be what another needs.
        for auto in (False, True) if automatic else (False,):
            for package in packages:
                depcache.mark_install(package, auto, True)  # noqa: FBT003 (python-apt takes no keyword)
    failed = ""
    try:
        resolver.resolve(True)  # noqa: FBT003 (python-apt takes no keyword)
    except apt_pkg.Error as problem:
        failed = str(problem)
    kept_out = [p for p in packages if not (depcache.marked_install(p) or depcache.marked_upgrade(p) or p.current_ver)]
    if failed or depcache.broken_count or kept_out:
        raise Trouble("dependency", **why_not(cache, wanted_versions), text=failed, wish=wish)


def _changes(cache: Any, depcache: Any) -> tuple[list[Any], set[Key]]:
    """Give the versions that would be installed, and the (name, architecture) of the packages that would be removed."""
    installed, removed = [], set()
    for package in cache.packages:
        if depcache.marked_keep(package):
            continue
        if depcache.marked_delete(package):
            removed.add((package.name, package.architecture))
        elif package.name != wanted.DUMMY:
            installed.append(depcache.get_candidate_ver(package))
    return installed, removed


def _pins(cache: Any, versions: list[Any]) -> dict[Key, Json]:
    """Give what is to be known of each version to download it, by (name, architecture) of its package."""
    sources = apt_pkg.SourceList()
    sources.read_main_list()
    records = apt_pkg.PackageRecords(cache)
    return {(v.parent_pkg.name, v.parent_pkg.architecture): pin(v, sources, records) for v in versions}


def pin(version: Any, sources: Any, records: Any) -> Json:
    """Tell of a version what its list does, and where it is to be had."""
    known = {"name": version.parent_pkg.name, "version": version.ver_str, "arch": version.arch, "size": version.size}
    for file in version.file_list:
        if file[0].not_source or not records.lookup(file):
            continue
        index = sources.find_index(file[0])
        uri = index.archive_uri(records.filename) if index else f"file:{file[0].filename}"
        if uri.startswith("file:") and Path(unquote(uri[5:])).is_file():  # libapt writes a version's ~ as %7e
            uri = f"copy:{unquote(uri[5:])}"
        if found := sha256(records.hashes):
            return {**known, "filename": records.filename, "sha256": found, "uri": uri}
        if uri.startswith("copy:"):
            with Path(uri[5:]).open("rb") as deb:
                return {**known, "filename": Path(uri[5:]).name, "sha256": apt_pkg.sha256sum(deb), "uri": uri}
    raise Trouble("unhashed", name=known["name"], version=known["version"])
