"""Turn what libapt says into errors that a user can act on. Pure; tests feed it recorded messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from debkit.apt.model import Untrusted
from debkit.errors import DebkitError, DependencyError, DiskError, MissingTool, NetworkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from debkit.apt.model import AptRoot

Json = dict[str, Any]

AGAIN = "run the same command again"
CLOCK = "date, and set the clock right; debkit doctor compares it"
# What a message of a failed signature, of gpgv (apt up to 2.x) or sqv (apt 3.x), amounts to. First match wins.
SIGNATURE: tuple[tuple[str, str, str], ...] = (
    (r"NO_PUBKEY \w*?(\w{16})\b|Missing key (\w+)", "it is signed by a key that is not trusted here: {}", "gpg --show-keys {keyring}"),
    (r"EXPKEYSIG (\w+)|KEYEXPIRED|[Kk]ey.* expired|expired on", "the key that signed it has expired {}", "gpg --show-keys {keyring}"),
    (r"REVKEYSIG (\w+)|revoked", "the key that signed it has been revoked {}", "gpg --show-keys {keyring}"),
    (r"BADSIG (\w+)|[Bb]ad signature|not a valid signature", "the file was altered after it was signed by {}", AGAIN),
    (r"is expired \(invalid since ([^)]+)\)", "its Valid-Until passed {} ago: the mirror is out of date, or this clock is wrong", CLOCK),
    (r"is not valid yet \(invalid for another ([^)]+)\)", "it is dated {} in the future: this clock is wrong", CLOCK),
    (r"does not have a Release file()", "it has no Release file: the suite's name or the address is wrong {}", "cat {sources}"),
    (r"SHA-?1|[Ww]eak", "it is signed with a digest that is no longer accepted {}", "gpg --show-keys {keyring}"),
    (r"NOSPLIT|NODATA|isn't valid", "what came is no signed file {}: a login page or a proxy may stand in the way", AGAIN),
    (r"is not signed|signatures? (?:were|was) invalid|GPG error|OpenPGP", "it bears no signature that is accepted {}", "cat {sources}"),
)
MISSING_FILE = re.compile(r"\b404\b|\b410\b|Not Found|File not found", re.IGNORECASE)
CHANGED = re.compile(r"Hash Sum mismatch|unexpected size|does not match", re.IGNORECASE)
WHERE = re.compile(r"(?:repository '|GPG error: |Release file for )(\S+(?: [\w./-]+)?)")


def error_for(trouble: Json, root: AptRoot) -> DebkitError:
    """The error for a child's trouble."""
    match trouble["kind"]:
        case "missing":
            return _no_python_apt(trouble)
        case "update":
            return _update(trouble, root)
        case "download":
            return download_error(trouble["failed"])
        case "dependency":
            return _dependency(trouble, root)
        case "unknown" | "version" | "foreign":
            return _no_such_package(trouble, root)
        case "source":
            return _no_such_source(trouble, root)
        case "unhashed":
            return NetworkError(
                f"{trouble['name']} {trouble['version']} has no SHA-256 sum in its repository",
                cause="a repository must list one for every file",
            )
        case _:
            return _other(trouble["text"])


def is_gone(trouble: NetworkError) -> bool:
    """Whether the mirror was there, and the file was not."""
    return MISSING_FILE.search(trouble.cause) is not None


def download_error(failed: dict[str, str]) -> DebkitError:
    """For files of packages or of sources that did not come."""
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
    """For lists that did not come, or that came with a signature that does not hold."""
    failed: dict[str, str] = trouble["failed"]
    told = [trouble["text"], *failed.values()]
    if disk := _disk(told):
        return disk
    text = "\n".join(told)
    where = WHERE.search(trouble["text"])
    gpgv = next((said for uri, said in failed.items() if uri.startswith(("gpgv:", "sqv:"))), "")
    if where or gpgv:
        name = where[1].removesuffix(" InRelease").removesuffix(" Release") if where else "a repository"
        return _untrusted(name, gpgv or text, text, root)
    uri, said = next(iter(failed.items()), ("", trouble["text"]))
    if CHANGED.search(text):
        what = f"the package lists at {_site(uri)} do not fit together"
        return NetworkError(what, cause=f"the mirror is being updated, or a proxy keeps old files\n{_each(failed)}", hint=AGAIN)
    if MISSING_FILE.search(said):
        return NetworkError(f"the mirror lacks {uri}", cause=_each(failed), hint=f"{AGAIN} later, or choose another mirror")
    return NetworkError(f"{_site(uri)} cannot be reached", cause=_each(failed), hint=f"check the network and the mirror, then {AGAIN}")


