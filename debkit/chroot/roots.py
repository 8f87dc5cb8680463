"""Unpacked roots: a fresh one to write in, or a cached one with native Debian tools to run from, unprivileged both."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.chroot import cache, make, namespace, store
from debkit.model import ChrootKind, ChrootSpec, Target
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.config import ChrootConfig
    from debkit.console import Progress
    from debkit.model import Chroot, Toolbox
    from debkit.run import Run


RESOLVER = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class ToolRoot:
    """A root that many may use at once, since nobody can write to it."""

    path: Path

    def versions(self, packages: tuple[str, ...]) -> dict[str, str]:
        """Give the versions of these packages in it."""
        there = store.installed(self.path)
        return {name: there[name] for name in packages if name in there}

    def argv(
        self,
        argv: tuple[str, ...],
        *,
        binds: tuple[tuple[Path, str], ...] = (),
        read_only: tuple[tuple[Path, str], ...] = (),
        network: bool = False,
        toolbox: Toolbox | None = None,
        at: str = "",
    ) -> tuple[str, ...]:
        """Wrap `argv` to run in it as its root; `binds` and `read_only` are (outer path, inner path).

        Inner paths lie under /tmp, /var/tmp, /run, /mnt, /srv or /root: these are empty and private, in memory, and gone
        afterwards. Everything else is read-only. HOME is /root, and TMPDIR is not set. With a toolbox, seen `at` such a path, the
        programs of foreign roots that `argv` enters are started by its dispatcher.
        """
        names = ((RESOLVER, os.fspath(RESOLVER)),) if network and RESOLVER.exists() else ()
        return namespace.inside(
            self.path, argv, binds=binds, read_only=(*read_only, *names), network=network, sealed=True, toolbox=toolbox, at=at
        )


@contextlib.contextmanager
def opened(run: Run, chroot: Chroot) -> Iterator[Path]:
    """Unpack a chroot into a directory that may be written to, and that is gone at the end. Enter it with `namespace.inside`."""
    with namespace.scratch(run, "root") as work:
        root = work / "root"
        root.mkdir(mode=0o755)
        with store.held(chroot):
            namespace.unpack(run, chroot.tarball, root)
        yield root


@contextlib.contextmanager
def tools(
    run: Run,
    suite: str,
    packages: tuple[str, ...],
    *,
    config: ChrootConfig,
    refresh: bool = False,
    progress: Progress = store.QUIET,
) -> Iterator[ToolRoot]:
    """Have a root of `suite`, of this machine's own architecture, with `packages` and what they depend on.

    Cached under $XDG_CACHE_HOME/debkit/tools/ and made anew when it is older than `config.max_age`, like a chroot, and it
    raises what `store.ensure` does. While in use it is not removed.
    """
    native = run(Command(argv=("dpkg", "--print-architecture"))).stdout.strip()
    spec = ChrootSpec(
        kind=ChrootKind.TOOLS,
        target=Target(suite, native),
        mirror=config.mirror,
        components=config.components,
        packages=tuple(sorted(set(packages))),
    )
    entry = store.kept(run, "tools", spec, make_tools, config=config, refresh=refresh, progress=progress)
    with cache.held(entry.content):
        yield ToolRoot(entry.content)


def make_tools(run: Run, spec: ChrootSpec, stem: Path, log: Path, progress: Progress) -> tuple[Path, int]:
    """Make a tarball and keep it unpacked."""
    progress.phase(f"making a root of {spec.target} with {', '.join(spec.packages)}")
    temporary = stem.with_name(f"{stem.name}.new")
    with namespace.scratch(run, "tools") as work:
        tarball = work / "tools.tar"
        make.bootstrap(run, spec, tarball, work=work, log=log, progress=progress)
        temporary.mkdir(mode=0o755)
        namespace.unpack(run, tarball, temporary)
    (temporary / "etc/resolv.conf").touch()  # to bind the machine's onto
    count = len(store.installed(temporary))
    temporary.rename(stem)
    return stem, count
