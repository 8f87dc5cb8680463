"""Thousands of small signed uploads, made in seconds: a source of one file and one package each, written without dpkg-deb."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from tests.gnupg_homes import gpg
from tests.uploads import DATE, TIMESTAMP, WHO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# gpg and its agent take turns, so that two at once keep one processor busy.
SIGNERS = 2 * (os.cpu_count() or 1)


def make_uploads(
    directory: Path, names: Iterable[str], *, version: str = "1.0", arch: str = "amd64", udeb: bool = False, home: Path, key: str
) -> tuple[Path, ...]:
    """Write an upload NAME_VERSION_ARCH.changes of each name into one directory, signed by a key without a passphrase."""
    directory.mkdir(parents=True, exist_ok=True)
    make = partial(_make_upload, directory, version=version, arch=arch, udeb=udeb, home=home, key=key)
    with ThreadPoolExecutor(SIGNERS) as pool:
        return tuple(pool.map(make, names))


def package_names(count: int, *, prefix: str = "small") -> tuple[str, ...]:
    return tuple(f"{prefix}{number:05}" for number in range(count))


def _make_upload(directory: Path, name: str, *, version: str, arch: str, udeb: bool, home: Path, key: str) -> Path:
    text = write_files(directory, name, version=version, arch=arch, udeb=udeb)
    changes = directory / f"{name}_{version}_{arch}.changes"
    gpg(home, "--yes", "--local-user", key, "--output", os.fspath(changes), "--clearsign", stdin=text)
    return changes


def write_files(directory: Path, name: str, *, version: str, arch: str, udeb: bool = False) -> str:
    """Write an upload's files, with a package NAME-udeb for the installer too, and give what its .changes is to say."""
    binaries = f"{name} {name}-udeb" if udeb else name
    tarball = f"{name}_{version}.tar.gz"
    files = {tarball: _tar_gz({f"{name}-{version}/greeting": f"hello from {name}\n"})}
    dsc = f"{name}_{version}.dsc"
    files[dsc] = (
        f"Format: 3.0 (native)\nSource: {name}\nBinary: {binaries.replace(' ', ', ')}\nArchitecture: any\nVersion: {version}\n"
        f"Maintainer: {WHO}\nStandards-Version: 4.7.0\n"
        f"Package-List:\n {name} deb misc optional arch=any\n" + _checksums(files, section="")
    ).encode()
    files[f"{name}_{version}_{arch}.deb"] = make_deb(name, version, arch)
    if udeb:
        more = f"Source: {name}\nPackage-Type: udeb\n"
        files[f"{name}-udeb_{version}_{arch}.udeb"] = make_deb(f"{name}-udeb", version, arch, more=more)
    for file, content in files.items():
        (directory / file).write_bytes(content)
    return (
        f"Format: 1.8\nDate: {DATE}\nSource: {name}\nBinary: {binaries}\nArchitecture: source {arch}\nVersion: {version}\n"
        f"Distribution: unstable\nUrgency: medium\nMaintainer: {WHO}\nChanged-By: {WHO}\nDescription:\n {name} - is small\n"
        f"Changes:\n {name} ({version}) unstable; urgency=medium\n .\n   * Be small.\n"
        + _checksums(files, section="misc optional ")
    )


def make_deb(name: str, version: str, arch: str, *, more: str = "") -> bytes:
    """Give a .deb (deb(5)) of one file, with `more` fields; gzip costs less time here than xz."""
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: {WHO}\nInstalled-Size: 1\nSection: misc\n"
        f"Priority: optional\n{more}Description: is small\n It exists so that there are many.\n"
    )
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar_gz({"./control": control}),
        "data.tar.gz": _tar_gz({f"./usr/share/{name}/greeting": f"hello from {name} {version}\n"}),
    }
    return ar(members)


def ar(members: dict[str, bytes]) -> bytes:
    return b"!<arch>\n" + b"".join(map(_ar_member, members, members.values()))


def _ar_member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{TIMESTAMP:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
    return header.encode() + content + b"\n" * (len(content) % 2)


def _tar_gz(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(text), TIMESTAMP
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue(), compresslevel=1, mtime=0)


def _checksums(files: dict[str, bytes], *, section: str) -> str:
    text = ""
    for field, kind in (("Checksums-Sha1", "sha1"), ("Checksums-Sha256", "sha256"), ("Files", "md5")):
        extra = section if field == "Files" else ""
        entries = (f" {hashlib.new(kind, data).hexdigest()} {len(data)} {extra}{name}\n" for name, data in files.items())
        text += f"{field}:\n" + "".join(entries)
    return text
