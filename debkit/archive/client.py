"""What an end user needs of an archive: its public key and its .sources file, and which commands to type.

Both name one and the same keyring path: two .sources files that name an archive's key differently make apt refuse both.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

from debkit.keys import export_public
from debkit.paths import put

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.model import Published

KEYRINGS = "/usr/share/keyrings"
SOURCES = "/etc/apt/sources.list.d"


def keyring_name(config: Config) -> str:
    """Name the keyring. Binary, so that one file serves every apt: only .asc is read as armoured (apt-secure(8))."""
    return f"{config.archive.name}-archive-keyring.pgp"


def keyring_file(config: Config) -> Path:
    return config.repo / keyring_name(config)


def sources_file(config: Config, suite: str) -> Path:
    """Give the .sources file of a suite; the first configured suite's is NAME.sources, another one's NAME-SUITE.sources."""
    first = suite == config.build.suites[0]
    return config.repo / f"{config.archive.name}{'' if first else f'-{suite}'}.sources"


def sources_text(config: Config, suite: str, url: str = "") -> str:
    """Write deb822 text (sources.list(5)); `url` is where the archive is reached, unless the configuration says."""
    where = url or config.archive.url or f"file:{quote(os.fspath(config.repo.resolve()))}"
    return (
        f"Types: deb deb-src\nURIs: {where.rstrip('/')}/\nSuites: {suite}\nComponents: main\n"
        f"Signed-By: {KEYRINGS}/{keyring_name(config)}\n"
    )


def write(config: Config, suites: tuple[str, ...], keys: Keys) -> None:
    """Write the public keys, and a .sources file for each suite that is exported, into the archive where they have changed."""
    signers = tuple(dict.fromkeys(key.fingerprint for key in keys.signers))
    note = f"# {config.archive.name}: signed by {' and '.join(signers)}\n"
    if keys.archive.development:
        note += "# This is a development key, made on one machine: good for trying, not for publishing.\n"
    texts = {
        sources_file(config, suite): (note + sources_text(config, suite)).encode()
        for suite in suites
        if (config.repo / "dists" / suite).exists()
    }
    for file, content in {keyring_file(config): export_public(*keys.signers), **texts}.items():
        if not file.exists() or file.read_bytes() != content:
            put(file, content)


def instructions(config: Config, published: Published, *, machine: str) -> tuple[str, ...]:
    """Say what to type to install what was published; `machine` is the architecture of this one."""
    keyring, sources = keyring_file(config), sources_file(config, published.suite)
    packages = " ".join(name for name in published.packages if not name.endswith("-dbgsym"))
    target = f"{SOURCES}/{config.archive.name}.sources"
    if url := config.archive.url.rstrip("/"):
        return (
            f"sudo curl -fsSo {KEYRINGS}/{keyring.name} {url}/{keyring.name}",
            f"sudo curl -fsSo {target} {url}/{sources.name}",
            f"sudo apt-get update && sudo apt-get install {packages}",
        )
    where = (
        f"# on {' or '.join(published.arches)}, with {config.repo} at the same path there; [archive] url says where it is served"
    )
    apt_get = "sudo apt-get" if is_open(config.repo) else "sudo apt-get -o APT::Sandbox::User=root"
    return (
        *((where,) if machine not in published.arches else ()),
        f"sudo install -m 644 {shlex.quote(os.fspath(keyring))} {KEYRINGS}/",
        f"sudo install -m 644 {shlex.quote(os.fspath(sources))} {target}",
        f"{apt_get} update && {apt_get} install {packages}",
    )


def is_open(directory: Path) -> bool:
    """Whether every user can pass to a directory. apt reads as `_apt` (APT::Sandbox::User), whom a private home stops."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (directory, *directory.resolve().parents) if path.exists())
