"""Where debkit keeps its state, after the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Chroot tarballs, dependency layers, downloads: all can be made again."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "debkit"


def state_home() -> Path:
    """The development keys and the history of runs: cannot be made again."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "debkit"


def scratch_home() -> Path:
    """Where build trees are unpacked: TMPDIR, else /var/tmp, since /tmp is often in memory and a build tree is large."""
    return Path(os.environ.get("TMPDIR") or "/var/tmp")


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default
