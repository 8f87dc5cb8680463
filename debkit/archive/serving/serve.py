"""A small http server for an archive: what would be deployed, and nothing else. For the proof, and for trying."""

from __future__ import annotations

import contextlib
import errno
import http.server
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from debkit.archive.serving.site import PAGE, is_public
from debkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Served:
    """Where an archive is reached, and which of its files (paths under the base) clients have asked for."""

    url: str
    asked: set[str] = field(default_factory=set)


@contextlib.contextmanager
def served(base: Path, *, bind: str = LOOPBACK, port: int = 0) -> Iterator[Served]:
    """Serve an archive; port 0 is one of the system's choice. Raises ConfigError where the address cannot be had."""
    site = Served("")
    root = base.resolve()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=os.fspath(root))

        def send_head(self) -> Any:
            path = PurePosixPath(Path(self.translate_path(self.path)).relative_to(root).as_posix())
            if not is_public(path if path.parts else PurePosixPath(PAGE)):
                return self.send_error(http.HTTPStatus.NOT_FOUND)
            site.asked.add(path.as_posix())
            return super().send_head()

        def list_directory(self, path: Any) -> None:  # noqa: ARG002
            """Show no directory: where an archive is deployed there may be none to see."""
            self.send_error(http.HTTPStatus.NOT_FOUND)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            """Say nothing: apt tells what it misses."""

    with _listening(bind, port, Handler) as server:
        server.daemon_threads = True
        site.url = f"http://{bind}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


def _listening(bind: str, port: int, handler: type[http.server.SimpleHTTPRequestHandler]) -> http.server.ThreadingHTTPServer:
    try:
        return http.server.ThreadingHTTPServer((bind, port), handler)
    except (OSError, OverflowError) as problem:
        taken = isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE
        raise ConfigError(
            f"nothing can be served on {bind} port {port}",
            cause="another program listens there" if taken else str(problem),
            hint="debkit repo serve --port 0, which takes a free one" if taken else "debkit repo serve --bind 127.0.0.1 --port 0",
        ) from problem
