"""Publish a signed upload: all architectures in one go, one export of the index, or nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from debkit.archive import conf, front, retention, transaction
from debkit.archive.change import DATABASE, change, demand_database, keep_current, working
from debkit.archive.front.ahead import Ahead
from debkit.archive.judge import Stock, judge
from debkit.archive.lock import WAIT_SECONDS, opened
from debkit.archive.upload import read_upload
from debkit.console import Quiet
from debkit.errors import ArchiveError, DebkitError, Interrupted
from debkit.model import Published
from debkit.run import require_tool
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debkit.archive.judge import Include, Upload
    from debkit.archive.reprepro import Reprepro
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
    if not transaction.pending(config.repo):
        demand_database(config.repo)


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
    """Put one upload into the archive: `publish_all` tells how."""
    read = read_upload(run, upload.changes)
    (published,) = publish_all(run, config, (read,), keys, suite=upload.suite, progress=progress, wait=wait)
    return published


def publish_all(
    run: Run,
    config: Config,
    uploads: tuple[Upload, ...],
    keys: Keys,
    *,
    suite: str = "",
    progress: Progress = QUIET,
    wait: float = WAIT_SECONDS,
) -> tuple[Published, ...]:
    """Put signed uploads into the archive, all or none of them, and beside it what clients need: keys, .sources, front page.

    They are as `read_upload` gives them, and go into `suite`, or each into the one that its distribution means; a suite's index
    is written once. The same again changes nothing. `wait` is in seconds, for another run to let go of the archive. Raises
    ArchiveConflict for the same version with other content, ArchiveError, ConfigError or LockedError, each of which leaves the
    archive as it was.
    """
    choose = cache(partial(conf.choose_suite, config, suite))
    ours = tuple(replace(upload, suite=choose(upload.distribution)) for upload in uploads)
    demand(config, ours)
    name = f"{ours[0].source} {ours[0].version}" if len(ours) == 1 else f"{len(ours)} uploads"
    with (
        working(run, config, keys, what=f"publishing {name}", progress=progress, wait=wait) as archive,
        Ahead(config.repo) as ahead,
    ):
        progress.phase(f"publishing {name}")
        taken, there = take_in(archive, ours, ahead)
        for codename in sorted({upload.suite for upload in ours} - {upload.suite for upload in taken}):
            keep_current(archive, codename)
        front.write(config, keys, ahead.read_news)
        _prune(archive, config, progress)
    return tuple(_published(upload, there[upload.suite], keys, unchanged=upload not in taken) for upload in ours)


def _prune(archive: Reprepro, config: Config, progress: Progress) -> None:
    """Remove old states where there are many. What is published counts though that fails; the next publish tries it again."""
    keep, grace = config.archive.keep, config.archive.grace
    if not retention.is_due(config.repo, keep=keep, grace=grace):
        return
    progress.phase("removing what only old states have")
    try:
        retention.prune(archive, keep=keep, grace=grace)
    except Interrupted:
        raise
    except (DebkitError, OSError) as failure:
        progress.phase(f"old states stay, try debkit repo prune: {failure}")


def demand(config: Config, uploads: tuple[Upload, ...]) -> None:
    """Check that the archive has what the uploads are for. Raises ConfigError."""
    for suite in dict.fromkeys(upload.suite for upload in uploads):
        there = [upload for upload in uploads if upload.suite == suite]
        conf.demand(config, suite, tuple(dict.fromkeys(arch for upload in there for arch in upload.arches)))
        for distribution in dict.fromkeys(upload.distribution for upload in there):
            conf.demand_distribution(config, suite, distribution)


def look(archive: Reprepro, uploads: tuple[Upload, ...]) -> dict[str, Stock]:
    """Read what each of the uploads' suites has, at least of what concerns them; nothing where there is no database yet."""
    names: dict[str, set[str]] = {}
    for upload in uploads:
        names.setdefault(upload.suite, set()).update(upload.names)
    has_database = (archive.base / DATABASE).exists()
    return {suite: Stock(archive.listing_of(suite, frozenset(names[suite])) if has_database else ()) for suite in names}


