"""Whether clients were handed the key that is to sign the archive alone, which is asked before the other one is retired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit import apt
from debkit.apt.model import Untrusted
from debkit.archive import client, conf, snapshots
from debkit.archive.keyring import held, unpacked
from debkit.archive.whole import demand_sound, unsigned
from debkit.errors import NetworkError, SigningError
from debkit.keys.public import read_keys
from debkit.run import temporary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys.rotate import Successor
    from debkit.run import Run

UNPUBLISHED = "does not have a Release file"  # apt-get's words
AT_ONCE = "or, when the old key is lost or stolen: debkit key rotate --finish --now"


def demand_handed_out(run: Run, config: Config, successor: Successor) -> None:
    """Check that every suite is signed by the key that stays, and that this is in the keyring and in each keyring package.

    Looks at the archive that is here or, where there is none, at what is served at [archive] url. Raises SigningError, and
    ArchiveError or NetworkError where it cannot be told.
    """
    suites = tuple(suite for suite in snapshots.suites(config.repo) if (config.repo / "dists" / suite / "Release").exists())
    if not suites and not config.archive.url:
        raise SigningError(
            "nothing shows that the new key was handed out",
            cause=f"nothing is published in {config.repo}, and [archive] url does not say where else",
            hint=f"debkit repo restore DIR, a copy such as deploy has made; {AT_ONCE}",
        )
    with temporary("debkit-handout.") as place:
        keyring = place / f"{successor.name}.pgp"
        keyring.write_bytes(successor.keyring)
        look = _here(run, config, successor, keyring, suites) if suites else _served(run, config, successor, keyring)
        lacking = tuple(look)
    if lacking:
        raise SigningError(
            "the new key was not handed out: to users the archive would be signed by an unknown one",
            cause="\n".join(lacking),
            hint=f"debkit repo refresh and debkit repo onboard, or whatever publishes, then let users upgrade; {AT_ONCE}",
        )


def _here(run: Run, config: Config, successor: Successor, keyring: Path, suites: tuple[str, ...]) -> Iterator[str]:
    handed = client.keyring_file(config)
    if not handed.exists() or not _has(run, handed.read_bytes(), successor):
        yield f"{handed} does not have {successor.name}"
    for suite in suites:
        directory = config.repo / "dists" / suite
        demand_sound(directory)
        yield from (problem.what for problem in unsigned(run, directory, keyring))
        if found := held(config, suite):
            yield from _packed(run, config, successor, suite, found.files)


def _served(run: Run, config: Config, successor: Successor, keyring: Path) -> Iterator[str]:
    """Look as a client that trusts the key that stays and no other. What that signs is published with the keyring."""
    published = False
    package = client.keyring_package(config)
    for suite, stanza in conf.read_suites(config).items():
        place = keyring.parent / suite
        sources = client.sources_text(config, suite)
        root = apt.make(place / "root", arch=next(iter(stanza.arches), "amd64"), sources=sources, keyring=keyring)
        try:
            apt.update(run, root)
            published = True
            if apt.seen(run, root, package):
                yield from _packed(run, config, successor, suite, unpacked(apt.source(run, root, package, place)))
        except NetworkError as problem:
            if UNPUBLISHED in problem.cause:
                continue
            if not isinstance(problem, Untrusted):
                hint = f"{problem.hint}; or look at a copy: debkit repo restore DIR; {AT_ONCE}"
                raise NetworkError(problem.what, cause=problem.cause, hint=hint) from problem
            published = True
            yield f"{suite} at {config.archive.url} is not signed by {successor.name}: {problem.cause}"
    if not published:
        yield f"nothing is published at {config.archive.url}"


def _packed(run: Run, config: Config, successor: Successor, suite: str, files: dict[str, bytes]) -> Iterator[str]:
    if not _has(run, files.get(client.keyring_name(config), b""), successor):
        yield f"{client.keyring_package(config)} of {suite} does not have {successor.name}"


def _has(run: Run, keyring: bytes, successor: Successor) -> bool:
    try:
        keys = read_keys(run, keyring, what="the keyring")
    except SigningError:
        return False
    return any(part.fingerprint == successor.fingerprint for key in keys for part in (key.primary, *key.subkeys))
