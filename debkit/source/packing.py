"""Make the source package from a staged tree, and the source-only .changes. Owns dpkg-source and dpkg-genchanges."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.errors import SourceError
from debkit.model import Source
from debkit.run import Command, CommandFailed, temporary
from debkit.source.changelog import without_epoch
from debkit.source.dsc import read_dsc, verify_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Completed, Run

SCRATCH = ".making-"
EXCERPT_LINES = 15
TALK = re.compile(r"dpkg-\w+: (?P<kind>error|warning|info): (?P<text>.*)")


def build_argv(tree: str) -> tuple[str, ...]:
    return ("dpkg-source", "--build", tree)


def extract_argv(dsc: str, tree: str) -> tuple[str, ...]:
    # The checksums and, where a keyring is given, the signature were verified before.
    return ("dpkg-source", "--no-check", "--no-copy", "--extract", dsc, tree)


def genchanges_argv(changes: str) -> tuple[str, ...]:
    # -sa: an archive of ours need not have the upstream tarball yet.
    return ("dpkg-genchanges", "--build=source", "-sa", "-q", f"-O{changes}")


def pack(run: Run, tree: Path, *, timestamp: int, given: str) -> None:
    """Make the source package of the staged `tree` beside it. Raises SourceError with what dpkg-source found wrong."""
    try:
        run(Command(argv=build_argv(tree.name), cwd=tree.parent, env=_environment(tree, timestamp)))
    except CommandFailed as failed:
        raise unpackable(failed.done, tree=tree, given=given) from failed


def unpack(run: Run, dsc: Path, tree: Path) -> None:
    """Extract the source package into `tree`, beside it."""
    try:
        run(Command(argv=extract_argv(dsc.name, tree.name), cwd=dsc.parent))
    except CommandFailed as failed:
        raise SourceError(
            f"dpkg-source cannot extract {dsc.name}",
            cause="\n".join(said(failed.done, "error")),
            hint="get the source again, or tell its maintainer",
        ) from failed


def write_changes(run: Run, tree: Path, *, name: str, version: str, timestamp: int) -> None:
    """Write NAME_VERSION_source.changes beside the `tree` of the source package there."""
    changes = f"../{name}_{without_epoch(version)}_source.changes"
    try:
        run(Command(argv=genchanges_argv(changes), cwd=tree, env=_environment(tree, timestamp)))
    except CommandFailed as failed:
        raise SourceError(
            f"dpkg-genchanges cannot describe {name} {version}",
            cause="\n".join(said(failed.done, "error")),
            hint="mend what it names in debian/, then run the same command again",
        ) from failed


@contextlib.contextmanager
def scratch(staging: Path) -> Iterator[Path]:
    """Make a directory to work in, on the file system of `staging`."""
    staging.mkdir(parents=True, exist_ok=True)
    with temporary(SCRATCH, staging) as work:
        yield work


def finish(work: Path, final: Path) -> None:
    """Put the source package that stands in `work` in its place, all at once; one that another run put there first stays."""
    (dsc,) = work.glob("*.dsc")
    whole = work / "finished"
    whole.mkdir()
    for name in (dsc.name, *(file.name for file in read_dsc(dsc).files), *(c.name for c in work.glob("*_source.changes"))):
        (work / name).chmod(0o644)
        (work / name).rename(whole / name)
    whole.chmod(0o755)
    try:
        whole.rename(final)
    except OSError:
        if not any(final.glob("*.dsc")):
            raise


def finished(final: Path, *, suite: str, snapshot: bool) -> Source | None:
    """Read the source package that stands in `final`, if it does and is whole; what is not whole is taken away."""
    if not final.is_dir():
        return None
    try:
        (path,), (changes,) = final.glob("*.dsc"), final.glob("*_source.changes")
        dsc = read_dsc(path)
        verify_files(dsc)
    except (SourceError, ValueError):
        shutil.rmtree(final)
        return None
    return Source(
        name=dsc.name,
        version=dsc.version,
        suite=suite,
        dsc=path,
        changes=changes,
        format=dsc.format,
        architectures=dsc.architectures,
        binaries=dsc.binaries,
        files=dsc.files,
        snapshot=snapshot,
    )


def said(done: Completed, *kinds: str) -> tuple[str, ...]:
    """Pick what a dpkg program said of these kinds, else its last lines."""
    told = tuple(found["text"] for line in done.stdout.splitlines() if (found := TALK.match(line)) and found["kind"] in kinds)
    return told or done.tail[-6:]


def unpackable(done: Completed, *, tree: Path, given: str) -> SourceError:
    """Make the error for a tree that dpkg-source does not make a source package of."""
    errors = said(done, "error")
    changed = modified_files(done.stdout, tree.name)
    if changed:
        without_path = re.sub(r", see /\S+$", "", errors[-1])  # it goes with the scratch directory
        return SourceError(
            f"{given} changes upstream files: {', '.join(changed[:5])}"
            + (f" and {len(changed) - 5} more" if changed[5:] else ""),
            cause="in format 3.0 (quilt) every change to upstream's files is a patch in debian/patches, and these differ from"
            f" the upstream tarball; files that a build left behind count too\n{without_path}",
            hint=f"cd {given} && dpkg-source --commit\nor: gbp pq import, commit the change there, gbp pq export",
            excerpt=_diff(errors),
        )
    unrepresentable = [line for line in errors if line.startswith("cannot represent change to")]
    return SourceError(
        f"dpkg-source cannot make a source package of {given}",
        cause="\n".join(errors),
        hint="name the binary files in debian/source/include-binaries, or remove them"
        if unrepresentable
        else "mend what it names, then run the same command again",
    )


def modified_files(output: str, top: str) -> tuple[str, ...]:
    """List the upstream files that dpkg-source found changed, relative to the tree."""
    lines = iter(output.splitlines())
    for line in lines:
        if "the modified files are:" in line:
            break
    changed = []
    for line in lines:
        if not line.startswith(" "):
            break
        changed.append(line.strip().removeprefix(f"{top}/"))
    return tuple(changed)


def _diff(errors: tuple[str, ...]) -> tuple[str, ...]:
    """Read the first lines of the difference that dpkg-source left in a file; the file itself goes with the scratch directory."""
    for line in errors:
        if (named := re.search(r", see (?P<path>/\S+)$", line)) and Path(named["path"]).is_file():
            lines = Path(named["path"]).read_text(errors="replace").splitlines()
            start = next((number for number, text in enumerate(lines) if text.startswith("--- ")), 0)  # a template stands above
            return tuple(lines[start : start + EXCERPT_LINES])
    return ()


def _environment(tree: Path, timestamp: int) -> tuple[tuple[str, str], ...]:
    return (("SOURCE_DATE_EPOCH", str(timestamp)), ("TMPDIR", f"{tree.parent}"))
