"""The corpus of bad packages: each file of tests/bad/ is a case, wrong in one way, and says which check must tell of it and how.

A case is like a good one, but for what it says:
- `fields` has control fields, `files` what the package ships and, under DEBIAN/, its control files: a text, or a table with
  `content`, `mode`, `link` or `elf`, or false where it has none of the good one's; `change` replaces text in them
- `previous` says how the published version differs from the good one, `twin` how the other architecture's package differs from
  this one, `packages` what is built beside
- `health` is the URL that must answer, `patience` how many seconds it and apt-get are waited for
- `tracker` has the status of sources in the security tracker's data
- `arch` is the architecture that is judged, if not the machine's; `kept` how much of the .deb is left
- `leak` is a command whose output a source, which is built for it, puts into its package
- `gate` must tell of it, by a finding with `tag` and a `text` in which the regular expression is found; so does each check in
  `also`, for a reason
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit.config import Probe
from debkit.model import Target
from tests.debs import WHO, make_result
from tests.elfs import as_for, with_runpath, with_symbols
from tests.trees import COPYRIGHT, changelog
from tests.twins import PEERS, File, ar, tar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from debkit.model import BuildResult

CASES = Path(__file__).with_name("bad")
NAME, VERSION, OLD = "hello-debkit", "1.0", "0.9"
CONTROL = "DEBIAN/"
FIELDS = """\
Package: {name}
{source}Version: {version}
Architecture: {arch}
Maintainer: {who}
Installed-Size: 200
Section: misc
Priority: optional
{more}Description: greets whoever asks ({name})
 A package that exists to be installed and removed again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is in a package, beside what is in every one."""

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)

    def but(self, said: Mapping[str, Any]) -> Described:
        """Give it with the differences that a case tells."""
        files = {path: file for path, file in {**self.files, **said.get("files", {})}.items() if file is not False}
        for path, changes in said.get("change", {}).items():
            for old, new in changes.items():
                assert old in files[path], f"{path} has no {old!r} to change"
                files[path] = files[path].replace(old, new)
        return Described(fields={**self.fields, **said.get("fields", {})}, files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case by the name of its file. A good one has no `gate`; `also` are the checks that cannot help telling of it, and why."""

    name: str
    said: Mapping[str, Any]
    good: Described
    package: Described
    health: str

    @property
    def gate(self) -> str:
        return str(self.said.get("gate", ""))

    @property
    def also(self) -> dict[str, str]:
        return dict(self.said.get("also", {}))

    @property
    def patience(self) -> int:
        return int(self.said.get("patience", 300))

    @property
    def probes(self) -> tuple[Probe, ...]:
        return (Probe(http=self.health),) if self.health else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A case's packages: this architecture's, the other one's, and those of the published version."""

    result: BuildResult
    twin: BuildResult
    previous: tuple[Path, ...]


def names() -> list[str]:
    return sorted(path.stem for path in CASES.glob("*.toml"))


def read(name: str) -> Case:
    """Read a case, with all that it is like."""
    said = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))
    like = read(said["like"]) if "like" in said else None
    good = like.package if like else Described()
    package = good.but(said)
    return Case(
        name=name,
        said=said,
        good=good if "gate" in said else package,
        package=package,
        health=said.get("health", like.health if like else "") or "",
    )


def make(case: Case, where: Path, target: Target, program: bytes) -> Made:
    """Make a case's packages in a directory. `program` is an ELF file of the target's architecture."""
    beside = {name: Described().but(said) for name, said in case.said.get("packages", {}).items()}
    ours = {NAME: case.package, **beside}
    theirs = {NAME: case.package.but(case.said.get("twin", {})), **beside}
    results = []
    for packages, arch in ((ours, target.arch), (theirs, other(target.arch))):
        home = where / arch
        home.mkdir(parents=True)
        debs = tuple(write(home, name, package, arch, as_for(arch, program)) for name, package in packages.items())
        if kept := case.said.get("kept"):
            for deb in debs:
                deb.write_bytes(deb.read_bytes()[: int(deb.stat().st_size * kept)])
        results.append(make_result(home, *debs, target=Target(target.suite, arch)))
        results[-1].log.write_text("nothing is compiled\n", encoding="utf-8")
    previous: tuple[Path, ...] = ()
    if "previous" in case.said:
        (where / "pool").mkdir()
        previous = (write(where / "pool", NAME, case.good.but(case.said["previous"]), target.arch, program, version=OLD),)
    return Made(result=results[0], twin=results[1], previous=previous)


def write(where: Path, name: str, package: Described, arch: str, program: bytes, *, version: str = VERSION) -> Path:
    """Write NAME_VERSION_ARCH.deb, with what Debian wants in every package."""
    files = {path: _file(file, arch, program) for path, file in package.files.items()}
    doc = f"usr/share/doc/{name}"
    files[f"{doc}/copyright"] = File(COPYRIGHT.encode())
    files[f"{doc}/changelog.gz"] = File(gzip.compress(changelog(name, version, "unstable").encode(), mtime=0))
    control = {path.removeprefix(CONTROL): file for path, file in files.items() if path.startswith(CONTROL)}
    shipped = {path: file for path, file in sorted(files.items()) if not path.startswith(CONTROL)}
    sums = "".join(
        f"{hashlib.md5(file.content, usedforsecurity=False).hexdigest()}  {path}\n"
        for path, file in shipped.items()
        if not file.link
    )
    fields = "".join(f"{key}: {text}\n" for key, text in package.fields.items())
    source = "" if name == NAME else f"Source: {NAME}\n"
    text = FIELDS.format(name=name, source=source, version=version, arch=arch, who=WHO, more=fields)
    control |= {"control": File(text.encode()), "md5sums": File(sums.encode())}
    parents = {f"{parent}/" for path in shipped for parent in Path(path).parents if parent.name}
    tree = dict.fromkeys(sorted(parents), File(mode=0o755)) | shipped
    deb = where / f"{name}_{version}_{arch}.deb"
    deb.write_bytes(ar({"debian-binary": b"2.0\n", "control.tar.xz": tar(control), "data.tar.xz": tar(tree)}))
    return deb


def tracker(case: Case, where: Path, suite: str) -> Path:
    """Write data of the security tracker that says of sources what the case says, and of the suite that it knows it."""
    stated = {source: {"status": status} for source, status in case.said.get("tracker", {}).items()}
    known = {"hello": {"status": "resolved", "fixed_version": "0"}, **stated}
    data = {source: {"CVE-2026-0001": {"releases": {suite: {"urgency": "high", **release}}}} for source, release in known.items()}
    path = where / "tracker.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def other(arch: str) -> str:
    """Give the architecture that an architecture's packages are compared with."""
    return next(each for each in PEERS if each != arch)


def _file(said: Any, arch: str, program: bytes) -> File:
    """Make a file of what a case says of it. What begins with #! may be executed."""
    if isinstance(said, str):
        return File(said.encode(), 0o755 if said.startswith("#!") else 0o644)
    if elf := said.get("elf"):
        content = program if elf == "own" else as_for(other(arch), program)
        content = with_symbols(content) if said.get("symbols") else content
        content = with_runpath(content, said["rpath"]) if "rpath" in said else content
        return File(content, said.get("mode", 0o755))
    return File(said.get("content", "").encode(), said.get("mode", 0o644), link=said.get("link", ""))
