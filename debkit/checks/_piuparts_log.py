"""What piuparts's log says: whether the package or the environment is at fault, and of what.

Piuparts writes `MmS.Ss LEVEL: message`; what it logs of the commands it runs is indented, so no package can forge its word.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from debkit.checks import _upgrade
from debkit.checks._findings import accept
from debkit.model import Finding, Outcome, Severity, Step
from debkit.run.command import TROUBLES

if TYPE_CHECKING:
    from debkit.config import Suppression

RECORD = re.compile(r"(\d+)m(\d+\.\d+)s ([A-Z]+): ?(.*)")
PASSED = "PASS: All tests."
PURGED = "PASS: Installation and purging test."
UPGRADED = "PASS: Installation, upgrade and purging tests."
NOT_UPGRADED = "FAIL: Installation, upgrade and purging tests."
INSTALL, UPGRADE = "install-and-purge", "upgrade"  # the steps of the report
PREPARED = "post_setup_debkit"  # the script that installs what a clean system has already
COMMAND_FAILED = re.compile(r"Command failed \(status=-?\d+\): (\[.*\])")
ENDS = "piuparts run ends."
CRASHED = "Piuparts caught exception, exiting..."
EXCEPTION = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Alarm)\b.*")
OWNED = re.compile(r"(.*?)\t\s*(?:owned by: (.*)|not owned)$")
# Piuparts only warns of these, and says whose they are where that is a package.
LINK = re.compile(r"\s*(?P<path>.*) -> (?P<target>.*?)(?: \((?P<owners>[^()]*)\))?")
BROKEN = "broken-symlink"
RUNNING = ("/run/", "/var/run/", "/proc/", "/sys/", "/dev/", "/tmp/")  # noqa: S108 (where links may lead to what is there at times)
OVERWRITES = re.compile(r"trying to overwrite '(?P<file>.*)', which is also in package (?P<owner>\S+ \S+)")
DPKG_ERROR = re.compile(r"(?:\*\*\* .* \? )?dpkg: error processing (?:package|archive) (\S+) \((--\S+)\):")
PROMPT = re.compile(r"Configuration file '(.*)'$")
# Lines with which dpkg announces a maintainer script's turn: what follows is the script's own.
TURN = re.compile(
    r"Setting up |Preparing to unpack |Unpacking |Removing |Purging configuration files for |Processing triggers for "
)
NOISE = re.compile(r"\(Reading database|dpkg: error|Errors were encountered|Selecting previously|Get:\d")
FULL = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system")
APT_ERROR = re.compile(r"(?:E|Error): ")

# How piuparts begins a complaint, and what debkit calls it.
COMPLAINTS = (
    ("Package purging left files", "left-after-purge"),
    ("After purging files have disappeared", "gone-after-purge"),
    ("After purging files have been modified", "changed-after-purge"),
    ("Installed diversions", "diversion-left"),
    ("Existing diversions", "diversion-changed"),
    ("debsums reports modifications", "shipped-file-changed"),
    ("Processes are running", "process-left-running"),
    ("Broken symlinks", BROKEN),
    ("silently overwrites files", "overwrites-through-symlink"),
    ("Cron file", "cron-after-removal"),
    ("Logrotate file", "logrotate-after-removal"),
)
# What a package's dependencies may have done in its stead.
LEFTOVERS = frozenset({"left-after-purge", "gone-after-purge", "changed-after-purge"})
SUMMARIES = frozenset({"Installation and purging test.", "Installation, upgrade and purging tests."})
# Under --warn-on-others, below files that are no package's under test.
DEPENDENCIES = re.compile(r"(left|caused) by dependencies rather")
OTHERS = {"remove": "removal-fails", "--purge": "purge-fails", "--remove": "removal-fails"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run of piuparts came to. `reason` is set unless it passed; `steps` are its tests, as far as it came."""

    outcome: Outcome
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def only_leftovers(self) -> bool:
        """Whether nothing is wrong but files left, gone or changed."""
        blamed = {finding.tag for finding in self.findings if finding.severity is Severity.ERROR}
        return self.outcome is Outcome.FAIL and blamed <= LEFTOVERS


