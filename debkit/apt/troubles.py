"""Turn what libapt says into errors that a user can act on. Pure; tests feed it recorded messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from debkit.apt.model import Untrusted
from debkit.apt.root import SOURCES
from debkit.errors import DebkitError, DependencyError, DiskError, MissingTool, NetworkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from debkit.apt.model import AptRoot

Json = dict[str, Any]

AGAIN = "run the same command again"
CLOCK = "date, and set the clock right; debkit doctor compares it"
LOOK_AT_KEY = "gpg --show-keys {keyrings}"
LOOK_AT_SOURCES = "cat {sources}"
ADD_REPOSITORY = "name a repository that has it in build.repositories of config/debkit.toml"


class Distrust(NamedTuple):
    """What a message of a signature that does not hold amounts to. `{}` is what the pattern caught, `{where}` the repository."""

    pattern: str
    what: str
    cause: str
    hint: str


# What gpgv (apt up to 2.x), sqv (apt 3.x) and libapt say. First match wins.
DISTRUST = (
    Distrust(
        r"does not have a Release file",
        "{where} is no repository",
        "it has no Release file: the address or the suite's name is wrong",
        LOOK_AT_SOURCES,
    ),
    Distrust(
        r"is expired \(invalid since ([^)]+)\)",
        "{where} is out of date",
        "its Valid-Until passed {} ago: the mirror is no longer updated, or this machine's clock is wrong",
        CLOCK,
    ),
    Distrust(
        r"is not valid yet \(invalid for another ([^)]+)\)",
        "{where} is not valid yet",
        "it is dated {} from now: this machine's clock is wrong",
        CLOCK,
    ),
    Distrust(
        r"NO_PUBKEY \w*?(\w{16})\b|Missing key (\w+)",
        "{where} is signed by a key that is not trusted here",
        "none of the keyrings has key {}",
        LOOK_AT_KEY,
    ),
    Distrust(
        r"EXPKEYSIG (\w+)|(?<=[Kk]ey )(\w+) expired|[Kk]ey.* expired|expired on|not alive",
        "the key that signs {where} has expired",
        "key {}",
        LOOK_AT_KEY,
    ),
    Distrust(r"REVKEYSIG (\w+)|revoked", "the key that signs {where} has been revoked", "key {}", LOOK_AT_KEY),
    Distrust(
        r"NOSPLIT|NODATA|isn't valid",
        "{where} did not give a signed file",
        "a login page or a proxy may stand in the way",
        f"check the network and the mirror, then {AGAIN}",
    ),
    Distrust(
        r"BADSIG (\w+)|[Bb]ad signature|[Mm]essage has been manipulated",
        "{where} was altered after it was signed",
        "key {}: the mirror or something between has changed it",
        AGAIN,
    ),
    Distrust(
        r"SHA-?1|weak|insecure",
        "{where} is signed with a digest that is no longer accepted",
        "its key or its tools are old",
        LOOK_AT_KEY,
    ),
    Distrust(
        r"is not signed|signatures? (?:were|was) invalid|GPG error|OpenPGP|could not be verified",
        "{where} bears no signature that is accepted",
        "it is not signed, or not in a way that apt takes",
        LOOK_AT_SOURCES,
    ),
)
MISSING_FILE = re.compile(r"\b404\b|\b410\b|Not Found|File not found", re.IGNORECASE)
CHANGED = re.compile(r"Hash Sum mismatch|unexpected size|does not match", re.IGNORECASE)
WHERE = re.compile(
    r"(?:repository '|GPG error: |verification failed: |Release file for )(\S+?)(?:/dists/(\S+)/In\S+| ([\w./-]+))"
)


def error_for(trouble: Json, root: AptRoot) -> DebkitError:
    """Give the error for a child's trouble."""
    return ERRORS.get(trouble["kind"], _other)(trouble, root)


