"""The archive's configuration: what `repo/conf` in git says, and with it what only this machine and this run know."""

from __future__ import annotations

import contextlib
import difflib
import math
import re
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.archive import programs
from debkit.config import base_suite
from debkit.errors import ConfigError
from debkit.paths import NO_LINK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.config import Config
    from debkit.keys import Keys
    from debkit.model import SigningKey

HOOK = Path(__file__).with_name("sign-release")
EFFECTIVE = ".conf"
TRUSTED = "trusted.pgp"  # in it: the public keys of all signers
DAY = 86400  # seconds
# The forms of indices that debkit reads, Packages uncompressed and Sources.gz: reprepro writes them unless it is told otherwise.
NEEDED = {"DebIndices": ".", "UDebIndices": ".", "DscIndices": ".gz"}
STANZA = """\
Codename: {suite}
Origin: {name}
Label: {name}
Description: packages for {suite}
Architectures: {arches} source
Components: main
AlsoAcceptFor: {accepts}
Tracking: minimal includechanges includebuildinfos
Uploaders: uploaders
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A stanza of conf/distributions. `arches` does not hold source; `accepts` is what a .changes may call its distribution."""

    codename: str
    arches: tuple[str, ...]
    accepts: tuple[str, ...]


def read_suites(config: Config) -> dict[str, Suite]:
    """Read which suites the archive has. Raises ConfigError when there is no conf/distributions, or one of indices unread."""
    suites = {}
    unread: list[str] = []
    for stanza in _stanzas(_distributions(config)):
        found = re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)$", stanza, flags=re.MULTILINE)
        fields = {name.lower(): value.strip() for name, value in found}
        codename = fields.get("codename", "")
        arches = tuple(arch for arch in fields.get("architectures", "").split() if arch != "source")
        if codename:
            accepts = (codename, *fields.get("suite", "").split(), *fields.get("alsoacceptfor", "").split())
            suites[codename] = Suite(codename=codename, arches=arches, accepts=accepts)
            unread += [f"{codename}: {problem}" for problem in _unread(fields)]
    if unread:
        raise ConfigError(
            f"{config.repo} would have indices that debkit does not read",
            cause="\n".join(unread),
            hint=f"editor {config.repo}/conf/distributions, and leave these out: reprepro writes what is needed by itself",
        )
    return suites


def _unread(fields: dict[str, str]) -> Iterator[str]:
    """Tell what of a stanza (its fields in lower case) keeps from debkit what the suite has: it would not know its files."""
    for field, name in (("DebIndices", "Packages"), ("UDebIndices", "Packages"), ("DscIndices", "Sources")):
        if name not in fields.get(field.lower(), name).split()[:1]:
            yield f"{field} gives them another name than {name}"


def exported_suites(config: Config) -> tuple[str, ...]:
    """Give the suites that clients can see: those into which something was ever published."""
    return tuple(suite for suite in read_suites(config) if (config.repo / "dists" / suite / "InRelease").exists())


def choose_suite(config: Config, wanted: str, distribution: str) -> str:
    """Give the suite that is wanted, or else the one that a .changes means by its distribution; raises ConfigError for none.

    With [archive] stream that is the suite of the stream, as it is for what is built.
    """
    suites = read_suites(config)
    takers = [suite.codename for suite in suites.values() if set(distribution.split()) & set(suite.accepts)]
    if wanted or distribution in suites:
        return wanted or (config.archive.suite(distribution) if base_suite(distribution) == distribution else distribution)
    if config.archive.stream:
        streams = tuple(dict.fromkeys(config.archive.suite(base_suite(name)) for name in takers))
        takers = [name for name in streams if name in suites] or list(streams)
    if len(takers) != 1:
        raise ConfigError(
            f"an upload for {distribution} does not say which suite it is for",
            cause=f"{config.repo} takes such uploads for {', '.join(takers) or 'no suite'}",
            hint=f"debkit repo add --suite {next(iter((*takers, *suites)), 'SUITE')} UPLOAD.changes",
        )
    return takers[0]


def demand(config: Config, suite: str, arches: tuple[str, ...]) -> None:
    """Check that the archive takes these architectures for this suite. Raises ConfigError naming what it has."""
    suites = read_suites(config)
    if suite not in suites:
        near = difflib.get_close_matches(suite, suites, n=1, cutoff=0.7)
        raise ConfigError(
            f"the archive {config.repo} has no suite {suite}" + (f"; did you mean {near[0]}?" if near else ""),
            cause=f"conf/distributions has {', '.join(suites) or 'none'}",
            hint=f"add a stanza for it to {config.repo}/conf/distributions, after an empty line",
            excerpt=("", *stanza(config, suite).splitlines()),
        )
    missing = [arch for arch in arches if arch != "all" and arch not in suites[suite].arches]
    if missing:
        raise ConfigError(
            f"the archive's suite {suite} has no {', '.join(missing)}",
            cause=f"its Architectures are {' '.join(suites[suite].arches)}",
            hint=f"add it to Architectures in {config.repo}/conf/distributions",
        )


