"""Clean systems on which somebody types what an archive's instructions say."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debkit.chroot import namespace, roots, store
from debkit.chroot.make import bootstrap_argv
from debkit.config import ChrootConfig
from debkit.model import ChrootKind, Target
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Processes

# A mirror's copy of sid may be some days behind, and its lists then past their day; what is tested is another archive's.
STALE = (
    "--aptopt=Acquire::Check-Valid-Until false",
    '--customize-hook=rm "$1/etc/apt/apt.conf.d/99mmdebstrap"',
    '--customize-hook=sed -i "s/^deb /deb [check-valid-until=no] /" "$1/etc/apt/sources.list"',
)
# In a clean root one is root already.
SUDO = 'sudo() { "$@"; }'
WRONG = re.compile(r"^([WEN]:|dpkg: (warning|error)|Configuration file|.*Conflicting values).*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Client:
    """A clean system, entered as its root; all that was typed there and what came of it is in `log`."""

    run: Processes
    root: Path
    log: list[str] = field(default_factory=list)

    def types(self, *lines: str, code: int = 0) -> str:
        """Type lines in a shell, saying yes to what is asked, and give what they print. They must end well, and in silence."""
        argv = namespace.inside(
            self.root, ("sh", "-ec", "\n".join((SUDO, *lines))), read_only=((roots.RESOLVER, os.fspath(roots.RESOLVER)),)
        )
        done = self.run(
            Command(
                argv=argv,
                stdin=b"y\n" * 9,
                env=(("DEBIAN_FRONTEND", "noninteractive"), ("HOME", "/root"), ("no_proxy", "127.0.0.1")),
                ok=frozenset(range(256)),
            )
        )
        self.log.append("\n".join((*(f"$ {line}" for line in lines), done.stdout)))
        told = "\n".join(self.log[-3:])
        assert done.code == code, told
        assert code or not WRONG.search(done.stdout), told
        return done.stdout

    def version(self, package: str) -> str:
        return self.types(f"dpkg-query --show --showformat '${{Version}}' {package}")


@contextlib.contextmanager
def clean(run: Processes, suite: str) -> Iterator[Client]:
    """A clean system of a suite; of sid it is made anew, with a mirror's word that is past its day."""
    spec = store.wanted(ChrootKind.CLEAN, Target(suite, "amd64"), ChrootConfig())
    if suite != "sid":
        with roots.opened(run, store.ensure(run, spec, config=ChrootConfig())) as root:
            yield Client(run, root)
        return
    with namespace.scratch(run, "sid") as directory:
        tarball, root = directory / "sid.tar", directory / "root"
        program, *words = bootstrap_argv(spec, tarball)
        run(Command(argv=namespace.as_root((program, *STALE, *words)), env=(("TMPDIR", os.fspath(directory)),)))
        root.mkdir(mode=0o755)
        namespace.unpack(run, tarball, root)
        yield Client(run, root)
