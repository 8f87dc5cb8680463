"""A small signed repository with a package for each riddle that isolated apt is set."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import TYPE_CHECKING

from tests.archives import index, make_source, sign

if TYPE_CHECKING:
    from pathlib import Path

    from debkit import apt
    from tests.archives import Site

PACKAGES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("greeter", "1.0", "amd64", {"Depends": "libgreet (>= 1.0)", "Recommends": "greeter-doc"}),
    ("greeter", "1.1", "arm64", {"Depends": "libgreet (>= 1.0)"}),
    ("greeter-doc", "1.0", "all", {}),
    ("libgreet", "1:1.2", "amd64", {"Multi_Arch": "same"}),
    ("libgreet", "1:1.2", "arm64", {"Multi_Arch": "same"}),
    ("build-essential", "1", "all", {}),
    ("fakeroot", "1", "all", {}),
    ("editor-a", "1", "all", {"Provides": "editor"}),
    ("editor-b", "1", "all", {"Provides": "editor"}),
    ("only-i386-tool", "1", "i386", {}),
    ("grumpy", "1", "all", {"Conflicts": "libgreet"}),
    ("deep", "1", "all", {"Depends": "deeper"}),
    ("deeper", "2", "all", {"Depends": "libgreet (>= 2:0)"}),
    ("base", "2", "all", {"Depends": "base-data"}),
    ("base-data", "2", "all", {}),
    ("mock-tool", "1", "all", {"Conflicts": "other"}),
)

STATUS = """\
Package: base
Status: install ok installed
Version: 1
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: base

Package: other
Status: install ok installed
Version: 1
Architecture: all
Maintainer: Test Writer <test@example.org>
Description: other
"""


@dataclasses.dataclass(frozen=True)
class World:
    """A repository, where it is served, its key, and another key that signs nothing."""

    site: Site
    home: Path
    keyring: Path
    stranger: Path

    @property
    def pool(self) -> Path:
        return self.site.root / "pool"

    @property
    def sources(self) -> str:
        return f"Types: deb\nURIs: {self.site.url}\nSuites: stable\nComponents: main\nTrusted: yes\nAllow-Insecure: yes\n"

    def publish(self) -> None:
        """Make the indices anew, each later than the last by HTTP's clock, which counts whole seconds."""
        past = [path.stat().st_mtime for path in self.site.root.rglob("InRelease")]
        index(self.site.root)
        sign(self.site.root, self.home)
        moment = max(past) + 2 if past else time.time() - 3600
        for path in self.site.root.rglob("*"):
            if path.is_file() and self.pool not in path.parents:
                os.utime(path, (moment, moment))


def dsc(tmp_path: Path, **fields: str) -> Path:
    return make_source(tmp_path, "thing", "1", **fields)


def names(solution: apt.Solution) -> list[str]:
    return [pin.name for pin in solution.install]
