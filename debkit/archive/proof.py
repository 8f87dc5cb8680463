"""The proof: what apt sees that knows only the archive's key, and a clean system that installs from the archive and runs it."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from debkit import accel, apt
from debkit.apt.model import Untrusted
from debkit.archive import client
from debkit.archive.index import read_index
from debkit.archive.serving.serve import served
from debkit.archive.trial import Root, install_and_run
from debkit.chroot import roots, store
from debkit.console import Quiet
from debkit.errors import ArchiveError
from debkit.model import ChrootKind, Sighting
from debkit.run import temporary

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.archive.index import Line
    from debkit.config import Config
    from debkit.console import Progress
    from debkit.model import Published, Target
    from debkit.run import Run

QUIET = Quiet()
LISTS = "var/lib/apt/lists"


def prove(
    run: Run,
    config: Config,
    published: Published,
    *,
    target: Target,
    by: accel.Accelerator | None = None,
    progress: Progress = QUIET,
) -> Sighting:
    """See a published version through apt for one target, install it on a clean system, and run its programs there.

    A foreign system is accelerated `by` something or emulated; the package's own programs are always emulated there. The archive
    is served over http on the loopback. Writes DIST/SUITE/ARCH/install.log. Raises ArchiveError when apt sees something else than
    was published, when it does not install, or when no program of a package starts.
    """
    started = time.monotonic()
    expected = expected_packages(config.repo, published, target)
    log = config.dist / target.suite / target.arch / "install.log"
    log.unlink(missing_ok=True)
    with served(config.repo) as site:
        progress.phase(f"looking at the archive as an {target.arch} client")
        see(run, config, published, target=target, url=site.url, expected=expected)
        spec = store.wanted(ChrootKind.CLEAN, target, config.chroot)
        with (
            accel.opened(run, spec, by=by, config=config.chroot, progress=progress) as chroot,
            roots.opened(run, chroot) as path,
        ):
            root = Root(path=path, toolbox=chroot.toolbox)
            lend_lists(store.apt_root(chroot).path, path)
            add_archive(path, config, client.sources_text(config, published.suite, site.url))
            wanted = tuple(line for line in expected if not line.package.endswith("-dbgsym"))
            ran = install_and_run(run, root, wanted, target=target, log=log, progress=progress)
            demand_from_here(wanted, frozenset(site.asked), target=target, log=log)
    return Sighting(
        target=target,
        packages=tuple(line.package for line in expected),
        version=published.version,
        installed=True,
        seconds=time.monotonic() - started,
        ran=ran,
    )


def expected_packages(base: Path, published: Published, target: Target) -> tuple[Line, ...]:
    """Read from the index which packages of the version there are for a target; what apt makes of it is another question."""
    found = tuple(
        line
        for line in read_index(base, published.suite, target.arch)
        if (line.source, line.source_version) == (published.source, published.version)
    )
    if not found:
        raise ArchiveError(
            f"the archive has no package of {published.source} {published.version} for {target}",
            cause=f"it was published for {', '.join(published.arches)}",
            hint=f"make deb ARCH={target.arch}",
        )
    return found


def see(run: Run, config: Config, published: Published, *, target: Target, url: str, expected: tuple[Line, ...]) -> None:
    """Look with an apt that knows nothing but this archive and its key."""
    with temporary("debkit-client.") as directory:
        root = apt.make(
            directory / "root",
            arch=target.arch,
            sources=client.sources_text(config, published.suite, url),
            keyring=client.keyring_file(config),
        )
        try:
            apt.update(run, root)
        except Untrusted as problem:
            raise ArchiveError(
                f"a client of {target} does not trust the archive: {problem.what}",
                cause=problem.cause,
                hint=f"gpg --show-keys {client.keyring_file(config)}",
            ) from problem
        for line in expected:
            versions = apt.seen(run, root, line.package)
            if versions != (line.version,):
                raise ArchiveError(
                    f"a client of {target} does not see {line.package} {line.version}",
                    cause=f"it sees {', '.join(versions) or 'no version of it'}",
                    hint=f"reprepro --basedir {config.repo} list {published.suite} {line.package}",
                )


def lend_lists(client: Path, root: Path) -> None:
    """Give a clean root the package lists that are at hand; its own apt-get verifies them and fetches only what is new.

    Emulated, it takes a minute to fetch and unpack them itself.
    """
    for file in (client / LISTS).iterdir():
        if file.name.endswith(("InRelease", "Packages")):
            (root / LISTS).mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, root / LISTS / file.name)


def add_archive(root: Path, config: Config, sources: str) -> None:
    """Do in a clean root what an end user does: the keyring and the .sources file.

    The suite's own sources are put after it, because of two files for one version apt takes the first.
    """
    lists = root / client.SOURCES[1:]
    lists.mkdir(parents=True, exist_ok=True)
    for old in sorted(lists.iterdir()):
        old.rename(lists / f"zz-{old.name}")
    if (root / "etc/apt/sources.list").exists():
        (root / "etc/apt/sources.list").rename(lists / "zz-sources.list")
    keyring = root / client.KEYRINGS[1:] / client.keyring_name(config)
    keyring.parent.mkdir(parents=True, exist_ok=True)
    for file, content in (
        (keyring, client.keyring_file(config).read_bytes()),
        (lists / f"{config.archive.name}.sources", sources.encode()),
    ):
        file.write_bytes(content)
        file.chmod(0o644)


def demand_from_here(wanted: tuple[Line, ...], asked: frozenset[str], *, target: Target, log: Path) -> None:
    """Check that each package was downloaded from the archive: the suite may have the very same version."""
    missing = [line.package for line in wanted if line.file not in asked]
    if missing:
        raise ArchiveError(
            f"{', '.join(missing)} did not come from the archive on a clean {target}",
            cause="another repository of that system has the same version",
            hint="raise the version: dch --increment",
            log=log,
        )
