"""Whether what clients see of the archive is whole: signed by keys that they have, and all there that its indices name."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from debkit.archive import client
from debkit.archive.conf import exported_suites
from debkit.archive.index import files, listed, release_text, sha256_of, sound
from debkit.errors import ArchiveError
from debkit.keys import good_signers, unsigned_text
from debkit.keys.check import Problem
from debkit.paths import link
from debkit.run import Command, find_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import FileRef
    from debkit.run import Completed, Run

REFRESH = "debkit repo refresh"
ANY = frozenset(range(256))
NAMED = 9
Signers = tuple[tuple[str, str], ...]


def demand_whole(run: Run, config: Config) -> None:
    """Check every suite as a client would that knows the archive's keyring alone. The archive's lock must be held.

    Of the pool's files only that they are there, and their sizes: to read them all may take minutes. Raises ArchiveError.
    """
    problems = [problem.what for suite in demand_published(config) for problem in _problems(run, config, suite)]
    if problems:
        raise ArchiveError(
            f"{config.repo} is not whole",
            cause="\n".join(problems[:NAMED]),
            hint=f"debkit repo verify; what is not signed as it should be, this signs anew: {REFRESH}",
        )


def demand_published(config: Config) -> tuple[str, ...]:
    """Give the suites that clients can see. Raises ArchiveError where there are none, and ConfigError without an archive."""
    suites = exported_suites(config)
    if not suites:
        raise ArchiveError(
            f"{config.repo} is empty", cause="nothing was ever published into it", hint="debkit build, or: debkit repo onboard"
        )
    return suites


def demand_files(base: Path, suite: str, wanted: Iterable[FileRef]) -> None:
    """Check, before a suite is given what lists these files of the pool, that they are there. Raises ArchiveError.

    By their size alone: to read them all may take minutes.
    """
    lacking = sorted(file.name for file in wanted if not _is_there(base / file.name, file.size))
    if lacking:
        more = (f"and {len(lacking) - NAMED} more",) if len(lacking) > NAMED else ()
        raise ArchiveError(
            f"{suite} would list what cannot be fetched",
            cause="\n".join((f"missing, or not as it was, {'are' if len(lacking) > 1 else 'is'}", *lacking[:NAMED], *more)),
            hint=f"debkit repo verify; put back from a copy what it names, below {base}",
        )


def _is_there(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _problems(run: Run, config: Config, suite: str) -> Iterator[Problem]:
    directory = config.repo / "dists" / suite
    yield from unsigned(run, directory, client.keyring_file(config))
    yield from unlike(directory)
    for name, size in sorted({(file.name, file.size) for file in files(directory, among=sound(directory))}):
        file = config.repo / name
        if not file.exists():
            yield Problem(f"{name} is missing", "debkit repo verify")
        elif (found := file.stat().st_size) != size:
            yield Problem(f"{name} has {found} bytes, and by the index {size}", "debkit repo verify")


def signers(run: Run, keyring: Path, *names: Path) -> tuple[Signers, str]:
    """Give who has signed a file well, as `good_signers` does, by gpgv and the keys of a keyring; and what gpgv has said."""
    done = _gpgv(run, (keyring,), names)
    return good_signers(done.stdout), _said(done)


def _gpgv(run: Run, keyrings: tuple[Path, ...], names: tuple[Path, ...]) -> Completed:
    options = tuple(word for keyring in keyrings for word in ("--keyring", os.fspath(keyring.resolve())))
    return run(Command(argv=("gpgv", *options, "--status-fd", "1", *map(os.fspath, names)), ok=ANY))


def _said(done: Completed) -> str:
    said = [line for line in done.tail if line.startswith("gpgv: ")]
    return said[-1].removeprefix("gpgv: ") if said else "it has no signature"


def unsigned(run: Run, directory: Path, keyring: Path, wanted: frozenset[str] = frozenset()) -> Iterator[Problem]:
    """Tell what is wrong with a suite's signatures: each must be good, and made by all keys `wanted` (fingerprints).

    gpgv judges them as Debian 12's apt does, sqv where it is installed as Debian 13's.
    """
    inrelease, release, detached = (directory / name for name in ("InRelease", "Release", "Release.gpg"))
    missing = [path for path in (inrelease, release, detached) if not path.exists()]
    if missing:
        yield from (Problem(f"{path} is missing", REFRESH) for path in missing)
        return
    for names in ((inrelease,), (detached, release)):
        found, said = signers(run, keyring, *names)
        fingerprints = {fingerprint for signer in found for fingerprint in signer}
        if not found:
            yield Problem(f"{names[0]} is not signed by a key of {keyring.name}: {said}", REFRESH)
        elif lacking := sorted(wanted - fingerprints):
            yield Problem(f"{names[0]} is not signed by {', '.join(lacking)}", REFRESH)
    if unsigned_text(release_text(inrelease)).split() != release_text(release).split():
        yield Problem(f"{inrelease} does not say what {release} says", REFRESH)
    if find_tool("sqv"):
        argv = ("sqv", "--keyring", *map(os.fspath, (keyring, detached, release)))
        done = run(Command(argv=argv, ok=ANY))
        if done.code:
            said = next((line.strip() for line in done.tail if line.strip()), "it does not say why")
            yield Problem(f"{detached} is not accepted by sqv, by which Debian 13's apt verifies: {said}", REFRESH)


def unvouched(run: Run, directory: Path, keyrings: tuple[Path, ...]) -> Iterator[Problem]:
    """Tell what is wrong with the signatures of a kept state: each must be good, by any key that the archive ever had.

    That the key has been retired, has expired or was revoked since is no fault: who goes back to the state signs it anew.
    """
    inrelease, release, detached = (directory / name for name in ("InRelease", "Release", "Release.gpg"))
    for names in ((inrelease,), (detached, release)):
        if not names[0].exists():
            yield Problem(f"{names[0]} is missing", _put_back(directory))
            continue
        done = _gpgv(run, keyrings, names)
        strangers = re.findall(r"^\[GNUPG:\] ERRSIG (?:\S+ ){5}9 (\w+)$", done.stdout, flags=re.MULTILINE)
        if good_signers(done.stdout, lapsed=True):
            continue
        if strangers and " BADSIG " not in done.stdout:
            known = keyrings[0].parent / client.FORMER
            export = f"mkdir -p {known} && gpg --export {strangers[0]} > {known}/{strangers[0]}.pgp"
            yield Problem(
                f"it is signed by {' and '.join(strangers)}, of which the archive knows nothing",
                f"where that was its key: {export}; with GNUPGHOME=DIR before gpg where it is in another keyring than yours; "
                f"where it was not: rm -r {directory.parent}/STATE",
            )
        else:
            yield Problem(f"{names[0]} has no good signature: {_said(done)}", _put_back(directory))
    if unsigned_text(release_text(inrelease)).split() != release_text(release).split():
        yield Problem(f"{inrelease} does not say what {release} says", _put_back(directory))


def _put_back(directory: Path) -> str:
    return f"put it back from a backup; or, to do without that state: rm -r {directory}"


def unlike(directory: Path, by_hash: Path | None = None) -> Iterator[Problem]:
    """Tell the indices that are not what a directory's Release file says: by name there, by hash there or in `by_hash`."""
    for sha256, size, name in listed(release_text(directory / "Release")):
        file = directory / name
        for path in (file, ((by_hash or directory) / name).parent / "by-hash/SHA256" / sha256):
            if not path.exists():
                yield Problem(f"{path} is missing", REFRESH)
            elif path.stat().st_size != size or sha256_of(path) != sha256:
                yield Problem(f"{path} is not what the Release file says", REFRESH)


