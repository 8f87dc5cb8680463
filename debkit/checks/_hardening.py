"""Hardening: what compilers were told (blhc, on the log of the build), and what came of it (hardening-check, on ELF files)."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debkit.checks._names import shown
from debkit.errors import EnvironmentFailure
from debkit.model import Finding, Severity, Target
from debkit.run import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.checks import Bench
    from debkit.checks._compare import Pair
    from debkit.chroot.roots import ToolRoot
    from debkit.model import BuildResult
    from debkit.run import Completed

SHELF = "/srv/equivalence"
WITHOUT_OBJDUMP = ("env", f"PATH={SHELF}/bin:/usr/bin:/bin")
AT_ONCE = 500  # files in one call; the paths are short

# hardening-check says nothing of a file that readelf cannot read, nor of any where there is no readelf. This one it can.
KNOWN_GOOD = "/usr/bin/readelf"
FEATURES = {
    "Position Independent Executable": "position independent executable",
    "Stack protected": "stack protector",
    "Fortify Source functions": "fortified functions",
    "Read-only relocations": "read-only relocations",
    "Immediate binding": "immediate binding",
}
OF_ONE_FILE = re.compile(rf"^({SHELF}/.*|{KNOWN_GOOD}):$")
FEATURE = re.compile(r"^ ([A-Z][\w -]+): (yes|no|unknown)\b(.*)$")

# blhc(1), "EXIT STATUS", a mask: no compiler commands, a build that hides them, missing flags.
NO_COMMANDS, HIDDEN, MISSING = 1, 4, 8
MISSING_FLAGS = re.compile(r"^(\w+) missing \((.*?)\): (.*)$")
HIDDEN_FLAGS = re.compile(r"^NONVERBOSE BUILD: (.*)$")
SILENCE = "No compiler commands!"
# Two architectures' names for one protection.
BRANCH_FLAGS = {"-mbranch-protection=standard", "-fcf-protection"}
BRANCH_PROTECTION = "-fcf-protection or -mbranch-protection"


@dataclass(frozen=True, slots=True)
class BuildLog:
    """What blhc says of one build's log: how often what is missing, and the first command of each; whether there are any."""

    target: Target
    missing: Counter[str]
    hidden: Counter[str]
    first: dict[str, str]
    commands: bool


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the tools run, the log for what they say, and by when all must be done, by the monotonic clock."""

    bench: Bench
    root: ToolRoot
    log: Path
    deadline: float

    def __call__(self, *argv: str, where: Path, codes: frozenset[int], before: tuple[str, ...] = ()) -> Completed:
        """Run one on the files in `where`, which it finds on its shelf. What comes `before` in its argv calls it."""
        return self.bench.run(
            Command(
                argv=self.root.argv((*before, *argv), read_only=((where, SHELF),)),
                name=argv[0],
                timeout=max(self.deadline - time.monotonic(), 0),
                ok=codes,
                log=self.log,
                separate=True,
            )
        )


def features(tools: Tools, work: Path, files: tuple[Path, ...]) -> dict[Path, dict[str, str]]:
    """Have hardening-check look at files below `work`. What it cannot read has no features.

    Its exit code tells only that something is missing somewhere, and on arm64 something always is: Intel's control flow
    integrity. It looks for signs of stack clash protection in amd64 code alone, for which it keeps a whole disassembly in memory,
    gigabytes of a large library: so that nobody waits for what is not compared, it is given an empty one.

    Raises EnvironmentFailure where it does not work at all.
    """
    (work / "bin").mkdir()
    (work / "bin/objdump").symlink_to("/usr/bin/true")
    found: dict[Path, dict[str, str]] = {}
    for start in range(0, len(files), AT_ONCE):
        names = (f"{SHELF}/{file.relative_to(work)}" for file in files[start : start + AT_ONCE])
        done = tools("hardening-check", *names, KNOWN_GOOD, where=work, codes=frozenset({0, 1}), before=WITHOUT_OBJDUMP)
        told = parse_features(done.stdout)
        if set(told.pop(KNOWN_GOOD, ())) != set(FEATURES.values()):
            raise EnvironmentFailure(
                f"hardening-check has no answer for {KNOWN_GOOD}",
                cause="\n".join(done.tail[-3:]) or "it printed nothing",
                hint=f"less {tools.log}",
                log=tools.log,
            )
        found |= {work / name.removeprefix(f"{SHELF}/"): said for name, said in told.items()}
    return found


def parse_features(text: str) -> dict[str, dict[str, str]]:
    """Read hardening-check's answer: by file and feature yes, no or unknown; a shared library says so of the first."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.splitlines():
        if file := OF_ONE_FILE.match(line):
            current = found.setdefault(file[1], {})
        elif (said := FEATURE.match(line)) and said[1] in FEATURES:
            current[FEATURES[said[1]]] = "of a library" if "shared library" in said[3] else said[2]
    return found