def is_gone(trouble: NetworkError) -> bool:
    """Say whether the mirror was there, and the file was not."""
    return MISSING_FILE.search(trouble.cause) is not None


def _download(trouble: Json, _root: AptRoot) -> DebkitError:
    """Give the error for files of packages or of sources that did not come."""
    failed: dict[str, str] = trouble["failed"]
    uri, text = next(iter(failed.items()))
    name = uri.rpartition("/")[2] or "a file"
    if disk := _disk(failed.values()):
        return disk
    cause = _each(failed)
    if MISSING_FILE.search(text):
        what = f"the mirror lacks {name}"
        hint = f"{AGAIN} later, or set another mirror in config/debkit.toml"
    elif CHANGED.search(text):
        what = f"the mirror gave a file that is not {name} as its signed list has it"
        hint = AGAIN
    else:
        what, hint = f"{name} could not be downloaded", f"check the network and the mirror, then {AGAIN}"
    return NetworkError(what, cause=cause, hint=hint)


def _update(trouble: Json, root: AptRoot) -> DebkitError:
    """Give the error for lists that did not come, or that came with a signature that does not hold."""
    failed: dict[str, str] = trouble["failed"]
    told = [trouble["text"], *failed.values()]
    if disk := _disk(told):
        return disk
    text = "\n".join(told)
    where = WHERE.search(trouble["text"])
    gpgv = next((said for uri, said in failed.items() if uri.startswith(("gpgv:", "sqv:"))), "")
    if where or gpgv:
        return _untrusted(f"{where[1]} {where[2] or where[3]}" if where else "a repository", gpgv or text, text, root)
    uri, said = next(iter(failed.items()), ("", trouble["text"]))
    cause = _each(failed) or _first_line(said)
    if CHANGED.search(text):
        what, hint = f"the package lists at {_site(uri)} do not fit together", AGAIN
        cause = f"the mirror is being updated, or a proxy keeps old files\n{cause}"
    elif MISSING_FILE.search(said):
        what, hint = f"the mirror lacks {uri}", f"{AGAIN} later, or choose another mirror"
    else:
        what, hint = f"{_site(uri)} cannot be reached", f"check the network and the mirror, then {AGAIN}"
    return NetworkError(what, cause=cause, hint=hint)


def _untrusted(where: str, said: str, text: str, root: AptRoot) -> Untrusted:
    """Say what is wrong, from the narrower message if that tells, else from all that was said."""
    for row in DISTRUST:
        if found := re.search(row.pattern, said) or re.search(row.pattern, text):
            caught = next((group for group in found.groups() if group), "")
            cause = row.cause.format(caught) if caught or "{}" not in row.cause else ""
            places = {"keyrings": root.path / "usr/share/keyrings/*", "sources": root.path / "etc/apt/sources.list.d/*"}
            return Untrusted(
                row.what.format(where=where),
                cause=f"{cause}\n{_first_line(said)}".strip(),
                hint=row.hint.format(**places),
            )
    return Untrusted(f"the signature of {where} does not hold", cause=_first_line(said), hint=AGAIN)


def _dependency(trouble: Json, root: AptRoot) -> DependencyError:
    culprit, told = trouble["culprit"], trouble["lines"] or trouble["text"].splitlines()[:1] or ["apt does not say why"]
    hints = {
        "absent": ADD_REPOSITORY,
        "version": "name a repository with that version in build.repositories of config/debkit.toml",
        "conflict": "debkit chroot update, for lists that may fit together by now",
        "unclear": "debkit chroot update, for lists that may fit together by now",
    }
    return DependencyError(
        f"{trouble['wish']} cannot be installed on {root.arch}" + (f": {culprit}" if culprit else ""),
        cause="\n".join(told),
        hint=_perhaps(trouble["near"]) or hints[trouble["case"]],
    )


def _no_such_package(trouble: Json, root: AptRoot) -> DependencyError:
    return DependencyError(
        f"there is no package {trouble['name']} for {root.arch}",
        cause="the root's repositories do not have it",
        hint=_perhaps(trouble["near"]) or ADD_REPOSITORY,
    )


