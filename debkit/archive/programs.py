"""What in the project's `repo/conf` would have reprepro run a program. It is refused: it would run beside the unlocked key.

A project's configuration comes with its commits, and those who may commit are not those who hold the key. reprepro(1) has it that
programs are named by Log, ByHandHooks, SignWith (which debkit replaces) and the fields of indices, by some options, and by the
files updates, pulls and incoming, which debkit has no use for and so does not hand on.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from debkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIELD = re.compile(r"([A-Za-z-]+):(.*)")
# Fields with the names of further files.
FILES = frozenset({"deboverride", "udeboverride", "dscoverride", "uploaders"})
HARMLESS = frozenset({
    "codename", "suite", "fakecomponentprefix", "alsoacceptfor", "version", "origin", "label", "notautomatic",
    "butautomaticupgrades", "description", "architectures", "components", "udebcomponents", "update", "pull", "signwith",
    "exportoptions", "contents", "contentsarchitectures", "contentscomponents", "contentsucomponents", "tracking", "log",
    "validfor", "readonly", "signed-by", "limit", "archive",
})  # fmt: skip
# What debkit itself puts beside them.
OURS = frozenset({"distributions", "uploaders", "sign-release", "trusted.pgp", "incoming", "uploads", "uploads.new", "gpgme"})
# Hooks, programs that unpack, and the directory of apt's methods.
OPTIONS = frozenset({
    "endhook", "outhook", "gunzip", "bunzip2", "unlzma", "unxz", "lunzip", "unzstd", "methoddir",
})  # fmt: skip


def refuse(conf: Path, distributions: str) -> None:
    """Refuse what names a program, and what reprepro may understand otherwise than debkit. Raises ConfigError.

    `conf` is the directory, `distributions` the text of its file.
    """
    found = [f"{conf}/distributions: {trouble}" for trouble in _in_distributions(distributions)]
    if (conf / "options").is_file():
        options = (conf / "options").read_text(encoding="utf-8", errors="replace")
        found += [f"{conf}/options: {trouble}" for trouble in _in_options(options)]
    if found:
        raise ConfigError(
            "the archive's configuration would have reprepro run a program, or has what debkit does not know",
            cause="\n".join(found) + "\na program would run beside the unlocked key of the archive",
            hint=f"editor {conf}/distributions {conf}/options; what is to follow a publication can follow debkit publish",
        )


def files(conf: Path, distributions: str) -> tuple[str, ...]:
    """Name what reprepro needs of `conf` beside distributions and the file uploaders: options, and files that are named in it."""
    named = ["options"]
    for name, value in _fields(distributions):
        if name in FILES:
            named += value.split()
    for name in named:
        path = conf / name.removeprefix("+c/")
        if path.is_file() and conf.resolve() in path.resolve().parents:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            named += [line.split()[1] for line in lines if re.match(r"\s*include\s+\S", line) and line.split()[1] not in named]
    tops = (PurePath(name.removeprefix("+c/")).parts[:1] for name in named)
    known = dict.fromkeys(top for (top,) in filter(None, tops) if (conf / top).exists() and top not in {"/", "..", "."})
    return tuple(name for name in known if name not in OURS)


def without_comments(text: str) -> str:
    return re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)


def _lines(text: str) -> list[str]:
    return [line.partition("#")[0].rstrip() for line in without_comments(text).split("\n")]


def _fields(text: str) -> list[tuple[str, str]]:
    """List the fields of all stanzas, the names in lower case, a line of the value each. A line that is none has no name."""
    found: list[tuple[str, str]] = []
    for line in _lines(text):
        if line.startswith((" ", "\t")) and found:
            name, value = found.pop()
            found.append((name, f"{value}\n{line}"))
        elif match := FIELD.fullmatch(line):
            found.append((match[1].lower(), match[2]))
        elif line.strip():
            found.append(("", line))
    return found


def _in_distributions(text: str) -> Iterator[str]:
    for name, value in _fields(text):
        first, *more = value.split("\n")
        match name:
            case "log" if len(first.split()) > 1 or any(line.strip() for line in more):
                yield f"Log has more than the name of a file: {' '.join(value.split())}"
            case "debindices" | "udebindices" | "dscindices":
                words = value.split()[1:]
                forms = words if words and words[0].startswith(".") else words[1:]
                if programs := [word for word in forms if not re.fullmatch(r"\.[a-z0-9]*", word)]:
                    yield f"{name} names {' '.join(programs)}"
            case "":
                yield f"a line that is no field: {value}"
            case _ if name not in HARMLESS | FILES:
                yield f"the field {name}"
            case _:
                pass


def _in_options(text: str) -> Iterator[str]:
    for line in _lines(text):
        if line.strip() and (name := re.split(r"[\s=]", line.strip().lstrip("-"))[0].lower()) in OPTIONS:
            yield f"the option {name}"
