"""A package with a service, for what boots a system and looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.debs import make_package

if TYPE_CHECKING:
    from pathlib import Path

UNIT = """\
[Unit]
Description=Hello

[Service]
ExecStart=/usr/bin/hello-debkit
DynamicUser=yes
PrivateTmp=yes
ProtectSystem=strict
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""
# It goes on only where its unit's seccomp and namespaces are in force.
PROGRAM = """\
#!/bin/sh
grep -q '^Seccomp:.2' /proc/self/status || exit 1
[ "$(readlink /proc/self/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ] || exit 2
! touch /usr/x 2>/dev/null || exit 3
exec sleep infinity
"""
POSTINST = "systemctl daemon-reload; systemctl enable --now hello-debkit.service"
PRERM = "systemctl disable --now hello-debkit.service"


def make_confined(directory: Path) -> Path:
    """Make a package whose service goes on only where it is confined."""
    return make_package(
        directory,
        scripts={"postinst": POSTINST, "prerm": PRERM},
        files={"/usr/bin/hello-debkit": PROGRAM, "/usr/lib/systemd/system/hello-debkit.service": UNIT},
    )
