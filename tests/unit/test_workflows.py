"""What the workflows promise: make targets and nothing else, few permissions, pinned actions, and secrets where they are used."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests import ci, workflows
from tests.workflows import CHECKOUT, WORKFLOWS, Job, Unknown, evaluate, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ci.contexts(
    {"ref": "refs/heads/main", "event_name": "push", "repository": "o/n", "sha": "5" * 40, "token": "T", "workspace": "/w",
     "run_id": "7"},
    DEBKIT_SIGNING_KEY="S",
    DEBKIT_ARCHIVE_KEY="A",
)  # fmt: skip
MAKEFILE = (CHECKOUT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
CALLED: dict[str, dict[str, Any]] = {"build-packages": {}}  # only ever called


def every_job() -> Iterator[Job]:
    for name in workflows.names_of_workflows():
        yield from (job for job in workflows.jobs(name, NAMES, CALLED.get(name)) if job.workflow == name)


def steps(kind: str) -> list[tuple[Job, dict[str, Any]]]:
    return [(job, step) for job in every_job() for step in job.about["steps"] if kind in step]


def environment(job: Job, step: dict[str, Any]) -> dict[str, str]:
    env = {**job.about.get("env", {}), **step.get("env", {})}
    return {key: workflows.text(resolved(value, job.names)) for key, value in env.items()}


def test_each_step_is_one_make_target() -> None:
    assert len(steps("run")) > 10
    for job, step in steps("run"):
        target = re.fullmatch(r"make (?:-f \.\./debkit/Makefile )?([a-z-]+)", step["run"])
        assert target, (job.title, step)
        assert target[1] in TARGETS, (job.title, target[1])


def test_for_a_project_the_targets_are_debkits_and_run_in_the_project() -> None:
    for job, step in steps("run"):
        checkouts = {other["with"].get("path") for other in job.about["steps"] if "checkout" in other.get("uses", "")}
        assert ("../debkit/Makefile" in step["run"]) == (checkouts == {"project", "debkit"}), job.title
        assert step.get("working-directory") == ("project" if "project" in checkouts else None)


def test_the_composite_action_too_and_values_come_by_the_environment() -> None:
    runs = [step["run"] for step in workflows.read(CHECKOUT / "action.yml")["runs"]["steps"]]
    assert runs == ['make -C "$GITHUB_ACTION_PATH" setup-action', 'make -f "$GITHUB_ACTION_PATH/Makefile" "$TARGET"']
    assert "setup-action" in TARGETS


def test_the_workflow_that_the_manual_shows_gives_the_action_what_it_takes() -> None:
    shown = re.search(r"^```yaml\n(.*?)^```$", (CHECKOUT / "docs/maintainers.md").read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    own = yaml.safe_load(shown[1])["jobs"]["packages"]["steps"]
    given = next(step["with"] for step in own if step["uses"].startswith("debkit/"))
    assert given.keys() <= workflows.read(CHECKOUT / "action.yml")["inputs"].keys()
    assert given["target"] in TARGETS


def test_a_build_gets_its_suite_architecture_and_flags() -> None:
    given = {"suites": '["trixie", "bookworm"]', "source": "x y", "flags": "--strict", "refresh": True}
    found = {
        tuple(environment(job, step).items())
        for job in workflows.jobs("build-packages", NAMES, given)
        for step in job.about["steps"]
        if step.get("run", "").endswith(" build")
    }
    assert found == {
        (("SUITE", suite), ("ARCH", arch), ("SOURCE", "x y"), ("FLAGS", "--refresh --strict"))
        for suite in ("trixie", "bookworm")
        for arch in ("amd64", "arm64")
    }


@pytest.mark.parametrize(("native", "runner"), [(False, "ubuntu-24.04"), (True, "ubuntu-24.04-arm")])
def test_one_input_chooses_native_runners(native: bool, runner: str) -> None:  # noqa: FBT001
    found = {
        job.names["matrix"]["arch"]: resolved(job.about["runs-on"], job.names)
        for job in workflows.jobs("build-packages", NAMES, {"native-arm64": native})
        if job.name == "build"
    }
    assert found == {"amd64": "ubuntu-24.04", "arm64": runner}


def test_a_tag_brings_about_what_a_call_does_by_default() -> None:
    def shape(given: dict[str, Any] | None) -> list[tuple[Any, ...]]:
        return [
            (job.title, resolved(step.get("if", ""), job.names), step.get("run"), environment(job, step))
            for job in workflows.jobs("release", NAMES, given)
            for step in job.about["steps"]
            if "run" in step
        ]

    assert shape(None) == shape({})


def test_every_action_is_pinned_to_a_commit() -> None:
    for path in (*WORKFLOWS.glob("*.yml"), CHECKOUT / "action.yml"):
        for used, comment in re.findall(r"uses: (\S+)(.*)", path.read_text()):
            if not used.startswith(("./debkit", workflows.SELF)):
                assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", used), used
                assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), used


def test_one_action_has_one_pin() -> None:
    pins: dict[str, str] = {}
    for _, step in steps("uses"):
        name, _, commit = step["uses"].partition("@")
        assert pins.setdefault(name.removesuffix("/restore").removesuffix("/save"), commit) == commit


def test_no_checkout_keeps_the_token() -> None:
    found = [step for _, step in steps("uses") if step["uses"].startswith("actions/checkout@")]
    assert len(found) >= 8
    assert all(step["with"]["persist-credentials"] is False for step in found)


def test_debkit_is_of_the_commit_that_the_workflow_is_of_whoever_calls_it() -> None:
    found = [
        {key: resolved(value, job.names) for key, value in step["with"].items()}
        for job, step in steps("uses")
        if step["uses"].startswith("actions/checkout@") and step["with"].get("path") == "debkit"
    ]
    assert len(found) == 3
    job = NAMES["job"]
    assert all((each["repository"], each["ref"]) == (job["workflow_repository"], job["workflow_sha"]) for each in found)


def test_a_job_that_is_run_again_may_upload_again() -> None:
    found = [step for _, step in steps("uses") if step["uses"].startswith("actions/upload-artifact@")]
    assert len(found) == 4
    assert all(step["with"]["overwrite"] is True for step in found)


# All that any job may do beyond reading the repository.
WRITES = {
    ("release", "attest"): {"id-token": "write", "attestations": "write"},
    ("release", "publish"): {"contents": "write", "attestations": "read"},
}


def test_permissions_are_few() -> None:
    for name in workflows.names_of_workflows():
        assert workflows.read(WORKFLOWS / f"{name}.yml")["permissions"] == {}
    for job in every_job():
        assert job.about["permissions"] == WRITES.get((job.workflow, job.name), {"contents": "read"}), job.title
    for name in workflows.names_of_workflows():
        for called in workflows.read(WORKFLOWS / f"{name}.yml")["jobs"].values():
            assert "uses" not in called or called["permissions"] == {"contents": "read"}


def test_the_release_has_a_flat_repository_where_it_is_asked_for() -> None:
    found = {
        flat: environment(job, step)["FLAGS"]
        for flat in (False, True)
        for job in workflows.jobs("release", NAMES, {"flat-repo": flat})
        for step in job.about["steps"]
        if step.get("run", "").endswith(" release")
    }
    assert found == {False: "", True: "--flat-repo"}


def test_what_the_workflow_makes_is_beside_the_project() -> None:
    found = [environment(job, step) for job, step in steps("run") if step.get("working-directory") == "project"]
    places = {value for env in found for key, value in env.items() if key in {"PART", "PARTS", "SITE"}}
    assert len(places) == 4
    assert all(place.startswith("../") for place in places)


def test_only_the_protected_job_sees_secrets_and_only_where_it_signs() -> None:
    seen = {
        (job.workflow, job.name, step["run"], key)
        for job, step in steps("run")
        for key, value in {**job.about.get("env", {}), **step.get("env", {})}.items()
        if "secrets." in value
    }
    keys = ("DEBKIT_SIGNING_KEY", "DEBKIT_ARCHIVE_KEY")
    assert seen == {
        ("release", "publish", f"make -f ../debkit/Makefile {target}", key)
        for target in ("restore", "publish", "onboard", "release")
        for key in keys
    }
    release = workflows.read(WORKFLOWS / "release.yml")["jobs"]["publish"]
    assert release["environment"] == "release"
    assert release["concurrency"] == {"group": "debkit-archive", "cancel-in-progress": False, "queue": "max"}
    for path in WORKFLOWS.glob("*.yml"):
        assert path.read_text().count("${{ secrets.") == (len(seen) if path.stem == "release" else 0)
        assert "secrets: inherit" not in path.read_text()


def test_a_release_restores_no_cache() -> None:
    found = [
        workflows.holds(step["if"], {**job.names, "steps": {"chroots": {"outputs": workflows.Skipped()}}})
        for job in workflows.jobs("release", NAMES)
        for step in job.about["steps"]
        if "cache" in step.get("uses", "")
    ]
    assert len(found) == 4
    assert not any(found)


def test_a_cache_is_found_again() -> None:
    week = {"debkit": {"outputs": {"week": "2026-W48"}}}
    found = {
        (job.workflow, *job.names["matrix"].values()): {
            key: str(resolved(value, {**job.names, "steps": week})) for key, value in step["with"].items()
        }
        for job, step in steps("uses")
        if step["uses"].startswith("actions/cache/restore@")
    }
    assert len(found) == 4
    for arch in ("amd64", "arm64"):
        build, rebuild = found["build-packages", "trixie", arch], found["rebuild", "trixie", arch]
        assert build["key"].startswith(f"{build['restore-keys']}7")
        assert build["restore-keys"].startswith(rebuild["restore-keys"])
        assert rebuild["restore-keys"].endswith(f"-{arch}-")
        assert build["path"] == rebuild["path"]


def test_every_job_ends_and_runs_that_exclude_each_other_say_so() -> None:
    for job in every_job():
        assert job.about["timeout-minutes"] <= 360
    for name in set(workflows.names_of_workflows()) - {"build-packages", "release"}:
        assert "concurrency" in workflows.read(WORKFLOWS / f"{name}.yml"), name


def test_make_ci_takes_the_steps_of_a_change_and_of_a_tag_in_their_order() -> None:
    ran = [
        (job.title, step["run"].split()[-1])
        for job in ci.plan(NAMES["github"], {"source": "examples/local-rag"})
        for step in job.about["steps"]
        if "run" in step and job.title not in ci.LEFT_OUT
    ]
    assert ran == [
        *(("test-check", target) for target in ("lint", "unit", "docs")),
        ("test-arm64", "deb"),
        *((f"build-packages-build-trixie-{arch}", target) for arch in ("amd64", "arm64") for target in ("build", "part")),
        *(
            ("release-publish", target)
            for target in ("deployed", "verify-parts", "restore", "publish", "onboard", "pages", "release")
        ),
        *((f"rebuild-look-trixie-{arch}", target) for arch in ("amd64", "arm64") for target in ("setup", "outdated")),
    ]
    assert set(ci.OTHERWISE) <= {target for _, target in ran}


def test_make_ci_knows_every_job() -> None:
    planned = {job.title for job in ci.plan(NAMES["github"], {})}
    assert planned == {job.title for job in every_job()}
    assert set(ci.LEFT_OUT) <= planned


def test_artifacts_are_laid_out_as_the_actions_do_it(tmp_path: Path) -> None:
    machine, work = ci.Machine(tmp_path, {}), tmp_path / "work"
    for name in ("parts/one/a", "parts/one/.hidden", "dist/x/b.txt", "dist/x/c"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).touch()

    def files(top: Path) -> list[str]:
        return sorted(os.fspath(path.relative_to(top)) for path in top.rglob("*") if path.is_file())

    machine.upload(work, {"name": "p-1", "path": "parts"})
    assert files(tmp_path / "artifacts/p-1") == ["one/a"]
    with pytest.raises(FileExistsError):
        machine.upload(work, {"name": "p-1", "path": "parts"})
    machine.upload(work, {"name": "p-1", "path": "dist/**/*.txt\nparts/one", "overwrite": True})
    assert files(tmp_path / "artifacts/p-1") == ["dist/x/b.txt", "parts/one/a"]
    machine.upload(work, {"name": "p-1", "path": "dist/x/*", "overwrite": True})
    machine.download(work, {"pattern": "p-*", "path": "alone"})
    assert files(work / "alone") == ["b.txt", "c"]
    machine.upload(work, {"name": "p-2", "path": "parts"})
    machine.download(work, {"pattern": "p-*", "path": "both"})
    assert files(work / "both") == ["p-1/b.txt", "p-1/c", "p-2/one/a"]
    machine.download(work, {"pattern": "p-*", "path": "merged", "merge-multiple": True})
    assert files(work / "merged") == ["b.txt", "c", "one/a"]


@pytest.mark.parametrize("arches", ['["amd64"]', '["amd64", "arm64"]'])
def test_parts_are_found_of_one_build_as_of_many(tmp_path: Path, arches: str) -> None:
    machine = ci.Machine(tmp_path, {})
    parts = []
    for job in workflows.jobs("release", NAMES, {"arches": arches}):
        work = tmp_path / job.title
        for step in job.about["steps"]:
            if step.get("run", "").endswith(" part"):
                parts.append((work / "project" / environment(job, step)["PART"]).resolve())
                parts[-1].mkdir(parents=True)
                (parts[-1] / "SHA256SUMS").touch()
            for kind, do in (("upload-artifact", machine.upload), ("download-artifact", machine.download)):
                if f"/{kind}@" in step.get("uses", ""):
                    do(work, {key: resolved(value, job.names) for key, value in step["with"].items()})
    names = {part.name for part in parts}
    (subjects,) = (step["with"]["subject-path"].splitlines()[0] for _, step in steps("uses") if "attest-" in step["uses"])
    assert {path.parent.name for path in (tmp_path / "release-attest").glob(subjects)} == names
    published = (tmp_path / "release-publish").glob("parts/*")
    assert {path.name for path in published if (path / "SHA256SUMS").exists()} == names


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a.b", "x"),
        ("a.b == 'x' && 'it''s' || 'no'", "it's"),
        ("a.none || a.no || 3", 3),
        ("!a.no && (a.b != 'y')", True),
        ("fromJSON(a.list)", [1, 2]),
        ("join(fromJSON(a.none || '[\"x\", \"y\"]'), ' ')", "x y"),
        ("!cancelled()", True),
        ("a.no || true && null", None),
    ],
)
def test_expressions(expression: str, value: object) -> None:
    assert evaluate(expression, {"a": {"b": "x", "none": None, "no": False, "list": json.dumps([1, 2])}}) == value


@pytest.mark.parametrize(
    "expression", ["a.c", "b", "a.b.c", "hashFiles('x')", "join(a.b)", "a.b ==", "(a.b", "a.b a.b", "a.b ? 1", ""]
)
def test_what_is_not_known_is_an_error(expression: str) -> None:
    with pytest.raises(Unknown):
        evaluate(expression, {"a": {"b": "x"}})


def test_a_whole_value_keeps_its_type_and_a_part_becomes_text() -> None:
    names = {"a": {"yes": True, "none": None}}
    assert resolved("${{ a.yes }}", names) is True
    assert resolved("<${{ a.yes }}${{ a.none }}>", names) == "<true>"


def test_a_call_with_an_input_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(Unknown):
        list(workflows.jobs("build-packages", NAMES, {"suite": "x"}))


def test_what_is_pinned_is_kept_up_to_date() -> None:
    updates = workflows.read(CHECKOUT / ".github/dependabot.yml")["updates"]
    assert {(each["package-ecosystem"], each["directory"]) for each in updates} == {
        ("github-actions", "/"),
        ("pip", "/packaging/lint"),
        ("npm", "/tests/prism"),
    }
    lines = (CHECKOUT / "packaging/lint/requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"#.*|[\w-]+==[0-9.]+", line) for line in lines)