@dataclass(frozen=True, slots=True)
class _Record:
    """One of piuparts's own lines, `at` so many seconds from its start, and what is indented below."""

    at: float
    level: str
    text: str
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Failure:
    """A command that piuparts gave up at: in the clean system, or one of its own outside."""

    argv: tuple[str, ...]
    inside: bool
    output: tuple[str, ...]


def read_log(text: str, *, code: int, packages: str, upgrade: bool = False, accepted: tuple[Suppression, ...] = ()) -> Verdict:
    """Judge a run by its log and exit code. `packages` names what was tested, where the log does not say whose fault it is.

    A pass is exit code 0 together with piuparts's own word that all tests passed, and that an `upgrade` was one of them, where it
    is demanded: piuparts leaves it out without a complaint. Links that lead nowhere may be `accepted`. Whatever cannot be
    understood is an error of the environment.
    """
    records = _records(text)
    verdict = _judged(text, records, code=code, packages=packages, upgrade=upgrade, accepted=accepted)
    return replace(verdict, steps=_steps(records, verdict, upgrade=upgrade))


def _judged(
    text: str, records: list[_Record], *, code: int, packages: str, upgrade: bool, accepted: tuple[Suppression, ...]
) -> Verdict:
    errors = [record for record in records if record.level == "ERROR"]
    excused = _excused(records, packages)
    complaints = dict.fromkeys(found for record in errors for found in _complaints(record, packages) if found not in excused)
    findings = (
        *accept(complaints, tuple(each for each in accepted if each.tag == BROKEN)),
        *(found for record in records if record.level == "DUMP" for found in _upgrade.told(record.more)),
    )
    blamed = [finding for finding in findings if finding.severity is Severity.ERROR and not finding.accepted]
    failed = next((found for record in errors if (found := _failed_command(record))), None)
    words = {record.text for record in records if record.level == "INFO"}
    if CRASHED in text.splitlines():
        return Verdict(Outcome.ERROR, f"piuparts broke off: {_exception(text)}")
    if failed:
        return _stopped(failed, packages, findings, upgrading=PURGED in words)
    if blamed:
        return Verdict(Outcome.FAIL, _summary(blamed), findings)
    only_others = PURGED in words and bool(excused) and _only_complaints(errors)
    if (code == 0 and PASSED in words and (UPGRADED in words or not upgrade)) or only_others:
        return Verdict(Outcome.PASS, findings=findings)
    why = "did not try the upgrade" if PASSED in words else f"gave no verdict: {_last(text.splitlines())}"
    return Verdict(Outcome.ERROR, f"piuparts exited with {code} and {why}")


def _only_complaints(errors: list[_Record]) -> bool:
    """Whether the upgrade test came to its end, and nothing but what it complains of is wrong."""
    texts = {record.text for record in errors}
    return NOT_UPGRADED in texts and all(text == ENDS or text.startswith(("FAIL: ", "WARN: ")) for text in texts)


def _stopped(failed: _Failure, packages: str, findings: tuple[Finding, ...], *, upgrading: bool) -> Verdict:
    """Judge a run that ended at a command that failed. What is published and cannot be installed is not this version's fault."""
    trouble = _trouble(failed)
    if trouble:
        return Verdict(Outcome.ERROR, trouble)
    faults = _faults(failed, packages, upgrading=upgrading)
    if upgrading and _installs_by_name(failed):
        return Verdict(Outcome.SKIPPED, f"the published version cannot be installed any more: {_summary(faults)}")
    return Verdict(Outcome.FAIL, _summary(faults), tuple(dict.fromkeys((*faults, *findings))))


def _steps(records: list[_Record], verdict: Verdict, *, upgrade: bool) -> tuple[Step, ...]:
    """Part a run into its tests: the upgrade is tried once installation and purging have passed."""
    end = records[-1].at if records else 0.0
    purged = next((record.at for record in records if (record.level, record.text) == ("INFO", PURGED)), None)
    if purged is None:
        first = Step(name=INSTALL, outcome=verdict.outcome, seconds=end, text=verdict.reason)
        second = Step(name=UPGRADE, outcome=Outcome.SKIPPED, text=f"{INSTALL} has not passed")
    else:
        # What fails a run without stopping it is found in its first test, and where there is a second, in that too.
        first = Step(name=INSTALL, outcome=Outcome.PASS, seconds=purged)
        if not upgrade:
            first = replace(first, outcome=verdict.outcome, text=verdict.reason)
        second = Step(name=UPGRADE, outcome=verdict.outcome, seconds=round(end - purged, 1), text=verdict.reason)
    return (first, second) if upgrade else (first,)


