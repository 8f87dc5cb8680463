"""What only a job of GitHub's Actions can do, for debkit's own targets and a project's. Owns gh's attestations.

Each variable stands as Actions sets it; DEBKIT_REPOSITORY and DEBKIT_COMMIT are whose workflow has attested, and in which state,
where that is not the project itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import ArchiveError, HostError, NetworkError
from debkit.run import Command, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debkit.run import Run

PAGES = Path(__file__).with_name("pages")
ATTESTED_BY = ".github/workflows/release.yml"
SEEN = ("GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_TOKEN")


def is_job(environ: Mapping[str, str]) -> bool:
    return environ.get("GITHUB_ACTIONS") == "true"


def verify_argv(sums: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Ask for an attestation by debkit's workflow, of the very commit that runs now, for the project's commit and ref."""
    repository, commit = environ["GITHUB_REPOSITORY"], environ["GITHUB_SHA"]
    signer = f"{environ.get('DEBKIT_REPOSITORY') or repository}/{ATTESTED_BY}"
    return (
        "gh", "attestation", "verify", f"{sums}", "--repo", repository, "--source-digest", commit,
        "--source-ref", environ["GITHUB_REF"], "--signer-workflow", signer,
        "--signer-digest", environ.get("DEBKIT_COMMIT") or commit, "--deny-self-hosted-runners",
    )  # fmt: skip


def verify(run: Run, parts: tuple[Path, ...], *, environ: Mapping[str, str]) -> None:
    """Verify that debkit's workflow has attested each part for this very commit. Raises ArchiveError for one that it has not."""
    missing = [name for name in ("GITHUB_REPOSITORY", "GITHUB_REF", "GITHUB_SHA", "GITHUB_TOKEN") if not environ.get(name)]
    if missing:
        raise HostError(
            f"no attestation can be verified: {', '.join(missing)} is not set",
            cause="the step of the workflow does not hand it on",
            hint="env: {GITHUB_TOKEN: ${{ github.token }}}",
        )
    token = environ["GITHUB_TOKEN"]
    for part in parts:
        argv = verify_argv(part / "SHA256SUMS", environ)
        try:
            run(Command(argv=argv, env=(("GH_TOKEN", token),), secrets=(token,)))
        except CommandFailed as failed:
            raise ArchiveError(
                f"{part} is not attested",
                cause="\n".join(failed.done.tail[-6:]) or f"{ATTESTED_BY} has not attested it for this commit",
                hint="build anew, and publish what that build has made",
            ) from failed


def branch(run: Run, verb: str, site: Path, *, environ: Mapping[str, str]) -> str:
    """Fetch the branch that Pages serves into `site`, or push it from there; give what is to be told.

    Raises ArchiveError where the branch is not what was fetched, else NetworkError.
    """
    env = tuple((name, environ[name]) for name in SEEN if name in environ)
    token = environ.get("GITHUB_TOKEN", "")
    try:
        return run(Command(argv=(f"{PAGES}", verb, f"{site}"), env=env, secrets=(token,) if token else ())).stdout.strip()
    except CommandFailed as failed:
        said = "\n".join(failed.done.tail[-8:])
        own = re.search(r"^error: (.*)\n  likely cause: (.*)\n  next: (.*)$", said, flags=re.MULTILINE)
        what, cause, hint = (
            own.groups() if own else (f"git could not {verb} gh-pages", said or "it gave no reason", "run the job again")
        )
        kind = ArchiveError if failed.done.code == ArchiveError.exit_code else NetworkError
        raise kind(what, cause=cause, hint=hint) from failed
