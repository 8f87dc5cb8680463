"""One package for two architectures, written byte by byte: no process is started, and a file may be anybody's."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from debkit.host.elf import program
from debkit.model import ARCHES, BuildResult, BuildState, Target, Via
from tests.trees import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PEERS = ("arm64", "amd64")


@dataclass(frozen=True, slots=True)
class File:
    """What is at a path. With a `link` it is a symbolic one; a path that ends in / is a directory."""

    content: bytes = b""
    mode: int = 0o644
    owner: str = "root:root"
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package to make. In every text {triplet}, {cpu} and {arch} stand for the names of its architecture."""

    name: str = "hello"
    arch: str
    files: Mapping[str, File] = field(default_factory=dict)
    control: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    def having(self, path: str, file: File | None) -> Package:
        """Give it with another file at a path, or with none."""
        left = {each: there for each, there in self.files.items() if each != path}
        return replace(self, files=left | ({path: file} if file else {}))

    def saying(self, name: str, text: str) -> Package:
        """Give it with another control file."""
        return replace(self, control={**self.control, name: text})

    def asking(self, name: str, text: str) -> Package:
        """Give it with another control field."""
        return replace(self, fields={**self.fields, name: text})


def twin(arch: str) -> Package:
    """Describe a package that has all that is compared, and names its architecture wherever one may."""
    return Package(
        arch=arch,
        files={
            "etc/hello.conf": File(b"plugins = /usr/lib/{triplet}/hello\n"),
            "usr/bin/hello": File(program(ARCHES[arch]), 0o755),
            "usr/lib/systemd/system/hello.service": File(b"[Service]\nExecStart=/usr/bin/hello --arch {arch}\n"),
            "usr/lib/{triplet}/hello/": File(mode=0o755),
            "usr/lib/{triplet}/hello/plugin-{cpu}.conf": File(b"of {arch} alone\n"),
            "usr/share/hello/current": File(link="/usr/lib/{triplet}/hello"),
        },
        control={
            "conffiles": "/etc/hello.conf\n",
            "postinst": "#!/bin/sh\nset -e\nldconfig /usr/lib/{triplet}\n",
            "symbols": "libhello.so.1 hello #MINVER#\n hello@Base 1.0\n",
        },
        fields={"Depends": "libc6 (>= 2.36), libhello1:{arch} (= 1.0) | hello-static", "Multi-Arch": "same"},
    )


def write(package: Package, where: Path) -> Path:
    """Write NAME_1.0_ARCH.deb."""
    arch = ARCHES[package.arch]

    def said(text: str) -> str:
        return text.format(arch=arch.name, triplet=arch.triplet, cpu=arch.triplet.partition("-")[0])

    fields = {
        "Package": package.name,
        "Source": "hello",
        "Version": "1.0",
        "Architecture": package.arch,
        "Installed-Size": str(len(package.arch) * 10 + len(arch.triplet)),
        **package.fields,
    }
    control = {"control": "".join(f"{key}: {value}\n" for key, value in fields.items()), **package.control}
    files = {
        path: replace(file, content=file.content if file.content[:1] in b"\x7f!" else said(file.content.decode()).encode(),
                      link=said(file.link))
        for path, file in package.files.items()
    }  # fmt: skip
    deb = where / f"{said(package.name)}_1.0_{package.arch}.deb"
    where.mkdir(parents=True, exist_ok=True)
    deb.write_bytes(
        ar(
            {
                "debian-binary": b"2.0\n",
                "control.tar.xz": tar(
                    {name: File(said(text).encode(), 0o755 if text.startswith("#!") else 0o644) for name, text in control.items()}
                ),
                "data.tar.xz": tar({said(path): file for path, file in files.items()}),
            }
        )
    )
    return deb


def tar(files: Mapping[str, File]) -> bytes:
    """Pack files as dpkg-deb does."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", format=tarfile.GNU_FORMAT) as archive:
        for path, file in files.items():
            member = tarfile.TarInfo(f"./{path}".rstrip("/"))
            member.mode, member.size, member.linkname = file.mode, len(file.content), file.link
            member.mtime = TIMESTAMP
            member.uname, member.gname = file.owner.split(":")
            if file.link or path.endswith("/"):
                member.type = tarfile.SYMTYPE if file.link else tarfile.DIRTYPE
            archive.addfile(member, io.BytesIO(file.content))
    return packed.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    """Pack members as ar(5) has them: each begins at an even byte."""
    return b"!<arch>\n" + b"".join(
        f"{name:16}{TIMESTAMP:<12}{0:<6}{0:<6}{'100644':8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        for name, data in members.items()
    )


def build(where: Path, arch: str, *debs: Path) -> BuildResult:
    """Give the build that is said to have made packages; its log is still to be written."""
    return BuildResult(
        target=Target("trixie", arch),
        via=Via.NATIVE,
        backend="none",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=where / f"hello_1.0_{arch}.build",
        argv=(),
        debs=debs,
    )
