"""debkit in a container, whose root has ids to pass on and no more than Debian needs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from debkit.run import Command, Processes
from tests.command import CHECKOUT
from tests.disks import AS_ROOT, IDS

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = """
import os
from debkit.chroot import namespace
argv = namespace.as_root(("cat", "/proc/self/uid_map", "/proc/self/gid_map"))
os.execvp(argv[0], argv)
"""


def test_a_namespace_in_it_has_all_ids(run: Processes, tmp_path: Path) -> None:
    argv = (*AS_ROOT, "sh", "-ec", f'{IDS}exec "$@"', os.fspath(tmp_path), sys.executable, "-c", INSIDE)
    done = run(Command(argv=argv, env=(("PYTHONPATH", os.fspath(CHECKOUT)),)))
    assert [line.split() for line in done.stdout.splitlines()] == 2 * [["0", "0", "1"], ["1", "1", "65535"]]
