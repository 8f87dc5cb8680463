"""What a job of a build matrix leaves for another: sums over it, and what is refused of it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from debkit.config import Config
from debkit.errors import ArchiveError, BuildError, CheckError, ConfigError
from debkit.model import CheckReport, Outcome, Target
from debkit.pipeline.join import Piece, Suite, join, share, verdicts
from debkit.pipeline.parts import SUMS, demand_built, read_part, write_sums
from debkit.pipeline.publish import demand_elsewhere
from debkit.run import Command, Processes
from debkit.source import read_buildinfo, read_changes
from tests.parts import make_part
from tests.uploads import make_build, make_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEB = "trixie/amd64/hello-debkit_1.0_amd64.deb"
ARCHES = ("amd64", "arm64")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two parts, amd64's and arm64's, as they were left."""
    path = tmp_path_factory.mktemp("parts")
    for arch in ARCHES:
        make_part(path / arch, arch, noise=arch)
    return path


@pytest.fixture
def root(left: Path, tmp_path: Path) -> Path:
    """One of them, to be spoilt."""
    return shutil.copytree(left / "amd64", tmp_path / "part")


def test_sha256sum_agrees_and_what_is_older_is_not_listed(root: Path, run: Processes) -> None:
    (root / "trixie/amd64/hello-debkit_0.9_amd64.deb").touch()
    run(Command(argv=("sha256sum", "--strict", "--check", SUMS), cwd=root))
    assert sorted(line.split()[1] for line in (root / SUMS).read_text().splitlines()) == [
        "report.json",
        "source/hello-debkit_1.0/hello-debkit_1.0.dsc",
        "source/hello-debkit_1.0/hello-debkit_1.0.tar.xz",
        "source/hello-debkit_1.0/hello-debkit_1.0_source.buildinfo",
        "source/hello-debkit_1.0/hello-debkit_1.0_source.changes",
        "trixie/amd64/hello-debkit-data_1.0_all.deb",
        "trixie/amd64/hello-debkit_1.0_amd64.build",
        "trixie/amd64/hello-debkit_1.0_amd64.buildinfo",
        "trixie/amd64/hello-debkit_1.0_amd64.changes",
        "trixie/amd64/hello-debkit_1.0_amd64.deb",
    ]


def test_a_file_from_elsewhere_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    (tmp_path / "dist").mkdir()
    write_sums(tmp_path / "dist", (tmp_path / "log",))
    assert (tmp_path / "dist" / SUMS).read_text() == ""


def test_a_part_is_found_again_wherever_it_was_unpacked(root: Path) -> None:
    report = read_part(root).report
    (build,) = report.builds
    assert build.debs[0] == root / DEB
    assert build.changes == root / "trixie/amd64/hello-debkit_1.0_amd64.changes"
    assert report.sources[0].dsc == root / "source/hello-debkit_1.0/hello-debkit_1.0.dsc"


def unlist(root: Path, name: str) -> None:
    lines = (root / SUMS).read_text().splitlines(keepends=True)
    (root / SUMS).write_text("".join(line for line in lines if not line.endswith(f"{name}\n")))


def relink(root: Path) -> None:
    (root / DEB).rename(root.parent / "elsewhere.deb")
    (root / DEB).symlink_to(root.parent / "elsewhere.deb")