def demand_distribution(config: Config, suite: str, distribution: str) -> None:
    """Check that a suite takes what a .changes calls its distribution. Raises ConfigError."""
    accepts = read_suites(config)[suite].accepts
    if not set(distribution.split()) & set(accepts):
        raise ConfigError(
            f"the archive's suite {suite} does not take uploads for {distribution}, which the changelog names",
            cause=f"it takes those for {', '.join(accepts)} (Codename, Suite and AlsoAcceptFor)",
            hint=f"editor {config.repo}/conf/distributions",
        )


def demand_upload(config: Config, suite: str, distribution: str, key: SigningKey) -> None:
    """Check what reprepro would refuse of any upload: its distribution, or that nobody may upload at all. Raises ConfigError."""
    demand_distribution(config, suite, distribution)
    uploaders = config.repo / "conf/uploaders"
    rules = uploaders.read_text(encoding="utf-8").splitlines() if uploaders.exists() else []
    if not key.development and all(not rule.strip() or rule.lstrip().startswith("#") for rule in rules):
        raise ConfigError(
            f"nobody may upload to {config.repo}",
            cause=f"{uploaders} names no key",
            hint=f"echo 'allow * by key {key.fingerprint[-16:]}+' >> {uploaders}",
        )


@contextlib.contextmanager
def effective(config: Config, keys: Keys) -> Iterator[Path]:
    """Lay out the configuration that reprepro is given: the project's, with who signs the index, in a directory beside it.

    Of the project's other files those are there that these name. A development key signs for this run only, so it is let in here
    and not written to conf/uploaders. The archive's lock must be held; what a killed run has left is replaced.
    """
    conf, own = config.repo / "conf", _distributions(config)
    text = rendered(own, development=keys.archive.development, valid_for=config.archive.valid_for)
    path = config.repo / EFFECTIVE
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        for name in (*programs.files(conf, own), HOOK.name):
            _symlink(path / name, HOOK if name == HOOK.name else (conf / name).resolve())
        (path / "distributions").write_text(text, encoding="utf-8")
        allowed = (conf / "uploaders").read_text(encoding="utf-8") if (conf / "uploaders").exists() else ""
        if keys.upload.development:
            allowed += f"\nallow * by key {keys.upload.fingerprint[-16:]}+\n"
        (path / "uploaders").write_text(allowed, encoding="utf-8")
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _symlink(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target)
    except OSError as problem:
        if problem.errno not in NO_LINK:
            raise
        raise ConfigError(
            f"there can be no archive in {path.parent.parent}",
            cause="its file system has no symbolic links, such as vfat and exfat",
            hint="name a directory on another one as [archive] path in config/debkit.toml",
        ) from problem


def rendered(distributions: str, *, development: bool, valid_for: float = 0) -> str:
    """Add who signs to every stanza, in place of what may be said there, and to its description if it is a development key.

    `valid_for`, in seconds, becomes reprepro's ValidFor, which it takes in days, unless 0 or the stanza has its own. Whatever
    forms of indices a stanza asks for, those that debkit reads are among them.
    """
    stanzas = []
    for stanza in _stanzas(distributions):
        lines = re.sub(r"^SignWith:.*\n([ \t].*\n)*", "", stanza.rstrip("\n") + "\n", flags=re.MULTILINE | re.IGNORECASE)
        if development:
            lines = re.sub(r"^(Description:.*)$", r"\1 (signed with a development key)", lines, flags=re.MULTILINE)
        if valid_for and not re.search(r"^ValidFor:", lines, flags=re.MULTILINE | re.IGNORECASE):
            lines += f"ValidFor: {math.ceil(valid_for / DAY)}d\n"
        for field, needed in NEEDED.items():
            lines = re.sub(rf"^{field}:.*\n([ \t].*\n)*", partial(_with, needed), lines, flags=re.MULTILINE | re.IGNORECASE)
        stanzas.append(f"{lines}SignWith: ! {HOOK.name}\n")
    return "\n".join(stanzas)


def _with(needed: str, field: re.Match[str]) -> str:
    """Add a word to a field that lacks it."""
    return field[0] if needed in field[0].split() else f"{field[0].rstrip()} {needed}\n"


def _stanzas(text: str) -> list[str]:
    parts = re.split(r"\n[ \t]*\n", programs.without_comments(text))
    return [part.strip("\n") for part in parts if part.strip()]


def _distributions(config: Config) -> str:
    file = config.repo / "conf/distributions"
    try:
        text = file.read_text(encoding="utf-8")
        programs.refuse(file.parent, text)
    except FileNotFoundError as problem:
        raise ConfigError(
            f"there is no archive in {config.repo}",
            cause=f"{file} does not exist",
            hint="debkit init, which writes it; to build alone: debkit build --no-publish; by hand: "
            f"mkdir -p {file.parent} && touch {file.parent}/uploaders && editor {file}, with a stanza like the one below",
            excerpt=tuple(stanza(config, config.build.suites[0]).splitlines()),
        ) from problem
    except OSError as problem:
        raise ConfigError(f"{file} cannot be read", cause=str(problem), hint=f"ls -ld {file}") from problem
    return text


def stanza(config: Config, suite: str, *also: str) -> str:
    """Give the stanza of a suite; beside what is usual, it takes uploads for the distributions `also`."""
    accepts = dict.fromkeys(("UNRELEASED", "unstable", base_suite(suite), *also))
    accepts.pop(suite, None)
    return STANZA.format(suite=suite, name=config.archive.name, arches=" ".join(config.build.arches), accepts=" ".join(accepts))
