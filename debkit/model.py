"""The nouns of debkit: frozen values that the stages take and return.

Debian's words: in dpkg's terms the *build* machine runs the compiler and the *host* machine runs the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arch:
    """A Debian architecture. `elf_machine` is ELF's e_machine, `elf_bits` 32 or 64, `qemu` the name in qemu-NAME and binfmt.

    `qemu_env` is what emulated programs are to find in their environment.
    """

    name: str
    triplet: str
    elf_machine: int
    elf_bits: int
    elf_little: bool
    qemu: str
    qemu_env: tuple[tuple[str, str], ...] = ()

    @property
    def machine(self) -> str:
        """What uname(2) tells a program of it under qemu (linux-user/uname.c)."""
        return {"arm": "armv7l", "i386": "i686"}.get(self.qemu, self.qemu)

    @property
    def cross(self) -> str:
        """The triplet as it is in the names of cross tools' packages, which have no underscore."""
        return self.triplet.replace("_", "-")

    def __str__(self) -> str:
        return self.name


# Trixie's arm64 programs sign their return addresses, and qemu before 10 works out the signatures by the book: a perl loop took
# 49 s with its default processor, 5.5 s with pauth-impdef=on, 2.7 s without. Debian's baseline is ARMv8.0, which has none.
NO_POINTER_AUTHENTICATION = (("QEMU_CPU", "max,pauth=off"),)

# dpkg's ostable and cputable; e_machine from elf(5).
ARCHES: dict[str, Arch] = {
    arch.name: arch
    for arch in (
        Arch("amd64", "x86_64-linux-gnu", 62, 64, elf_little=True, qemu="x86_64"),
        Arch("arm64", "aarch64-linux-gnu", 183, 64, elf_little=True, qemu="aarch64", qemu_env=NO_POINTER_AUTHENTICATION),
        Arch("armhf", "arm-linux-gnueabihf", 40, 32, elf_little=True, qemu="arm"),
        Arch("i386", "i386-linux-gnu", 3, 32, elf_little=True, qemu="i386"),
        Arch("ppc64el", "powerpc64le-linux-gnu", 21, 64, elf_little=True, qemu="ppc64le"),
        Arch("riscv64", "riscv64-linux-gnu", 243, 64, elf_little=True, qemu="riscv64"),
        Arch("s390x", "s390x-linux-gnu", 22, 64, elf_little=False, qemu="s390x"),
    )
}


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What is built: one suite (its codename) and one host architecture."""

    suite: str
    arch: str

    def __str__(self) -> str:
        return f"{self.suite}/{self.arch}"


class Via(StrEnum):
    """How a job's programs run."""

    NATIVE = "native"
    ACCELERATED = "accelerated"
    EMULATED = "emulated"
    CROSS = "cross"


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file by its bytes: base name, size in bytes, SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source package that stands finished on disk.

    `architectures` is the .dsc's Architecture field, `files` what the .dsc lists, `changes` the source-only .changes beside it.
    """

    name: str
    version: str
    suite: str
    dsc: Path
    changes: Path
    format: str
    architectures: tuple[str, ...]
    binaries: tuple[str, ...]
    files: tuple[FileRef, ...]
    snapshot: bool

    @property
    def has_all(self) -> bool:
        """Whether it makes an `Architecture: all` package."""
        return "all" in self.architectures

    @property
    def upstream_version(self) -> str:
        return self.version.partition(":")[2] or self.version


class ChrootKind(StrEnum):
    """What a cached root is for: building, clean installs, or running native Debian tools.

    One that is emulated is for building too, and no native program has had a part in it: acceleration is proven by it.
    """

    BUILD = "build"
    EMULATED = "emulated"
    CLEAN = "clean"
    TOOLS = "tools"

    @property
    def builds(self) -> bool:
        return self in {ChrootKind.BUILD, ChrootKind.EMULATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChrootSpec:
    """What a chroot is made of. Equal specs are the same chroot; its age is not part of it."""

    kind: ChrootKind
    target: Target
    mirror: str = ""
    components: tuple[str, ...] = ("main",)
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """What makes programs of `arch` run at native speed: a directory to be seen at /.native, with the dispatcher in it."""

    path: Path
    arch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chroot:
    """A cached chroot tarball. `created` is in seconds since the epoch; with a `toolbox` its programs are accelerated."""

    spec: ChrootSpec
    tarball: Path
    created: float
    layer: str = ""
    toolbox: Toolbox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """An extra APT repository for a build: a one-line-style sources entry and the key file that signs it."""

    line: str
    key: Path | None = None


class Twin(StrEnum):
    """Why a program was emulated: it has a twin, but not for how it was called; it is a tool without one; it is no tool."""

    REFUSED = "refused"
    NONE = "no twin"
    OWN = "the package's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """A program that a build ran in the emulator: how often, and the CPU seconds that it took, which are an estimate."""

    path: str
    count: int
    seconds: float
    twin: Twin


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """How the programs of an accelerated build ran: `native` as their twins, in `twins` how often each, the commonest first;
    and which were emulated, the costliest first. An interpreter's path is followed by what it runs: "/usr/bin/perl /usr/bin/dh".

    `seconds` is all the CPU time of `count` emulated ones.
    """

    native: int
    twins: Mapping[str, int]
    count: int
    seconds: float
    emulated: tuple[Emulated, ...]


class BuildState(Enum):
    """How a build ended; only the first is green."""

    SUCCEEDED = "succeeded"
    FAILED = "package failed"
    UNINSTALLABLE = "dependencies not installable"
    ENVIRONMENT = "environment failed"
    GIVEN_BACK = "given back"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Phase:
    """A named part of a build and its wall time."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """How a build is to differ from a usual one; what is empty or 0 does not.

    `clock` is in seconds to go ahead, `timezone` as in TZ, `processors` how many there are to be for it.
    """

    path: str = ""
    clock: int = 0
    timezone: str = ""
    locale: str = ""
    host: str = ""
    processors: int = 0


USUAL = Variation()


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The first real error of a log: the 1-based number of its line, and the lines around it."""

    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What one job left behind. `changes` is None unless it succeeded; `files` are what it lists.

    `disk_bytes` is the most that the build tree took, as seen every few seconds; `programs` the costliest of an accelerated one.
    """

    target: Target
    via: Via
    backend: str
    state: BuildState
    phases: tuple[Phase, ...]
    disk_bytes: int
    log: Path
    argv: tuple[str, ...]
    layer: str = ""
    changes: Path | None = None
    buildinfo: Path | None = None
    debs: tuple[Path, ...] = ()
    files: tuple[FileRef, ...] = ()
    error: Excerpt | None = None
    disk_full: bool = False
    programs: Programs | None = None

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing a check says of a package. `accepted` is the configured reason for letting it pass."""

    severity: Severity
    tag: str
    package: str
    text: str
    accepted: str = ""


