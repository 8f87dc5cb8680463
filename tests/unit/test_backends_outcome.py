"""What came out of a build: of the right architecture, and moved into place whole or not at all."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit.accel import trace
from debkit.backends import _outcome
from debkit.backends._elf import misfits
from debkit.backends._logs import SIGNS, Watch
from debkit.backends._outcome import Site
from debkit.errors import DiskError, Interrupted, TimeoutFailure
from debkit.model import BuildState, Excerpt, Target, Toolbox, Twin
from debkit.run import Command
from tests.elfs import elf
from tests.jobs import Narration, make_job

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import BuildResult
    from tests.recorder import Recorder

CHANGES = """\
Format: 1.8
Source: {source}
Binary: {source}
Architecture: amd64
Version: {version}
Distribution: unstable
Checksums-Sha256:
"""


def leave(
    where: Path, source: str = "sample", version: str = "1.0", *, debs: tuple[str, ...] = ("sample_1.0_amd64.deb",)
) -> Path:
    """Leave in `where` what a builder would: packages, .buildinfo and the .changes that lists them."""
    where.mkdir(parents=True, exist_ok=True)
    names = (*debs, f"{source}_{version}_amd64.buildinfo")
    for name in names:
        (where / name).write_text(f"{name} of {version}")
    changes = where / f"{source}_{version}_amd64.changes"
    changes.write_text(CHANGES.format(source=source, version=version) + "".join(f" {'0' * 64} 1 {name}\n" for name in names))
    return changes


@pytest.fixture
def site(tmp_path: Path) -> Site:
    for name in ("work/results", "into"):
        (tmp_path / name).mkdir(parents=True)
    log = tmp_path / "into/sample_1.0-1_amd64.build"
    log.touch()
    return Site(work=tmp_path / "work", into=tmp_path / "into", log=log)


@pytest.fixture
def machine(recorder: Recorder) -> Recorder:
    """dpkg-deb finds amd64 packages with nothing in them."""
    recorder.reply("dpkg-deb", "--field", stdout="amd64\n")
    return recorder


def carry_out(
    run: Recorder, site: Site, state: BuildState = BuildState.SUCCEEDED, *, toolbox: Toolbox | None = None
) -> BuildResult:
    job = make_job()
    return _outcome.carry_out(
        run,
        replace(job, chroot=replace(job.chroot, toolbox=toolbox)),
        site,
        Command(argv=("builder",), log=site.log, ok=_outcome.ANY_CODE),
        backend="sbuild",
        watch=Watch(Narration(), lambda line: None, "build"),
        judge=lambda code, reading: state,
        signs=SIGNS,
    )


def test_a_success_is_moved_into_place(machine: Recorder, site: Site) -> None:
    leave(site.results, debs=("sample_1.0_amd64.deb", "sample-data_1.0_all.deb", "sample-udeb_1.0_amd64.udeb"))
    machine.reply("builder", stdout="Space: 12\n")
    result = carry_out(machine, site)
    assert result.state is BuildState.SUCCEEDED
    assert result.target == Target("trixie", "amd64")
    assert (result.backend, result.argv, result.disk_bytes, result.error) == ("sbuild", ("builder",), 12 * 1024, None)
    assert [deb.name for deb in result.debs] == ["sample_1.0_amd64.deb", "sample-data_1.0_all.deb", "sample-udeb_1.0_amd64.udeb"]
    assert result.changes == site.into / "sample_1.0_amd64.changes"
    assert result.buildinfo == site.into / "sample_1.0_amd64.buildinfo"
    assert all(path.is_file() for path in (*result.debs, result.changes, result.buildinfo, result.log))
    assert not list(site.into.glob(".*"))


def test_it_replaces_what_an_earlier_version_left_and_nothing_else(machine: Recorder, site: Site) -> None:
    leave(site.into, version="0.9", debs=("sample_0.9_amd64.deb", "sample-old_0.9_amd64.deb"))
    (site.into / "sample_0.9_amd64.build").touch()
    leave(site.into, source="sampler", version="0.9", debs=("sampler_0.9_amd64.deb",))
    (site.into / "sampler_0.9_amd64.build").touch()
    (site.into / "broken.changes").write_text("not a .changes\n")
    leave(site.results)
    carry_out(machine, site)
    assert sorted(path.name for path in site.into.iterdir()) == [
        "broken.changes",
        "sample_1.0-1_amd64.build",
        "sample_1.0_amd64.buildinfo",
        "sample_1.0_amd64.changes",
        "sample_1.0_amd64.deb",
        "sampler_0.9_amd64.build",
        "sampler_0.9_amd64.buildinfo",
        "sampler_0.9_amd64.changes",
        "sampler_0.9_amd64.deb",
    ]


def test_the_same_version_again_is_replaced(machine: Recorder, site: Site) -> None:
    leave(site.into)
    (site.into / "sample_1.0_amd64.deb").write_text("old")
    leave(site.results)
    carry_out(machine, site)
    assert (site.into / "sample_1.0_amd64.deb").read_text() == "sample_1.0_amd64.deb of 1.0"


def test_a_failure_leaves_the_last_good_packages_alone(recorder: Recorder, site: Site) -> None:
    leave(site.into, version="0.9")
    recorder.reply("builder", stdout="cc x.c\nx.c:3:1: error: no\nmake: *** [x] Error 1\nFail-Stage: build\n", code=2)
    result = carry_out(recorder, site, BuildState.FAILED)
    assert (result.state, result.changes, result.debs) == (BuildState.FAILED, None, ())
    assert result.error == Excerpt(2, ("cc x.c", "x.c:3:1: error: no", "make: *** [x] Error 1", "Fail-Stage: build"))
    assert (site.into / "sample_1.0_amd64.deb").exists()


def test_where_no_error_is_known_the_end_of_the_log_is_shown(recorder: Recorder, site: Site) -> None:
    recorder.reply("builder", stdout="".join(f"{n}\n" for n in range(1, 21)), code=1)
    assert carry_out(recorder, site, BuildState.ENVIRONMENT).error == Excerpt(9, tuple(str(n) for n in range(9, 21)))


def test_a_log_without_a_line_has_no_error(recorder: Recorder, site: Site) -> None:
    assert carry_out(recorder, site, BuildState.ENVIRONMENT).error is None


def test_what_takes_too_long_is_timed_out(recorder: Recorder, site: Site) -> None:
    def late(command: Command) -> None:
        raise TimeoutFailure("ended", cause="why", hint="next")

    recorder.reply("builder", action=late)
    result = carry_out(recorder, site)
    assert result.state is BuildState.TIMED_OUT
    assert site.log.read_text() == "debkit: the build took longer than 14400 s and was ended\n"
    assert result.error == Excerpt(1, ("debkit: the build took longer than 14400 s and was ended",))


def test_an_interrupt_is_not_a_result(recorder: Recorder, site: Site) -> None:
    def stop(command: Command) -> None:
        raise Interrupted(2)

    recorder.reply("builder", action=stop)
    with pytest.raises(Interrupted):
        carry_out(recorder, site)


def test_a_builder_that_leaves_nothing_has_failed(recorder: Recorder, site: Site) -> None:
    result = carry_out(recorder, site)
    assert result.state is BuildState.ENVIRONMENT
    assert result.error == Excerpt(1, ("the builder left no .changes file",))


def test_a_builder_that_leaves_too_little_has_failed(recorder: Recorder, site: Site) -> None:
    leave(site.results)
    (site.results / "sample_1.0_amd64.deb").unlink()
    result = carry_out(recorder, site)
    assert result.state is BuildState.ENVIRONMENT
    assert result.error == Excerpt(1, ("the builder left no sample_1.0_amd64.deb",))
    assert [path.name for path in site.into.iterdir()] == [site.log.name]


@pytest.fixture
def toolbox(tmp_path: Path, site: Site) -> Toolbox:
    """A toolbox in which perl has a twin. The builder runs three programs."""
    (tmp_path / "toolbox/map/usr/bin").mkdir(parents=True)
    (tmp_path / "toolbox/map/usr/bin/perl.0123456789abcdef").touch()
    site.trace.write_text("native /usr/bin/perl\nemulated /usr/bin/perl\nemulated /usr/bin/nproc\n")
    return Toolbox(path=tmp_path / "toolbox", arch="amd64")


def test_an_accelerated_build_tells_how_its_programs_ran(machine: Recorder, site: Site, toolbox: Toolbox) -> None:
    leave(site.results)
    (site.into / f"sample_0.9_amd64{trace.SUFFIX}").touch()
    result = carry_out(machine, site, toolbox=toolbox)
    assert result.programs
    assert (result.programs.native, result.programs.count) == (1, 2)
    assert {one.path: one.twin for one in result.programs.emulated} == {
        "/usr/bin/perl": Twin.REFUSED,
        "/usr/bin/nproc": Twin.NONE,
    }
    assert trace.load(site.into / f"sample_1.0-1_amd64{trace.SUFFIX}") == result.programs
    assert site.log.read_text() == "debkit: accelerated: 1 programs ran natively (perl 1), 2 were emulated for 0.0 s\n"
    assert [path.name for path in site.into.glob("*.json")] == [f"sample_1.0-1_amd64{trace.SUFFIX}"]


def test_what_it_tells_is_not_the_error_of_a_build_that_failed(recorder: Recorder, site: Site, toolbox: Toolbox) -> None:
    recorder.reply("builder", stdout="the end\n", code=1)
    result = carry_out(recorder, site, BuildState.FAILED, toolbox=toolbox)
    assert result.error == Excerpt(1, ("the end",))
    assert site.log.read_text().splitlines()[1].startswith("debkit: accelerated: ")
    assert result.programs


def test_other_builds_tell_nothing_of_it(machine: Recorder, site: Site) -> None:
    leave(site.results)
    assert carry_out(machine, site).programs is None
    assert site.log.read_text() == ""
    assert not list(site.into.glob("*.json"))


def test_an_elf_of_another_architecture_fails_the_build(machine: Recorder, site: Site) -> None:
    leave(site.results)

    def extract(command: Command) -> None:
        tree = site.work / "sample_1.0_amd64"
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "usr/bin/sample").write_bytes(elf("arm64"))
        (tree / "usr/bin/alias").symlink_to("/bin/sh")
        (tree / "usr/bin/native").write_bytes(elf("amd64"))

    machine.reply("dpkg-deb", "--extract", action=extract)
    machine.reply("builder", stdout="built\n")
    result = carry_out(machine, site)
    assert result.state is BuildState.FAILED
    assert result.error == Excerpt(2, ("sample_1.0_amd64.deb: usr/bin/sample is arm64, not amd64",))
    assert site.log.read_text() == "built\ndebkit: sample_1.0_amd64.deb: usr/bin/sample is arm64, not amd64\n"
    assert [path.name for path in site.into.iterdir()] == [site.log.name]


def test_a_package_of_another_architecture_is_named(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-deb", "--field", stdout="amd64\n")
    recorder.reply("dpkg-deb", "--field", "/d/doc_1_all.deb", stdout="all\n")
    debs = (tmp_path / "x_1_amd64.deb",)
    assert misfits(recorder, debs, "arm64", tmp_path) == ("x_1_amd64.deb: its Architecture is amd64, not arm64",)
    assert recorder.argvs == [("dpkg-deb", "--field", f"{tmp_path}/x_1_amd64.deb", "Architecture")]


def test_an_all_package_is_not_opened(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-deb", "--field", stdout="all\n")
    assert misfits(recorder, (tmp_path / "doc_1_all.deb",), "arm64", tmp_path) == ()
    assert len(recorder.commands) == 1


@pytest.mark.parametrize(
    ("arch", "guest", "accepted"),
    [("amd64", "i386", True), ("arm64", "armhf", True), ("arm64", "amd64", False), ("i386", "amd64", False)],
)
def test_a_package_may_hold_what_its_architecture_runs(
    recorder: Recorder, tmp_path: Path, arch: str, guest: str, *, accepted: bool
) -> None:
    def extract(command: Command) -> None:
        (tmp_path / "x_1").mkdir()
        (tmp_path / "x_1/kernel.img").write_bytes(elf(guest))

    recorder.reply("dpkg-deb", "--field", stdout=f"{arch}\n")
    recorder.reply("dpkg-deb", "--extract", action=extract)
    assert (misfits(recorder, (tmp_path / "x_1.deb",), arch, tmp_path) == ()) is accepted


@pytest.fixture
def scratch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_a_site_has_room_for_results_and_a_new_log(recorder: Recorder, scratch_home: Path, tmp_path: Path) -> None:
    into = tmp_path / "dist/trixie/amd64"
    into.mkdir(parents=True)
    (into / "sample_1.0-1_amd64.build").write_text("old")
    with _outcome.opened(recorder, make_job(), into, "sbuild") as site:
        assert site.results.is_dir()
        assert site.work.is_relative_to(scratch_home)
        assert site.log == into / "sample_1.0-1_amd64.build"
        assert site.log.read_text() == ""


@pytest.mark.parametrize(
    ("number", "cause"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the file system is read-only"), (errno.EACCES, "another user")],
)
def test_what_the_disk_refuses_is_told(recorder: Recorder, scratch_home: Path, tmp_path: Path, number: int, cause: str) -> None:
    with (
        pytest.raises(DiskError, match="/x/y cannot be written") as caught,
        _outcome.opened(recorder, make_job(), tmp_path, "sbuild"),
    ):
        raise OSError(number, "refused", "/x/y")
    assert cause in caught.value.cause


def test_another_error_of_the_system_is_a_defect(recorder: Recorder, scratch_home: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="refused"), _outcome.opened(recorder, make_job(), tmp_path, "sbuild"):
        raise OSError(errno.EINVAL, "refused")
