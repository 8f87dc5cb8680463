"""All that clients need beside the indices: public keys, .sources files, the instructions and the front page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.archive import client, page

if TYPE_CHECKING:
    from debkit.config import Config
    from debkit.keys import Keys


def write(config: Config, keys: Keys) -> None:
    """Write what has changed of it. The archive's lock must be held; who changes an index calls this then."""
    client.write(config, keys)
    page.write(config, keys)
