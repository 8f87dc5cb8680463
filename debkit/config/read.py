"""Read `config/debkit.toml` and validate it; every problem is explained at once, with the nearest known name."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import distro_info

from debkit.config.sections import (
    ArchiveConfig,
    BuildConfig,
    ChecksConfig,
    ChrootConfig,
    Config,
    EquivalenceConfig,
    KeysConfig,
    LintianConfig,
    PiupartsConfig,
    Probe,
    ReproducibleConfig,
    ServiceConfig,
    SourceConfig,
    Suppression,
    Unvaried,
    VulnerabilitiesConfig,
    is_url,
)
from debkit.errors import ConfigError
from debkit.model import ARCHES, Repository
from debkit.paths import cache_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import DataclassInstance
    from jsonschema import ValidationError

VALID = "valid-configurations"  # a line for each
SCHEMA = Path(__file__).with_name("config.schema.json")
BACKENDS = Path(__file__).parent.with_name("backends")
CHECKS = Path(__file__).parent.with_name("checks")
ALIASES = {"unstable": "sid"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Section = TypeVar("Section", bound="DataclassInstance")
KINDS = {"array": "a list", "boolean": "true or false", "integer": "a number", "object": "a table", "string": "a text"}
BYTES = {"M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a command line names, each empty or None where it names none. Suites are codenames."""

    suites: tuple[str, ...]
    arches: tuple[str, ...]
    backend: str | None


def load(project: Path, file: Path | None = None) -> Config:
    """Read `file`, or the project's `config/debkit.toml` where there is one, else give the defaults.

    Raises ConfigError with every problem at once, the nearest known name beside each unknown one.
    """
    path = file or project / "config" / "debkit.toml"
    if not file and not path.exists():
        return Config(project=project)
    text = _text(path)
    data = _parsed(path, text)
    problems = [
        *_violations(text, data),
        *_unknown_names(data),
        *_missing_files(project, data),
        *_short_lives(data),
    ]
    if problems:
        what = f"{path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise ConfigError(what, cause="\n".join(problems), hint=f"editor {path}")
    return _from_toml(project, data)


def parse_names(*, suites: Iterable[str] = (), arches: Iterable[str] = (), backend: str | None = None) -> Names:
    """Check the names of a command line; suites and architectures are given apart or in one string.

    Raises ConfigError with every unknown name at once, the nearest known one beside each.
    """
    names = Names(suites=tuple(dict.fromkeys(map(codename, _words(suites)))), arches=_words(arches), backend=backend)
    found = [
        *(_unknown("suite", suite, known_suites()) for suite in names.suites),
        *(_unknown("architecture", arch, ARCHES) for arch in names.arches),
        _unknown("backend", backend, rooms(BACKENDS)) if backend else "",
    ]
    match [text for text in found if text]:
        case []:
            return names
        case [problem]:
            raise ConfigError(problem, cause="a typing mistake on the command line", hint="run it again with the right name")
        case problems:
            raise ConfigError(
                f"{len(problems)} names on the command line are unknown",
                cause="\n".join(problems),
                hint="run it again with the right names",
            )


def _words(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for text in texts for part in text.replace(",", " ").split()))


def codename(suite: str) -> str:
    """Give the codename of a suite: sid for unstable, trixie for stable as long as it is."""
    debian = distro_info.DebianDistroInfo()
    return ALIASES.get(suite) or (debian.codename(suite) if suite in {"stable", "testing", "oldstable"} else suite)


def base_suite(suite: str) -> str:
    """Give the suite that packages of an archive's suite are built for: trixie for its stream trixie-unstable."""
    return suite.partition("-")[0]


def known_suites() -> tuple[str, ...]:
    """List every Debian and Ubuntu codename that distro-info knows."""
    return (*distro_info.DebianDistroInfo().all, *distro_info.UbuntuDistroInfo().all)


