"""All that clients need beside the indices: public keys, .sources files, the instructions and the front page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.archive import client
from debkit.archive.front import page
from debkit.archive.front.news import read_news

if TYPE_CHECKING:
    from debkit.archive.front.news import Read
    from debkit.config import Config
    from debkit.keys import Keys


def write(config: Config, keys: Keys, read: Read = read_news) -> None:
    """Write what has changed of it. The archive's lock must be held; who changes an index calls this then."""
    client.write(config)
    page.write(config, keys, read)
