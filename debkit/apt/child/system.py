"""Make libapt see one root and nothing else of this machine."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import apt_pkg

from debkit.apt.root import LISTS, SOURCES, lock_of

Json = dict[str, Any]

# Of the chroot's own configuration: what would start its programs on this machine, lead out of the root, or ask for more lists.
DROPPED = (
    "APT::Update", "DPkg", "RootDir", "Dir::Bin", "APT::Sources::With", "APT::Solver", "APT::Planner", "APT::Architectures",
    "Acquire::Languages", "Acquire::IndexTargets::deb", "Acquire::IndexTargets::deb-src",
    "Acquire::http::Proxy-Auto-Detect", "Acquire::http::ProxyAutoDetect",
    "Acquire::https::Proxy-Auto-Detect", "Acquire::https::ProxyAutoDetect",
)  # fmt: skip
# Nothing is installed. What libapt makes of that is not kept, or it would take the place of what it makes of the root's status.
NOTHING = {"Dir::State::status": "/dev/null", "Dir::State::extended_states": "/dev/null", "Dir::Cache::pkgcache": ""}
TARGETS = {"deb": ("Packages", "binary-$(ARCHITECTURE)", "$(ARCHITECTURE) "), "deb-src": ("Sources", "source", "")}


class Trouble(Exception):
    """Something that the caller puts into words; `about` is the answer's error."""

    def __init__(self, kind: str, **about: object) -> None:
        super().__init__(kind)
        self.about = {"kind": kind, **about}


def enter(request: Json, *, kind: str = "deb", alone: bool = False) -> None:
    """Configure libapt for the request's root and lock its lists: readers beside each other, a refreshing alone.

    The lock is held to the end of the process, since libapt reads from the lists at any time.
    """
    configure(request, kind)
    lock = os.open(lock_of(Path(request["root"]["path"]), kind), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)


def configure(request: Json, kind: str = "deb") -> None:
    """Read the root's own apt.conf.d as the chroot would, not the machine's, and then fix what must not vary."""
    root = request["root"]
    config = apt_pkg.config
    config.set("Dir", root["path"])
    apt_pkg.init_config()
    for name in DROPPED:
        config.clear(name)
    settings = {
        **_places(root["path"], kind),
        **_rules(root["arch"]),
        **_index_target(kind),
        **(NOTHING if root["empty"] else {}),
    }
    for name, value in settings.items():
        config.set(name, value)
    for name, value in (*request["settings"], *(("APT::Architectures::", arch) for arch in (root["arch"], *root["foreign"]))):
        config.set(name, value)
    apt_pkg.init_system()


def sha256(hashes: Any) -> str:
    """Give the SHA-256 of python-apt's list of hashes, or nothing."""
    try:
        return str(hashes.find("SHA256").hashvalue)
    except KeyError:
        return ""


def _places(path: str, kind: str) -> dict[str, str]:
    return {
        "Dir": path,
        "Dir::Etc": "etc/apt",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": f"{path}/{SOURCES[kind]}",
        "Dir::Etc::trusted": "trusted.gpg",
        "Dir::Etc::trustedparts": "trusted.gpg.d",
        "Dir::State": "var/lib/apt",
        "Dir::State::lists": f"{path}/{LISTS[kind]}",
        "Dir::State::status": f"{path}/var/lib/dpkg/status",
        "Dir::State::extended_states": f"{path}/var/lib/apt/extended_states",
        "Dir::Cache": "var/cache/apt",
        "Dir::Cache::archives": "archives/",
        "Dir::Cache::pkgcache": "pkgcache.bin",
        "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
        "Dir::Bin::methods": "/usr/lib/apt/methods",
        "Dir::Bin::dpkg": "/usr/bin/dpkg",
        "Dir::Bin::solvers::": "/usr/lib/apt/solvers",
    }


def _rules(arch: str) -> dict[str, str]:
    return {
        "APT::Architecture": arch,
        "APT::Sandbox::User": "root",  # the user _apt cannot enter a private cache, and an unprivileged caller cannot become it
        "APT::Install-Recommends": "false",
        "APT::Install-Suggests": "false",
        "Acquire::Languages": "none",
        "Acquire::PDiffs": "false",
        "Acquire::Retries": "3",
        "Acquire::AllowInsecureRepositories": "false",
        "Acquire::AllowWeakRepositories": "false",
        "Acquire::AllowDowngradeToInsecureRepositories": "false",
        "Acquire::http::Proxy::localhost": "DIRECT",
        "Acquire::http::Proxy::127.0.0.1": "DIRECT",
    }


def _index_target(kind: str) -> dict[str, str]:
    """Give libapt's own default for Packages or Sources. The chroot's configuration may ask for translations, contents, icons…"""
    name, place, arch = TARGETS[kind]
    target = f"Acquire::IndexTargets::{kind}::{name}"
    return {
        f"{target}::MetaKey": f"$(COMPONENT)/{place}/{name}",
        f"{target}::flatMetaKey": name,
        f"{target}::ShortDescription": name,
        f"{target}::Description": f"$(RELEASE)/$(COMPONENT) {arch}{name}",
        f"{target}::flatDescription": f"$(RELEASE) {name}",
        f"{target}::Optional": "false",
    }
