"""reprepro: its command lines and its answers."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.archive import snapshots
from debkit.archive.complaints import WAITS, explain
from debkit.archive.conf import TRUSTED
from debkit.archive.lock import database_lock, release
from debkit.run import Command, CommandFailed, child_environment, find_tool

if TYPE_CHECKING:
    from debkit.keys import Keys
    from debkit.run import Completed, Run

# Our own lock is waited for before; this is for a reprepro started by hand in between. In tries, ten seconds apart.
TRIES = 6
FIELDS = ("$type", "$architecture", "package", "version", "$source", "$sourceversion", "$filekey")
FORMAT = "|".join(f"${{{field}}}" for field in FIELDS) + r"\n"

# How many names `listing_of` asks for: reprepro reads all entries of a suite for it.
FEW = 20
# How many files or names a command line takes.
MANY = 500
ASK_ONCE = Path(__file__).with_name("ask-once")
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
# A path that PATH and gpgconf's answers (gpgconf(1)) have as it is, and gpgme's buffer of 1024 bytes has room for.
PLAIN = re.compile(r"[\w/ .,+@~-]{1,500}", flags=re.ASCII)
NO_EXPORT = ("--export", "silent-never")
# dpkg-buildpackage names a .buildinfo after the machine, also where all packages are for all architectures (deb-buildinfo(5)).
BUILDINFO = "--ignore=surprisingarch"
INCOMING = """\
Name: debkit
IncomingDir: {conf}/uploads
TempDir: {conf}/uploads.new
Default: {suite}
"""

# By what a member of a suite is told from any other: type (deb, udeb or dsc), architecture, package, version.
Member = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One package as a suite has it for one architecture. `type` is deb, udeb or dsc, `arch` never all, `file` under the base."""

    type: str
    arch: str
    package: str
    version: str
    source: str
    source_version: str
    file: str

    @property
    def member(self) -> Member:
        return self.type, self.arch, self.package, self.version


