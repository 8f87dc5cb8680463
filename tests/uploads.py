"""Tiny finished builds, made with dpkg-deb alone: what the sign and archive rooms are given, with nothing compiled."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from typing import TYPE_CHECKING

from debkit.model import BuildResult, BuildState, FileRef, Source, Target, Via
from debkit.run import Command, Processes

if TYPE_CHECKING:
    from pathlib import Path

DATE = "Tue, 02 Jan 2024 03:04:05 +0000"
TIMESTAMP = 1704164645  # DATE, in seconds since the epoch
WHO = "Test Writer <test@example.org>"


def make_source(
    directory: Path, *, name: str = "hello-debkit", version: str = "1.0", suite: str = "trixie", text: str = "hello",
    arches: str = "any all", distribution: str = "unstable",
) -> Source:  # fmt: skip
    """A native source package whose tarball holds `text`, with its .buildinfo and source-only .changes."""
    directory.mkdir(parents=True, exist_ok=True)
    tarball = directory / f"{name}_{_file_version(version)}.tar.xz"
    with tarfile.open(tarball, "w:xz") as tar:
        member = tarfile.TarInfo(f"{name}/greeting")
        member.size, member.mtime = len(text.encode()), TIMESTAMP
        tar.addfile(member, io.BytesIO(text.encode()))
    stem = f"{name}_{_file_version(version)}"
    dsc = directory / f"{stem}.dsc"
    dsc.write_text(
        f"Format: 3.0 (native)\nSource: {name}\nBinary: {name}\nArchitecture: {arches}\nVersion: {version}\n"
        f"Maintainer: {WHO}\nStandards-Version: 4.7.0\nPackage-List:\n {name} deb misc optional arch=any\n"
        + _checksums((tarball,), files_extra="")
    )
    buildinfo = directory / f"{stem}_source.buildinfo"
    buildinfo.write_text(_buildinfo(name, version, "source", (dsc,)))
    changes = directory / f"{stem}_source.changes"
    changes.write_text(write_changes(name, version, "source", distribution, (dsc, tarball, buildinfo), binaries=""))
    return Source(
        name=name, version=version, suite=suite, dsc=dsc, changes=changes, format="3.0 (native)",
        architectures=tuple(arches.split()), binaries=(name,), files=(_ref(tarball),), snapshot=False,
    )  # fmt: skip


def make_build(
    directory: Path, source: Source, arch: str, *, build_all: bool = False, text: str = "hello", noise: str = "",
    program: str = "", distribution: str = "unstable",
) -> BuildResult:  # fmt: skip
    """A build of `source` for `arch`: package NAME (holding `text` and, where given, a shell script `program`), NAME-data with
    `build_all`, a .buildinfo that holds `noise`, and the .changes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    debs = [_deb(directory, source.name, source, arch, text=text, program=program)]
    if build_all:
        debs.append(_deb(directory, f"{source.name}-data", source, "all", text=text, program=""))
    stem = f"{source.name}_{_file_version(source.version)}_{arch}"
    buildinfo = directory / f"{stem}.buildinfo"
    buildinfo.write_text(_buildinfo(source.name, source.version, f"{arch}{' all' * build_all}", tuple(debs), noise))
    changes = directory / f"{stem}.changes"
    binaries = " ".join(deb.name.partition("_")[0] for deb in debs)
    arches = f"{'all ' * build_all}{arch}"
    changes.write_text(write_changes(source.name, source.version, arches, distribution, (*debs, buildinfo), binaries=binaries))
    log = directory / f"{stem}.build"
    log.touch()
    return BuildResult(
        target=Target(source.suite, arch), via=Via.NATIVE, backend="none", state=BuildState.SUCCEEDED, phases=(), disk_bytes=0,
        log=log, argv=(), changes=changes, buildinfo=buildinfo, debs=tuple(debs),
    )  # fmt: skip


def _deb(directory: Path, package: str, source: Source, arch: str, *, text: str, program: str) -> Path:
    root = directory / f".{package}-{arch}"
    (root / "DEBIAN").mkdir(parents=True)
    share = root / "usr/share" / package
    share.mkdir(parents=True)
    (share / "greeting").write_text(text)
    if program:
        (root / "usr/bin").mkdir()
        (root / "usr/bin" / package).write_text(program)
        (root / "usr/bin" / package).chmod(0o755)
    (root / "DEBIAN/control").write_text(
        f"Package: {package}\nSource: {source.name}\nVersion: {source.version}\nArchitecture: {arch}\nMaintainer: {WHO}\n"
        f"Section: misc\nPriority: optional\nDescription: greets ({package})\n Made for a test.\n"
    )
    deb = directory / f"{package}_{_file_version(source.version)}_{arch}.deb"
    Processes()(
        Command(
            argv=("dpkg-deb", "-Zxz", "--root-owner-group", "--build", os.fspath(root), os.fspath(deb)),
            env=(("SOURCE_DATE_EPOCH", str(TIMESTAMP)),),
        )
    )
    return deb


def write_changes(name: str, version: str, arches: str, distribution: str, files: tuple[Path, ...], *, binaries: str) -> str:
    described = "".join(f" {binary} - greets ({binary})\n" for binary in binaries.split())
    return (
        f"Format: 1.8\nDate: {DATE}\nSource: {name}\n"
        + (f"Binary: {binaries}\n" if binaries else "")
        + f"Architecture: {arches}\nVersion: {version}\nDistribution: {distribution}\nUrgency: medium\nMaintainer: {WHO}\n"
        + f"Changed-By: {WHO}\n"
        + (f"Description:\n{described}" if binaries else "")
        + f"Changes:\n {name} ({version}) {distribution}; urgency=medium\n .\n   * Say hello.\n"
        + _checksums(files, files_extra="misc optional ")
    )


def _buildinfo(name: str, version: str, arches: str, files: tuple[Path, ...], noise: str = "") -> str:
    return (
        f"Format: 1.0\nSource: {name}\nBinary: {name}\nArchitecture: {arches}\nVersion: {version}\n"
        + _checksums(files, files_extra=None)
        + f"Build-Origin: Debian\nBuild-Architecture: amd64\nBuild-Date: {DATE}\n"
        + f'Installed-Build-Depends:\n base-files (= 12)\nEnvironment:\n NOISE="{noise}"\n'
    )


def _checksums(files: tuple[Path, ...], *, files_extra: str | None) -> str:
    """The checksum fields; `files_extra` is what stands before the name in Files, None leaves Files out."""
    fields = []
    for field, algorithm in (("Checksums-Md5", "md5"), ("Checksums-Sha1", "sha1"), ("Checksums-Sha256", "sha256")):
        if field == "Checksums-Md5" and files_extra is not None:
            continue
        fields.append(f"{field}:\n" + "".join(f" {_hash(f, algorithm)} {f.stat().st_size} {f.name}\n" for f in files))
    if files_extra is not None:
        fields.append("Files:\n" + "".join(f" {_hash(f, 'md5')} {f.stat().st_size} {files_extra}{f.name}\n" for f in files))
    return "".join(fields)


def _hash(file: Path, algorithm: str) -> str:
    return hashlib.new(algorithm, file.read_bytes()).hexdigest()


def _ref(file: Path) -> FileRef:
    return FileRef(file.name, file.stat().st_size, _hash(file, "sha256"))


def _file_version(version: str) -> str:
    return version.partition(":")[2] or version