def _published(upload: Upload, stock: Stock, keys: Keys, *, unchanged: bool) -> Published:
    debs = [entry for entry in stock.of(upload) if entry.type == "deb"]
    return Published(
        suite=upload.suite,
        source=upload.source,
        version=upload.version,
        arches=tuple(sorted({entry.arch for entry in debs})),
        packages=tuple(sorted({entry.package for entry in debs})),
        unchanged=unchanged,
        signer=keys.archive.fingerprint,
    )


def take_in(
    archive: Reprepro, uploads: tuple[Upload, ...], ahead: Ahead | None = None
) -> tuple[frozenset[Upload], dict[str, Stock]]:
    """Include what is not there yet, and see that everything is then; give which uploads that were, and what is there.

    Whatever goes wrong or interrupts leaves the archive as it was. `ahead` begins while the indices are written.
    """
    stocks = look(archive, uploads)
    rounds = apart(uploads)
    if len(rounds) == 1 and not _judged(archive, uploads, stocks):
        return frozenset(), stocks
    before = stocks
    taken: set[Upload] = set()
    alone = len(uploads) == 1  # which reprepro takes in whole or not at all; of several, clients see nothing until all are in
    with change(archive) as made:
        for together in rounds:
            includes = _judged(archive, together, look(archive, together) if taken else before)
            _include(archive, includes, export=alone)
            taken |= set(includes)
        stocks = look(archive, uploads)
        _demand_all(archive, uploads, stocks)
        if ahead:
            ahead.begin(stocks[upload.suite].of(upload) for upload in taken)
        for suite in sorted({upload.suite for upload in taken}):
            if not alone:
                archive.export(suite)
            detail = ", ".join(
                f"{upload.source} {upload.version}" for upload in uploads if upload in taken and upload.suite == suite
            )
            made.tell(suite, "publish", detail, before=before[suite].entries, after=stocks[suite].entries)
    return frozenset(taken), stocks


def _judged(archive: Reprepro, uploads: tuple[Upload, ...], stocks: dict[str, Stock]) -> dict[Upload, Include]:
    """Say which of the uploads are to be included, and what of them."""
    judged = ((upload, judge(upload, stocks[upload.suite].concerning(upload, archive.base))) for upload in uploads)
    return {upload: include for upload, include in judged if include}


def _include(archive: Reprepro, includes: dict[Upload, Include], *, export: bool) -> None:
    """Have reprepro take in uploads of different sources; what is whole goes in at once."""
    for suite in sorted({upload.suite for upload in includes}):
        whole = [upload for upload, include in includes.items() if upload.suite == suite and not include.arches]
        if len(whole) > 1:
            archive.include_all(suite, tuple(path for upload in whole for path in upload.paths))
        for upload, include in includes.items():
            if upload.suite == suite and (include.arches or len(whole) == 1):
                archive.include(suite, upload.changes, include.arches, export=export)


def apart(uploads: tuple[Upload, ...]) -> list[tuple[Upload, ...]]:
    """Part uploads into rounds, in their order, each of which has a source and a file name once: one follows upon another."""
    rounds: list[list[Upload]] = []
    seen: list[set[tuple[str, str]]] = []
    for upload in uploads:
        names = {(upload.suite, name) for name in (upload.source, upload.changes.name, *(file.name for file in upload.files))}
        last = max((number for number, known in enumerate(seen) if known & names), default=-1)
        if last + 1 == len(rounds):
            rounds.append([])
            seen.append(set())
        rounds[last + 1].append(upload)
        seen[last + 1] |= names
    return [tuple(one) for one in rounds]


def _demand_all(archive: Reprepro, uploads: tuple[Upload, ...], stocks: dict[str, Stock]) -> None:
    """Check that everything is in, but for versions that later ones replace: what reprepro skips, it skips with success."""
    last = {(upload.suite, upload.source): upload.version for upload in uploads}
    for upload in uploads:
        if upload.version != last[upload.suite, upload.source]:
            continue
        there = {(entry.package, entry.version) for entry in stocks[upload.suite].of(upload)}
        lacking = sorted(deb.package for deb in upload.debs if (deb.package, deb.version) not in there)
        if lacking:
            raise ArchiveError(
                f"reprepro left out {', '.join(lacking)}",
                cause="it did not say why",
                hint=f"reprepro --basedir {archive.base} list {upload.suite}",
            )