def _untrusted(name: str, said: str, text: str, root: AptRoot) -> Untrusted:
    """Say what is wrong with the signature, from the narrower message if that tells, else from all that was said."""
    for pattern, cause, hint in SIGNATURE:
        if found := re.search(pattern, said) or re.search(pattern, text):
            detail = next((group for group in found.groups() if group), "")
            places = {"keyring": root.path / "usr/share/keyrings/*", "sources": root.path / "etc/apt/sources.list.d/*"}
            return Untrusted(
                f"the signature of {name} does not hold",
                cause=f"{cause.format(detail).strip()}\n{_first_line(said)}".strip(),
                hint=hint.format(**places),
            )
    return Untrusted(f"the signature of {name} does not hold", cause=_first_line(said), hint=AGAIN)


def _dependency(trouble: Json, root: AptRoot) -> DependencyError:
    culprit, near = trouble["culprit"], trouble["near"]
    wish = trouble.get("wish", "the packages")
    hints = {
        "absent": "name a repository that has it in build.repositories of config/debkit.toml",
        "version": "name a repository with that version in build.repositories of config/debkit.toml",
        "conflict": "debkit chroot update, for lists that may fit together by now",
        "unclear": "debkit chroot update, for lists that may fit together by now",
    }
    return DependencyError(
        f"{wish} cannot be installed on {root.arch}" + (f": {culprit}" if culprit else ""),
        cause="\n".join((*trouble["lines"], *(line for line in trouble.get("text", "").splitlines()[:1] if not trouble["lines"]))),
        hint=f"did you mean {' or '.join(near)}?" if near else hints[trouble["case"]],
    )


def _no_such_package(trouble: Json, root: AptRoot) -> DependencyError:
    match trouble["kind"]:
        case "unknown":
            near = trouble["near"]
            return DependencyError(
                f"there is no package {trouble['name']} for {root.arch}",
                cause="the root's repositories do not have it",
                hint=f"did you mean {' or '.join(near)}?" if near else "",
            )
        case "version":
            return DependencyError(
                f"there is no version {trouble['version']} of {trouble['name']}",
                cause=f"the root's repositories have {', '.join(trouble['versions'])}",
            )
        case _:
            return DependencyError(f"{trouble['deb']} is for {trouble['arch']}", cause=f"the root is for {trouble['native']}")


def _no_such_source(trouble: Json, root: AptRoot) -> SourceError:
    name, of, near = trouble["name"], trouble["source"], trouble["near"]
    if of:
        return SourceError(f"{name} is no source package", cause=f"a package of that name is built from {of}", hint=f"debkit build {of}")
    return SourceError(
        f"there is no source package {name}",
        cause=f"the sources that the chroot's repositories offer ({root.path / 'etc/apt/deb-src.list.d'}) do not have it",
        hint=f"did you mean {' or '.join(near)}?" if near else "give a directory with debian/ or packaging/debian/, or a .dsc file",
    )


def _no_python_apt(trouble: Json) -> MissingTool:
    if trouble["python"] != "/usr/bin/python3":
        return MissingTool(
            "python-apt cannot be loaded",
            cause=f"{trouble['text']}; it works with Debian's own python3 only, and this is {trouble['python']}",
            hint="sudo apt-get install python3-apt, and run debkit with /usr/bin/python3",
        )
    return MissingTool("python-apt is not installed", cause=trouble["text"], hint="sudo apt-get install python3-apt")


def _other(text: str) -> DebkitError:
    return _disk([text]) or NetworkError("apt failed", cause=text.replace(", E:", "\nE:").replace(", W:", "\nW:"), hint=AGAIN)


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
    return text.strip().partition("\n")[0]


def _site(uri: str) -> str:
    found = re.match(r"\w+://[^/]+", uri)
    return found[0] if found else uri
