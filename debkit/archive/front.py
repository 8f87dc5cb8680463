"""All that clients need beside the indices: public keys, .sources files, the instructions and the front page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.archive import client, page
from debkit.archive.lock import WAIT_SECONDS, locked
from debkit.console import Quiet

if TYPE_CHECKING:
    from debkit.config import Config
    from debkit.console import Progress
    from debkit.keys import Keys

QUIET = Quiet()


def write(config: Config, keys: Keys) -> None:
    """Write what has changed of it. The archive's lock must be held; who changes an index calls this then."""
    client.write(config, keys)
    page.write(config, keys)


def furnish(config: Config, keys: Keys, *, progress: Progress = QUIET, wait: float = WAIT_SECONDS) -> None:
    """Write what has changed of it. `wait` is in seconds, for another run to let go of the archive. Raises LockedError."""
    with locked(config.repo, what="writing what clients need", progress=progress, wait=wait):
        write(config, keys)
