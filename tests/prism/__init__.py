"""Prism, which serves GitHub's own description of its REST interface and refuses what does not fit it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess  # noqa: TID251  # a server that outlives its start
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.run import Command
from tests.archives import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DESCRIPTION = "node_modules/@octokit/openapi/generated/api.github.com.json"
SECONDS = 120  # it takes 25 on a machine that does nothing else


def installed(cache: Path) -> Path:
    """Where prism is, installed once for all sessions, as chroots are."""
    content = b"".join((HERE / name).read_bytes() for name in ("install", "package-lock.json"))
    path = cache / f"prism-{hashlib.sha256(content).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".prism.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            new = Path(tempfile.mkdtemp(prefix=".prism.", dir=cache))
            try:
                RUN(Command(argv=("sh", os.fspath(HERE / "install"), os.fspath(new)), timeout=900))
                new.rename(path)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    return path


@contextlib.contextmanager
def prism(cache: Path) -> Iterator[str]:
    """The URL of a prism that runs as long as the context."""
    path = installed(cache)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("mock", "--errors", "--port", f"{port}", "--verboseLevel", "silent", f"{path / DESCRIPTION}")
    argv = (f"{path}/wheel/bin/node", f"{path}/node_modules/@stoplight/prism-cli/dist/index.js", *words)
    with tempfile.TemporaryFile() as log, subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as server:
        try:
            deadline = time.monotonic() + SECONDS
            while not _answers(f"http://127.0.0.1:{port}/zen"):
                if server.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise AssertionError(log.read().decode())
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
