"""What a published release says of itself: that of an old series is not the latest."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from debkit.console import Quiet
from debkit.keys import Keys, Secret
from debkit.model import SigningKey
from debkit.release.client import Client
from debkit.release.github import Publication, Release

KEY = SigningKey(fingerprint="A" * 40, uid="x", home=Path("/home"), development=True)


@pytest.mark.parametrize(
    ("tag", "others", "asked"),
    [
        ("v1.2.4", ("v1.2.3", "v2.0"), {"make_latest": "false"}),
        ("v2.1", ("v1.2.3", "v2.0", "nightly"), {}),
        ("v2.0", ("v2.0",), {}),
        ("stable", ("v2.0",), {}),
        ("v1.2.4", (), {}),
    ],
)
def test_a_fix_of_an_old_series_is_not_the_latest(tag: str, others: tuple[str, ...], asked: dict[str, str]) -> None:
    told: list[dict[str, Any]] = []

    def update(_name: str, _text: str, *, draft: bool, prerelease: bool, make_latest: str = "") -> SimpleNamespace:
        told.append({"make_latest": make_latest} if make_latest else {})
        return SimpleNamespace(draft=draft, prerelease=prerelease)

    def old(_name: str, _text: str, *, draft: bool, prerelease: bool) -> SimpleNamespace:
        return SimpleNamespace(draft=draft, prerelease=prerelease)

    releases = [SimpleNamespace(tag_name=name, draft=False, prerelease=False) for name in others]
    releases += [SimpleNamespace(tag_name="v9", draft=kind, prerelease=not kind) for kind in (True, False)]
    client = Client(hub=None, token=Secret("t"), api="https://api.example", repository="o/r", tag=tag, progress=Quiet())
    release = Release(title="hello", text="", prerelease=False, assets=())
    publication = Publication(client, release, Keys(upload=KEY, archive=KEY), SimpleNamespace(get_releases=lambda: releases))
    for known in (update, old):
        publication._publish(SimpleNamespace(title="", body="", prerelease=False, update_release=known))
    assert told == [asked]
