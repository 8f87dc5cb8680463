"""Make and keep the directories that isolated apt works in.

The sources are written anew in two places, as `deb` and as `deb-src`, each with lists of its own: a build never downloads source
indices, and fetching a source never touches the lists that a build was resolved with.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.apt.model import AptRoot
from debkit.apt.sources import of_type, parse_list, parse_sources, render, value, with_field
from debkit.errors import ChrootError, ConfigError
from debkit.run import Command, failure, temporary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.apt.sources import Stanza
    from debkit.model import Repository
    from debkit.run import Run

STAMP = "debkit.json"
FORMAT = 1  # of the layout; a root of another one is made again
MEMBERS = (
    "./etc/apt", "./usr/share/keyrings", "./usr/local/share/keyrings",
    "./var/lib/dpkg/status", "./var/lib/dpkg/arch", "./var/lib/apt/extended_states",
)  # fmt: skip
SOURCES = {"deb": "etc/apt/sources.list.d", "deb-src": "etc/apt/deb-src.list.d"}
LISTS = {"deb": "var/lib/apt/lists", "deb-src": "var/lib/apt/deb-src-lists"}
ARMOUR = b"-----BEGIN"
MAKE_ANEW = "debkit chroot create --refresh"
UPDATED = "updated"  # beside the lists; its time is that of their last refreshing
# What an end user's .sources file may say in a root that trusts one key; nothing of Trusted, Allow-Insecure and their like.
CLIENT_FIELDS = frozenset({"types", "uris", "suites", "components", "architectures"})


def prepare(
    run: Run,
    tarball: Path,
    path: Path,
    arch: str,
    *,
    foreign: tuple[str, ...] = (),
    repositories: tuple[Repository, ...] = (),
) -> AptRoot:
    """Make at `path` what apt needs to know of a chroot tarball: its apt configuration, keyrings and package status.

    A root that was made of this same tarball with the same further architectures and repositories is kept, lists and all;
    any other is replaced. The lists of a new root are empty: call `update`. Raises ChrootError for a tarball that is no chroot.
    """
    stamp = _stamp(tarball, arch, foreign, repositories)
    with _locked(path):
        if _read(path / STAMP) != stamp:
            with _fresh(path) as new:
                _extract(run, tarball, new)
                _anchor_links(new, path)
                stanzas = _chroot_sources(new, path) + [_extra(new, path, number, r) for number, r in enumerate(repositories)]
                if not stanzas:
                    raise ChrootError(
                        f"{tarball} names no package source",
                        cause="its etc/apt has no enabled entry",
                        hint=MAKE_ANEW,
                    )
                _lay_down(new, stanzas, stamp)
    named = (path / "var/lib/dpkg/arch").read_text().split() if (path / "var/lib/dpkg/arch").exists() else []
    return AptRoot(path, arch, tuple(dict.fromkeys(a for a in (*named, *foreign) if a != arch)))


def make(path: Path, *, arch: str, sources: str, keyring: Path) -> AptRoot:
    """Make an empty system that knows only `sources` (deb822 text), signed by a key in `keyring` and by no other.

    Signed-By is set to that keyring whatever the text says, and nothing may switch verification off: an end user's .sources
    file can be given as it is. What stood at `path` is removed.
    """
    try:
        stanzas = parse_sources(sources)
    except ValueError as problem:
        raise ConfigError("the client's sources are not deb822", cause=str(problem), hint="man sources.list") from problem
    with _locked(path), _fresh(path) as new:
        key = Path("usr/share/keyrings") / f"archive{_key_suffix(keyring)}"
        (new / key.parent).mkdir(parents=True)
        shutil.copyfile(keyring, new / key)
        (new / "var/lib/dpkg").mkdir(parents=True)
        (new / "var/lib/dpkg/status").touch()
        plain = [{name: text for name, text in s.items() if name.lower() in CLIENT_FIELDS} for s in stanzas]
        _lay_down(new, [with_field(s, "Signed-By", _plain(path / key)) for s in plain], {"format": FORMAT})
    return AptRoot(path, arch)


def updated(root: AptRoot, kind: str = "deb") -> float | None:
    """When the lists were last refreshed with success, in seconds since the epoch, or None."""
    try:
        return (root.path / LISTS[kind] / UPDATED).stat().st_mtime
    except FileNotFoundError:
        return None


def copy_lists(root: AptRoot, into: Path) -> None:
    """Copy the package lists for a system that has the same sources. By their times its apt asks whether there are newer ones."""
    with _holding(lock_of(root.path, "deb"), fcntl.LOCK_SH):
        for path in (root.path / LISTS["deb"]).iterdir():
            if path.is_file() and path.name != UPDATED:
                shutil.copy2(path, into)


def lock_of(path: Path, kind: str) -> Path:
    """Give the file that readers of a root's lists lock beside each other, and who refreshes them alone."""
    return path / f".lock-{kind}"


