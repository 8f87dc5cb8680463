"""`debkit accel verify`: accelerated builds make what emulated ones make, and where one does not, that is found and explained.

Also what an accelerated build tells of its programs.
"""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from debkit.accel import stock, trace
from debkit.errors import AccelDifference, HostError
from debkit.host.binfmt import own_handlers_trouble
from debkit.model import Twin
from debkit.report import SCHEMA
from tests.command import Ended, Project, make_project
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes

pytestmark = pytest.mark.slow

# Whether it is accelerated can be seen by whoever looks for it; packages do not.
GIVEN_AWAY = """
override_dh_auto_install:
\tdh_auto_install
\tif [ -e /.native ]; then echo native; else echo emulated; fi >debian/looking/usr/bin/which
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, debkit_cache: Path) -> Project:
    assert debkit_cache.is_dir()
    return make_project(tmp_path_factory.mktemp("verify") / "project")


@pytest.fixture(scope="module")
def verified(project: Project, run: Processes) -> Ended:
    """Both sources verified in one call, or the refusal where this machine accelerates nothing."""
    same = make_tree(project.path.parent / "same", name="same", distribution="trixie", kind="both")
    looking = make_tree(project.path.parent / "looking", name="looking", distribution="trixie")
    with (looking / "debian/rules").open("a") as rules:
        rules.write(GIVEN_AWAY)
    ended = project.debkit("accel", "verify", "--arch", "arm64", "--json", f"{looking}", f"{same}")
    if trouble := own_handlers_trouble(run):
        assert ended.code == HostError.exit_code
        assert trouble in ended.err
    return ended


@pytest.fixture(scope="module")
def trials(verified: Ended, run: Processes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [] if own_handlers_trouble(run) else json.loads(verified.out)
    return found


def of(trials: list[dict[str, Any]], source: str) -> dict[str, dict[str, Any]]:
    return {one["package"]: one for trial in trials for one in trial["verdicts"] if one["source"] == source}


def test_every_package_of_a_good_source_is_identical(trials: list[dict[str, Any]]) -> None:
    packages = ("same-data_1.0_all.deb", "same-dbgsym_1.0_arm64.deb", "same_1.0_arm64.deb")
    assert {name: one["verdict"] for name, one in of(trials, "same").items()} == (
        dict.fromkeys(packages, "identical") if trials else {}
    )


def test_a_difference_is_found_and_explained(trials: list[dict[str, Any]], verified: Ended, project: Project) -> None:
    if not trials:
        return
    assert verified.code == AccelDifference.exit_code, verified.err
    assert "1 of 5 packages are not the same emulated and accelerated: looking_1.0_arm64.deb" in verified.err
    found = of(trials, "looking")
    assert {name: one["verdict"] for name, one in found.items()} == {
        "looking-dbgsym_1.0_arm64.deb": "identical",
        "looking_1.0_arm64.deb": "differs",
    }
    text = (project.path / "dist/verify/looking_1.0_arm64.deb.txt").read_text()
    assert found["looking_1.0_arm64.deb"]["explanation"] == f"{project.path}/dist/verify/looking_1.0_arm64.deb.txt"
    assert "-emulated" in text
    assert "+native" in text


def test_the_record_has_both_ways(trials: list[dict[str, Any]], project: Project) -> None:
    if not trials:
        return
    report = json.loads((project.path / "dist/verify/report.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert [build["via"] for build in report["builds"]] == ["emulated", "accelerated"] * 2


def test_an_accelerated_build_tells_what_ran(trials: list[dict[str, Any]], project: Project) -> None:
    if not trials:
        return
    into = project.path / "dist/verify/accelerated/trixie/arm64"
    programs = trace.load(into / f"same_1.0_arm64{trace.SUFFIX}")
    emulated = {one.path: one for one in programs.emulated}
    assert programs.native > 300
    assert emulated["/build/reproducible-path/same-1.0/same"].twin is Twin.OWN
    assert emulated["/usr/bin/perl -e"].twin is Twin.REFUSED  # sbuild's own, for one
    assert 0 < programs.seconds == pytest.approx(sum(one.seconds for one in programs.emulated), abs=0.1)
    assert all(one.path.startswith(("/", "./")) for one in programs.emulated)
    last = (into / "same_1.0_arm64.build").read_text().splitlines()[-1]
    assert last == f"debkit: {trace.sentence(programs, named=trace.LOGGED)}"
    assert re.search(r"\bdh \d+, .*\bcc1 \d+, ", last)
    assert not list((project.path / "dist/verify/emulated").rglob(f"*{trace.SUFFIX}"))
    shown = project.debkit("accel", "trace", f"{into}/same_1.0_arm64{trace.SUFFIX}")
    assert shown.out.splitlines()[1].endswith(("none", "version", "own program"))


def test_the_toolbox_is_listed(trials: list[dict[str, Any]], project: Project) -> None:
    if not trials:
        return
    listed = json.loads(project.debkit("accel", "list", "--json").out)
    assert max(item["count"] for item in listed if (item["suite"], item["arch"]) == ("trixie", "arm64")) > 150
    assert [item["name"] for item in listed] == [item.name for item in stock.listing()]
    assert project.debkit("accel", "build", "--arch", "arm64").out.strip() in {item["path"] for item in listed}


def test_where_the_cross_compiler_is_another_all_but_the_compiler_is_native(project: Project, run: Processes) -> None:
    tree = make_tree(project.path.parent / "older", name="older", distribution="bookworm")
    ended = project.debkit("accel", "verify", "--arch", "arm64", "--suite", "bookworm", f"{tree}")
    if trouble := own_handlers_trouble(run):
        assert trouble in ended.err
        return
    assert ended.code == 0, ended.err
    (file,) = (project.path / "dist/verify/accelerated/bookworm").rglob(f"*{trace.SUFFIX}")
    programs = trace.load(file)
    everything = json.loads(project.debkit("accel", "list", "--json").out)
    listed = [item for item in everything if (item["kind"], item["suite"], item["arch"]) == ("toolbox", "bookworm", "arm64")]
    is_native = bool(max(listed, key=itemgetter("used"))["compiler"])  # by `accel build --compiler`
    emulated = {one.path: one.twin for one in programs.emulated}
    compiler = "/usr/lib/gcc/aarch64-linux-gnu/12/cc1"
    assert (compiler in programs.twins, emulated.get(compiler)) == ((True, None) if is_native else (False, Twin.NONE))
    assert {"/usr/sbin/runuser", "/usr/bin/dpkg", "/usr/bin/aarch64-linux-gnu-as"} <= programs.twins.keys()
