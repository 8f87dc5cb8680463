"""Where debkit keeps its state, after the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """Say where chroot tarballs, dependency layers and downloads are: all can be made again."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "debkit"


def state_home() -> Path:
    """Say where the development keys are: they cannot be made again."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "debkit"


def scratch_home() -> Path:
    """Say where build trees are unpacked: TMPDIR, else /var/tmp, since /tmp is often in memory and a build tree is large."""
    return Path(os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default