def name(root: Path, path: str) -> None:
    (root / SUMS).write_text((root / SUMS).read_text() + f"{'0' * 64}  {path}\n")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (lambda root: (root / DEB).write_bytes(b"another"), f"{DEB}: changed"),
    "missing": (lambda root: (root / DEB).unlink(), f"{DEB}: missing"),
    "not listed": (lambda root: unlist(root, DEB), f"{DEB}: not listed"),
    "report not listed": (lambda root: unlist(root, "report.json"), "report.json: not listed"),
    "link": (relink, f"{DEB}: a link to elsewhere"),
    "outside": (lambda root: name(root, "../x"), "line 11 names no file below"),
    "absolute": (lambda root: name(root, "/etc/passwd"), "line 11 names no file below"),
    "no sum": (lambda root: (root / SUMS).write_text("hello\n"), "line 1 names no file below"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_part_that_is_not_as_it_was_left_is_refused(root: Path, how: str) -> None:
    spoil, told = SPOILT[how]
    spoil(root)
    with pytest.raises(ArchiveError) as caught:
        read_part(root)
    assert told in caught.value.cause


def test_a_report_of_another_debkit_is_told(root: Path) -> None:
    text = (root / "report.json").read_text()
    (root / "report.json").write_text(text.replace('"schema": 1', '"schema": 2').replace('"debkit": "', '"debkit": "9.'))
    (root / SUMS).unlink()
    write_sums(root, (path for path in root.rglob("*") if path.is_file()))
    with pytest.raises(ArchiveError, match=r"report\.json cannot be read") as caught:
        read_part(root)
    assert "written by debkit 9." in caught.value.cause


def test_what_is_no_part_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no part"):
        read_part(tmp_path / "*")
    with pytest.raises(ConfigError, match="is no directory"):
        read_part(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="has no SHA256SUMS") as caught:
        read_part(tmp_path)
    assert caught.value.cause.startswith("it is not what debkit build --no-publish leaves")


def test_a_build_that_failed_leaves_no_sums_and_its_error_is_told(tmp_path: Path) -> None:
    failure = BuildError("trixie/amd64: package failed", cause="why", hint="next")
    with pytest.raises(ConfigError, match="has no SHA256SUMS") as caught:
        read_part(make_part(tmp_path / "part", "amd64", failure=failure))
    assert caught.value.cause == "its last run failed: trixie/amd64: package failed"


def test_the_first_arch_brings_what_is_for_all_and_the_others_leave_it_out(left: Path, tmp_path: Path) -> None:
    (suite,) = join(tuple(read_part(left / arch) for arch in reversed(ARCHES)), ARCHES)
    assert [str(piece.target) for piece in suite.pieces] == ["trixie/amd64", "trixie/arm64"]
    first, second = share(suite, tmp_path)
    assert first.changes == left / "amd64/trixie/amd64/hello-debkit_1.0_amd64.changes"
    assert second.changes
    changes = read_changes(second.changes)
    assert changes.architectures == ("arm64",)
    assert changes.binaries == ("hello-debkit",)
    assert [file.name for file in changes.files] == ["hello-debkit_1.0_arm64.deb", "hello-debkit_1.0_arm64.buildinfo"]
    assert all(path.is_file() for path in changes.paths)
    (buildinfo,) = (path for path in changes.paths if path.suffix == ".buildinfo")
    assert "hello-debkit-data_1.0_all.deb" in {file.name for file in read_buildinfo(buildinfo).files}
    text = second.changes.read_text()
    assert "\nDescription:\n hello-debkit - greets (hello-debkit)\nChanges:\n" in text
    assert "\nFiles:\n" in text
    assert "data" not in text


def test_a_build_of_packages_for_all_alone_is_not_published_twice(left: Path, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", arches="all")
    part = read_part(left / "amd64")
    pieces = tuple(
        Piece(part=part, job=part.jobs[0], build=make_build(tmp_path / arch, source, "all"), checks=()) for arch in ARCHES
    )
    (result,) = share(Suite(source=source, pieces=pieces), tmp_path / "desk")
    assert result.changes == tmp_path / "amd64/hello-debkit_1.0_all.changes"


def test_a_plan_of_another_debkit_is_told(root: Path) -> None:
    data = json.loads((root / "report.json").read_text())
    data["plan"]["jobs"][0]["colour"] = "green"
    (root / "report.json").write_text(json.dumps(data))
    (root / SUMS).unlink()
    write_sums(root, (path for path in root.rglob("*") if path.is_file()))
    with pytest.raises(ArchiveError, match=r"report\.json cannot be read") as caught:
        read_part(root)
    assert "colour" in caught.value.cause


def test_another_order_of_arches_has_another_one_first(left: Path, tmp_path: Path) -> None:
    (suite,) = join(tuple(read_part(left / arch) for arch in ARCHES), ("arm64", "amd64"))
    first, second = share(suite, tmp_path)
    assert (first.target.arch, second.target.arch) == ("arm64", "amd64")
    assert os.fspath(tmp_path) in os.fspath(second.changes or "")


def test_parts_of_two_sources_are_refused(left: Path, tmp_path: Path) -> None:
    other = make_part(tmp_path / "other", "arm64", text="changed meanwhile")
    with pytest.raises(ArchiveError, match="not of one source") as caught:
        join((read_part(left / "amd64"), read_part(other)), ARCHES)
    assert "the versions are the same, but not the files" in caught.value.cause


def test_a_target_is_in_one_part_only(left: Path, root: Path) -> None:
    with pytest.raises(ArchiveError, match="trixie/amd64 is in two parts"):
        join((read_part(left / "amd64"), read_part(root)), ARCHES)


def test_two_suites_are_two_uploads(left: Path, tmp_path: Path) -> None:
    other = make_part(tmp_path / "bookworm", "amd64", suite="bookworm", version="1.0~bookworm1")
    suites = join((read_part(left / "amd64"), read_part(other)), ARCHES)
    assert [(suite.source.suite, suite.source.version) for suite in suites] == [("trixie", "1.0"), ("bookworm", "1.0~bookworm1")]


def test_a_check_that_was_not_made_counts_as_skipped(left: Path, tmp_path: Path) -> None:
    target = Target("trixie", "arm64")
    one = CheckReport(check="own", target=target, outcome=Outcome.PASS, seconds=1)
    bare = make_part(tmp_path / "bare", "arm64", checks=(one,), planned=("own", "sbom"), noise="arm64")
    found = verdicts(join((read_part(left / "amd64"), read_part(bare)), ARCHES), ("lintian",))
    assert [(str(report.target), report.check, report.outcome) for report in found] == [
        ("trixie/amd64", "lintian", Outcome.PASS),
        ("trixie/arm64", "own", Outcome.PASS),
        ("trixie/arm64", "lintian", Outcome.SKIPPED),
        ("trixie/arm64", "sbom", Outcome.SKIPPED),
    ]


def test_what_was_kept_of_a_build_tells_how_that_ended(left: Path, tmp_path: Path) -> None:
    assert [source.version for source in demand_built(left / "amd64").sources] == ["1.0"]
    failure = CheckError("lintian failed on trixie/amd64", cause="why", hint="next")
    root = make_part(tmp_path / "failed", "amd64", failure=failure)
    with pytest.raises(BuildError, match="did not succeed") as caught:
        demand_built(root)
    assert (caught.value.exit_code, caught.value.cause) == (11, "its last run failed: lintian failed on trixie/amd64")
    data = json.loads((root / "report.json").read_text())
    (root / "report.json").write_text(json.dumps(data | {"outcome": "running", "error": None}))
    with pytest.raises(BuildError) as caught:
        demand_built(root)
    assert (caught.value.exit_code, caught.value.cause) == (9, "its last run was cut off")
    (root / "report.json").write_text("{")
    with pytest.raises(ConfigError, match="has no report of a build"):
        demand_built(root)
    with pytest.raises(ConfigError, match="has no report of a build") as told:
        demand_built(tmp_path / "nowhere")
    assert "refused before it began" in told.value.cause


def test_a_projects_own_dist_is_no_part(tmp_path: Path) -> None:
    config = Config(project=tmp_path)
    (tmp_path / "dist").mkdir()
    (tmp_path / "link").symlink_to("dist")
    with pytest.raises(ConfigError, match="own dist/"):
        demand_elsewhere((tmp_path / "link",), config)
    with pytest.raises(ConfigError, match="named twice"):
        demand_elsewhere((tmp_path / "a", tmp_path / "b/../a"), config)
