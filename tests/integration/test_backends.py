"""The real sbuild and pbuilder, on this machine's own architecture: both pass the same tests, and make the same packages."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from debkit import backends
from debkit.backends import sbuild
from debkit.chroot import layers
from debkit.config import BuildConfig, ChrootConfig, Config
from debkit.model import BuildState, Repository, Target, Via
from debkit.run import Command, Processes
from debkit.source import open_source, read_buildinfo, read_changes
from tests.jobs import Narration
from tests.packages import make_archive, make_deb, served
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.model import BuildResult, Chroot, Source

pytestmark = pytest.mark.slow  # two builds by each backend; sbuild alone is in test_main_job.py

BOTH = ("sbuild", "pbuilder")
PHASES = {"unpack chroot", "update chroot", "fetch source", "install dependencies", "build", "collect", "clean up"}

# What the build finds around itself; it ends up in the package.
PROBE = r"""
set -eu
echo "options: $DEB_BUILD_OPTIONS"
echo "profiles: $DEB_BUILD_PROFILES"
echo "root: $([ "$(id -u)" = 0 ] && echo yes || echo no)"
echo "interfaces: $(sed '1,2d; s/:.*//' /proc/net/dev | xargs)"
echo "local package: $(cat /usr/share/extra-local/stamp)"
echo "archive package: $(cat /usr/share/extra-remote/stamp)"
echo "proxy: ${http_proxy:-none}"
perl -MIO::Socket::INET -e '
  my $socket = IO::Socket::INET->new(PeerAddr => $ARGV[0], Timeout => 5);
  print $socket "GET /reached HTTP/1.0\r\n\r\n" if $socket;
  print "machine outside: ", $socket ? "reached" : "not reached", "\n"' "$(cat debian/server)"
