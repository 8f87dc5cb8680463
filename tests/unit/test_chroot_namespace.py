"""Who root is: of a user namespace, but where these are switched off and the caller is the machine's own root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.chroot import namespace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("uid", "limit", "confined"),
    [(0, "0\n", False), (0, "63000\n", True), (0, "", True), (1000, "0\n", True), (1000, "63000\n", True)],
)
def test_only_the_machines_root_goes_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid: int, limit: str, *, confined: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr(namespace, "LIMIT", tmp_path / "limit")
    if limit:
        (tmp_path / "limit").write_text(limit)
    assert namespace.confined() is confined
    assert ("--map-root-user" in namespace.as_root(("true",))) is confined
    assert namespace.as_root(("true",), network=False)[-3:] == ("--net", "--", "true")
