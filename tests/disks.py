"""Runs in which a directory lies on another disk, of any size or read-only: a tmpfs in a namespace of the test's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Project

AS_ROOT = ("unshare", "--user", "--map-auto", "--map-root-user", "--mount")
IDS = """
echo root:1:65535 > "$0/ids"
mount --bind "$0/ids" /etc/subuid
mount --bind "$0/ids" /etc/subgid
"""
# There the directory $1, with all that is in it, is on another file system; what it has in the end is copied to `after`.
ON_ANOTHER_DISK = f"""{IDS}
place=$1 disk=$2
shift 2
cp -a "$place" "$0/before"
mount -t tmpfs -o "size=${{disk#ro}},mode=1777" tmpfs "$place"
cp -a "$0/before/." "$place"
[ "$disk" = "${{disk#ro}}" ] || mount -o remount,ro "$place"
"$@" || code=$?
cp -a "$place" "$0/after"
exit ${{code-0}}
"""


def on_another_disk(project: Project, place: Path, disk: str) -> tuple[str, ...]:
    """The prefix that gives `place` a disk of a size such as "64k", or a read-only one ("ro64k")."""
    return (*AS_ROOT, "sh", "-ec", ON_ANOTHER_DISK, os.fspath(project.path), os.fspath(place), disk)
