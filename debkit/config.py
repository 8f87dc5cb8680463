"""`config/debkit.toml`: read it, validate it, explain every problem at once.

Paths in the file are relative to the project, the directory that holds `config/`. All keys are optional.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from debkit.model import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A lintian tag that the project accepts, in one package or (empty) all, and why."""

    tag: str
    reason: str
    package: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """[build]. `timeout` is in seconds, for one job's build."""

    suites: tuple[str, ...] = ("trixie",)
    arches: tuple[str, ...] = ("amd64", "arm64")
    backend: str = "sbuild"
    timeout: float = 4 * 3600
    options: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    repositories: tuple[Repository, ...] = ()
    packages: tuple[Path, ...] = ()
    layers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChrootConfig:
    """[chroot]. `mirror` empty: mmdebstrap's own default for the suite. `max_age` in seconds, `cache_limit` in bytes."""

    mirror: str = ""
    components: tuple[str, ...] = ("main",)
    packages: tuple[str, ...] = ()
    max_age: float = 7 * 86400
    cache_limit: int = 20 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class LintianConfig:
    """[checks.lintian]. `fail_on` is the least severity that fails: error or warning."""

    fail_on: str = "error"
    profile: str = ""
    suppress: tuple[Suppression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksConfig:
    """[checks]. `run` names modules of `debkit.checks`; `timeout` is in seconds, for one check of one target."""

    run: tuple[str, ...] = ("lintian", "piuparts")
    timeout: float = 3600
    lintian: LintianConfig = LintianConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysConfig:
    """[keys]. Fingerprints in the caller's own keyring; both empty: the development keys. The two may be the same key."""

    upload: str = ""
    archive: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConfig:
    """[archive]. `path` is the reprepro base; `url` where users reach it, empty until it is served somewhere."""

    name: str = "debkit"
    path: Path = Path("repo")
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """[source]. `keyring`: demand that a .dsc be signed by a key in this file."""

    keyring: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration. `project` is the directory that paths in it, `dist/` and `repo/` are relative to."""

    project: Path
    build: BuildConfig = BuildConfig()
    chroot: ChrootConfig = ChrootConfig()
    checks: ChecksConfig = ChecksConfig()
    keys: KeysConfig = KeysConfig()
    archive: ArchiveConfig = ArchiveConfig()
    source: SourceConfig = SourceConfig()

    @property
    def dist(self) -> Path:
        return self.project / "dist"

    @property
    def repo(self) -> Path:
        return self.project / self.archive.path


def load(project: Path, file: Path | None = None) -> Config:
    """Read `file`, or the project's `config/debkit.toml` where there is one, else give the defaults.

    Raises ConfigError with every problem at once, the nearest known name beside each unknown one.
    """
    raise NotImplementedError(os.fspath(file or project))
