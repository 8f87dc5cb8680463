"""What checks of a target share: resolved once, lent to apt in clean systems, and kept."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.checks import _supply
from debkit.checks._supply import Group, Supplies
from debkit.chroot import cache, store
from debkit.console import Quiet
from debkit.errors import DependencyError, Interrupted, NetworkError
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from debkit import checks
    from tests.recorder import Recorder

PIN = apt.Pin(
    name="less",
    version="1:668-1",
    arch="arm64",
    filename="pool/less_668-1_arm64.deb",
    size=7,
    sha256="ab" * 32,
    uri="http://repo.example.org/debian/pool/less_668-1_arm64.deb",
)


@pytest.fixture
def clean(clean_bench: checks.Bench, tmp_path: Path) -> Chroot:
    """A clean system; the tests are of what is asked of apt for it."""
    spec = ChrootSpec(kind=ChrootKind.CLEAN, target=Target("trixie", "arm64"))
    return Chroot(spec=spec, tarball=tmp_path / "clean.tar", created=0.0)


@pytest.fixture
def shelf(clean: Chroot) -> Path:
    return cache.shelf("debs")


def asked(recorder: Recorder) -> list[str]:
    requests = [json.loads(command.stdin) for command in recorder.commands if command.stdin]
    return [f"{request['verb']} {' '.join(request.get('names', ()))}".strip() for request in requests]


def need(recorder: Recorder, clean: Chroot, supplies: Supplies, *groups: Group) -> dict[str, Path]:
    with _supply.needed(recorder, clean, *groups, supplies=supplies, progress=Quiet()) as found:
        return dict(found)


def test_each_group_is_resolved_once(recorder: Recorder, clean: Chroot, tmp_path: Path) -> None:
    group, more, supplies = Group((tmp_path / "x.deb",)), Group((tmp_path / "x.deb",), ("file",), upgrade=True), Supplies()
    for _ in range(2):
        assert need(recorder, clean, supplies, group, more, Group(())) == {}
    assert asked(recorder) == ["update", "solve", "solve file"]


def test_lists_that_are_young_are_not_fetched_again(recorder: Recorder, clean: Chroot, tmp_path: Path) -> None:
    stamp = store.apt_root(clean).path / "var/lib/apt/lists/updated"
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    need(recorder, clean, Supplies(), Group((tmp_path / "x.deb",)))
    assert asked(recorder) == ["solve"]
    os.utime(stamp, (time.time() - 4000,) * 2)
    need(recorder, clean, Supplies(), Group((tmp_path / "x.deb",)))
    assert asked(recorder) == ["solve", "update", "solve"]


def test_old_lists_serve_where_there_is_no_mirror(
    recorder: Recorder, clean: Chroot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise NetworkError("no mirror", cause="no network", hint="wait")

    monkeypatch.setattr(apt, "update", unreachable)
    need(recorder, clean, Supplies(), Group((tmp_path / "x.deb",)))
    assert asked(recorder) == ["solve"]


def test_an_untrusted_mirror_is_told_each_time(
    recorder: Recorder, clean: Chroot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrusted(*_: object, **__: object) -> None:
        raise apt.Untrusted("the signature does not hold", cause="a stranger's key", hint="look at it")

    monkeypatch.setattr(apt, "update", untrusted)
    supplies = Supplies()
    for _ in range(2):
        with pytest.raises(apt.Untrusted):
            need(recorder, clean, supplies, Group((tmp_path / "x.deb",)))
    assert asked(recorder) == []


def test_what_cannot_be_installed_is_asked_for_once_and_said_each_time(recorder: Recorder, clean: Chroot, tmp_path: Path) -> None:
    error = {"kind": "unknown", "name": "nonesuch", "near": []}
    recorder.reply("debkit.apt.child", stdout=json.dumps({"error": error}))
    supplies = Supplies(fresh={store.apt_root(clean)})
    for _ in range(2):
        with pytest.raises(DependencyError, match="nonesuch"):
            need(recorder, clean, supplies, Group((tmp_path / "x.deb",)))
    with _supply.lent(recorder, clean, Group((tmp_path / "x.deb",)), supplies=supplies, progress=Quiet()):
        pass  # apt in the clean system is to say it
    assert asked(recorder) == ["solve"]


def test_apt_is_lent_what_the_cache_has_and_what_it_downloads_is_kept(
    recorder: Recorder, clean: Chroot, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[str, ...]] = []

    def shelved(_run: object, _root: object, where: Path, *, known: Iterable[str]) -> tuple[apt.Pin, ...]:
        assert where == shelf
        looked.append(tuple(known))
        return () if PIN.sha256 in looked[-1] else (PIN,)

    monkeypatch.setattr(apt, "shelved", shelved)
    supplies = Supplies()
    lent = shelf / f"{PIN.sha256}.deb"
    lent.touch()
    for content in (b"new", None, None):
        with _supply.lent(recorder, clean, supplies=supplies, progress=Quiet()) as loan:
            (archives, _), (lists, _) = loan.binds
            assert [inner for _, inner in loan.binds] == ["/var/cache/apt/archives", "/var/lib/apt/lists"]
            assert loan.read_only == ((shelf, "/srv/debkit-cache"),)
            assert {path.name: str(path.readlink()) for path in archives.iterdir()} == {
                "less_1%3a668-1_arm64.deb": f"/srv/debkit-cache/{'ab' * 32}.deb"
            }
            assert lists.is_dir()
            if content:
                (archives / "file_1_arm64.deb").write_bytes(content)
                (archives / "lock").touch()
                (archives / "elsewhere.deb").symlink_to(tmp_path)
    sha256 = "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"
    assert {path.name: path.read_bytes() for path in shelf.iterdir()} == {lent.name: b"", f"{sha256}.deb": b"new"}
    assert looked == [(), (PIN.sha256,)]  # once more after something came, for that alone
    lent.unlink()  # another run has pruned it
    with _supply.lent(recorder, clean, supplies=supplies, progress=Quiet()) as loan:
        assert list(loan.binds[0][0].iterdir()) == []


def test_what_cannot_be_kept_changes_no_verdict(
    recorder: Recorder, clean: Chroot, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copyfile
    full = OSError(errno.ENOSPC, "No space left on device")

    def copy(path: Path, copy: Path) -> None:
        copied(path, copy)
        if path.name == "b.deb":
            raise full

    def refuse(*_: object) -> None:
        raise full

    def judged(*names: str) -> None:
        with _supply.lent(recorder, clean, supplies=Supplies(), progress=Quiet()) as loan:
            for name in names:
                (loan.binds[0][0] / name).write_text(name)
            raise Interrupted(2)

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(Interrupted):
        judged("a.deb", "b.deb", "c.deb")
    assert sorted(path.read_text() for path in shelf.iterdir()) == ["a.deb", "c.deb"]
    monkeypatch.setattr(_supply, "temporary", refuse)
    with pytest.raises(Interrupted):
        judged("d.deb")


@pytest.mark.parametrize("used", ["/var/cache/apt/archives/{name}\n/srv/a.deb\n\xff", "/srv/a.deb\n", None])
def test_what_apt_has_installed_was_used_now(
    recorder: Recorder, clean: Chroot, shelf: Path, monkeypatch: pytest.MonkeyPatch, used: str | None
) -> None:
    monkeypatch.setattr(apt, "shelved", lambda *_, **__: (PIN,))
    file = shelf / f"{PIN.sha256}.deb"
    file.touch()
    os.utime(file, (1, 1))
    with _supply.lent(recorder, clean, supplies=Supplies(), progress=Quiet()) as loan:
        written = loan.binds[0][0] / "debkit-used"
        if used is None:
            os.mkfifo(written)
        else:
            written.write_text(used.format(name=PIN.deb), encoding="latin-1")
    assert (file.stat().st_mtime > 1) == (PIN.deb in (used or "").format(name=PIN.deb))
