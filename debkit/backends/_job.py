"""What a backend is asked to do, as one value, and what every backend derives from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.model import ARCHES, USUAL, Via
from debkit.source import builds_on

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import BuildConfig
    from debkit.model import Chroot, Source, Target, Variation
    from debkit.run.lending import Lent

# One path for every build and backend: the path is part of what a build makes, and the same source must make the same packages.
# It is what Debian's own builders use since sbuild 0.88.
BUILD_PATH = "/build/reproducible-path"

ARMOR = b"-----BEGIN PGP"
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One build. `cpus` is how many processes it may run beside each other."""

    source: Source
    target: Target
    via: Via
    chroot: Chroot
    config: BuildConfig
    build_all: bool
    cpus: int
    variation: Variation = USUAL
    shell: Lent | None = None

    @property
    def build_path(self) -> str:
        return self.variation.path or BUILD_PATH

    @property
    def timeout(self) -> float | None:
        """Seconds for the whole build; none where a person may sit in a shell in it."""
        return None if self.shell else self.config.timeout

    @property
    def fds(self) -> tuple[int, ...]:
        return self.shell.fds if self.shell else ()

    @property
    def failure_script(self) -> str:
        """What bash is to run in the chroot once the build has failed, empty for nothing. The source is all that is there."""
        if not self.shell:
            return ""
        return self.shell.script(f"cd {self.build_path}/*/debian/.. || cd {self.build_path}", title=f"{self.target} failed")

    @property
    def log_name(self) -> str:
        """The log's name after sbuild's and the archive's habit: SOURCE_VERSION_ARCH.build, the version without its epoch."""
        return f"{self.source.name}_{self.source.upstream_version}_{self.target.arch}.build"

    @property
    def build_options(self) -> str:
        """DEB_BUILD_OPTIONS. A cross build cannot run the tests it makes."""
        options = [*self.config.options]
        if self.via is Via.CROSS and "nocheck" not in options:
            options.append("nocheck")
        if not any(option.startswith("parallel=") for option in options):
            options.append(f"parallel={self.cpus}")
        return " ".join(options)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The build profiles; a cross build has those that Debian's cross builders set."""
        cross = ("cross", "nocheck") if self.via is Via.CROSS else ()
        return tuple(dict.fromkeys((*cross, *self.config.profiles)))

    @property
    def only_all(self) -> bool:
        """Whether Architecture: all packages are all that there is to build.

        The builder must be told (dpkg-buildpackage -A): a full build names its .buildinfo after an architecture that the .changes
        does not have then, and reprepro refuses both.
        """
        return self.build_all and not builds_on(self.source.architectures, self.target.arch)

    @property
    def emulator_env(self) -> tuple[tuple[str, str], ...]:
        return ARCHES[self.target.arch].qemu_env if self.via in {Via.EMULATED, Via.ACCELERATED} else ()

    @property
    def offline(self) -> bool:
        """Whether the chroot holds the build dependencies already, so that nothing is updated or installed."""
        return bool(self.chroot.layer)


def cpus() -> int:
    return len(os.sched_getaffinity(0))


def key_place(number: int, key: Path) -> str:
    """Say where an extra repository's key goes in the chroot: apt tells armoured keys from binary ones by the file's name."""
    armoured = key.read_bytes().lstrip().startswith(ARMOR)
    return f"/etc/apt/trusted.gpg.d/debkit-extra-{number}.{'asc' if armoured else 'gpg'}"
