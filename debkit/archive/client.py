"""What an end user needs of an archive: its public keys and its .sources file, and which commands to type.

There is one keyring path and one .sources path, whether a user puts the files there by hand or the keyring package does: two
.sources files that name an archive's key differently make apt refuse both.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

from debkit.archive.conf import EFFECTIVE, TRUSTED, exported_suites
from debkit.archive.index import has_package
from debkit.paths import put

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import Published

KEYRINGS = "/usr/share/keyrings"
SOURCES = "/etc/apt/sources.list.d"
# At the base, and not for the world: the keyrings of before, by which the states are signed that are kept from then.
FORMER = "former-keys"
# How an OpenPGP key begins (RFC 9580, 4.2 and 10.1): gpgv reads nothing of what comes after a keyring that is none.
KEY_PACKETS = (b"\x98", b"\x99", b"\xc6")
# A small system has neither, nor lists of what it could install.
FETCHER = "sudo apt-get update && sudo apt-get install curl ca-certificates"


def keyring_package(config: Config) -> str:
    """Name the package that keeps the keyring and the .sources file up to date."""
    return f"{config.archive.name}-archive-keyring"


def keyring_name(config: Config) -> str:
    """Name the keyring. Binary, so that one file serves every apt: only .asc is read as armoured (apt-secure(8))."""
    return f"{keyring_package(config)}.pgp"


def keyring_file(config: Config) -> Path:
    return config.repo / keyring_name(config)


def former_keyrings(base: Path) -> tuple[Path, ...]:
    """Give the keyrings that an archive had before."""
    return tuple(path for path in sorted((base / FORMER).glob("*.pgp")) if path.read_bytes().startswith(KEY_PACKETS))


def sources_name(config: Config) -> str:
    """Name the .sources file as a client has it, whichever suite it is for."""
    return f"{config.archive.name}.sources"


def sources_file(config: Config, suite: str) -> Path:
    """Give the .sources file of a suite; the first configured suite's is NAME.sources, another one's NAME-SUITE.sources."""
    first = suite == config.build.suites[0]
    return config.repo / f"{config.archive.name}{'' if first else f'-{suite}'}.sources"


def sources_text(config: Config, suite: str, url: str = "") -> str:
    """Write deb822 text (sources.list(5)); `url` is where the archive is reached, unless the configuration says.

    Nothing in it changes with the keys: the keyring package takes a file over that was put there by hand, and dpkg would ask
    about one that differs from its own.
    """
    where = url or config.archive.url or f"file:{quote(os.fspath(config.repo.resolve()))}"
    return (
        f"Types: deb deb-src\nURIs: {where.rstrip('/')}/\nSuites: {suite}\nComponents: main\n"
        f"Signed-By: {KEYRINGS}/{keyring_name(config)}\n"
    )


def write(config: Config) -> None:
    """Write the public keys, and a .sources file for each suite that is exported, into the archive where they have changed.

    The archive must be held: then the keys have been exported already.
    Those that it has from when it had another name are removed. Keyrings with other keys are kept aside.
    """
    public = (config.repo / EFFECTIVE / TRUSTED).read_bytes()
    keyrings = sorted(config.repo.glob("*-archive-keyring.pgp"))
    for content in {keyring.read_bytes() for keyring in keyrings} - {public}:
        _keep(config.repo, content)
    texts = {sources_file(config, suite): sources_text(config, suite).encode() for suite in exported_suites(config)}
    for file, content in {keyring_file(config): public, **texts}.items():
        if not file.exists() or file.read_bytes() != content:
            put(file, content)
    for old in keyrings:
        if old == keyring_file(config):
            continue
        for file in config.repo.glob("*.sources"):
            if f"Signed-By: {KEYRINGS}/{old.name}\n" in file.read_text(encoding="utf-8"):
                file.unlink()
        old.unlink()


def _keep(base: Path, keyring: bytes) -> None:
    file = base / FORMER / f"{hashlib.sha256(keyring).hexdigest()[:16]}.pgp"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        put(file, keyring)


def addition(config: Config, suite: str, *packages: str, url: str = "") -> tuple[str, ...]:
    """Say what to type, once on each machine, to add the archive, and to install packages from it.

    The keyring package is among these where the suite has it. `url` is where the archive is served for a trial, elsewhere than
    the configuration says: then the .sources file must be changed, and the keyring package would bring back the other.
    """
    target = f"{SOURCES}/{sources_name(config)}"
    keyring, sources = keyring_file(config), sources_file(config, suite)
    home, where = config.archive.url.rstrip("/"), (url or config.archive.url).rstrip("/")
    if where == home and has_package(config.repo, suite, keyring_package(config)):
        packages = tuple(dict.fromkeys((keyring_package(config), *packages)))
    if where:
        fetched = shlex.quote(f"{where}/{sources.name}")
        changed = f"sed {shlex.quote(f's|^URIs:.*|URIs: {where}/|')} | sudo tee {target}"
        return (
            FETCHER,
            f"sudo curl -fsSLo {KEYRINGS}/{keyring.name} {shlex.quote(f'{where}/{keyring.name}')}",
            f"sudo curl -fsSLo {target} {fetched}" if where == home else f"curl -fsSL {fetched} | {changed}",
            _apt_get("sudo apt-get", packages),
        )
    # apt reads as `_apt` (APT::Sandbox::User), whom a private home stops.
    apt_get = "sudo apt-get" if is_open(config.repo) else "sudo apt-get -o APT::Sandbox::User=root"
    return (
        f"sudo install -m 644 {shlex.quote(os.fspath(keyring))} {KEYRINGS}/",
        f"sudo install -m 644 {shlex.quote(os.fspath(sources))} {target}",
        _apt_get(apt_get, packages),
    )


def _apt_get(apt_get: str, packages: tuple[str, ...]) -> str:
    install = f" && {apt_get} install {' '.join(packages)}" if packages else ""
    return f"{apt_get} update{install}"


def instructions(config: Config, published: Published, *, machine: str) -> tuple[str, ...]:
    """Say what to type to install what was published; `machine` is the architecture of this one."""
    where = (
        f"# on {' or '.join(published.arches)}, with {config.repo} at the same path there; [archive] url says where it is served"
    )
    elsewhere = machine not in published.arches and not config.archive.url
    packages = (name for name in published.packages if not name.endswith("-dbgsym"))
    return (*((where,) if elsewhere else ()), *addition(config, published.suite, *packages))


def is_open(directory: Path) -> bool:
    """Whether every user can pass to a directory."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (directory, *directory.resolve().parents) if path.exists())
