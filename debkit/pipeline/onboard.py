"""Making and publishing the keyring package, so that those who have added the archive once need never do it again."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from debkit import archive, keys, sign, source
from debkit.archive import front, keyring
from debkit.console import DEVELOPMENT_KEY_NOTICE
from debkit.errors import BuildError
from debkit.model import BuildResult, BuildState, Target, Via
from debkit.paths import state_home
from debkit.run import Command, CommandFailed, require_tool, temporary

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.config import Config
    from debkit.console import Console, Progress
    from debkit.keys import Keys, Passphrase
    from debkit.model import Published, SignedUpload
    from debkit.run import Processes

ARCH = "all"


def onboard(run: Processes, config: Config, console: Console, *, passphrase: Passphrase, release: bool) -> None:
    """Publish the keyring package into every suite that lacks it as it should be; write anew what else clients need."""
    with run.interruptible(), ExitStack() as stack:
        for tool in ("dpkg-buildpackage", "dh"):
            require_tool(tool)
        sign.require()
        signing = stack.enter_context(
            keys.find_keys(run, config.keys, environ=os.environ, state=state_home(), passphrase=passphrase, release=release)
        )
        keys.prove(signing)
        if signing.archive.development:
            console.warn(DEVELOPMENT_KEY_NOTICE)
        with console.step("keyring package"), console.jobs((config.archive.name,)) as rows:
            row = rows[config.archive.name]
            published = publish(run, config, signing, progress=row)
            row.done("published" if published else "every suite has it as it should be")
        for each in published:
            console.good(f"{each.source} {each.version} published to {config.repo} ({each.suite})")
    for suite in archive.exported_suites(config):
        console.good(f"to add the archive on {suite}:")
        for line in archive.addition(config, suite):
            console.info(f"  {line}")


def publish(run: Processes, config: Config, signing: Keys, *, progress: Progress) -> tuple[Published, ...]:
    """Make and publish the keyring packages that are not as they should be, those of all suites at once; give which these are."""
    with archive.working(run, config, signing, what="looking at the keyring package", progress=progress):
        drafts = keyring.drafts(config, signing, now=datetime.now(UTC))
        if not drafts:
            front.write(config, signing)
            return ()
    archive.require(config, tuple(Target(draft.suite, ARCH) for draft in drafts))
    made = tuple(make(run, config, draft, signing, progress=progress) for draft in drafts)
    uploads = tuple(archive.read_upload(run, upload.changes) for upload in made)
    return archive.publish_all(run, config, uploads, signing, progress=progress)


def make(run: Processes, config: Config, draft: keyring.Draft, signing: Keys, *, progress: Progress) -> SignedUpload:
    """Make a keyring package of its draft, and sign it."""
    home = config.dist / "keyring"
    with temporary("debkit-keyring.") as work:
        tree = work / f"{draft.name}-{draft.version}"
        draft.write(tree)
        staging = config.dist / "source"
        made = source.open_source(run, os.fspath(tree), suite=draft.suite, first_suite=True, config=config, staging=staging)
        archive.require_upload(config, {draft.suite: made}, signing.upload)
        progress.phase(f"building {draft.name} {draft.version}")
        result = build(run, tree, suite=draft.suite, log=home / f"{draft.suite}.build")
        return sign.sign_upload(run, signing, source=made, results=(result,), into=home / draft.suite)


def build(run: Processes, tree: Path, *, suite: str, log: Path) -> BuildResult:
    """Build on this machine: nothing is compiled, so that it makes the same package everywhere. Raises BuildError."""
    log.unlink(missing_ok=True)
    # Of build-essential, which every package is said to need, this one needs no more than debkit does: nothing is compiled.
    # Only Architecture: all (-A), or the .buildinfo is named after an architecture that the .changes does not have. Ubuntu's
    # default compressor is zstd, which not every Debian's tools read.
    environment = (("DPKG_DEB_COMPRESSOR_TYPE", "xz"),)
    command = Command(argv=("dpkg-buildpackage", "-A", "--no-sign", "--no-check-builddeps"), cwd=tree, env=environment, log=log)
    try:
        run(command)
    except CommandFailed as failed:
        raise BuildError("the keyring package does not build", cause=failed.cause, hint=f"less {log}", log=log) from failed
    (changes,) = tree.parent.glob("*_all.changes")
    return BuildResult(
        target=Target(suite, ARCH),
        via=Via.NATIVE,
        backend="dpkg-buildpackage",
        state=BuildState.SUCCEEDED,
        phases=(),
        disk_bytes=0,
        log=log,
        argv=command.argv,
        changes=changes,
        debs=tuple(tree.parent.glob("*.deb")),
    )