def _no_such_version(trouble: Json, _root: AptRoot) -> DependencyError:
    what = f"there is no version {trouble['version']} of {trouble['name']}"
    return DependencyError(what, cause=f"the root's repositories have {', '.join(trouble['versions'])}", hint=ADD_REPOSITORY)


def _foreign(trouble: Json, _root: AptRoot) -> DependencyError:
    return DependencyError(
        f"{trouble['deb']} is for {trouble['arch']}",
        cause=f"the root is for {trouble['native']}",
        hint=f"give the package that was built for {trouble['native']}, or for all",
    )


def _no_such_source(trouble: Json, root: AptRoot) -> SourceError:
    name, of = trouble["name"], trouble["source"]
    if of:
        cause = f"a binary package of that name is built from {of}"
        return SourceError(f"{name} is no source package", cause=cause, hint=f"debkit build {of}")
    return SourceError(
        f"there is no source package {name}",
        cause=f"none of the repositories in {root.path / SOURCES['deb-src']} has it",
        hint=_perhaps(trouble["near"]) or "give a directory with debian/ or packaging/debian/, or a .dsc file",
    )


def _unhashed(trouble: Json, _root: AptRoot) -> NetworkError:
    what = f"{trouble['name']} {trouble['version']} has no SHA-256 sum in its repository"
    return NetworkError(
        what,
        cause="a repository must list one for every file",
        hint="have its indices made anew with SHA-256, or take it out of build.repositories of config/debkit.toml",
    )


def _no_python_apt(trouble: Json, _root: AptRoot) -> MissingTool:
    if trouble["python"] != "/usr/bin/python3":
        return MissingTool(
            "python-apt cannot be loaded",
            cause=f"{trouble['text']}; it works with Debian's own python3 only, and this is {trouble['python']}",
            hint="sudo apt-get install python3-apt, and run debkit with /usr/bin/python3",
        )
    return MissingTool("python-apt is not installed", cause=trouble["text"], hint="sudo apt-get install python3-apt")


def _other(trouble: Json, _root: AptRoot) -> DebkitError:
    text = trouble["text"]
    said = re.sub(r", (?=[EW]:)", "\n", text) or "it does not say why"
    return _disk([text]) or NetworkError("apt failed", cause=said, hint=AGAIN)


ERRORS: dict[str, Callable[[Json, AptRoot], DebkitError]] = {
    "missing": _no_python_apt,
    "update": _update,
    "download": _download,
    "dependency": _dependency,
    "unknown": _no_such_package,
    "version": _no_such_version,
    "foreign": _foreign,
    "source": _no_such_source,
    "unhashed": _unhashed,
}


def _perhaps(near: list[str]) -> str:
    return f"did you mean {' or '.join(near)}?" if near else ""


def _disk(told: Iterable[str]) -> DiskError | None:
    for text in told:
        if re.search(r"No space left on device|Disk quota exceeded", text):
            return DiskError("the disk is full", cause=_first_line(text), hint="df -h, then free some room")
        if "Read-only file system" in text:
            return DiskError("the file system is read-only", cause=_first_line(text), hint="findmnt -o TARGET,OPTIONS")
    return None


def _each(failed: dict[str, str]) -> str:
    return "\n".join(f"{uri}: {_first_line(text)}" for uri, text in list(failed.items())[:4])


def _first_line(text: str) -> str:
    """Give the first line; of several messages that libapt joins, the first error."""
    messages = re.split(r", (?=[EW]:)", text.strip())
    worst = next((message for message in messages if message.startswith("E:")), messages[0])
    return re.sub(r"^[EW]:", "", worst).partition("\n")[0]


def _site(uri: str) -> str:
    found = re.match(r"\w+://[^/]+", uri)
    return found[0] if found else uri
