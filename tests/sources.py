"""Sources opened in a project of their own, and what of them and of their trees can be compared."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from debkit.run import Command, Processes
from debkit.source import Draft, describe, foresee, open_source
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import Source
    from debkit.run import Completed


class Opener:
    """Opens sources in one project and staging directory, and keeps what was run for it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.ran: list[Completed] = []
        self.run = Processes(self.ran.append)

    def __call__(
        self, where: Path | str, *, suite: str = "trixie", first: bool = True, fetch: Callable[[str], Path] | None = None
    ) -> Source:
        staging = self.config.dist / "source"
        return open_source(self.run, f"{where}", suite=suite, first_suite=first, config=self.config, staging=staging, fetch=fetch)

    def draft(self, where: Path) -> Draft:
        """What a dry run would tell."""
        draft = describe(self.run, f"{where}", suite="trixie", config=self.config, staging=self.config.dist / "source")
        assert draft
        return draft

    def orig(self, where: Path) -> str:
        """What a plan tells of the upstream tarball."""
        staging = self.config.dist / "source"
        found = foresee(self.run, f"{where}", suite="trixie", first_suite=True, config=self.config, staging=staging)[1]
        assert found
        return found.told

    def version(self, where: Path) -> str:
        return self.draft(where).version

    def packed(self) -> int:
        """How often dpkg-source made a source package."""
        return sum(done.command.argv[:2] == ("dpkg-source", "--build") for done in self.ran)


def sums(source: Source) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in source.dsc.parent.iterdir()}


def state(tree: Path) -> dict[str, tuple[int, int, bytes]]:
    """All there is to know of a directory, that of git too."""
    return {
        f"{path}": (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (tree, *tree.rglob("*"))
    }


def edit(path: Path, text: str = "\n/* edited */\n") -> None:
    with path.open("a") as stream:
        stream.write(text)


def make_tested(tree: Path, control: str, tests: Mapping[str, str]) -> Path:
    """Make hello-debkit with a debian/tests/control, unless it is empty, and shell scripts as its tests; give the .dsc."""
    make_tree(tree, kind="all")
    if control:
        (tree / "debian/tests").mkdir()
        (tree / "debian/tests/control").write_text(control)
    for name, text in tests.items():
        (tree / "debian/tests" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tree / "debian/tests" / name).chmod(0o755)
    Processes()(Command(argv=("dpkg-source", "--build", tree.name), cwd=tree.parent))
    return tree.parent / "hello-debkit_1.0.dsc"


def make_old_format(path: Path) -> Path:
    tree = make_tree(path, native=False, distribution="unstable")
    (tree / "debian/source/format").write_text("1.0\n")
    return tree
