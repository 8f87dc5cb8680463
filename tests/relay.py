"""A proxy that passes on what it is asked for, and keeps the list."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSED_ON = ("If-Modified-Since", "Range", "If-Range")
KEPT = ("Content-Length", "Content-Range", "Content-Type", "Last-Modified")


@contextlib.contextmanager
def relay() -> Iterator[tuple[str, list[str]]]:
    """Give the proxy's address, and the addresses that it is asked for. The environment's proxy, as it is now, serves it."""
    asked: list[str] = []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(urllib.request.getproxies()))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            try:
                answer = opener.open(urllib.request.Request(self.path, headers=headers), timeout=60)  # noqa: S310 (http alone)
            except urllib.error.HTTPError as problem:
                answer = problem
            with answer:
                self.send_response(answer.status)
                for name in KEPT:
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.end_headers()
                shutil.copyfileobj(answer, self.wfile)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()
