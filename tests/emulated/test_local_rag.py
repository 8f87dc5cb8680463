"""The README's first command: a real service as true arm64 code, beside amd64, from source to a clean client."""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING

import pytest
from debian.debfile import DebFile
from jsonschema import Draft202012Validator

from debkit.config import ChecksConfig
from debkit.host.binfmt import own_handlers_trouble
from debkit.model import ARCHES
from debkit.report import SCHEMA
from tests.command import CHECKOUT, Ended, Project, make_project

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, debkit_cache: Path) -> Project:
    home = tmp_path_factory.mktemp("local-rag")
    os.environ["XDG_STATE_HOME"] = os.fspath(home / "state")
    return make_project(home / "project", (CHECKOUT / "config" / "debkit.toml").read_text())


@pytest.fixture(scope="module")
def built(project: Project) -> Ended:
    ended = project.debkit("build", os.fspath(CHECKOUT / "examples/local-rag"), "--arch", "amd64", "--arch", "arm64")
    assert ended.code == 0, ended.err
    return ended


def elf_machine(deb: Path, name: str) -> int:
    """Read e_machine of a program in a package."""
    header = DebFile(os.fspath(deb)).data.get_content(name)
    assert isinstance(header, bytes)
    assert header[:4] == b"\x7fELF"
    machine: int = struct.unpack_from("<H", header, 18)[0]
    return machine


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_the_program_is_code_of_its_architecture(project: Project, built: Ended, arch: str) -> None:
    deb = next((project.path / "dist/trixie" / arch).glob(f"local-rag_*_{arch}.deb"))
    assert elf_machine(deb, "usr/sbin/local-rag") == ARCHES[arch].elf_machine


def test_one_report_tells_both(project: Project, built: Ended, run: Processes) -> None:
    report, how = project.report, "emulated" if own_handlers_trouble(run) else "accelerated"
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(report)
    assert {build["target"]["arch"]: build["via"] for build in report["builds"]} == {"amd64": "native", "arm64": how}
    assert {(c["check"], c["target"]["arch"]): c["outcome"] for c in report["checks"]} == {
        (check, arch): "not-run" if check == "own" else "pass" for check in ChecksConfig().run for arch in ("amd64", "arm64")
    }
    assert len(report["sources"]) == len(report["published"]) == 1
    assert {s["target"]["arch"]: s["installed"] for s in report["sightings"]} == {"amd64": True, "arm64": True}


def test_lintian_finds_nothing_that_is_not_accepted_with_a_reason(project: Project, built: Ended) -> None:
    findings = [f for check in project.report["checks"] if check["check"] == "lintian" for f in check["findings"]]
    assert [f for f in findings if f["severity"] in {"error", "warning"} and not f["accepted"]] == []


def test_its_own_tests_ran_as_arm64_programs(project: Project, built: Ended) -> None:
    log = next((project.path / "dist/trixie/arm64").glob("*.build")).read_text(errors="replace")
    assert "dh_auto_test" in log
    assert "nocheck" not in log


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_its_own_autopkgtests_pass_where_they_can_run(project: Project, built: Ended, arch: str) -> None:
    steps = steps_of(project, "autopkgtest", arch)
    assert {name: step["outcome"] for name, step in steps.items()} == {"daemon": "pass", "service": "skipped"}
    assert "isolation-container" in steps["service"]["text"]


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_its_service_is_booted_and_answers(project: Project, built: Ended, arch: str) -> None:
    steps = steps_of(project, "service", arch)
    assert {step["outcome"] for name, step in steps.items() if name != "upgrade"} == {"pass"}
    assert {"boot", "health", "stop-start", "reboot", "purge"} <= steps.keys()
    assert steps["user"]["text"].strip() == "local-rag.service: local-rag"
    assert steps["health"]["text"] == "1 probes"
    assert steps["upgrade"]["outcome"] == "not-run"


def steps_of(project: Project, check: str, arch: str) -> dict[str, dict[str, str]]:
    (report,) = (c for c in project.report["checks"] if (c["check"], c["target"]["arch"]) == (check, arch))
    return {step["name"]: step for step in report["steps"]}


def test_the_upload_is_one_and_signed(project: Project, built: Ended) -> None:
    changes = list((project.path / "dist/trixie/upload").glob("*.changes"))
    assert len(changes) == 1
    text = changes[0].read_text()
    assert text.startswith("-----BEGIN PGP SIGNED MESSAGE-----")
    for part in ("_amd64.deb", "_arm64.deb", ".dsc", "_amd64.buildinfo", "_arm64.buildinfo"):
        assert part in text


def test_it_ends_by_telling_how_to_install(project: Project, built: Ended) -> None:
    where = [i for i, line in enumerate(built.err.splitlines()) if "install local-rag" in line]
    assert where
    assert where[0] > built.err.splitlines().index("sign and publish for trixie")
