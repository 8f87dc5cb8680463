"""What a check is given in unit tests: a build of files that are no packages, and the control files that dpkg-deb shall print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.model import BuildResult, BuildState, Target, Via

if TYPE_CHECKING:
    from pathlib import Path


def result(tmp_path: Path, *names: str, arch: str = "arm64") -> BuildResult:
    for name in names:
        (tmp_path / name).write_bytes(b"a deb")
    return BuildResult(
        target=Target("trixie", arch),
        via=Via.EMULATED,
        backend="sbuild",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=tmp_path / "build.log",
        argv=(),
        debs=tuple(tmp_path / name for name in names),
    )


def control(name: str, arch: str = "all", version: str = "1.0", **fields: str) -> str:
    more = "".join(f"{key.replace('_', '-').title()}: {value}\n" for key, value in fields.items())
    return f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\n{more}"
