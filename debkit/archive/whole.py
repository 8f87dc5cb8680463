"""Whether the archive can be shown to clients: signed by keys that they have, and all there that its indices name."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from debkit.archive import client, snapshots
from debkit.archive.conf import exported_suites
from debkit.archive.index import listed
from debkit.errors import ArchiveError
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.run import Run


def demand_whole(run: Run, config: Config) -> None:
    """Check every suite as a client would that knows the archive's keyring alone. The archive's lock must be held.

    Of the pool's files only that they are there: to read them all may take minutes. Raises ArchiveError.
    """
    suites = exported_suites(config)
    if not suites:
        raise ArchiveError(
            f"{config.repo} is empty", cause="nothing was ever published into it", hint="debkit build, or: debkit repo onboard"
        )
    problems = [problem for suite in suites for problem in _problems(run, config, suite)]
    if problems:
        raise ArchiveError(
            f"{config.repo} is not whole", cause="\n".join(problems[:9]), hint="debkit repo verify"
        )


def _problems(run: Run, config: Config, suite: str) -> Iterator[str]:
    directory = config.repo / "dists" / suite
    keyring = os.fspath(client.keyring_file(config).resolve())
    for names in (("InRelease",), ("Release.gpg", "Release")):
        try:
            run(Command(argv=("gpgv", "--quiet", "--keyring", keyring, *(os.fspath(directory / name) for name in names))))
        except CommandFailed as failed:
            yield f"{directory / names[0]}: {failed.cause.splitlines()[-1]}"
    yield from _unlike(directory)
    yield from (f"{name} is missing" for name in sorted(snapshots.files(directory)) if not (config.repo / name).exists())


def _unlike(directory: Path) -> Iterator[str]:
    """Tell the indices that are not what the suite's Release file says."""
    for sha256, name in listed((directory / "Release").read_text(encoding="utf-8")):
        file = directory / name
        # reprepro also lists the uncompressed form of an index that it writes compressed only.
        if not file.exists() and file.with_name(f"{file.name}.gz").exists():
            continue
        for path in (file, file.parent / "by-hash/SHA256" / sha256):
            if not path.exists():
                yield f"{path} is missing"
            elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                yield f"{path} is not what is signed"
