"""What apt in a clean system is told by every check that installs there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from debkit.apt.settings import network_settings

if TYPE_CHECKING:
    from debkit.run import Run

CONF = "etc/apt/apt.conf.d/50debkit"

# A list that cannot be had is an error: by default apt-get update warns of it and exits with 0, and then the package would be
# blamed for what is missing. No translations, since nobody reads them. apt removes what it has installed, apt-get does not.
SETTINGS = (
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    'APT::Update::Error-Mode "any";',
    'Binary::apt::APT::Keep-Downloaded-Packages "true";',
)


def settings(run: Run) -> str:
    """Give the file for CONF. The machine's proxy serves, before that of the environment, as apt has it; its certificates are no
    files of the clean system.
    """
    given = (("Acquire::http::Proxy", os.environ["http_proxy"]),) if "http_proxy" in os.environ else ()
    network = (*given, *(pair for pair in network_settings(run) if pair[0].startswith("Acquire::http::")))
    return "\n".join((*SETTINGS, *(f'{name} "{value}";' for name, value in network), ""))