class Outcome(StrEnum):
    """Five different things, the worst last; only a pass is green.

    Not run is what had nothing to judge, such as an upgrade of what was never published; skipped, what could not be judged here.
    """

    NOT_RUN = "not-run"
    PASS = "pass"  # noqa: S105
    SKIPPED = "skipped"
    ERROR = "environment-error"
    FAIL = "fail"

    @property
    def settled(self) -> bool:
        """Whether nothing is left open that could keep packages from being published."""
        return self in {Outcome.PASS, Outcome.NOT_RUN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of a check, such as an upgrade or a reboot, and how many seconds it took."""

    name: str
    outcome: Outcome
    seconds: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """A check's verdict on one target. `reason` is set whenever the outcome is not a pass; `steps` are its parts, if any."""

    check: str
    target: Target
    outcome: Outcome
    seconds: float
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()
    log: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A usable secret key: its fingerprint, the GNUPGHOME it lives in, and whether debkit made it for development.

    With a `subkey` (its fingerprint) it is that one which signs, and no other; without, gpg takes the newest that can.
    """

    fingerprint: str
    uid: str
    home: Path
    development: bool
    subkey: str = ""

    @property
    def local_user(self) -> str:
        """What gpg's --local-user takes: the mark after a subkey keeps gpg from choosing (gpg(1), "How to specify a user ID")."""
        return f"{self.subkey}!" if self.subkey else self.fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUpload:
    """One suite's merged and signed .changes with every file it lists, all in one directory."""

    suite: str
    changes: Path
    files: tuple[FileRef, ...]
    signer: str
    development: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What the archive holds after a publish; `unchanged` when it already held the same."""

    suite: str
    source: str
    version: str
    arches: tuple[str, ...]
    packages: tuple[str, ...]
    unchanged: bool
    signer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a clean apt client saw of a published version, and did with it. `ran` has "PROGRAM OPTION" for each that ran."""

    target: Target
    packages: tuple[str, ...]
    version: str
    installed: bool
    seconds: float
    ran: tuple[str, ...] = ()