def differences(pair: Pair, path: str, ours: dict[str, str], theirs: dict[str, str]) -> Iterator[Finding]:
    """Compare the features of a file and its peer. What hardening-check does not know of one of them is no difference."""
    if bool(ours) != bool(theirs):
        told = pair.both(*("readable" if each else "not readable" for each in (ours, theirs)))
        yield pair.differ("hardening-differs", path, f"by hardening-check it is {told}")
    for feature in FEATURES.values():
        own, other = (each.get(feature, "unknown") for each in (ours, theirs))
        if own != other and "unknown" not in {own, other}:
            yield pair.differ("hardening-differs", path, f"{feature}: {pair.both(own, other)}")


def read_log(tools: Tools, result: BuildResult) -> BuildLog:
    """Have blhc read a build's log, by Debian's rules: its compilers make position independent programs without being told."""
    codes = frozenset({0, NO_COMMANDS, HIDDEN, MISSING, HIDDEN | MISSING})
    options = ("--debian", f"--arch={result.target.arch}")
    done = tools("blhc", *options, f"{SHELF}/{result.log.name}", where=result.log.parent.resolve(), codes=codes)
    return parse_log(result.target, done.stdout, done.code)


def parse_log(target: Target, text: str, code: int) -> BuildLog:
    """Read blhc's answer. Raises EnvironmentFailure where it is not what the exit code says."""
    missing: Counter[str] = Counter()
    hidden: Counter[str] = Counter()
    first: dict[str, str] = {}
    for line in text.splitlines():
        if said := MISSING_FLAGS.match(line):
            for flag in said[2].split():
                what = f"{said[1]} {BRANCH_PROTECTION if flag in BRANCH_FLAGS else flag}"
                missing[what] += 1
                first.setdefault(what, said[3])
        elif said := HIDDEN_FLAGS.match(line):
            hidden["hidden commands"] += 1
            first.setdefault("hidden commands", said[1])
    # A namespace that cannot be had exits with 1 too, and must not pass for a log without commands.
    if code != NO_COMMANDS * (SILENCE in text) + HIDDEN * bool(hidden) + MISSING * bool(missing):
        raise EnvironmentFailure(
            f"blhc exited with {code}, but its answer says something else",
            cause=text[:500] or "it printed nothing",
            hint="less dist/*/*/equivalence.log",
        )
    return BuildLog(target, missing, hidden, first, commands=not code & NO_COMMANDS)


def log_findings(source: str, ours: BuildLog, theirs: BuildLog | None) -> Iterator[Finding]:
    """Tell of flags that a build went without. What both did is the package's own choice, of which lintian has its opinion."""

    def finding(tag: str, text: str, *, of_both: bool) -> Finding:
        return Finding(severity=Severity.WARNING if of_both else Severity.ERROR, tag=tag, package=source, text=text)

    first = (theirs.first if theirs else {}) | ours.first
    for tag, kind in (("missing-hardening-flags", "missing"), ("compiler-flags-hidden", "hidden")):
        mine: Counter[str] = getattr(ours, kind)
        yours: Counter[str] = getattr(theirs, kind) if theirs else Counter()
        for what in sorted(mine | yours):
            counts = f"{mine[what]} in {ours.target}" + (f", {yours[what]} in {theirs.target}" if theirs else "")
            of_both = theirs is None or (what in mine and what in yours)
            yield finding(tag, f"{what}: {counts}, the first: {shown(first[what])}", of_both=of_both)
    if theirs and ours.commands != theirs.commands:
        has, lacks = (ours, theirs) if ours.commands else (theirs, ours)
        text = f"build log: {has.target}'s has compiler commands, {lacks.target}'s has none"
        yield finding("compiler-commands-in-one-log-only", text, of_both=False)
