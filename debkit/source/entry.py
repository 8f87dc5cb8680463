"""The changelog that git implies: the tree's own with its newest entry finished, or with one above it. Owns gbp dch."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

from debkit.errors import SourceError
from debkit.run import Command, CommandFailed, require_tool
from debkit.source.changelog import newest_entry, retitled, with_entry
from debkit.source.commits import read_changes_since
from debkit.source.git import toplevel
from debkit.source.orig import gbp_options, make_clone

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Run
    from debkit.source.changelog import Entry

# What of a gbp.conf shapes an entry's text. The rest is left out: it has hooks, and files to write, and a source is not trusted.
SHAPING = (
    "full",
    "id-length",
    "ignore-regex",
    "meta",
    "meta-closes",
    "meta-closes-bugnum",
    "multimaint",
    "multimaint-merge",
    "urgency",
)
NOTHING = "  * UNRELEASED\n"  # gbp dch, of no commits


def dch_argv(*, since: str, version: str, distribution: str, paths: tuple[str, ...] = ()) -> tuple[str, ...]:
    return (
        "gbp", "dch", "--release", "--ignore-branch", "--git-log=--no-merges", "--spawn-editor=never", f"--since={since}",
        f"--new-version={version}", f"--distribution={distribution}", "--force-distribution", *paths,
    )  # fmt: skip


def with_release(run: Run, tree: Path, debian: Path, text: str, *, entry: Entry, since: str, work: Path) -> str:
    """Put an entry above those of `text`, for the commits after `since`, made by gbp dch in `work` with the packaging `debian`.

    `entry` says its version, distribution, author and time. Raises SourceError when gbp fails.
    """
    require_tool("gbp")
    clone, conf = work / "dch", work / "gbp.conf"
    name, _, address = entry.author.removesuffix(">").rpartition(" <")
    within = tree.relative_to(toplevel(tree)).as_posix()
    try:
        make_clone(run, tree, debian, clone)
        (clone / "debian/changelog").unlink()  # it may be a link
        (clone / "debian/changelog").write_text(text, encoding="utf-8")
        _write_shaping(debian / "gbp.conf", conf)
        argv = dch_argv(
            since=since, version=entry.version, distribution=entry.distribution, paths=() if within == "." else (within,)
        )
        # HOME, since ~/.devscripts and ~/.gitconfig of whoever builds must not show in the source.
        env = {"GBP_CONF_FILES": f"{conf}", "DEBFULLNAME": name, "DEBEMAIL": address, "HOME": f"{work}"}
        run(Command(argv=argv, cwd=clone, env=tuple(env.items())))
    except CommandFailed as failed:
        raise SourceError(
            f"gbp dch cannot make the changelog entry of {entry.name} {entry.version}",
            cause="\n".join(failed.done.tail[-6:]),
            hint=f"cd {tree} && dch --newversion {entry.version}\nand commit the changelog, which is then taken as it stands",
        ) from failed
    text = (clone / "debian/changelog").read_text(encoding="utf-8")
    made = retitled(text, version=entry.version, distribution=entry.distribution, time=entry.time)
    own = newest_entry(made)
    return own.replace(NOTHING, f"  * Release {entry.version}.\n") + made.lstrip()[len(own) :]


def with_snapshot(run: Run, tree: Path, text: str, *, entry: Entry, since: str, why: str) -> str:
    """Put an entry above those of `text` that lists the subjects of the commits after `since`."""
    changes = tuple(change.subject for change in read_changes_since(run, tree, since) if not change.ignored)
    return with_entry(text, entry, (f"Snapshot: {why}.", *changes))


def _write_shaping(conf: Path, into: Path) -> None:
    told = gbp_options(conf, "buildpackage", "dch")
    parser = configparser.RawConfigParser()
    parser["DEFAULT"] = {key: told[key] for key in SHAPING if key in told}
    with into.open("w", encoding="utf-8") as stream:
        parser.write(stream)
