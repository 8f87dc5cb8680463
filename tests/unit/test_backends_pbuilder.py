"""The exact call of pbuilder, its configuration and hooks, and how its end is judged."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.backends import pbuilder
from debkit.backends._logs import Reading
from debkit.backends._outcome import Site
from debkit.chroot.namespace import as_root
from debkit.config import BuildConfig
from debkit.model import BuildState, Repository, Toolbox, Via
from tests.jobs import make_job

if TYPE_CHECKING:
    from debkit.backends._job import Job


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "root/etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "root/etc/apt/trusted.gpg.d").mkdir()
    (tmp_path / "root/var/lib").mkdir(parents=True)
    return Site(work=tmp_path, into=tmp_path / "into", log=tmp_path / "log")


def laid_out(job: Job, site: Site) -> Path:
    pbuilder.lay_out(job, site)
    return site.work


def test_pbuilder_runs_in_our_namespace_on_a_furnished_root(site: Site) -> None:
    work = os.fspath(site.work)
    furnish = os.fspath(pbuilder.FURNISH)
    assert os.access(furnish, os.X_OK)
    assert pbuilder.argv(make_job(), site) == as_root(
        (furnish, f"{work}/root", "", "pbuilder", "build", "--no-targz", "/src/sample_1.0-1.dsc")
    )


def test_with_a_toolbox_it_is_started_in_two_namespaces(site: Site) -> None:
    toolbox = Toolbox(path=Path("/cache/box"), arch="arm64")
    job = make_job("arm64", Via.ACCELERATED)
    job = replace(job, chroot=replace(job.chroot, toolbox=toolbox))
    words = (os.fspath(pbuilder.FURNISH), f"{site.work}/root", "/cache/box", "pbuilder")
    argv = pbuilder.argv(job, site)
    assert argv[: argv.index("pbuilder") + 1] == as_root(as_root(words), toolbox=toolbox, trace=site.trace)


def test_without_the_all_packages_and_with_profiles(site: Site) -> None:
    argv = pbuilder.argv(make_job(build_all=False, config=BuildConfig(profiles=("nodoc", "nocheck"))), site)
    assert argv[-6:] == ("build", "--no-targz", "--binary-arch", "--profiles", "nodoc,nocheck", "/src/sample_1.0-1.dsc")


def test_where_there_are_only_all_packages_nothing_else_is_claimed(site: Site) -> None:
    job = make_job(architectures=("all",))
    assert pbuilder.argv(job, site)[-4:] == ("build", "--no-targz", "--binary-indep", "/src/sample_1.0-1.dsc")
    assert "DEBBUILDOPTS=--sanitize-env\n" in pbuilder.settings(job, site)
    assert "DEBBUILDOPTS='--sanitize-env -b'\n" in pbuilder.settings(make_job(), site)


def test_no_other_configuration_is_read(site: Site) -> None:
    conf = os.fspath(site.work / "conf")
    assert pbuilder.environment(make_job("arm64", Via.EMULATED), site) == (
        ("HOME", conf),
        ("PBUILDER_SYSCONFDIR", conf),
        ("TERM", "dumb"),
        ("DEB_BUILD_OPTIONS", "parallel=4"),
        ("QEMU_CPU", "max,pauth=off"),
    )


def test_the_configuration(site: Site) -> None:
    work = laid_out(make_job(), site)
    assert (work / "conf/pbuilderrc").read_text() == (
        f"BUILDPLACE={work}/root\n"
        f"BUILDRESULT={work}/results\n"
        "BUILDRESULTUID=0\n"
        "BUILDRESULTGID=0\n"
        "BUILDDIR=/build/reproducible-path\n"
        f"HOOKDIR={work}/hooks\n"
        "USESYSFS=no\n"
        "USECGROUP=no\n"
        "USENETWORK=no\n"
        "USECOLORS=no\n"
        "APTCACHE=''\n"
        "CONFDIR=''\n"
        "SOURCE_ONLY_CHANGES=no\n"
        "PBUILDERSATISFYDEPENDSCMD=/usr/lib/pbuilder/pbuilder-satisfydepends-apt\n"
        "DEBBUILDOPTS='--sanitize-env -b'\n"
    )
    assert (work / "conf/.pbuilderrc").read_text() == ""


def test_an_arch_only_build_gets_its_option_from_pbuilder(site: Site) -> None:
    assert "DEBBUILDOPTS=--sanitize-env\n" in pbuilder.settings(make_job(build_all=False), site)


def test_the_chroot_is_brought_up_to_date_unless_it_is_a_layer(site: Site) -> None:
    work = laid_out(make_job(), site)
    assert (work / "hooks/D10update").read_text() == "#!/bin/sh\nset -e\napt-get -q update\napt-get -q -y dist-upgrade\n"
    assert all(os.access(hook, os.X_OK) for hook in (work / "hooks").iterdir())
    assert set(pbuilder.hooks(make_job(layer="0123"))) == {"B90space", "C90space"}


def test_extra_packages_and_repositories_are_put_into_the_chroot(site: Site) -> None:
    debs, keys = site.work / "debs", site.work / "keys"
    debs.mkdir()
    keys.mkdir()
    (debs / "lib_1_amd64.deb").write_bytes(b"deb")
    (keys / "armoured").write_bytes(b"\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    (keys / "binary").write_bytes(b"\x99\x01")
    config = BuildConfig(
        packages=(debs / "lib_1_amd64.deb",),
        repositories=(
            Repository(line="deb http://a.example.org/debian trixie main", key=keys / "armoured"),
            Repository(line="deb http://b.example.org/debian trixie main"),
            Repository(line="deb http://c.example.org/debian trixie main", key=keys / "binary"),
        ),
    )
    work = laid_out(make_job(config=config), site)
    assert (work / "root/etc/apt/sources.list.d/debkit-extra.list").read_text() == (
        "deb http://a.example.org/debian trixie main\n"
        "deb http://b.example.org/debian trixie main\n"
        "deb http://c.example.org/debian trixie main\n"
        "deb [trusted=yes] file:/var/lib/debkit/packages ./\n"
    )
    assert (work / "root/var/lib/debkit/packages/lib_1_amd64.deb").read_bytes() == b"deb"
    assert {key.name for key in (work / "root/etc/apt/trusted.gpg.d").iterdir()} == {
        "debkit-extra-0.asc",
        "debkit-extra-2.gpg",
    }
    assert (work / "hooks/D10update").read_text().splitlines()[2:4] == [
        "cd /var/lib/debkit/packages",
        "dpkg-scanpackages -m . >Packages",
    ]


@pytest.mark.parametrize(
    ("code", "signs", "expected"),
    [
        (0, (), BuildState.SUCCEEDED),
        (0, ("network",), BuildState.ENVIRONMENT),
        (1, ("package",), BuildState.FAILED),
        (1, ("package", "disk"), BuildState.ENVIRONMENT),
        (2, ("dependencies",), BuildState.UNINSTALLABLE),
        (2, ("dependencies", "fetch"), BuildState.GIVEN_BACK),
        (1, ("fetch",), BuildState.GIVEN_BACK),
        (1, (), BuildState.ENVIRONMENT),
        (-15, (), BuildState.ENVIRONMENT),
    ],
)
def test_how_a_build_ended(code: int, signs: tuple[str, ...], expected: BuildState) -> None:
    assert pbuilder.judge(code, Reading(status="", stage="", disk_bytes=0, signs=frozenset(signs))) is expected


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("I: Copying source file", "fetch source"),
        ("I: user script /scratch/root/tmp/hooks/D10update starting", "update chroot"),
        ("I: -> Attempting to satisfy build-dependencies", "install dependencies"),
        ("I: Building the package", "build"),
        ("I: user script /scratch/root/tmp/hooks/C90space starting", "collect"),
        ("I: unmounting dev/pts filesystem", "clean up"),
        ("dh_auto_build", None),
    ],
)
def test_a_message_begins_a_phase(line: str, phase: str | None) -> None:
    assert pbuilder.heading(line) == phase