def _from_toml(project: Path, data: dict[str, Any]) -> Config:
    """Build the values. Only called on data that the schema has accepted."""

    def files(names: list[str]) -> tuple[Path, ...]:
        return tuple(project / name for name in names)

    def repositories(entries: list[dict[str, str]]) -> tuple[Repository, ...]:
        return tuple(Repository(line=e["line"], key=project / e["key"] if "key" in e else None) for e in entries)

    def suites(names: list[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(codename, names)))

    def fingerprints(names: list[str]) -> tuple[str, ...]:
        return tuple(map(str.upper, names))

    def suppressions(entries: list[dict[str, str]]) -> tuple[Suppression, ...]:
        return tuple(Suppression(**entry) for entry in entries)

    def probes(entries: list[dict[str, Any]]) -> tuple[Probe, ...]:
        return tuple(Probe(**entry) for entry in entries)

    def unvaried(entries: list[dict[str, str]]) -> tuple[Unvaried, ...]:
        return tuple(Unvaried(**entry) for entry in entries)

    checks = dict(data.get("checks", {}))
    lintian = _section(LintianConfig(), checks.pop("lintian", {}), suppress=suppressions)
    piuparts = _section(PiupartsConfig(), checks.pop("piuparts", {}), accept=suppressions)
    service = _section(
        ServiceConfig(), checks.pop("service", {}), health=probes, stable=seconds, install_time=seconds, accept=suppressions
    )
    reproducible = _section(ReproducibleConfig(), checks.pop("reproducible", {}), unvaried=unvaried)
    equivalence = _section(EquivalenceConfig(), checks.pop("equivalence", {}), accept=suppressions)
    vulnerabilities = _section(
        VulnerabilitiesConfig(),
        checks.pop("vulnerabilities", {}),
        tracker=lambda name: name if is_url(name) or not name else os.fspath(project / name),
        max_age=seconds,
        accept=suppressions,
    )
    return Config(
        project=project,
        build=_section(
            BuildConfig(), data.get("build", {}), suites=suites, timeout=seconds, packages=files, repositories=repositories
        ),
        chroot=_section(ChrootConfig(), data.get("chroot", {}), max_age=seconds, cache_limit=_bytes),
        checks=replace(
            _section(ChecksConfig(), checks, timeout=seconds),
            equivalence=equivalence,
            lintian=lintian,
            piuparts=piuparts,
            reproducible=reproducible,
            service=service,
            vulnerabilities=vulnerabilities,
        ),
        keys=_section(KeysConfig(), data.get("keys", {}), upload=str.upper, archive=str.upper, also=fingerprints),
        archive=_section(ArchiveConfig(), data.get("archive", {}), path=Path, grace=seconds, valid_for=seconds),
        source=_section(SourceConfig(), data.get("source", {}), keyring=lambda name: project / name),
    )


def _section(default: Section, table: dict[str, Any], **convert: Callable[[Any], Any]) -> Section:
    """Lay a table over a section's defaults. Lists become tuples unless `convert` says otherwise for the key."""
    given: dict[str, Any] = {
        key.replace("-", "_"): tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    changes: dict[str, Any] = {key: convert[key](value) if key in convert else value for key, value in given.items()}
    return replace(default, **changes)


def seconds(duration: str) -> float:
    """Turn "90m" into 5400.0."""
    return float(duration[:-1]) * SECONDS[duration[-1]]


def _bytes(size: str) -> int:
    size = size.removesuffix("B")
    return int(size[:-1]) * BYTES[size[-1]]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise ConfigError(
            f"{path} cannot be read: {problem}", cause="TOML is in UTF-8, and this file is not", hint=f"file {path}"
        ) from problem
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read: {problem.strerror}",
            cause="--config names a file that is not there, or one that is not yours to read",
            hint=f"namei -l {path}",
        ) from problem


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        stop = re.search(r"at line (\d+)", str(problem))
        where = f"line {stop[1]}: {text.splitlines()[int(stop[1]) - 1].strip()}" if stop else "the end of the file"
        raise ConfigError(
            f"{path} is not TOML: {problem}",
            cause=f"a bracket or a quotation mark that is missing, or a text without quotation marks, in {where}",
            hint=f"editor {path}",
        ) from problem


def _violations(text: str, data: dict[str, Any]) -> list[str]:
    """Tell what the schema has against a file. What it was content with before it is not asked about again.

    jsonschema alone takes longer to come than all else that some commands do.
    """
    schema = SCHEMA.read_text(encoding="utf-8")
    mark = hashlib.sha256(f"{schema}\0{text}".encode()).hexdigest()
    with contextlib.suppress(OSError, RuntimeError):  # there may be no home, or none that is ours
        if mark.encode() in (cache_home() / VALID).read_bytes().split():
            return []
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    problems = [problem for error in Draft202012Validator(json.loads(schema)).iter_errors(data) for problem in _explain(error)]
    if not problems:
        with contextlib.suppress(OSError, RuntimeError):
            cache_home().mkdir(parents=True, exist_ok=True)
            with (cache_home() / VALID).open("a", encoding="ascii") as valid:
                valid.write(f"{mark}\n")
    return problems


