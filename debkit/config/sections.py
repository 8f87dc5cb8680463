"""The sections of `config/debkit.toml`, frozen; each default is what counts where the file says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from debkit.model import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A finding that the project accepts, in one package or (empty) all, and why. Its text begins with `what`, a glob."""

    tag: str
    reason: str
    package: str = ""
    what: str = ""


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
    accelerate: bool = True
    emulate: tuple[str, ...] = ()


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
class PiupartsConfig:
    """[checks.piuparts]. `accept` has the symbolic links that lead nowhere and are as they should be."""

    accept: tuple[Suppression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One of [[checks.service.health]]: an http URL, HOST:PORT for tcp, or a shell's command, of which one is set.

    An URL must answer with `status`, and with a body in which the regular expression `body` (bash's) is found. Of a project with
    several sources, those that make `package` are meant.
    """

    http: str = ""
    tcp: str = ""
    command: str = ""
    status: int = 200
    body: str = ""
    package: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """[checks.service]. Healthy is what all probes of `health` say, and what stays up for `stable` seconds without a restart.

    `install_time` is the most seconds from `apt-get install` to healthy. `accept` are steps whose failure lets it pass. Where no
    system boots, `require_systemd` keeps services from being tried without one; with `strict` foreign ones are booted in a full
    machine, whose kernel confines services as theirs will.
    """

    health: tuple[Probe, ...] = ()
    stable: float = 5
    install_time: float = 300
    require_systemd: bool = False
    strict: bool = False
    accept: tuple[Suppression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceConfig:
    """[checks.equivalence]. `accept` has the differences between two architectures that are as they should be."""

    accept: tuple[Suppression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VulnerabilitiesConfig:
    """[checks.vulnerabilities]. `tracker` is the path or URL of the security tracker's data; what came from a URL is fetched anew
    after `max_age` seconds. `fail_on` is the least urgency that fails: low, medium or high. Of `accept` the tags are CVE ids.
    """

    tracker: str = ""
    max_age: float = 86400
    fail_on: str = "medium"
    accept: tuple[Suppression, ...] = ()

    @property
    def is_remote(self) -> bool:
        return is_url(self.tracker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unvaried:
    """What a package's second build has in common with the first (a field of `model.Variation`), and why."""

    variation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproducibleConfig:
    """[checks.reproducible]."""

    unvaried: tuple[Unvaried, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksConfig:
    """[checks]. `run` names modules of `debkit.checks`; `timeout` is in seconds, for one check of one target."""

    run: tuple[str, ...] = ("lintian", "piuparts", "service", "equivalence", "autopkgtest", "own")
    timeout: float = 3600
    lintian: LintianConfig = LintianConfig()
    piuparts: PiupartsConfig = PiupartsConfig()
    service: ServiceConfig = ServiceConfig()
    equivalence: EquivalenceConfig = EquivalenceConfig()
    vulnerabilities: VulnerabilitiesConfig = VulnerabilitiesConfig()
    reproducible: ReproducibleConfig = ReproducibleConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysConfig:
    """[keys]. Fingerprints in the caller's own keyring; both empty: the development keys. The two may be the same key.

    While the archive's key is changed for another, `also` are those that sign the archive beside it, until the day `also_until`
    (YYYY-MM-DD) at least.
    """

    upload: str = ""
    archive: str = ""
    also: tuple[str, ...] = ()
    also_until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveConfig:
    """[archive]. `path` is the reprepro base; `url` where users reach it, empty until it is served somewhere.

    The newest `keep` states of a suite are kept, and any that was replaced less than `grace` seconds ago. A Release file is
    valid for `valid_for` seconds, 0 being for ever. What is built goes into the suite itself, or into a `stream` beside it.
    """

    name: str = "debkit"
    path: Path = Path("repo")
    url: str = ""
    keep: int = 20
    grace: float = 7 * 86400
    valid_for: float = 0
    stream: str = ""

    def suite(self, built_for: str) -> str:
        """Name the archive's suite for packages that are built for a suite: trixie, or in the stream unstable trixie-unstable."""
        return f"{built_for}-{self.stream}" if self.stream else built_for


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


def is_url(name: str) -> bool:
    """Whether a file is named by where on the network it is."""
    return name.startswith(("http://", "https://"))
