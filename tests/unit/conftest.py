"""Fixtures of the checks."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import apt, checks
from debkit.chroot import namespace, roots, store
from debkit.chroot.roots import ToolRoot
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.model import Chroot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Run
    from tests.recorder import Recorder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No unit test reads or writes the user's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def clean_bench(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> checks.Bench:
    """A bench whose clean system has libbz2-1.0, and where nothing needs more."""

    @contextlib.contextmanager
    def tools(*_: object, **__: object) -> Iterator[ToolRoot]:
        yield ToolRoot(Path("/cache/tools"))

    def unpack(run: Run, tarball: Path, root: Path) -> None:
        for directory in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "var/lib/dpkg", "srv"):
            (root / directory).mkdir(parents=True)
        gone = "Package: gone\nStatus: deinstall ok config-files\n"
        (root / "var/lib/dpkg/status").write_text(f"Package: libbz2-1.0\nStatus: install ok installed\n\n{gone}")

    monkeypatch.setattr(roots, "tools", tools)
    monkeypatch.setattr(store, "ensure", lambda run, spec, **_: Chroot(spec=spec, tarball=tmp_path / "clean.tar", created=0.0))
    monkeypatch.setattr(store, "held", lambda chroot: contextlib.nullcontext())
    monkeypatch.setattr(namespace, "unpack", unpack)
    monkeypatch.setattr(apt, "shelved", lambda *_, **__: ())
    monkeypatch.setattr(apt, "copy_lists", lambda *_: None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("http_proxy", raising=False)
    recorder.reply("apt-config", stdout='Acquire::http::Proxy "http://proxy.example.org:3142";\nAPT::Get::Yes "1";\n')
    recorder.reply("debkit.apt.child", stdout='{"ok": {"install": [], "remove": []}}')
    return checks.Bench(run=recorder, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist")