def exact(root: AptRoot) -> bool:
    """Say whether resolving from outside always gives what the root's own apt would choose.

    It does up to apt 3.0. Later ones have another solver (apt's NEWS, 3.1.10), which now and then takes another alternative or
    does without a package: in 3 of 59 sources of sid.
    """
    status = (root.path / "var/lib/dpkg/status").read_text(encoding="utf-8")
    found = re.search(r"^Package: apt\n(?:(?!\n).+\n)*?Version: (\d+)\.(\d+)", status, re.MULTILINE)
    return not found or (int(found[1]), int(found[2])) < (3, 1)


def _stamp(tarball: Path, arch: str, foreign: tuple[str, ...], repositories: tuple[Repository, ...]) -> dict[str, object]:
    """Tell what a root was made of, as JSON has it."""
    try:
        about = tarball.stat()
    except OSError as problem:
        raise ChrootError(
            f"{tarball} cannot be read: {problem.strerror}",
            cause="it was removed meanwhile, or is not yours to read",
            hint=f"namei -l {tarball}",
        ) from problem
    keys = [hashlib.sha256(r.key.read_bytes()).hexdigest() if r.key else "" for r in repositories]
    return {
        "format": FORMAT,
        "tarball": [about.st_size, about.st_mtime_ns],
        "arch": arch,
        "foreign": list(foreign),
        "repositories": [[r.line, key] for r, key in zip(repositories, keys, strict=True)],
    }