def _records(text: str) -> list[_Record]:
    found: list[tuple[float, str, str, list[str]]] = []
    for line in text.splitlines():
        if match := RECORD.fullmatch(line):
            found.append((int(match[1]) * 60 + float(match[2]), match[3], match[4], []))
        elif found:
            found[-1][3].append(line)
    return [_Record(at, level, text, tuple(more)) for at, level, text, more in found]


def _excused(records: list[_Record], packages: str) -> frozenset[Finding]:
    """Give what dependencies left, as the installation test tells it; the upgrade test has no --warn-on-others."""
    found: list[Finding] = []
    for record in records:
        start = next((i for i, line in enumerate(record.more) if DEPENDENCIES.search(line)), None)
        if record.level == "INFO" and start is not None:
            text = f"FAIL: {record.text.removeprefix('Warning: ')}"
            found += _complaints(replace(record, text=text, more=record.more[:start]), packages)
    return frozenset(found)


def _installs_by_name(failed: _Failure) -> bool:
    """Whether it installs the published version. The packages under test are given to apt-get as files, and what a system had
    before is put back by --force-yes and --reinstall.
    """
    another = any(word.startswith("./tmp/") or word in {"--force-yes", "--reinstall"} for word in failed.argv)
    return failed.argv[0] == "apt-get" and "install" in failed.argv and not another


def _complaints(record: _Record, packages: str) -> list[Finding]:
    """Translate one of piuparts's own complaints: a finding for each file or line it names."""
    if record.text.startswith(("Could not install", "Installation of")):
        return [_error("install-fails", packages, record.text)]
    kind, _, title = record.text.partition(": ")
    if kind not in {"FAIL", "WARN"} or title in SUMMARIES:
        return []
    severity = Severity.ERROR if kind == "FAIL" else Severity.WARNING
    tag = next((tag for start, tag in COMPLAINTS if title.startswith(start)), "piuparts-fails")
    lines = [line for line in record.more if line.strip()] or [title]
    if tag == BROKEN:
        return [_broken(line, severity, packages) for line in lines]
    if tag == "process-left-running":  # lsof's table has a line for each file that a process has open
        lines = list(dict.fromkeys(words[0] for line in lines[1:] if (words := line.split())))
    found = []
    for line in lines:
        owned = OWNED.fullmatch(line.rstrip())
        file, owner = (owned[1], owned[2]) if owned else (line, None)
        found.append(Finding(severity=severity, tag=tag, package=owner or packages, text=file.strip()))
    return found


def _broken(line: str, severity: Severity, packages: str) -> Finding:
    """Translate a link that leads nowhere: an error where a package under test has it, after all that it depends on is there."""
    found = LINK.fullmatch(line)
    if not found:
        return Finding(severity=severity, tag=BROKEN, package=packages, text=line.strip())
    own = {*(found["owners"] or "").split(", ")} & {*packages.split(", ")}
    if own and not found["target"].startswith(RUNNING):
        severity = Severity.ERROR
    text = f"{found['path']}: it leads to {found['target']}, which is not there"
    return Finding(severity=severity, tag=BROKEN, package=", ".join(sorted(own)) or packages, text=text)


def _failed_command(record: _Record) -> _Failure | None:
    """Give the command that piuparts gave up at."""
    match = COMMAND_FAILED.fullmatch(record.text)
    if not match:
        return None
    argv: list[str] = ast.literal_eval(match[1])
    inside = argv[0] == "chroot"
    output = tuple(line.removeprefix("  ") for line in record.more)
    return _Failure(argv=tuple(argv[2:] if inside else argv), inside=inside, output=output)


