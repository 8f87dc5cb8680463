"""What the front page needs beside the indices, made ready by a thread of its own while reprepro writes and signs these."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from debkit.archive.front.news import read_news
from debkit.archive.front.page import TOLD
from debkit.archive.render import prepare

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from debkit.archive.front.news import News
    from debkit.archive.reprepro import Entry


class Ahead:
    """Reads changelogs ahead. What is not done when its context is left, such as by an interrupt, is not done any more."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._news: dict[Path, Future[tuple[News, ...]]] = {}

    def __enter__(self) -> Self:
        self._thread.submit(prepare)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def begin(self, sources: Iterable[tuple[Entry, ...]]) -> None:
        """Begin with sources that are in the pool, each given as the entries of it and of what was built of it."""
        begun = tuple(sources)
        # Of more than these most are not told of in full, and which ones is not known yet.
        for entries in begun if len(begun) <= TOLD else ():
            debs = tuple(self._base / file for file in dict.fromkeys(entry.file for entry in entries if entry.type == "deb"))
            for dsc in (self._base / entry.file for entry in entries if entry.type == "dsc"):
                self._news[dsc] = self._thread.submit(read_news, dsc, debs)

    def read_news(self, dsc: Path, debs: tuple[Path, ...]) -> tuple[News, ...]:
        """Read what `news.read_news` reads, or give what was read."""
        return self._news[dsc].result() if dsc in self._news else read_news(dsc, debs)
