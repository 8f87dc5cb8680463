"""A server for the archive's proof: http on the loopback, dists/ and pool/ and nothing else."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Served:
    """Where an archive is reached, and which of its files (paths under the base) clients have asked for."""

    url: str
    asked: set[str] = field(default_factory=set)


@contextlib.contextmanager
def served(base: Path) -> Iterator[Served]:
    """Serve an archive on a port of the system's choice."""
    site = Served("")
    root = base.resolve()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=os.fspath(root))

        def send_head(self) -> Any:
            path = Path(self.translate_path(self.path)).relative_to(root)
            if path.parts[:1] not in {("dists",), ("pool",)}:
                return self.send_error(http.HTTPStatus.NOT_FOUND)
            site.asked.add(path.as_posix())
            return super().send_head()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            """Say nothing: apt tells what it misses."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
