"""What makes a build differ, and how each backend is told of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.apt import Pin, Superseded
from debkit.backends import _vary, pbuilder, sbuild
from debkit.backends._outcome import Site
from debkit.chroot.namespace import as_root
from debkit.model import Variation
from debkit.run import Command, Processes
from tests.jobs import Narration, make_job

if TYPE_CHECKING:
    from debkit.apt import AptRoot
    from debkit.run import Run
    from tests.recorder import Recorder

ALL = Variation(path="/build/another-path", clock=86400, timezone="GMT-14", locale="fr_CH.UTF-8", host="localhost", processors=1)
SITE = Site(work=Path("/scratch/work"), into=Path("/dist"), log=Path("/dist/log"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """What was asked of apt, which has moved on once and has more than the packages themselves."""
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "cache"))
    found: list[tuple[str, ...]] = []

    def resolve(_run: Run, root: AptRoot, names: tuple[str, ...]) -> tuple[Pin, ...]:
        assert root.empty
        pins = {"name": "", "version": "1", "arch": "amd64", "filename": "x", "size": 1, "uri": "x"}
        return tuple(Pin(**{**pins, "name": name, "sha256": name}) for name in ("libc6", *names))  # type: ignore[arg-type]

    def download(_run: Run, _root: AptRoot, pins: tuple[Pin, ...], into: Path, **_: object) -> tuple[Path, ...]:
        found.append(tuple(pin.name for pin in pins))
        if len(found) == 1:
            raise Superseded("the mirror has moved on", cause="why", hint="next")
        return tuple(into / f"{pin.sha256}.deb" for pin in pins)

    monkeypatch.setattr(apt, "resolve_install", resolve)
    monkeypatch.setattr(apt, "download", download)
    return found


def unpacked(recorder: Recorder, work: Path) -> None:
    """Have dpkg-deb unpack what the two packages have of use."""
    library, source = work / "unpacked/usr/lib/x/faketime/libfaketime.so.1", work / "unpacked/usr/share/i18n/locales/fr_CH"
    recorder.reply("dpkg-deb", files=((library, b""), (source, b"")))


def test_all_that_a_varied_build_needs_is_laid_in_one_directory(
    recorder: Recorder, asked: list[tuple[str, ...]], tmp_path: Path
) -> None:
    unpacked(recorder, tmp_path)
    old = os.umask(0o077)
    try:
        _vary.lay(recorder, make_job(variation=ALL), tmp_path / "vary", Narration())
    finally:
        os.umask(old)
    assert asked == [("libfaketime", "locales")] * 2
    modes = {f"{p.relative_to(tmp_path)}": p.stat().st_mode & 0o777 for p in (tmp_path / "vary").rglob("*") if p.is_file()}
    assert modes == {
        "vary/start": 0o755,
        "vary/inside/dpkg-buildpackage": 0o755,
        "vary/outside/hostname": 0o755,
        "vary/lib/x/faketime/libfaketime.so.1": 0o644,
        "vary/i18n/locales/fr_CH": 0o644,
    }
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "vary", *(tmp_path / "vary").rglob("*")) if p.is_dir()} == {0o755}


def test_a_usual_build_needs_nothing(recorder: Recorder, asked: list[tuple[str, ...]], tmp_path: Path) -> None:
    _vary.lay(recorder, make_job(), tmp_path / "vary", Narration())
    assert not (tmp_path / "vary").exists()
    _vary.lay(recorder, make_job(variation=Variation(path="/build/x")), tmp_path / "vary", Narration())
    assert (tmp_path / "vary/start").exists()
    assert not (tmp_path / "vary/outside").exists()
    assert asked == []


def test_the_script_tells_what_it_finds_and_runs_the_build(tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.write_text(_vary.script(Variation(timezone="GMT-14")))
    env = (("PATH", f"/first:{os.environ['PATH']}"), ("LC_ALL", "C.UTF-8"))
    done = Processes()(Command(argv=("sh", f"{start}", "sh", "-c", 'date +%z; echo "$PATH"; echo "$1"', "sh", "a b"), env=env))
    said, zone, path, word = done.stdout.splitlines()
    # A second may begin meanwhile.
    assert re.match(r"debkit varied: clock=[01] timezone=GMT-14 locale=C\.UTF-8/UTF-8 host=", said)
    assert f" processors={len(os.sched_getaffinity(0))}" in said
    assert (zone, path, word) == ("+1400", os.environ["PATH"], "a b")


def test_the_script_of_a_build_that_is_varied_in_all() -> None:
    lines = _vary.script(ALL).splitlines()
    for line in (
        "export LANG=fr_CH.UTF-8",
        "export LC_ALL=fr_CH.UTF-8",
        "export LANGUAGE=fr_CH:fr",
        "export TZ=GMT-14",
        "export NO_FAKE_STAT=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME=+86400",
        "export LD_PRELOAD='/var/lib/debkit/vary/$LIB/faketime/libfaketime.so.1'",
    ):
        assert line in lines


def test_the_host_name_that_sbuild_gives_is_put_aside(recorder: Recorder, asked: list[tuple[str, ...]], tmp_path: Path) -> None:
    _vary.lay(recorder, make_job(variation=Variation(host="a-name")), tmp_path / "vary", Narration())
    told = tmp_path / "hostname"
    told.write_text('#!/bin/sh\necho "$@"\n')
    told.chmod(0o755)
    shim = tmp_path / "vary/outside"
    env = (("PATH", f"{shim}:{tmp_path}:{os.environ['PATH']}"),)
    assert Processes()(Command(argv=(f"{shim}/hostname", "sbuild"), env=env)).stdout == "a-name\n"


def test_sbuild_is_told() -> None:
    job = make_job(variation=ALL)
    made = "env I18NPATH=/var/lib/debkit/vary/i18n localedef --no-archive -i fr_CH -f UTF-8 /usr/lib/locale/fr_CH.UTF-8"
    assert set(sbuild.argv(job, SITE, "unstable")) - set(sbuild.argv(make_job(), SITE, "unstable")) == {
        "--build-path=/build/another-path",
        f"--pre-build-commands=%SBUILD_CHROOT_EXEC {made}",
    }
    before, after = (set(sbuild.settings(each, SITE, {}, root=False).splitlines()) for each in (make_job(), job))
    assert after - before == {
        "$unshare_bind_mounts = [{directory => '/scratch/work/vary', mountpoint => '/var/lib/debkit/vary'}];",
        "$build_env_cmnd = '/var/lib/debkit/vary/start';",
        f"$path = '/scratch/work/vary/outside:{sbuild.PATH}';",
    }


def test_pbuilder_is_told(tmp_path: Path) -> None:
    site = Site(work=tmp_path, into=tmp_path / "into", log=tmp_path / "log")
    (tmp_path / "root/var/lib").mkdir(parents=True)
    (tmp_path / "vary").mkdir()
    (tmp_path / "vary/start").touch()
    job = make_job(variation=ALL, layer="0123")
    pbuilder.lay_out(job, site)
    assert (tmp_path / "root/var/lib/debkit/vary/start").exists()
    assert (tmp_path / "hooks/A10vary").read_text().startswith("#!/bin/sh\nexec env I18NPATH=/var/lib/debkit/vary/i18n localedef")
    before, after = (set(pbuilder.settings(each, site).splitlines()) for each in (make_job(), job))
    assert after - before == {
        "BUILDDIR=/build/another-path",
        "PATH=/var/lib/debkit/vary/inside:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    words = pbuilder.argv(job, site)
    named = ("sh", "-c", 'hostname "$0" && exec "$@"', "localhost")
    assert words[: words.index("pbuilder") + 1] == as_root(
        (*named, os.fspath(pbuilder.FURNISH), f"{tmp_path}/root", "", "pbuilder")
    )


def test_a_build_runs_on_some_processors_and_so_does_all_that_it_starts() -> None:
    first, *_ = sorted(os.sched_getaffinity(0))
    argv = _vary.on_processors(make_job(variation=ALL), ("sh", "-c", "nproc"))
    assert argv == ("taskset", "--cpu-list", f"{first}", "sh", "-c", "nproc")
    assert Processes()(Command(argv=argv)).stdout == "1\n"
    assert _vary.on_processors(make_job(), ("true",)) == ("true",)