def demand_sound(directory: Path, by_hash: Path | None = None) -> None:
    """Check, before what a suite or a snapshot lists is read, that its indices are as they were signed. Raises ArchiveError."""
    for problem in unlike(directory, by_hash):
        raise ArchiveError(
            f"what {directory} lists cannot be told",
            cause=problem.what,
            hint=f"{REFRESH}, which puts back what is there by its hash; or, to see all: debkit repo verify",
        )


def mend(directory: Path, by_hash: Path) -> None:
    """Put right what a Release file vouches for: by name in its directory from what is there by hash in `by_hash`, or back.

    What is good in neither place is removed from a suite (`by_hash` itself), so that an export writes it anew, but not from a
    snapshot.
    """
    for sha256, _, name in listed(release_text(directory / "Release")):
        file = directory / name
        places = (file, (by_hash / name).parent / "by-hash/SHA256" / sha256)
        good = next((path for path in places if path.exists() and sha256_of(path) == sha256), None)
        for path in places:
            if path.exists() and (good or directory == by_hash) and sha256_of(path) != sha256:
                path.unlink()
            if good and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                link(good, path)


def field(release: Path, name: str) -> str:
    """Give a field of a Release file, empty where it has none."""
    found = re.search(rf"^{name}: (.*)$", release_text(release), flags=re.MULTILINE)
    return found[1] if found else ""
