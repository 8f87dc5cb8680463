"""What a job of GitHub's Actions does: whose attestation counts, and what git is given to push with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.errors import ArchiveError, HostError, NetworkError
from debkit.release import actions

if TYPE_CHECKING:
    from tests.recorder import Recorder

JOB = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_SHA": "c0ffee", "GITHUB_REF": "refs/tags/v1",
       "GITHUB_TOKEN": "s3cret", "OTHER": "x"}  # fmt: skip


def test_each_part_must_be_attested_by_the_workflow_for_the_commit(recorder: Recorder) -> None:
    environ = {**JOB, "DEBKIT_REPOSITORY": "debkit/debkit", "DEBKIT_COMMIT": "d15ea5e"}
    actions.verify(recorder, (Path("parts/one"), Path("parts/two")), environ=environ)
    whose = (
        "--repo", "a/b", "--source-digest", "c0ffee", "--source-ref", "refs/tags/v1", "--signer-workflow",
        "debkit/debkit/.github/workflows/release.yml", "--signer-digest", "d15ea5e", "--deny-self-hosted-runners",
    )  # fmt: skip
    assert recorder.argvs == [("gh", "attestation", "verify", f"parts/{name}/SHA256SUMS", *whose) for name in ("one", "two")]
    assert {command.env for command in recorder.commands} == {(("GH_TOKEN", "s3cret"),)}
    assert {command.secrets for command in recorder.commands} == {("s3cret",)}


def test_a_project_that_has_debkit_in_it_attests_itself(recorder: Recorder) -> None:
    actions.verify(recorder, (Path("parts/one"),), environ=JOB)
    assert recorder.argvs[0][-5:] == (
        "--signer-workflow", "a/b/.github/workflows/release.yml", "--signer-digest", "c0ffee", "--deny-self-hosted-runners"
    )  # fmt: skip


def test_what_is_not_attested_is_told(recorder: Recorder) -> None:
    recorder.reply("gh", stdout="no attestations found\n", code=1)
    with pytest.raises(ArchiveError, match="parts/one is not attested") as caught:
        actions.verify(recorder, (Path("parts/one"),), environ=JOB)
    assert caught.value.cause == "no attestations found"


@pytest.mark.parametrize("name", ["GITHUB_REPOSITORY", "GITHUB_REF", "GITHUB_SHA", "GITHUB_TOKEN"])
def test_without_a_token_nothing_is_verified(recorder: Recorder, name: str) -> None:
    with pytest.raises(HostError, match=f"{name} is not set"):
        actions.verify(recorder, (Path("parts/one"),), environ={**JOB, name: ""})
    assert recorder.commands == []


def test_the_branch_is_pushed_with_the_jobs_token_alone(recorder: Recorder) -> None:
    actions.branch(recorder, "push", Path("site"), environ=JOB)
    (command,) = recorder.commands
    assert command.argv[1:] == ("push", "site")
    assert dict(command.env) == {name: JOB[name] for name in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_TOKEN")}
    assert command.secrets == ("s3cret",)
    recorder.reply(code=16, stdout="error: refused\n")
    with pytest.raises(NetworkError, match="git could not fetch gh-pages") as caught:
        actions.branch(recorder, "fetch", Path("site"), environ=JOB)
    assert caught.value.cause == "error: refused"