def _read(stamp: Path) -> object:
    try:
        return json.loads(stamp.read_text())
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the directory that `path` is in, which needs no lock file and leaves none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _holding(path.parent, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def _holding(path: Path, how: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _fresh(path: Path) -> Iterator[Path]:
    """Give a directory that takes the place of `path` once it is finished."""
    with temporary(f".{path.name}.", path.parent) as new:
        yield new
        new.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        new.rename(path)


def extract_argv(tarball: Path, into: Path) -> tuple[str, ...]:
    return ("tar", "--extract", "--auto-compress", "--file", os.fspath(tarball), "--directory", os.fspath(into),
            "--no-same-owner", "--", *MEMBERS)  # fmt: skip


def _extract(run: Run, tarball: Path, into: Path) -> None:
    """Take what is wanted out in one pass. tar exits with 2 where one of the members is not in the archive, which is no fault."""
    done = run(Command(argv=extract_argv(tarball, into), ok=frozenset({0, 2})))
    harmless = re.compile(r"\S*tar: (\S+: Not found in archive|Exiting with failure status due to previous errors)|\s*")
    if done.code and not all(harmless.fullmatch(line) for line in done.tail):
        raise failure(done)
    if not (into / "var/lib/dpkg/status").is_file():
        raise ChrootError(
            f"{tarball} is no chroot",
            cause="it has no ./var/lib/dpkg/status",
            hint=MAKE_ANEW,
        )


def _anchor_links(new: Path, path: Path) -> None:
    """Make the absolute links of the tarball, which would lead to the machine's own files, lead to the root's."""
    for link in [p for p in new.rglob("*") if p.is_symlink()]:
        target = link.readlink()
        if target.is_absolute():
            link.unlink()
            link.symlink_to(path / target.relative_to("/"))


def _chroot_sources(new: Path, path: Path) -> list[Stanza]:
    """Read and remove the sources that the tarball brought, with every path in them turned to the root's."""
    parts = new / "etc/apt/sources.list.d"
    stanzas: list[Stanza] = []
    for file in (new / "etc/apt/sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))):
        if file.is_file() and not file.is_symlink():
            try:
                text = file.read_text(encoding="utf-8")
                stanzas += parse_sources(text) if file.suffix == ".sources" else parse_list(text)
            except ValueError as problem:
                name = file.relative_to(new)
                raise ChrootError(f"/{name} of the chroot is not understood", cause=str(problem), hint=MAKE_ANEW) from problem
    shutil.rmtree(parts, ignore_errors=True)
    (new / "etc/apt/sources.list").unlink(missing_ok=True)
    return [_rooted(stanza, path) for stanza in stanzas]


def _rooted(stanza: Stanza, path: Path) -> Stanza:
    signed_by = value(stanza, "Signed-By")
    if signed_by and "-----BEGIN" not in signed_by:
        words = signed_by.replace(",", " ").split()
        keys = [_plain(path / word.lstrip("/")) if word.startswith("/") else word for word in words]
        stanza = with_field(stanza, "Signed-By", " ".join(keys))
    uris = value(stanza, "URIs")
    if "mirror+file:/" in uris:  # the list of mirrors is a file of the chroot; apt-transport-mirror(1)
        stanza = with_field(stanza, "URIs", re.sub(r"mirror\+file:/+", f"mirror+file:{_plain(path)}/", uris))
    return stanza


def _extra(new: Path, path: Path, number: int, repository: Repository) -> Stanza:
    """Write an extra repository's stanza, trusted by its own key alone where it brings one."""
    try:
        (stanza,) = parse_list(repository.line)
    except ValueError as problem:
        raise ConfigError(
            f"not a package source: {repository.line}",
            cause="build.repositories of config/debkit.toml takes lines like: deb [arch=amd64] URI SUITE COMPONENT",
            hint="man sources.list",
        ) from problem
    if not repository.key:
        return _rooted(stanza, path)
    key = Path("usr/share/keyrings") / f"debkit-{number}{_key_suffix(repository.key)}"
    (new / key.parent).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(repository.key, new / key)
    return with_field(stanza, "Signed-By", _plain(path / key))


def _key_suffix(keyring: Path) -> str:
    """Choose what apt goes by: .asc is armoured, .gpg is not."""
    with keyring.open("rb") as file:
        return ".asc" if file.read(len(ARMOUR)) == ARMOUR else ".gpg"


def _plain(path: Path) -> str:
    """Give a path as it can stand in a .sources file, where blanks and commas part the words and there is no quoting."""
    text = os.fspath(path.absolute())
    if re.search(r"[\s,\[\]]", text):
        raise ConfigError(
            f"apt cannot work in {path.parent}",
            cause="it cannot name a keyring whose path has a blank, a comma or a bracket",
            hint="export XDG_CACHE_HOME=/var/tmp/debkit-cache",
        )
    return text


def _lay_down(new: Path, stanzas: list[Stanza], stamp: dict[str, object]) -> None:
    for kind, directory in SOURCES.items():
        (new / directory).mkdir(parents=True)
        (new / directory / "debkit.sources").write_text(render(of_type(stanzas, kind)), encoding="utf-8")
        (new / LISTS[kind] / "partial").mkdir(parents=True)
    for directory in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "var/cache/apt/archives/partial"):
        (new / directory).mkdir(parents=True, exist_ok=True)
    (new / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
