"""What isolated apt takes from the machine's own configuration: how to reach the network, and nothing else.

A proxy, the authorities and client certificate for https, timeouts and the address family belong to where the machine stands.
Everything else (pins, trust, hooks, insecure repositories) would make the result depend on the machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from debkit.run import Command

if TYPE_CHECKING:
    from debkit.run import Run

# apt.conf(5), apt-transport-http(1), apt-transport-https(1). A host's name may stand before or after the option's.
NETWORK = re.compile(
    r"Acquire::(?:https?|ftp)::(?:[^:]+::)?(?:Proxy(?:-?Auto-?Detect)?|CAInfo|CAPath|SslCert|SslKey|Timeout)(?:::[^:]+)?"
    r"|Acquire::ForceIPv[46]",
    re.IGNORECASE,
)
DUMPED = re.compile(r'(\S+) "(.*)";')


def network_settings(run: Run) -> tuple[tuple[str, str], ...]:
    """Ask the machine's apt-config. The http_proxy family of variables needs nothing: the child inherits it."""
    return parse_dump(run(Command(argv=("apt-config", "dump"), separate=True)).stdout)


def parse_dump(text: str) -> tuple[tuple[str, str], ...]:
    """Find the network settings in what `apt-config dump` printed."""
    found = (DUMPED.fullmatch(line) for line in text.splitlines())
    return tuple((m[1], m[2]) for m in found if m and m[2] and NETWORK.fullmatch(m[1]))