@dataclass(frozen=True, slots=True)
class Filing:
    """Where a package belongs in a suite. `section` and `priority` may be empty for a .deb, which says them itself."""

    component: str
    section: str = ""
    priority: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        named = (("--component", self.component), ("--section", self.section), ("--priority", self.priority))
        return tuple(word for option, value in named if value for word in (option, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprepro:
    """One archive, reached with one configuration and one pair of keys.

    `db` is another database than its own, `dists` another place for indices, `snapshot` what to call the state that is exported,
    `env` what `asking_once` gives.
    """

    run: Run
    base: Path
    conf: Path
    keys: Keys
    env: tuple[tuple[str, str], ...] = ()
    db: Path | None = None
    dists: Path | None = None
    snapshot: str = ""

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that the configuration has."""
        return tuple(
            re.findall(r"^Codename: *(\S+)", (self.conf / "distributions").read_text(encoding="utf-8"), flags=re.MULTILINE)
        )

    def listing(self, suite: str, *, cleanup: bool = False) -> tuple[Entry, ...]:
        """List all packages of a suite."""
        return parse_listing(self._call("--list-format", FORMAT, "list", suite, cleanup=cleanup).stdout)

    def listing_of(self, suite: str, names: frozenset[str]) -> tuple[Entry, ...]:
        """List the sources so called with all that was built of them, and the packages so called: of many names, simply all."""
        if len(names) > FEW or not all(map(NAME.fullmatch, names)):
            return self.listing(suite)
        condition = " | ".join(f"$Source (== {name}) | Package (== {name})" for name in sorted(names))
        return parse_listing(self._call("--list-format", FORMAT, "listfilter", suite, condition).stdout)

    def checksums(self, *, cleanup: bool = False) -> dict[str, str]:
        """Give the SHA-256 of every file that the pool is known to hold, by its path under the base."""
        return parse_checksums(self._call("_listchecksums", cleanup=cleanup).stdout)

    def include(self, suite: str, changes: Path, arches: tuple[str, ...], *, export: bool = True) -> None:
        """Take in an upload, or (`arches` not empty) only these architectures of it, and export the suite's index once.

        What it replaces stays in the pool.
        """
        options = (*(() if export else NO_EXPORT), *(("--architecture", "|".join(arches)) if arches else ()))
        self._call("--keepunreferencedfiles", BUILDINFO, *options, "include", suite, os.fspath(changes))

    def include_all(self, suite: str, files: tuple[Path, ...]) -> None:
        """Take in uploads of different sources, `files` being all of theirs, and leave the suite's index as it is.

        `include` takes one at a time. This takes them from a directory and removes what it has taken: it is given links.
        """
        for name in ("uploads", "uploads.new"):
            shutil.rmtree(self.conf / name, ignore_errors=True)
            (self.conf / name).mkdir()
        for file in files:
            _link(file, self.conf / "uploads" / file.name)
        (self.conf / "incoming").unlink(missing_ok=True)  # the project's own, for its own use
        (self.conf / "incoming").write_text(
            INCOMING.format(conf=os.path.relpath(self.conf, self.base), suite=suite), encoding="utf-8"
        )
        self._call(*NO_EXPORT, "--keepunreferencedfiles", "processincoming", "debkit")

    def export(self, suite: str, *, cleanup: bool = False) -> None:
        """Write and sign a suite's index anew."""
        self._call("export", suite, cleanup=cleanup)

    def unreferenced(self, *, cleanup: bool = False) -> tuple[str, ...]:
        """List the files of the pool (paths under the base) that no suite refers to any more."""
        return tuple(self._call("dumpunreferenced", cleanup=cleanup).stdout.splitlines())

    def forget(self, files: tuple[str, ...], *, cleanup: bool = False) -> None:
        """Have the database forget files that are gone."""
        if files:
            self._call("_forget", cleanup=cleanup, stdin=_lines(files))

    def restore(self, suite: str, snapshot: str, packages: tuple[str, ...]) -> None:
        """Give a suite these packages as a snapshot has them, and export nothing."""
        for start in range(0, len(packages), MANY):
            self._call(*NO_EXPORT, "--keepunreferencedfiles", "restore", suite, snapshot, *packages[start : start + MANY])

    def copy(self, source: str, suite: str, sources: tuple[str, ...]) -> None:
        """Give a suite these source packages, with all that was built of them, as another has them, and export nothing."""
        for start in range(0, len(sources), MANY):
            condition = " | ".join(f"$Source (== {name})" for name in sources[start : start + MANY])
            self._call(*NO_EXPORT, "--keepunreferencedfiles", "copyfilter", suite, source, condition)

    def restore_all(self, suite: str, snapshot: str) -> None:
        """Give a suite all packages that a snapshot has, as it has them, and export nothing."""
        self._call(*NO_EXPORT, "--keepunreferencedfiles", "restorefilter", suite, snapshot, "Package")

    def detect(self, files: tuple[str, ...]) -> None:
        """Have the database know files that are in the pool (paths under the base)."""
        self._call("--keepunreferencedfiles", "_detect", stdin=_lines(files))

    def include_debs(self, suite: str, files: tuple[str, ...], arches: tuple[str, ...], filing: Filing) -> None:
        """Take .debs and .udebs of the pool (paths under the base) into these architectures of a suite, and export nothing."""
        options = (*NO_EXPORT, "--keepunreferencedfiles", *filing.options, "--architecture", "|".join(arches))
        for kind in ("deb", "udeb"):
            paths = [os.fspath(self.base / name) for name in files if name.endswith(f".{kind}")]
            for start in range(0, len(paths), MANY):
                self._call(*options, f"include{kind}", suite, *paths[start : start + MANY])

    def include_dsc(self, suite: str, file: str, filing: Filing) -> None:
        """Take a source of the pool (its .dsc, under the base) into a suite, and export nothing."""
        options = (*NO_EXPORT, "--keepunreferencedfiles", *filing.options)
        self._call(*options, "includedsc", suite, os.fspath(self.base / file))

    def remove(self, suite: str, kind: str, arch: str, packages: tuple[str, ...]) -> None:
        """Take packages of a type (deb, udeb or dsc) and an architecture out of a suite, and export nothing. Their files stay."""
        only = ("--type", kind, "--architecture", arch)
        for start in range(0, len(packages), MANY):
            self._call(*NO_EXPORT, "--keepunreferencedfiles", *only, "remove", suite, *packages[start : start + MANY])

    def _call(self, *words: str, cleanup: bool = False, stdin: str = "") -> Completed:
        """Have reprepro do something. What is given as `stdin` keeps the passphrase from the hook: it must not export."""
        archive = self.keys.archive
        passphrase = self.keys.passphrase(archive)
        places = (("--dbdir", self.db), ("--distdir", self.dists))
        elsewhere = tuple(word for option, path in places if path for word in (option, os.fspath(path)))
        command = Command(
            argv=argv(self.base, self.conf, self.keys.upload.home, *elsewhere, *words),
            env=(
                *self.env,
                ("DEBKIT_RELEASE_HOME", os.fspath(archive.home)),
                ("DEBKIT_RELEASE_KEYS", " ".join(key.local_user for key in self.keys.signers)),
                ("DEBKIT_RELEASE_KEY", archive.fingerprint),
                ("DEBKIT_RELEASE_KEYRING", os.fspath(self.conf / TRUSTED)),
                ("DEBKIT_RELEASE_SNAPSHOT", self.snapshot or snapshots.new_name(self.base)),
            ),
            stdin=(stdin or (f"{passphrase}\n" if passphrase else "")).encode(),
            secrets=(passphrase,) if passphrase else (),
            separate=True,
            cleanup=cleanup,
        )
        before = database_lock(self.base)
        try:
            done = self.run(command)
            return replace(done, stdout=WAITS.sub("", done.stdout))
        except CommandFailed as failed:
            if failed.done.code < 0:
                release(self.base, before=before)
            raise explain(failed, self.base, self.keys) from failed
        except BaseException:  # ended, by force where it did not heed
            release(self.base, before=before)
            raise


def _link(file: Path, link: Path) -> None:
    """Have a file under another name, which may be removed: reprepro copies it before anything comes of it.

    A symbolic link is a new inode, which costs ext4 as much as a new file does, up to half a millisecond for each of four files
    an upload; it serves where a hard one cannot be: elsewhere than the file, or (proc_sys_fs(5), protected_hardlinks) for another
    user's file.
    """
    with contextlib.suppress(OSError):
        if not file.is_symlink():
            link.hardlink_to(file)
            return
    link.symlink_to(file.absolute())


def asking_once(directory: Path) -> tuple[tuple[str, str], ...]:
    """Give the environment by which reprepro asks gpg once for what cannot change while the archive is held: ask-once tells how.

    It works from `directory`, which must be new. It is empty where gpg would be found in another way than gpgconf's own, which
    names the one beside it.
    """
    directory, gpg, gpgconf = directory.absolute(), find_tool("gpg"), find_tool("gpgconf")
    if not (gpg and gpgconf and gpg.parent == gpgconf.parent and PLAIN.fullmatch(os.fspath(directory))):
        return ()
    (directory / "bin").mkdir(parents=True)
    for name in ("gpg", "bin/gpgconf"):
        (directory / name).symlink_to(ASK_ONCE)
    return ("DEBKIT_GNUPG", os.fspath(gpg.parent)), ("PATH", f"{directory}/bin:{child_environment({})['PATH']}")


def _lines(names: tuple[str, ...]) -> str:
    """Give names as reprepro reads them: a command line takes less than an archive may hold."""
    return "".join(f"{name}\n" for name in names)


def argv(base: Path, conf: Path, gnupghome: Path, *words: str) -> tuple[str, ...]:
    """Say which archive, which configuration, and whose keyring knows the uploaders."""
    return (
        "reprepro", "--basedir", os.fspath(base), "--confdir", os.fspath(conf), "--gnupghome", os.fspath(gnupghome),
        "--waitforlock", str(TRIES), *words,
    )  # fmt: skip


def parse_listing(text: str) -> tuple[Entry, ...]:
    entries = []
    for line in text.splitlines():
        kind, arch, package, version, source, source_version, file = line.split("|")
        entries.append(
            Entry(
                type=kind,
                arch=arch,
                package=package,
                version=version,
                source=source,
                source_version=source_version,
                file=file,
            )
        )
    return tuple(entries)


def parse_checksums(text: str) -> dict[str, str]:
    """Read lines of "FILE :1:SHA1 :2:SHA256 MD5 SIZE"."""
    found = (re.match(r"(\S+) .*:2:([0-9a-f]{64}) ", line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}