def _unknown_names(data: dict[str, Any]) -> list[str]:
    backend = _at(data, "build", "backend")
    found = [
        *(_unknown("architecture in build.arches", arch, ARCHES) for arch in _texts(data, "build", "arches")),
        *(_unknown("suite in build.suites", codename(suite), known_suites()) for suite in _texts(data, "build", "suites")),
        _unknown("build.backend", backend, rooms(BACKENDS)) if isinstance(backend, str) else "",
        *(_unknown("check in checks.run", check, rooms(CHECKS)) for check in _texts(data, "checks", "run")),
    ]
    return [text for text in found if text]


def _missing_files(project: Path, data: dict[str, Any]) -> list[str]:
    repositories, keyring = _at(data, "build", "repositories"), _at(data, "source", "keyring")
    tracker = _at(data, "checks", "vulnerabilities", "tracker")
    keys = [_at(entry, "key") for entry in (repositories if isinstance(repositories, list) else ())]
    files = [
        *(("build.packages", deb) for deb in _texts(data, "build", "packages")),
        *(("build.repositories", key) for key in keys if isinstance(key, str)),
        *((("source.keyring", keyring),) if isinstance(keyring, str) else ()),
        *((("checks.vulnerabilities.tracker", tracker),) if isinstance(tracker, str) and tracker and not is_url(tracker) else ()),
    ]
    return [f"{key}: there is no file {project / name}" for key, name in files if not (project / name).is_file()]


def _short_lives(data: dict[str, Any]) -> list[str]:
    """Refuse indices that clients would refuse on the same day: "1m" is a minute, and a Release file is valid for whole days."""
    valid = _at(data, "archive", "valid-for")
    if not isinstance(valid, str) or not re.fullmatch(r"[0-9]+[smhd]", valid) or not 0 < seconds(valid) < SECONDS["d"]:
        return []
    return [f'archive.valid-for is "{valid}": it must be a day at least, such as "30d", or 0s: for ever; m is minutes']


def _at(data: Any, *keys: str) -> Any:
    """Give what stands at a path of keys. None where nothing does, or a text is where a table should be."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _texts(data: dict[str, Any], *keys: str) -> list[str]:
    """Give the texts of a list; what is of another type is the schema's to tell."""
    found = _at(data, *keys)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def rooms(directory: Path) -> tuple[str, ...]:
    """List the modules that a directory offers by their names."""
    return tuple(sorted(p.stem for p in directory.glob("*.py") if not p.stem.startswith("_")))


def _explain(error: ValidationError) -> list[str]:
    """Tell what a schema error means to somebody who writes the file: where, what, and the nearest name or what is allowed."""
    where = ".".join(str(part) for part in error.absolute_path)
    given: Any = error.instance
    schema: dict[str, Any] = error.schema  # type: ignore[assignment]  # ours has no boolean schemas
    if error.validator == "additionalProperties":
        known = schema["properties"]
        table = f" in [{where}]" if where else ""
        return [_unknown(f"key{table}", key, known) for key in given if key not in known]
    if error.validator == "required":
        missing = [key for key in schema["required"] if key not in given]
        return [f"{where}: {key} is missing" for key in missing]
    shown = json.dumps(given, default=str, ensure_ascii=False)
    wanted: dict[str, str] = {
        "type": f"it must be {KINDS[schema.get('type', 'object')]}",
        "enum": f"it must be one of {', '.join(map(str, schema.get('enum', ())))}",
        "pattern": f"it must be {schema.get('description', '')}",
        "uniqueItems": "each may be named once only",
    }
    return [f"{where} is {shown}: {wanted.get(str(error.validator), 'it must not be empty')}"]


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Complain of a name that is not known, or say nothing."""
    known = tuple(known)
    if name in known:
        return ""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"unknown {what}: {name}" + (f" (did you mean {near[0]}?)" if near else f" (known: {', '.join(known[-12:])})")
