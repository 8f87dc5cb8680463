"""Sign one suite's upload: the source, what every architecture built, and the one .changes that joins them. Owns debsign.

debsign signs only the first .buildinfo that a .changes lists, so that each build's own .changes is signed first, which puts the
signed files' checksums into it; then mergechanges joins them, and debsign signs the result.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from debkit.chroot import namespace
from debkit.errors import ArchiveError, SigningError
from debkit.keys import by_hand, signed_text, unsigned_text
from debkit.model import FileRef, SignedUpload
from debkit.run import Command, CommandFailed, require_tool, temporary
from debkit.source.results import read_changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.keys import Keys
    from debkit.model import BuildResult, SigningKey, Source
    from debkit.run import Run, Talker

# debsign splits this at the blanks, so the home goes by the environment. The digest is named because a gpg.conf may ask for one
# that apt refuses.
GPG = "gpg --pinentry-mode loopback --no-auto-check-trustdb --digest-algo SHA512"
QUESTION = r"(?i)passphrase: ?"
SIGNED = (".dsc", ".buildinfo", ".changes")


def require() -> None:
    """Raise MissingTool unless all that signing needs is there."""
    for tool in ("debsign", "mergechanges"):
        require_tool(tool)


def sign_upload(
    run: Talker,
    keys: Keys,
    *,
    source: Source,
    results: tuple[BuildResult, ...],
    into: Path,
) -> SignedUpload:
    """Copy the source and the builds into the directory `into`, sign and merge them there, and verify what came out.

    What is given stays as it is; what stood in `into` is replaced at the end. A .dsc that bears its author's signature gets ours
    instead. Raises SigningError when gpg refuses, ArchiveError when the parts do not make one upload.
    """
    changes = (source.changes, *(result.changes for result in results if result.changes))
    check_parts(changes)
    with _beside(into) as scratch, namespace.scratch(run, "sign") as desk:
        work = scratch / into.name
        work.mkdir()
        for part in changes:
            _copy(part, work)
        dsc = work / source.dsc.name
        dsc.write_text(unsigned_text(dsc.read_text(encoding="utf-8")), encoding="utf-8")
        for part in changes:
            _debsign(run, keys, work / part.name, desk)
        merged = merge(run, tuple(work / part.name for part in changes))
        _debsign(run, keys, merged, desk)
        files = verify(keys.upload, merged)
        if into.exists():
            into.rename(scratch / "replaced")
        work.rename(into)
    return SignedUpload(
        suite=source.suite,
        changes=into / merged.name,
        files=files,
        signer=keys.upload.fingerprint,
        development=keys.upload.development,
    )


@contextlib.contextmanager
def _beside(into: Path) -> Iterator[Path]:
    """Make a directory to work in beside `into`, with nobody else at work there."""
    into.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(into.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with temporary(f".{into.name}.", into.parent) as scratch:
            yield scratch
    finally:
        os.close(handle)


def check_parts(changes: tuple[Path, ...]) -> None:
    """Demand that the parts are of one version, and that no two of them make the same file: Architecture: all is built once."""
    parts = tuple(read_changes(path) for path in changes)
    if len(parts) == 1:
        raise ArchiveError(
            f"no build of {parts[0].source} has left a .changes",
            cause="none of its architectures was built in this run",
            hint="debkit build --dry-run, which tells what would be",
        )
    if len({(part.source, part.version) for part in parts}) > 1:
        raise ArchiveError(
            "the builds are not of one source",
            cause="; ".join(f"{part.path.name}: {part.source} {part.version}" for part in parts),
            hint="run the same command again: it builds all of them anew",
        )
    makers: dict[str, Path] = {}
    for part in parts:
        for file in part.files:
            if file.name in makers and not _is_source(file.name):
                raise ArchiveError(
                    f"{file.name} was built twice",
                    cause=f"by {makers[file.name]} and by {part.path}; only one of them can be published",
                    hint="run the same command again: exactly one architecture builds Architecture: all",
                )
            makers[file.name] = part.path


def _is_source(name: str) -> bool:
    """Whether every build may list the file (as `dpkg-buildpackage -b` never, and a full build always does)."""
    return name.endswith(".dsc") or ".tar." in name or ".diff." in name


def _copy(changes: Path, into: Path) -> None:
    """Copy a .changes and the files it lists. A file that is not what the .changes says is not signed."""
    for file in read_changes(changes).files:
        target = into / file.name
        if not target.exists():
            shutil.copyfile(changes.parent / file.name, target)
        if file_ref(target) != file:
            raise ArchiveError(
                f"{changes.parent / file.name} is not the file that {changes.name} lists",
                cause="it was changed after the build",
                hint="run the same command again: it builds anew",
            )
    shutil.copyfile(changes, into / changes.name)


def _debsign(run: Talker, keys: Keys, file: Path, desk: Path) -> None:
    """Sign a .changes with all that it lists. A passphrase goes in through a terminal of debsign's own.

    debsign works in `desk`, since where it is interrupted it leaves what it was working on.
    """
    passphrase = keys.passphrase(keys.upload)
    command = Command(
        argv=debsign_argv(keys.upload, file, batch=not passphrase),
        env=(("GNUPGHOME", os.fspath(keys.upload.home)), ("TMPDIR", os.fspath(desk))),
        cwd=file.parent,
    )
    try:
        if passphrase:
            run.converse(command, ((QUESTION, passphrase),))
        else:
            run(command)
    except CommandFailed as failed:
        said = [line for line in failed.done.tail if line.startswith(("gpg:", "debsign:"))]
        raise SigningError(
            f"{file.name} could not be signed with {keys.upload.fingerprint}",
            cause="\n".join(said) or failed.cause,
            hint=by_hand(keys.upload.home, "--list-secret-keys"),
        ) from failed


def debsign_argv(key: SigningKey, file: Path, *, batch: bool) -> tuple[str, ...]:
    """Say how to sign. `--no-conf` must come first, and keeps a ~/.devscripts from naming another key.

    What bears our signature keeps it, since another .changes lists it as it is.
    """
    gpg = f"{GPG} --batch" if batch else GPG
    return ("debsign", "--no-conf", f"-p{gpg}", f"-k{key.fingerprint}", "--no-re-sign", file.name)


def merge(run: Run, changes: tuple[Path, ...]) -> Path:
    """Join the .changes into NAME_VERSION_multi.changes, unsigned, and remove them. Returns the new file."""
    parts = tuple(read_changes(path) for path in changes)
    version = parts[0].version.partition(":")[2] or parts[0].version
    merged = changes[0].with_name(f"{parts[0].source}_{version}_multi.changes")
    try:
        run(Command(argv=merge_argv(changes), cwd=changes[0].parent))
    except CommandFailed as failed:
        raise ArchiveError(
            "the builds' .changes cannot be merged",
            cause=failed.cause,
            hint="compare them: " + " ".join(path.name for path in changes),
        ) from failed
    expected = {file.name for part in parts for file in part.files}
    listed = [file.name for file in read_changes(merged).files]
    if sorted(listed) != sorted(expected):
        raise ArchiveError(
            f"{merged.name} does not list what the builds made",
            cause=", ".join(sorted(expected ^ set(listed))) or "a file is listed twice",
            hint="mergechanges --version",
        )
    for path in changes:
        path.unlink()
    return merged


def merge_argv(changes: tuple[Path, ...]) -> tuple[str, ...]:
    """Give plain names, to be found in the working directory: mergechanges does not quote."""
    return ("mergechanges", "-f", *(path.name for path in changes))


def verify(key: SigningKey, changes: Path) -> tuple[FileRef, ...]:
    """Check an upload: the signatures of the .changes, the .dsc and each .buildinfo, and every listed file's size and SHA-256.

    Gives all its files, the .changes first. Raises SigningError for what is not signed by `key`, or not what was signed.
    """
    # read_changes looks at no signature, so it must be given nothing but what is signed.
    with temporary("debkit-sign.") as scratch:
        text = scratch / changes.name
        text.write_text(signed_text(key, changes), encoding="utf-8")
        listed = read_changes(text).files
    for file in listed:
        path = changes.parent / file.name
        if not path.is_file() or file_ref(path) != file:
            raise SigningError(
                f"{path} is not the file that was signed",
                cause=f"{changes.name} lists another size or SHA-256",
                hint="run the same command again: it signs anew",
            )
        if path.suffix in SIGNED:
            signed_text(key, path)
    return (file_ref(changes), *listed)


def file_ref(path: Path) -> FileRef:
    with path.open("rb") as stream:
        return FileRef(path.name, path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())
