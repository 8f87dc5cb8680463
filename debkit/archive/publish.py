"""Publish a signed upload: all architectures in one go, one export of the index, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.archive import client, conf, transaction
from debkit.archive.index import is_current
from debkit.archive.judge import Deb, Held, Upload, judge
from debkit.archive.lock import WAIT_SECONDS, locked, opened
from debkit.archive.reprepro import Reprepro
from debkit.console import Quiet
from debkit.errors import ArchiveError
from debkit.keys import unsigned_text
from debkit.model import FileRef, Published
from debkit.run import Command, require_tool
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from debkit.archive.judge import Include
    from debkit.archive.reprepro import Entry
    from debkit.config import Config
    from debkit.console import Progress
    from debkit.keys import Keys
    from debkit.model import SignedUpload, SigningKey, Source, Target
    from debkit.run import Run

QUIET = Quiet()


def require(config: Config, targets: tuple[Target, ...]) -> None:
    """Check, before anything is built, that the archive can take packages for these targets.

    Raises ConfigError, MissingTool, ArchiveError, DiskError.
    """
    require_tool("reprepro")
    for suite in dict.fromkeys(target.suite for target in targets):
        conf.demand(config, suite, tuple(target.arch for target in targets if target.suite == suite))
    opened(config.repo).close()


def require_upload(config: Config, sources: Mapping[str, Source], key: SigningKey) -> None:
    """Check, before anything is built, that these sources' uploads by this key would be taken; `sources` is by suite."""
    for suite, source in sources.items():
        conf.demand_upload(config, suite, read_changes(source.changes).distribution, key)


def publish(
    run: Run,
    config: Config,
    upload: SignedUpload,
    keys: Keys,
    *,
    progress: Progress = QUIET,
    wait: float = WAIT_SECONDS,
) -> Published:
    """Put an upload into the archive, and its public key and .sources file beside it.

    The same again changes nothing. `wait` is in seconds, for another run to let go of the archive. Raises ArchiveConflict for the
    same version with other content, ArchiveError, ConfigError or LockedError, each of which leaves the archive as it was.
    """
    require_tool("reprepro")
    ours = read_upload(run, upload)
    conf.demand(config, upload.suite, ours.arches)
    with (
        locked(config.repo, what=f"publishing {ours.source} {ours.version}", progress=progress, wait=wait),
        conf.effective(config, keys) as directory,
    ):
        archive = Reprepro(run=run, base=config.repo, conf=directory, keys=keys)
        recover(archive, progress)
        held = look(archive, ours)
        include = judge(ours, held)
        if include is None:
            _refresh(archive, ours.suite, held.entries)
        else:
            progress.phase(f"publishing {ours.source} {ours.version}")
            _take_in(archive, ours, upload.changes, include)
        client.write(config, tuple(conf.read_suites(config)), keys)
        entries = archive.listing(ours.suite)
    return Published(
        suite=ours.suite,
        source=ours.source,
        version=ours.version,
        arches=tuple(sorted({entry.arch for entry in _of(ours, entries) if entry.type == "deb"})),
        packages=tuple(sorted({entry.package for entry in _of(ours, entries) if entry.type == "deb"})),
        unchanged=include is None,
        signer=keys.archive.fingerprint,
    )


def read_upload(run: Run, upload: SignedUpload) -> Upload:
    """Read what counts of an upload, each package's name and version from the package itself."""
    changes = read_changes(upload.changes)
    debs = [_read_deb(run, upload.changes.parent, file) for file in changes.files if file.name.endswith((".deb", ".udeb"))]
    dsc = next((file for file in changes.files if file.name.endswith(".dsc")), None)
    if dsc is None or not debs:
        raise ArchiveError(
            f"{upload.changes.name} has no {'packages' if dsc else 'source'}",
            cause="a version is published with its source and its packages",
            hint=f"less {upload.changes}",
        )
    return Upload(
        suite=upload.suite,
        source=changes.source,
        version=changes.version,
        debs=tuple(debs),
        dsc_name=dsc.name,
        dsc=unsigned_text((upload.changes.parent / dsc.name).read_text(encoding="utf-8")),
        sources=tuple(file for file in changes.files if ".tar." in file.name or ".diff." in file.name),
    )


def _read_deb(run: Run, directory: Path, file: FileRef) -> Deb:
    shown = run(
        Command(argv=("dpkg-deb", "--show", "--showformat", r"${Package} ${Version} ${Architecture}\n", file.name), cwd=directory)
    )
    package, version, arch = shown.stdout.split()
    return Deb(package=package, version=version, arch=arch, file=file)


def look(archive: Reprepro, ours: Upload) -> Held:
    """Read what the archive has, once leftovers that nothing refers to are out of the way."""
    if (archive.base / "db").exists():
        archive.tidy()
    pool = archive.checksums()
    dsc = next((path for path in pool if path.endswith(f"/{ours.source}/{ours.dsc_name}")), None)
    text = unsigned_text((archive.base / dsc).read_text(encoding="utf-8")) if dsc else None
    return Held(entries=archive.listing(ours.suite), pool=pool, dsc=text)


def recover(archive: Reprepro, progress: Progress) -> None:
    """Undo what a killed run has begun, and export what it may have exported half."""
    if not transaction.pending(archive.base):
        return
    progress.phase("undoing what an interrupted run has begun")
    transaction.undo(archive.base)
    transaction.forget_strays(archive.base, frozenset(archive.checksums(cleanup=True)))
    for dist in sorted((archive.base / "dists").glob("*")):
        if dist.is_dir() and not dist.is_symlink():
            _refresh(archive, dist.name, archive.listing(dist.name, cleanup=True))


def _take_in(archive: Reprepro, ours: Upload, changes: Path, include: Include) -> None:
    """Include, and see that everything is there; whatever goes wrong or interrupts leaves the archive as it was."""
    transaction.begin(archive.base)
    try:
        archive.include(ours.suite, changes, include.arches)
        _demand_all(archive, ours)
        transaction.commit(archive.base)
    except BaseException:
        recover(archive, QUIET)
        raise
    archive.tidy()


def _demand_all(archive: Reprepro, ours: Upload) -> None:
    """Check that everything of the upload is in: what reprepro skips, it skips with success."""
    there = {(entry.package, entry.version) for entry in _of(ours, archive.listing(ours.suite))}
    lacking = sorted(deb.package for deb in ours.debs if (deb.package, deb.version) not in there)
    if lacking:
        raise ArchiveError(
            f"reprepro left out {', '.join(lacking)}",
            cause="it did not say why",
            hint=f"reprepro --basedir {archive.base} list {ours.suite}",
        )


def _refresh(archive: Reprepro, suite: str, entries: tuple[Entry, ...]) -> None:
    """Export a suite's index where it is not what the database says, or not signed by the archive's key."""
    if not is_current(archive.base, suite, entries, archive.keys.signers):
        archive.export(suite, cleanup=True)


def _of(ours: Upload, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if (entry.source, entry.source_version) == (ours.source, ours.version))
