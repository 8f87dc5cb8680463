"""Small uploads and who publishes them, in this process or in one that can be killed.

`python3 -m tests.publisher PROJECT STATE CHANGES...` publishes uploads with the development keys kept in STATE, one after the
other, but at once what has a + between. It prints "ready" once it has the keys, and then each source that it has put in.
"""

from __future__ import annotations

import os
import subprocess  # noqa: TID251  # a publisher that is killed must be another process
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.archive import publish_all, read_upload
from debkit.config import Config, KeysConfig
from debkit.keys import Keys, find_keys
from debkit.run import Processes
from tests.archives import RUN
from tests.bulk import make_uploads

if TYPE_CHECKING:
    from debkit.archive import Upload
    from debkit.model import Published
    from debkit.run import Run

CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Desk:
    """One archive, the development keys (kept in `state`), and a directory for uploads to it."""

    config: Config
    keys: Keys
    state: Path
    directory: Path

    def make(self, *names: str, version: str = "1.0", arch: str = "amd64", udeb: bool = False) -> tuple[Path, ...]:
        """Make an upload of each name and give its .changes."""
        upload = self.keys.upload
        return make_uploads(
            self.directory, names, version=version, arch=arch, udeb=udeb, home=upload.home, key=upload.fingerprint
        )

    def publish(self, *changes: Path, suite: str = "trixie") -> tuple[Published, ...]:
        """Publish all at once."""
        return publish_all(RUN, self.config, read(RUN, *changes), self.keys, suite=suite)

    def start(self, *changes: Path, together: bool = False) -> subprocess.Popen[str]:
        """Publish in another process, one after the other or all at once."""
        paths = [os.fspath(path) for path in changes]
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.publisher",
                self.config.project,
                self.state,
                *(["+".join(paths)] if together else paths),
            ],
            env={**os.environ, "PYTHONPATH": os.fspath(CHECKOUT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def read(run: Run, *changes: Path) -> tuple[Upload, ...]:
    return tuple(read_upload(run, path) for path in changes)


def main(project: Path, state: Path, *groups: str) -> None:
    run = Processes()
    with run.interruptible(), find_keys(run, KeysConfig(), environ={}, state=state) as keys:
        print("ready", flush=True)  # noqa: T201
        for group in groups:
            uploads = read(run, *map(Path, group.split("+")))
            for published in publish_all(run, Config(project=project), uploads, keys, suite="trixie"):
                if not published.unchanged:
                    print(published.source, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
