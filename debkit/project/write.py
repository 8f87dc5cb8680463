"""Write all files of a project, or none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from debkit.errors import SourceError
from debkit.paths import put

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.project.draft import Draft


def write(path: Path, drafts: tuple[Draft, ...]) -> None:
    """Write the drafts into the project at `path`; where one cannot be written, all is as it was before.

    Raises SourceError where something stands in a file's way, and the OSError of a file that cannot be written.
    """
    for draft in drafts:
        _demand_free(path, draft.name)
    before = {draft.name: (path / draft.name).read_bytes() for draft in drafts if draft.added}
    modes = {name: (path / name).stat().st_mode & 0o7777 for name in before}
    made: list[Path] = []
    try:
        for draft in drafts:
            file = path / draft.name
            for directory in [d for d in reversed(file.parents) if not d.exists()]:
                directory.mkdir()
                made.append(directory)
            if not draft.added:
                made.append(file)
            put(file, draft.text.encode(errors="surrogateescape"), mode=modes.get(draft.name, 0o644))
    except BaseException:
        with contextlib.suppress(OSError):
            for name, content in before.items():
                put(path / name, content, mode=modes[name])
        for one in reversed(made):
            with contextlib.suppress(OSError):
                one.rmdir() if one.is_dir() else one.unlink()
        raise


def demand_place(path: Path, name: str) -> None:
    """Refuse what is neither a file nor nothing in the place of a file, and what is no directory on the way to it.

    Raises SourceError.
    """
    file = path / name
    way = [d for d in file.parents if d.is_relative_to(path)]
    wrong = next((d for d in way if (d.exists() or d.is_symlink()) and not d.is_dir()), None)
    if wrong is None and (file.exists() or file.is_symlink()) and not file.is_file():
        wrong = file
    if wrong:
        raise _in_the_way(file, wrong)


def _demand_free(path: Path, name: str) -> None:
    """Refuse a link in a file's place too: what it leads to is not to be written."""
    demand_place(path, name)
    if (path / name).is_symlink():
        raise _in_the_way(path / name, path / name)


def _in_the_way(file: Path, wrong: Path) -> SourceError:
    kind = "no regular file"
    if wrong.is_symlink():
        kind = f"a symbolic link to {wrong.readlink()}" + ("" if wrong.exists() else ", which is not there")
    elif wrong.is_dir():
        kind = "a directory"
    elif wrong.is_file():
        kind = "a file"
    return SourceError(f"{file} cannot be written", cause=f"{wrong} is in its way: it is {kind}", hint=f"ls -ld {wrong}")
