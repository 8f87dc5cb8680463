from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.checks import _units

if TYPE_CHECKING:
    from pathlib import Path

LINES = """\
# Type Path Mode User Group Age Argument
d /srv/hello 0755 root root -
D! "/opt/hello" 0755
L+ /usr/share/hello/link - - - - /elsewhere
f=  /var/lib/hello/stamp
d /run/hello 0755
d /var/run/hello
D /tmp/hello
d /var/tmp/hello
z /etc/hello 0750
r! /var/lib/hello/lock
d /home/%u
"""


def test_what_systemd_tmpfiles_makes_for_good(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/tmpfiles.d").mkdir(parents=True)
    (tmp_path / "usr/lib/tmpfiles.d/hello.conf").write_text(LINES)
    assert _units.made(tmp_path) == ("/srv/hello", "/opt/hello", "/usr/share/hello/link", "/var/lib/hello/stamp")
