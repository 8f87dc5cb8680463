"""Download packages and sources with apt's own methods, each file verified before it gets its name; say what need not be."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apt_pkg

from debkit.apt.child.explain import nearest
from debkit.apt.child.lists import Recorder, refresh
from debkit.apt.child.solve import pin
from debkit.apt.child.system import Trouble, configure, enter, sha256
from debkit.apt.root import LISTS, UPDATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.apt.child.system import Json

INBOX = ".download."
NEW = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Wish:
    """A file to have at `place`. `said` is how the progress tells of it."""

    uri: str
    size: int
    sha256: str
    said: str
    place: Path


def download(request: Json) -> Json:
    """Have the pins' files in the shared directory, as SHA256.deb."""
    configure(request)
    into = Path(request["into"])
    into.mkdir(parents=True, exist_ok=True)
    wishes = {
        pin["sha256"]: Wish(pin["uri"], pin["size"], pin["sha256"], said=f"{pin['name']} {pin['version']}", place=place)
        for pin in request["pins"]
        for place in (into / f"{pin['sha256']}.deb",)
    }
    fetch(list(wishes.values()), into)
    return {}


def shelved(request: Json) -> list[Json]:
    """Give the pins of all that the lists offer and that the shared directory has, but for those whose digests are `known`.

    Only files of a fitting size are looked up.
    """
    enter(request)
    shelf, known = Path(request["shelf"]), frozenset(request["known"])
    there = {path.stem: path.stat().st_size for path in shelf.glob("*.deb") if path.stem not in known}
    sizes = frozenset(there.values())
    cache = apt_pkg.Cache(None)
    sources = apt_pkg.SourceList()
    sources.read_main_list()
    records = apt_pkg.PackageRecords(cache)
    found = []
    for version in (version for package in cache.packages for version in package.version_list if version.size in sizes):
        for file, number in version.file_list:
            if not file.not_source and records.lookup((file, number)) and sha256(records.hashes) in there:
                found.append(pin(version, sources, records))
                break
    return [each for each in found if is_whole(shelf / f"{each['sha256']}.deb", each["size"], each["sha256"])]


def source(request: Json) -> str:
    """Download the newest source package of a name and give its .dsc. What the mirror no longer has is looked up once more."""
    enter(request, kind="deb-src", alone=True)
    root, name, into = request["root"], request["name"], Path(request["into"])
    into.mkdir(parents=True, exist_ok=True)
    fresh = not _is_current(root)
    if fresh:
        refresh(root, "deb-src")
    try:
        return _source(name, into)
    except Trouble as trouble:
        if fresh or trouble.about["kind"] != "download":
            raise
        refresh(root, "deb-src")
        return _source(name, into)


def fetch(wishes: list[Wish], into: Path) -> None:
    """Fetch what is not there already and whole."""
    wishes = [wish for wish in wishes if not is_whole(wish.place, wish.size, wish.sha256)]
    if not wishes:
        return
    with _inbox(into) as inbox:
        recorder = Recorder(into)
        fetcher = apt_pkg.Acquire(recorder)
        arriving = {wish.place: inbox / wish.place.name for wish in wishes}
        files = [
            apt_pkg.AcquireFile(
                fetcher, wish.uri, f"SHA256:{wish.sha256}", wish.size, wish.said, wish.said, destfile=str(arriving[wish.place])
            )
            for wish in wishes
        ]
        failed: dict[str, str] = {}
        try:
            fetcher.run()
        except apt_pkg.Error as problem:
            failed[""] = str(problem)
        if recorder.stalled:
            raise Trouble("apt", text=recorder.stalled)
        for wish, file in zip(wishes, files, strict=True):
            if file.status == apt_pkg.AcquireItem.STAT_DONE and file.complete:
                arriving[wish.place].replace(wish.place)
            else:
                failed[wish.uri] = file.error_text or recorder.failed.get(wish.uri, "it was not fetched")
    if failed:
        raise Trouble("download", failed=failed)


@contextlib.contextmanager
def _inbox(into: Path) -> Iterator[Path]:
    """Give a directory for files that are on their way, and remove those that killed runs have left.

    A lock on the directory tells the living from the dead. One that is new may not be locked yet.
    """
    for old in into.glob(f"{INBOX}*"):
        with contextlib.suppress(OSError):
            if old.stat().st_mtime < time.time() - NEW:
                with _held(old):
                    shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=INBOX, dir=into) as path, _held(Path(path)):
        yield Path(path)


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Lock a directory for this process, or raise OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def is_whole(path: Path, size: int, expected: str) -> bool:
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == expected


def _is_current(root: Json) -> bool:
    """Say whether the source lists are there and no older than the package lists: who refreshed those wants new sources too."""
    sources, packages = (Path(root["path"], LISTS[kind], UPDATED) for kind in ("deb-src", "deb"))
    return sources.exists() and not (packages.exists() and packages.stat().st_mtime > sources.stat().st_mtime)


def _source(name: str, into: Path) -> str:
    records = apt_pkg.SourceRecords()
    best: Any = None
    binaries_of = ""
    while records.lookup(name):
        if records.package != name:  # the lookup finds a binary package's source as well
            binaries_of = records.package
        elif best is None or apt_pkg.version_compare(records.version, best[0]) > 0:
            best = (records.version, [_wish(name, file, records.index, into) for file in records.files])
    if best is None:
        raise Trouble("source", name=name, source=binaries_of, near=[] if binaries_of else nearest(name, _all_sources()))
    # The .dsc comes last: where it stands, all that it lists stands too.
    listed = [wish for wish in best[1] if wish.place.suffix != ".dsc"]
    (dsc,) = [wish for wish in best[1] if wish.place.suffix == ".dsc"]
    fetch(listed, into)
    fetch([dsc], into)
    return str(dsc.place)


def _wish(name: str, file: Any, index: Any, into: Path) -> Wish:
    expected = sha256(file.hashes)
    if not expected:
        raise Trouble("unhashed", name=name, version=Path(file.path).name)
    base = Path(file.path).name
    return Wish(index.archive_uri(file.path), file.size, expected, base, into / base)


def _all_sources() -> set[str]:
    records = apt_pkg.SourceRecords()
    names = set()
    while records.step():
        names.add(records.package)
    return names
