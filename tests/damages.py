"""What can be wrong with an archive: how it is brought about, what `repo verify` says of it, and what mends it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from debkit.archive import journal, snapshots, transaction
from tests.publishing import by_hand, change, overwrite, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def renamed(base: Path, old: str) -> None:
    """Leave what an archive has from when it was called `old`."""
    for name in ("debkit-archive-keyring.pgp", "debkit.sources"):
        text = (base / name).read_bytes()
        (base / name.replace("debkit", old)).write_bytes(text.replace(b"debkit-archive", f"{old}-archive".encode()))


def same(directory: Path, file: Path) -> list[Path]:
    """Give what has a file's content, which in an archive that was not copied is the file itself under other names."""
    content = file.read_bytes()
    return [path for path in directory.rglob("*") if path.is_file() and path.read_bytes() == content]


def oldest(base: Path) -> snapshots.Snapshot:
    return snapshots.snapshots(base, "trixie")[0]


def newest(base: Path) -> snapshots.Snapshot:
    return snapshots.snapshots(base, "trixie")[-1]


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a package is lost": (
        lambda base: (base / "pool/main/f/first/first_2.0_amd64.deb").unlink(),
        "first_2.0_amd64.deb is missing",
        "debkit repo rebuild --from DIR",
    ),
    "a package of an old state is damaged": (
        lambda base: overwrite(base / "pool/main/f/first/first_1.0_amd64.deb"),
        "first_1.0_amd64.deb is not what its index says",
        "put it back",
    ),
    "a source is damaged": (
        lambda base: overwrite(base / "pool/main/t/third/third_3.0~rc1.tar.gz"),
        "third_3.0~rc1.tar.gz is not what its index says",
        "put it back",
    ),
    "a .changes is damaged": (
        lambda base: overwrite(base / "pool/main/t/third/third_3.0~rc1_source+amd64.changes"),
        "third_3.0~rc1_source+amd64.changes is not what the database says",
        "put it back",
    ),
    "a stray": (
        lambda base: (base / "pool/main/f/first/first_9.9.dsc").touch(),
        "first_9.9.dsc belongs to nothing",
        "debkit repo prune",
    ),
    "an index is damaged": (
        lambda base: overwrite(base / "dists/trixie/main/binary-arm64/Packages.gz"),
        "binary-arm64/Packages.gz is not what the Release file says",
        "debkit repo refresh",
    ),
    "Packages is damaged in all its links": (
        lambda base: overwrite(*same(base / "dists", base / "dists/trixie/main/binary-amd64/Packages")),
        "binary-amd64/Packages is not what the Release file says",
        "debkit repo refresh",
    ),
    "the sources' index is damaged": (
        lambda base: overwrite(base / "dists/trixie/main/source/Sources.gz"),
        "source/Sources.gz is not what the Release file says",
        "debkit repo refresh",
    ),
    "the sources' index is none": (
        lambda base: rewrite(base / "dists/trixie/main/source/Sources.gz", b"nothing"),
        "source/Sources.gz is not what the Release file says",
        "debkit repo refresh",
    ),
    "a field of an index is damaged": (
        lambda base: change(base / "dists/trixie/main/binary-amd64/Packages", b"SHA256: ", b"SHA257: "),
        "binary-amd64/Packages is not what the Release file says",
        "debkit repo refresh",
    ),
    "an index is no text": (
        lambda base: rewrite(base / "dists/trixie/main/binary-amd64/Packages", b"Filename: \xff\n"),
        "binary-amd64/Packages is not what the Release file says",
        "debkit repo refresh",
    ),
    "by-hash is lost": (
        lambda base: shutil.rmtree(base / "dists/trixie/main/binary-amd64/by-hash"),
        "is missing",
        "debkit repo refresh",
    ),
    "a snapshot is half there": (
        lambda base: (snapshots.snapshots(base, "trixie")[0].path / "InRelease").unlink(),
        "is half there",
        "debkit repo prune",
    ),
    "a snapshot's index is damaged": (
        lambda base: rewrite(newest(base).path / "main/source/Sources.gz", b"nothing"),
        "main/source/Sources.gz is not what the Release file says",
        "rm -r ",
    ),
    "a snapshot lost an index": (
        lambda base: (newest(base).path / "main/source/Sources.gz").unlink(),
        "main/source/Sources.gz is missing",
        "rm -r ",
    ),
    "a snapshot's signature is damaged": (
        lambda base: overwrite(oldest(base).path / "InRelease"),
        "InRelease has no good signature: BAD signature",
        "rm -r ",
    ),
    "a snapshot's Release is not what was signed": (
        lambda base: change(oldest(base).path / "Release", b"\nDescription: ", b"\nDescription: other "),
        "Release.gpg has no good signature: BAD signature",
        "rm -r ",
    ),
    "a snapshot is not signed": (
        lambda base: rewrite(oldest(base).path / "InRelease", (oldest(base).path / "Release").read_bytes()),
        "InRelease has no good signature: ",
        "rm -r ",
    ),
    "a snapshot lost a signature": (
        lambda base: (oldest(base).path / "Release.gpg").unlink(),
        "Release.gpg is missing",
        "put it back from a backup",
    ),
    "a snapshot has another's InRelease": (
        lambda base: rewrite(oldest(base).path / "InRelease", (base / "dists/trixie/InRelease").read_bytes()),
        "InRelease does not say what",
        "rm -r ",
    ),
    "the last snapshot is lost": (
        lambda base: shutil.rmtree(newest(base).path),
        "trixie: what is published is in no snapshot",
        "debkit repo refresh",
    ),
    "InRelease is damaged": (
        lambda base: overwrite(base / "dists/trixie/InRelease"),
        "InRelease is not signed by a key of debkit-archive-keyring.pgp: ",
        "debkit repo refresh",
    ),
    "Release is damaged": (
        lambda base: overwrite(base / "dists/trixie/Release"),
        "BAD signature",
        "debkit repo refresh",
    ),
    "Release is no text": (
        lambda base: change(base / "dists/trixie/Release", b"Date: ", b"Date: \xff"),
        "BAD signature",
        "debkit repo refresh",
    ),
    "Release.gpg is lost": (
        lambda base: (base / "dists/trixie/Release.gpg").unlink(),
        "Release.gpg is missing",
        "debkit repo refresh",
    ),
    "an InRelease of before": (
        lambda base: shutil.copy2(snapshots.snapshots(base, "trixie")[0].path / "InRelease", base / "dists/trixie/InRelease"),
        "InRelease does not say what",
        "debkit repo refresh",
    ),
    "the keyring is lost": (
        lambda base: (base / "debkit-archive-keyring.pgp").unlink(),
        "it has no keyring",
        "debkit repo refresh",
    ),
    "the keyring is none": (
        lambda base: (base / "debkit-archive-keyring.pgp").write_text("nothing"),
        "debkit-archive-keyring.pgp holds no keys",
        "debkit repo refresh",
    ),
    "the archive had another name": (
        lambda base: renamed(base, "older"),
        "it has 2 keyrings, debkit-archive-keyring.pgp, older-archive-keyring.pgp",
        "debkit repo refresh",
    ),
    "the database is damaged": (
        lambda base: (base / "db/packages.db").write_bytes(b"nothing" * 99),
        "the database is damaged: db_open(",
        "debkit repo rebuild",
    ),
    "the database is lost": (
        lambda base: shutil.rmtree(base / "db"),
        "the database is lost: there is no ",
        "debkit repo rebuild",
    ),
    "the journal is lost": (
        lambda base: journal.path(base).unlink(),
        "the journal is lost: there is no ",
        "debkit repo refresh",
    ),
    "the database lost its references": (
        lambda base: (base / "db/references.db").unlink(),
        "the database is damaged: Missing reference to ",
        "debkit repo rebuild",
    ),
    "the database lost its checksums": (
        lambda base: (base / "db/checksums.db").unlink(),
        "the database does not know pool/main/f/first/first_2.0.dsc",
        "debkit repo rebuild",
    ),
    "reprepro was called by hand": (
        lambda base: by_hand(base, "remove", "trixie", "third"),
        "trixie: the database lacks what is published: third 3.0~rc1 (amd64), third 3.0~rc1 (source)",
        "debkit repo rebuild",
    ),
    "the configuration is lost": (
        lambda base: shutil.rmtree(base / "conf"),
        "the database cannot be read: ",
        "it belongs into git",
    ),
    "an architecture is taken away": (
        lambda base: (base / "conf/distributions").write_text(
            (base / "conf/distributions").read_text().replace("amd64 arm64 source", "amd64 source")
        ),
        "|main|arm64, which conf/distributions has no more",
        "clearvanished",
    ),
    "a line of the journal is lost": (
        lambda base: journal.path(base).write_text("".join(journal.path(base).read_text().splitlines(keepends=True)[:-1])),
        "trixie: the journal has what is not published: third 1.0 (amd64), third 1.0 (source)",
        "debkit repo refresh",
    ),
    "the journal is damaged": (
        lambda base: overwrite(journal.path(base)),
        "journal.jsonl is damaged",
        "sed -n 2p",
    ),
    "a killed run": (
        transaction.begin,
        "a run that changed it was killed",
        "debkit repo recover",
    ),
}
