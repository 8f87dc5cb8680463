"""Building one source for one target. A backend is one file here: its name in the configuration is the file's, there is no list.

Files whose names begin with an underscore are what backends share: reading logs, finding the first error, checking what came
out, moving it into place.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from debkit.errors import ConfigError
from debkit.model import USUAL

if TYPE_CHECKING:
    from debkit.config import BuildConfig
    from debkit.console import Progress
    from debkit.model import BuildResult, Chroot, Source, Target, Variation, Via
    from debkit.run import Run
    from debkit.run.lending import Lent


class Backend(Protocol):
    """What a module of this package offers."""

    def build(
        self,
        run: Run,
        *,
        source: Source,
        target: Target,
        via: Via,
        chroot: Chroot,
        into: Path,
        config: BuildConfig,
        build_all: bool,
        progress: Progress,
        variation: Variation = USUAL,
        shell: Lent | None = None,
    ) -> BuildResult:
        """Build `source` for `target` in `chroot`. A varied build says in its log what it has found around itself (`_vary`).

        Where a terminal is lent, a build that fails ends with a root shell on it, in the build directory as the build left it;
        nothing but the person there limits its time then.

        A build that does not succeed is not an exception: its state is in the result. `into` gets the packages, .changes and
        .buildinfo of a success, all or none, in place of those of an earlier version; the log is written there as it grows.
        Raises DiskError, MissingTool and Interrupted.
        """

    def demands(self) -> tuple[str, ...]:
        """Name the packages that the builder itself installs into every chroot, besides apt.CORE and the build dependencies."""

    def obstacle(self, *, via: Via, direct: bool, namespaces: bool) -> str:
        """Why this backend cannot build this way on a machine, empty when it can.

        `direct`: the caller is root where user namespaces are switched off. `namespaces`: the caller can make them, with
        subordinate ids. Pure, for the plan.
        """

    def notice(self, *, direct: bool, namespaces: bool) -> str:
        """Tell what is unusual about how this backend would run, for the plan; empty for the usual."""


def find(name: str) -> Backend:
    """Give the backend of that name. Raises ConfigError."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    if name not in known:
        raise ConfigError(
            f"unknown backend: {name}", cause=f"known: {', '.join(known)}", hint="set backend in config/debkit.toml"
        )
    return cast("Backend", importlib.import_module(f"{__name__}.{name}"))
