"""The package lists of a root: fetch them, and say what they offer."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apt_pkg

from debkit.apt.child.system import Trouble, enter
from debkit.apt.root import LISTS, UPDATED

if TYPE_CHECKING:
    from debkit.apt.child.system import Json

PATIENCE = 300.0  # seconds; apt itself gives a silent server 30, three times over
PATIENCE_FULL = 5.0
SECTOR = 4096
COMPRESSED = {".xz", ".gz", ".bz2", ".lz4", ".zst", ".lzma"}


class Recorder:
    """apt's progress interface: a line for each item, and each failure kept, by URI.

    It also calls libapt off when nothing moves any more: on a full disk that waits for ever for its own methods (seen in 2.6).
    """

    current_bytes = 0.0  # libapt sets these before each pulse
    current_items = 0

    def __init__(self, place: Path) -> None:
        self.failed: dict[str, str] = {}
        self.stalled = ""
        self._place = place
        self._moved = time.monotonic()
        self._state = (0.0, 0)

    def fetch(self, item: Any) -> None:
        print(item.description or item.uri, file=sys.stderr, flush=True)  # noqa: T201 (it is the progress)

    def fail(self, item: Any) -> None:
        self.failed[item.uri] = item.owner.error_text

    def done(self, _item: Any) -> None:
        """Say nothing more."""

    ims_hit = done

    def start(self) -> None:
        """Say nothing."""

    stop = start

    def pulse(self, _owner: Any) -> bool:
        now, state = time.monotonic(), (self.current_bytes, self.current_items)
        if state != self._state:
            self._state, self._moved = state, now
        full = shutil.disk_usage(self._place).free < SECTOR
        if now - self._moved > (PATIENCE_FULL if full else PATIENCE):
            self.stalled = f"{self._place}: No space left on device" if full else f"nothing came for {PATIENCE:.0f} seconds"
        return not self.stalled

    def media_change(self, _medium: str, _drive: str) -> bool:
        return False


def update(request: Json) -> Json:
    enter(request, alone=True)
    refresh(request["root"], "deb")
    apt_pkg.Cache(None)  # writes pkgcache.bin, so that the first question after this is as quick as the next
    return {}


def refresh(root: Json, kind: str) -> None:
    """Fetch the lists; each must come, or be unchanged, with a good signature."""
    sources = apt_pkg.SourceList()
    sources.read_main_list()
    lists = Path(root["path"], LISTS[kind])
    recorder = Recorder(lists)
    fetcher = apt_pkg.Acquire(recorder)
    try:
        sources.get_indexes(fetcher)
        fetcher.run()
    except apt_pkg.Error as problem:
        raise Trouble("update", failed=recorder.failed, text=str(problem)) from problem
    if recorder.stalled:
        raise Trouble("apt", text=recorder.stalled)
    done = apt_pkg.AcquireItem.STAT_DONE
    had = {_stem(item.destfile) for item in fetcher.items if item.status == done}
    # A list that came in another compression after all has not failed.
    if any(item.status > done and _stem(item.destfile) not in had for item in fetcher.items):
        raise Trouble("update", failed=recorder.failed, text="")
    for rest in (lists / "partial").iterdir():
        rest.unlink()
    (lists / UPDATED).touch()


def seen(request: Json) -> list[str]:
    """Give the versions of a package that the lists (not the package status) hold, newest first."""
    enter(request)
    cache = apt_pkg.Cache(None)
    key = (request["package"], request["root"]["arch"])
    versions = cache[key].version_list if key in cache else []
    return [version.ver_str for version in versions if any(not file.not_source for file, _ in version.file_list)]


def known(request: Json) -> list[str]:
    """Give those of the named packages that the lists hold."""
    enter(request)
    cache = apt_pkg.Cache(None)
    arch = request["root"]["arch"]
    return [name for name in request["names"] if (name, arch) in cache and cache[name, arch].has_versions]


def offered(request: Json) -> list[bool]:
    """Say whether the lists still hold each of these packages, at the same place."""
    enter(request)
    cache = apt_pkg.Cache(None)
    records = apt_pkg.PackageRecords(cache)
    return [_offers(cache, records, pin) for pin in request["pins"]]


def _offers(cache: Any, records: Any, pin: Json) -> bool:
    arch = apt_pkg.config["APT::Architecture"] if pin["arch"] == "all" else pin["arch"]
    if (pin["name"], arch) not in cache:
        return False
    for version in cache[pin["name"], arch].version_list:
        for file in version.file_list if version.ver_str == pin["version"] else ():
            if not file[0].not_source and records.lookup(file) and records.filename == pin["filename"]:
                return True
    return False


def _stem(destfile: str) -> str:
    name = Path(destfile)
    return name.stem if name.suffix in COMPRESSED else name.name
