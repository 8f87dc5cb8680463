"""Builds to give a backend, without a source or a chroot behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from debkit.backends._job import Job
from debkit.config import BuildConfig
from debkit.model import USUAL, Chroot, ChrootKind, ChrootSpec, Source, Target, Variation, Via

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE_CHANGES = """\
Format: 1.8
Source: sample
Binary: sample
Architecture: source
Version: 1:1.0-1
Distribution: unstable
Checksums-Sha256:
 {sha256} 3 sample_1.0-1.dsc
"""


def make_source(where: Path = Path("/src"), architectures: tuple[str, ...] = ("any", "all")) -> Source:
    """A source `sample` whose files are said to be in `where`."""
    return Source(
        name="sample",
        version="1:1.0-1",
        suite="trixie",
        dsc=where / "sample_1.0-1.dsc",
        changes=where / "sample_1.0-1_source.changes",
        format="3.0 (quilt)",
        architectures=architectures,
        binaries=("sample", "sample-data"),
        files=(),
        snapshot=False,
    )


def make_chroot(
    arch: str = "amd64", *, suite: str = "trixie", layer: str = "", tarball: Path = Path("/cache/base.tar.zst")
) -> Chroot:
    spec = ChrootSpec(kind=ChrootKind.BUILD, target=Target(suite, arch))
    return Chroot(spec=spec, tarball=tarball, created=0.0, layer=layer)


def make_job(
    arch: str = "amd64",
    via: Via = Via.NATIVE,
    *,
    config: BuildConfig | None = None,
    layer: str = "",
    build_all: bool = True,
    architectures: tuple[str, ...] = ("any", "all"),
    cpus: int = 4,
    variation: Variation = USUAL,
) -> Job:
    """A job for trixie; a cross build's chroot is amd64."""
    return Job(
        source=make_source(architectures=architectures),
        target=Target("trixie", arch),
        via=via,
        chroot=make_chroot("amd64" if via is Via.CROSS else arch, layer=layer),
        config=config or BuildConfig(),
        build_all=build_all,
        cpus=cpus,
        variation=variation,
    )


def write_source_changes(source: Source) -> None:
    """Write the source's .changes, which a backend reads the distribution from."""
    source.changes.parent.mkdir(parents=True, exist_ok=True)
    source.changes.write_text(SOURCE_CHANGES.format(sha256="0" * 64))


class Narration:
    """A Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.lines: list[str] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def line(self, text: str) -> None:
        self.lines.append(text)


def ticking(step: float = 1.0) -> Callable[[], float]:
    """A clock that goes on by `step` seconds each time it is read."""
    now = [0.0]

    def clock() -> float:
        now[0] += step
        return now[0]

    return clock
