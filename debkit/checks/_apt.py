"""What apt in a clean system is told by every check that installs there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debkit.apt.settings import network_settings

if TYPE_CHECKING:
    from debkit.run import Run

CONF = "etc/apt/apt.conf.d/50debkit"

# A list that cannot be had is an error: by default apt-get update warns of it and exits with 0, and then the package would be
# blamed for what is missing. No translations, since nobody reads them.
SETTINGS = ('Acquire::Languages "none";', 'Acquire::Retries "3";', 'APT::Update::Error-Mode "any";')


def settings(run: Run) -> str:
    """Give the file for CONF. The machine's proxy serves; its certificates are no files of the clean system."""
    network = (f'{name} "{value}";' for name, value in network_settings(run) if name.startswith("Acquire::http::"))
    return "\n".join((*SETTINGS, *network, ""))