"""
RULES = "#!/usr/bin/make -f\n%:\n\tdh $@\noverride_dh_auto_install:\n\tdh_auto_install\n\tsh debian/look >facts\n"


@dataclass(frozen=True, slots=True)
class Yard:
    """Where the tests build."""

    run: Processes
    home: Path
    chroot: Chroot

    def open(self, tree: Path) -> Source:
        config = Config(project=self.home)
        return open_source(
            self.run, os.fspath(tree), suite="trixie", first_suite=True, config=config, staging=self.home / "sources"
        )

    def build(
        self,
        backend: str,
        source: Source,
        config: BuildConfig | None = None,
        *,
        chroot: Chroot | None = None,
        build_all: bool = True,
    ) -> tuple[BuildResult, Narration]:
        progress = Narration()
        result = backends.find(backend).build(
            self.run,
            source=source,
            target=Target("trixie", "amd64"),
            via=Via.NATIVE,
            chroot=chroot or self.chroot,
            into=self.home / "dist" / backend / source.name,
            config=config or BuildConfig(),
            build_all=build_all,
            progress=progress,
        )
        return result, progress


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, run: Processes, build_chroot: Callable[[str, str], Chroot]) -> Yard:
    return Yard(run, tmp_path_factory.mktemp("yard"), build_chroot("trixie", "amd64"))


@dataclass(frozen=True, slots=True)
class Probed:
    """A build that looked around, and what a server on the machine outside was asked for."""

    result: BuildResult
    progress: Narration
    facts: dict[str, str]
    asked: list[str]


@pytest.fixture(scope="module")
def probed(yard: Yard) -> dict[str, Probed]:
    """The same source built by both, with an extra archive, a local package, options and a profile."""
    archive = yard.home / "archive"
    archive.mkdir()
    make_deb(yard.run, archive, "extra-remote")
    key = make_archive(yard.run, archive, yard.home / "gnupg")
    local = make_deb(yard.run, yard.home, "extra-local")
    built = {}
    with served(archive) as (url, asked):
        tree = make_tree(yard.home / "probe", name="probe", distribution="trixie", kind="both")
        (tree / "debian/rules").write_text(RULES)
        (tree / "debian/look").write_text(PROBE)
        (tree / "debian/server").write_text(url.removeprefix("http://"))
        (tree / "debian/probe.install").write_text("usr/bin/probe\nfacts usr/share/probe\n")
        control = tree / "debian/control"
        more = "debhelper-compat (= 13), extra-local, extra-remote, no-such-package <!pkg.probe.small>"
        control.write_text(control.read_text().replace("debhelper-compat (= 13)", more))
        source = yard.open(tree)
        config = BuildConfig(
            options=("noautodbgsym",),
            profiles=("pkg.probe.small",),
            packages=(local,),
            repositories=(Repository(line=f"deb {url} ./", key=key),),
        )
        for backend in BOTH:
            asked.clear()
            result, progress = yard.build(backend, source, config)
            assert result.state is BuildState.SUCCEEDED, (result.log, result.error)
            built[backend] = Probed(result, progress, _facts(yard, result), list(asked))
    return built


def _facts(yard: Yard, result: BuildResult) -> dict[str, str]:
    tree = yard.home / f"{result.backend}-unpacked"
    deb = next(deb for deb in result.debs if deb.name.startswith("probe_"))
    yard.run(Command(argv=("dpkg-deb", "--extract", os.fspath(deb), os.fspath(tree))))
    return dict(line.split(": ", 1) for line in (tree / "usr/share/probe/facts").read_text().splitlines())


@pytest.mark.parametrize("backend", BOTH)
def test_a_source_becomes_packages(probed: dict[str, Probed], backend: str) -> None:
    result = probed[backend].result
    assert [deb.name for deb in result.debs] == ["probe-data_1.0_all.deb", "probe_1.0_amd64.deb"]
    assert result.changes
    assert result.buildinfo
    changes = read_changes(result.changes)
    assert changes.distribution == "trixie"
    assert set(changes.paths) == {*result.debs, result.buildinfo}  # no source: it is the same for every architecture
    assert read_buildinfo(result.buildinfo).build_architecture == "amd64"
    assert {path.name for path in result.log.parent.iterdir()} == {
        path.name for path in (*changes.paths, changes.path, result.log)
    }


@pytest.mark.parametrize("backend", BOTH)
def test_phases_are_told_and_timed(probed: dict[str, Probed], backend: str) -> None:
    result, progress = probed[backend].result, probed[backend].progress
    assert {phase.name for phase in result.phases} >= PHASES
    assert {*progress.phases} >= PHASES
    assert progress.lines
    assert result.seconds > next(phase.seconds for phase in result.phases if phase.name == "build") > 0
    assert result.disk_bytes > 10_000


@pytest.mark.parametrize("backend", BOTH)
def test_options_profiles_archives_and_packages_reach_the_build(probed: dict[str, Probed], backend: str) -> None:
    facts = probed[backend].facts
    assert facts["options"] == f"noautodbgsym parallel={len(os.sched_getaffinity(0))}"
    assert facts["profiles"] == "pkg.probe.small"
    assert facts["local package"] == "extra-local 1.0"
    assert facts["archive package"] == "extra-remote 1.0"


@pytest.mark.parametrize("backend", BOTH)
def test_the_network_is_off_during_the_build_only(probed: dict[str, Probed], backend: str) -> None:
    assert probed[backend].facts["interfaces"] == "lo"
    assert probed[backend].facts["machine outside"] == "not reached"
    assert "/reached" not in probed[backend].asked
    assert any(path.endswith("/extra-remote_1.0_all.deb") for path in probed[backend].asked)


@pytest.mark.parametrize("backend", BOTH)
def test_nobody_builds_as_root(probed: dict[str, Probed], backend: str) -> None:
    assert probed[backend].facts["root"] == "no"


def test_both_make_the_same_packages(probed: dict[str, Probed]) -> None:
    first, second = (
        {deb.name: hashlib.sha256(deb.read_bytes()).hexdigest() for deb in probed[backend].result.debs} for backend in BOTH
    )
    assert first == second


@pytest.mark.parametrize("backend", BOTH)
def test_a_failing_build_in_a_layer(yard: Yard, backend: str) -> None:
    source = yard.open(make_tree(yard.home / f"fails-{backend}", name="fails", distribution="trixie", failing_build=True))
    chroot = layers.layer(yard.run, yard.chroot, source, build_all=True, demands=sbuild.demands(), config=ChrootConfig())
    assert chroot.layer
    result, _ = yard.build(backend, source, chroot=chroot)
    assert result.state is BuildState.FAILED
    assert result.layer == chroot.layer
    assert result.error
    assert any("UNDECLARED_VERSION" in line and "error:" in line for line in result.error.lines)
    log = result.log.read_text().splitlines()
    assert "UNDECLARED_VERSION" in log[result.error.line - 1]
    assert "update chroot" not in {phase.name for phase in result.phases}
    assert not [line for line in log if line.startswith("Get:") and "sbuild-build-depends" not in line and "copy:" not in line]
    assert [path.name for path in result.log.parent.iterdir()] == ["fails_1.0_amd64.build"]


@pytest.mark.parametrize("backend", BOTH)
def test_a_build_dependency_that_is_nowhere(yard: Yard, backend: str) -> None:
    tree = make_tree(yard.home / f"wants-{backend}", name="wants", distribution="trixie")
    control = tree / "debian/control"
    control.write_text(control.read_text().replace("debhelper-compat (= 13)", "debhelper-compat (= 13), no-such-package (>= 2)"))
    result, _ = yard.build(backend, yard.open(tree))
    assert result.state is BuildState.UNINSTALLABLE
    assert result.error
    assert any("no-such-package" in line for line in result.error.lines)


def test_a_cross_build_makes_the_other_architectures_packages(yard: Yard) -> None:
    source = yard.open(make_tree(yard.home / "cross", name="crossed", distribution="trixie"))
    result = backends.find("sbuild").build(
        yard.run,
        source=source,
        target=Target("trixie", "arm64"),
        via=Via.CROSS,
        chroot=yard.chroot,
        into=yard.home / "dist/cross",
        config=BuildConfig(),
        build_all=False,
        progress=Narration(),
    )
    assert result.state is BuildState.SUCCEEDED, (result.log, result.error)
    assert {deb.name for deb in result.debs} == {"crossed_1.0_arm64.deb", "crossed-dbgsym_1.0_arm64.deb"}
