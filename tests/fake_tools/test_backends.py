"""The backends under the real runner, with sbuild and pbuilder played by scripts that record how they were called."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import backends
from debkit.config import BuildConfig
from debkit.errors import DiskError, HostError, Interrupted, MissingTool
from debkit.model import BuildState, Target, Via
from debkit.run import Command, Processes
from tests.jobs import Narration, make_chroot, make_source, write_source_changes

if TYPE_CHECKING:
    from debkit.model import BuildResult

DATA = Path(__file__).parents[1] / "data"
CONTROL = "Package: sample\nVersion: 1.0-1\nArchitecture: {arch}\nMaintainer: Test Writer <test@example.org>\nDescription: none\n"

# Records the call; prints the log laid down; leaves what was laid down; ends as told.
FAKE = """#!/bin/sh
printf '%s\\n' "$0" "$@" >{home}/argv
env >{home}/env
pwd >{home}/cwd
[ -z "$SBUILD_CONFIG" ] || cp "$SBUILD_CONFIG" {home}/sbuildrc
[ ! -e {home}/sleep ] || {{ echo "going to sleep"; sleep "$(cat {home}/sleep)"; }}
cat {home}/log
results=$(pwd)
[ -z "$PBUILDER_SYSCONFDIR" ] || results=$(. "$PBUILDER_SYSCONFDIR/pbuilderrc"; echo "$BUILDRESULT")
cp {home}/leave/* "$results" 2>/dev/null
exit "$(cat {home}/code)"
"""


class Stage:
    """A machine whose sbuild and pbuilder are played."""

    def __init__(self, home: Path, scratch: Path) -> None:
        self.home = home
        self.scratch = scratch
        self.into = home / "dist/trixie/amd64"
        self.progress = Narration()
        self.run = Processes()
        (home / "bin").mkdir()
        (home / "leave").mkdir()
        for name in ("sbuild", "pbuilder"):
            tool = home / "bin" / name
            tool.write_text(FAKE.format(home=shlex.quote(os.fspath(home))))
            tool.chmod(0o755)
        self.says("", 0)
        (home / "root/sys").mkdir(parents=True)
        (home / "root/dev").mkdir()
        (home / "root/etc/apt/sources.list.d").mkdir(parents=True)
        self.run(
            Command(argv=("tar", "--create", "--zstd", "--file", f"{home}/base.tar.zst", "--directory", f"{home}/root", "."))
        )
        write_source_changes(make_source(home))

    def says(self, log: str, code: int) -> None:
        (self.home / "log").write_text(log)
        (self.home / "code").write_text(str(code))

    def leaves(self, arch: str = "amd64", *, program: bytes = b"#!/bin/sh\n") -> None:
        """Have the builder leave a real package of that architecture with that program in it."""
        tree = self.home / "package"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(CONTROL.format(arch=arch))
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "usr/bin/sample").write_bytes(program)
        name = f"sample_1.0-1_{arch}.deb"
        self.run(Command(argv=("dpkg-deb", "--build", "--root-owner-group", os.fspath(tree), f"{self.home}/leave/{name}")))
        (self.home / "leave/sample_1.0-1_amd64.changes").write_text(
            "Source: sample\nVersion: 1.0-1\nDistribution: unstable\nArchitecture: amd64\n"
            f"Checksums-Sha256:\n {'0' * 64} 1 {name}\n"
        )

    def build(self, backend: str, config: BuildConfig | None = None, *, layer: str = "") -> BuildResult:
        return backends.find(backend).build(
            self.run,
            source=make_source(self.home),
            target=Target("trixie", "amd64"),
            via=Via.NATIVE,
            chroot=make_chroot(tarball=self.home / "base.tar.zst", layer=layer),
            into=self.into,
            config=config or BuildConfig(),
            build_all=True,
            progress=self.progress,
        )

    def recorded(self, name: str) -> list[str]:
        return (self.home / name).read_text().splitlines()


@pytest.fixture
def stage(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    tmp_path.chmod(0o755)
    made = Stage(tmp_path, scratch)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return made


both = pytest.mark.parametrize("backend", ["sbuild", "pbuilder"])
SUCCESS = {"sbuild": "Space: 40\nStatus: successful\n", "pbuilder": "I: Building the package\nSpace: 40\n"}


@both
def test_a_success(stage: Stage, backend: str) -> None:
    stage.says(SUCCESS[backend], 0)
    stage.leaves()
    result = stage.build(backend)
    assert result.state is BuildState.SUCCEEDED, result.error
    assert result.disk_bytes == 40 * 1024
    assert [deb.name for deb in result.debs] == ["sample_1.0-1_amd64.deb"]
    assert sorted(path.name for path in stage.into.iterdir()) == [
        "sample_1.0-1_amd64.build",
        "sample_1.0-1_amd64.changes",
        "sample_1.0-1_amd64.deb",
    ]
    assert result.log.read_text() == SUCCESS[backend]
    assert list(stage.scratch.iterdir()) == []
    assert result.phases[0].name == "unpack chroot"
    assert result.seconds == pytest.approx(sum(phase.seconds for phase in result.phases))


def test_sbuild_is_called_where_its_results_are_to_be(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFLAGS", "-O9")
    monkeypatch.setenv("http_proxy", "http://proxy.example.org")
    result = stage.build("sbuild")
    assert stage.recorded("argv")[1:] == list(result.argv[1:])
    assert f"--build-dir={stage.recorded('cwd')[0]}" in result.argv
    environment = dict(line.partition("=")[::2] for line in stage.recorded("env"))
    assert environment["HOME"] == environment["XDG_CONFIG_HOME"] == os.fspath(Path(stage.recorded("cwd")[0]).parent)
    assert environment["http_proxy"] == "http://proxy.example.org"
    assert "CFLAGS" not in environment
    assert "$build_environment = {'http_proxy' => ''};" in stage.recorded("sbuildrc")


def test_sbuilds_settings_are_perl(stage: Stage) -> None:
    stage.build("sbuild")
    names = ("chroot_mode", "unshare_tmpdir_template", "unshare_bind_mounts", "build_user", "mailto", "stalled_pkg_timeout",
             "environment_filter", "build_environment")  # fmt: skip
    # As sbuild reads it: under strict, only the settings it knows declared, true at its end.
    script = "use strict; use warnings FATAL => 'all';" + "".join(f"my ${name};" for name in names)
    script += f'my $e = eval `cat {stage.home}/sbuildrc`; die $@ unless defined $e; print "$chroot_mode $stalled_pkg_timeout";'
    assert stage.run(Command(argv=("perl", "-e", script))).stdout == "unshare 240"


def test_pbuilder_finds_only_our_configuration_and_devices_in_its_chroot(stage: Stage) -> None:
    tool = stage.home / "bin/pbuilder"
    look = '. "$PBUILDER_SYSCONFDIR/pbuilderrc"; ls "$BUILDPLACE/dev" >{0}/devices; ls -A "$HOME" >{0}/home; id -u >{0}/uid\n'
    tool.write_text(tool.read_text().replace("#!/bin/sh\n", "#!/bin/sh\n" + look.format(stage.home)))
    stage.build("pbuilder")
    assert stage.recorded("argv")[1:] == ["build", "--no-targz", f"{stage.home}/sample_1.0-1.dsc"]
    assert set(stage.recorded("devices")) >= {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "fd"}
    assert stage.recorded("home") == [".pbuilderrc", "pbuilderrc"]
    assert stage.recorded("uid") == ["0"]


@both
def test_a_package_of_another_architecture_is_refused(stage: Stage, backend: str) -> None:
    stage.says(SUCCESS[backend], 0)
    stage.leaves("arm64")
    result = stage.build(backend)
    assert result.state is BuildState.FAILED
    assert result.error
    assert result.error.lines == ("sample_1.0-1_arm64.deb: its Architecture is arm64, not amd64",)
    assert [path.name for path in stage.into.iterdir()] == ["sample_1.0-1_amd64.build"]


@both
def test_an_elf_file_of_another_architecture_is_refused(stage: Stage, backend: str) -> None:
    stage.says(SUCCESS[backend], 0)
    stage.leaves(program=b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00")
    result = stage.build(backend)
    assert result.state is BuildState.FAILED
    assert result.error
    assert result.error.lines == ("sample_1.0-1_amd64.deb: usr/bin/sample is arm64, not amd64",)


@both
def test_an_exit_code_of_zero_is_not_enough(stage: Stage, backend: str) -> None:
    stage.says(
        {"sbuild": "Status: skipped\n", "pbuilder": "I: pbuilder: network access is available during build!\n"}[backend], 0
    )
    stage.leaves()
    assert stage.build(backend).state is not BuildState.SUCCEEDED
    assert [path.name for path in stage.into.iterdir()] == ["sample_1.0-1_amd64.build"]


@both
def test_a_build_that_takes_too_long_is_ended(stage: Stage, backend: str) -> None:
    (stage.home / "sleep").write_text("60")
    started = time.monotonic()
    result = stage.build(backend, BuildConfig(timeout=1))
    assert result.state is BuildState.TIMED_OUT
    assert time.monotonic() - started < 15
    assert "took longer than 1 s" in result.log.read_text()
    assert list(stage.scratch.iterdir()) == []


@both
def test_an_interrupt_leaves_the_log_and_nothing_else(stage: Stage, backend: str) -> None:
    (stage.home / "sleep").write_text("60")

    def stop() -> None:
        log = stage.into / "sample_1.0-1_amd64.build"
        while not (log.exists() and "going to sleep" in log.read_text()):
            time.sleep(0.02)
        stage.run.stop(signal.SIGTERM)

    threading.Thread(target=stop).start()
    with pytest.raises(Interrupted):
        stage.build(backend)
    assert [path.name for path in stage.into.iterdir()] == ["sample_1.0-1_amd64.build"]
    assert list(stage.scratch.iterdir()) == []


@both
def test_a_missing_builder_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    def which(name: str, path: str | None = None) -> str | None:
        return None if name == backend else found(name, path=path)

    found = shutil.which
    monkeypatch.setattr("shutil.which", which)
    with pytest.raises(MissingTool, match=f"{backend} is not installed"):
        stage.build(backend)
    assert list(stage.scratch.iterdir()) == []


@both
def test_a_directory_that_cannot_be_written_is_told(stage: Stage, backend: str) -> None:
    stage.into = Path("/sys/dist")
    with pytest.raises(DiskError, match="/sys/dist cannot be written"):
        stage.build(backend)


def test_a_scratch_directory_that_a_chroots_root_cannot_reach_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    private = stage.scratch / "private"
    (private / "tmp").mkdir(parents=True)
    private.chmod(0o700)
    monkeypatch.setenv("TMPDIR", os.fspath(private / "tmp"))
    with pytest.raises(HostError, match=f"sbuild cannot build in {private}/tmp") as caught:
        stage.build("sbuild")
    assert f"chmod o+x {private}" in caught.value.hint
    assert list((private / "tmp").iterdir()) == []
    stage.says(SUCCESS["pbuilder"], 0)
    stage.leaves()
    assert stage.build("pbuilder").state is BuildState.SUCCEEDED  # its chroot's root is the caller