def _trouble(failed: _Failure) -> str:
    """Say what of the environment made a command fail, or nothing where the package did."""
    full = next((line for line in failed.output if FULL.search(line)), "")
    if full:
        return f"the disk is full or read-only: {full.strip()}"
    if not failed.inside:
        return f"{failed.argv[0]} failed: {_last(failed.output)}"
    if {"update", "dist-upgrade"} & set(failed.argv):
        return f"apt-get {failed.argv[-1]} failed on the clean system: {_first_error(failed.output)}"
    if any(DPKG_ERROR.match(line) for line in failed.output):
        return ""
    for line in failed.output:
        for pattern, _, cause, _ in TROUBLES:
            if pattern.search(line):
                return f"{cause}: {line.strip()}"
    return ""


def _faults(failed: _Failure, packages: str, *, upgrading: bool) -> list[Finding]:
    """Say what of the packages made a command fail: a maintainer script in its own words, or dependencies that are nowhere."""
    if failed.argv[0].endswith(_upgrade.WATCH):
        return list(_upgrade.told(failed.output))
    tag = next((OTHERS[word] for word in failed.argv if word in OTHERS), "upgrade-fails" if upgrading else "install-fails")
    output = failed.output
    found = []
    for number, line in enumerate(output):
        if match := DPKG_ERROR.match(line):
            says = output[number + 1].strip() if number + 1 < len(output) else ""
            package = Path(match[1]).name.partition("_")[0].partition(":")[0]
            found.append(_dpkg_fault(tag, package, says, output[:number]))
    if not found:
        unmet = _unmet(output)
        if unmet:
            return [_error("uninstallable", packages, line) for line in unmet]
        found.append(_error(tag, packages, _first_error(output)))
    return found


def _dpkg_fault(tag: str, package: str, says: str, before: tuple[str, ...]) -> Finding:
    """Translate what dpkg says of a package that it could not process; `before` is the output up to there."""
    if overwrites := OVERWRITES.search(says):
        return _error(
            "file-conflict", package, f"{overwrites['file']} is also in {overwrites['owner']}, and no Replaces means it"
        )
    if says.endswith("at conffile prompt"):
        asked = next((match[1] for line in reversed(before) if (match := PROMPT.match(line))), "a conffile")
        return _error("conffile-prompt", package, f"{asked} was changed by a maintainer script, so that dpkg asks what to do")
    words = "; ".join(_script_words(before))
    return _error(tag, package, says + (f": {words}" if words else ""))


def _script_words(output: tuple[str, ...]) -> list[str]:
    """Give what a maintainer script printed before dpkg told of its failure."""
    words: list[str] = []
    for line in reversed(output):
        if TURN.match(line):
            break
        if line.strip() and not NOISE.match(line):
            words.insert(0, line.strip())
    return words[-5:]


def _unmet(output: tuple[str, ...]) -> list[str]:
    """Give the lines in which apt says what cannot be installed and why."""
    start = next((i for i, line in enumerate(output) if re.search(r"unmet dependencies|Unsatisfied dependencies", line)), None)
    if start is None:
        return [line.strip() for line in output if re.search(r"Unable to (locate|satisfy)|has no installation candidate", line)]
    block = []
    for line in output[start + 1 :]:
        if APT_ERROR.match(line) or not line.startswith(" "):
            break
        block.append(" ".join(line.split()))
    return block or [output[start].strip()]


def _exception(text: str) -> str:
    lines = text[text.index(CRASHED) :].splitlines()
    return next((line for line in lines if EXCEPTION.fullmatch(line)), lines[0])


def _summary(findings: list[Finding]) -> str:
    first = f"{findings[0].package}: {findings[0].tag}: {findings[0].text}"
    return first if len(findings) == 1 else f"{len(findings)} findings, the first: {first}"


def _first_error(output: tuple[str, ...]) -> str:
    return next((line.strip() for line in output if APT_ERROR.match(line.strip())), _last(output))


def _last(output: tuple[str, ...] | list[str]) -> str:
    return next((line.strip() for line in reversed(output) if line.strip()), "it printed nothing")


def _error(tag: str, package: str, text: str) -> Finding:
    return Finding(severity=Severity.ERROR, tag=tag, package=package, text=text)
