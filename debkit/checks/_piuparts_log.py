"""What piuparts's log says: whether the package or the environment is at fault, and of what.

Piuparts writes `MmS.Ss LEVEL: message`; what it logs of the commands it runs is indented, so no package can forge its word.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from debkit.model import Finding, Outcome, Severity
from debkit.run.command import TROUBLES

RECORD = re.compile(r"\d+m\d+\.\d+s ([A-Z]+): ?(.*)")
PASSED = "PASS: All tests."
PREPARED = "post_setup_debkit"  # the script that installs what a clean system has already
COMMAND_FAILED = re.compile(r"Command failed \(status=-?\d+\): (\[.*\])")
CRASHED = "Piuparts caught exception, exiting..."
EXCEPTION = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Alarm)\b.*")
OWNED = re.compile(r"(.*?)\t\s*(?:owned by: (.*)|not owned)$")
DPKG_ERROR = re.compile(r"dpkg: error processing (?:package|archive) (\S+) \((--\S+)\):")
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
    ("Broken symlinks", "broken-symlink"),
    ("silently overwrites files", "overwrites-through-symlink"),
    ("Cron file", "cron-after-removal"),
    ("Logrotate file", "logrotate-after-removal"),
)
# What a package's dependencies may have done in its stead.
LEFTOVERS = frozenset({"left-after-purge", "gone-after-purge", "changed-after-purge"})
SUMMARY = "Installation and purging test."
OTHERS = {"remove": "removal-fails", "--purge": "purge-fails", "--remove": "removal-fails"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run of piuparts came to. `reason` is set unless it passed."""

    outcome: Outcome
    reason: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def only_leftovers(self) -> bool:
        """Whether nothing is wrong but files left, gone or changed."""
        blamed = {finding.tag for finding in self.findings if finding.severity is Severity.ERROR}
        return self.outcome is Outcome.FAIL and blamed <= LEFTOVERS


@dataclass(frozen=True, slots=True)
class _Record:
    level: str
    text: str
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Failure:
    """A command that piuparts gave up at: in the clean system, or one of its own outside."""

    argv: tuple[str, ...]
    inside: bool
    output: tuple[str, ...]


def read_log(text: str, *, code: int, packages: str) -> Verdict:
    """Judge a run by its log and exit code. `packages` names what was tested, where the log does not say whose fault it is.

    A pass is exit code 0 together with piuparts's own word that all tests passed; whatever cannot be understood is an error of
    the environment.
    """
    records = _records(text)
    errors = [record for record in records if record.level == "ERROR"]
    findings = tuple(finding for record in errors for finding in _complaints(record, packages))
    blamed = [finding for finding in findings if finding.severity is Severity.ERROR]
    failed = next((found for record in errors if (found := _failed_command(record))), None)
    if CRASHED in text.splitlines():
        return Verdict(Outcome.ERROR, f"piuparts broke off: {_exception(text)}")
    if failed:
        trouble = _trouble(failed)
        if trouble:
            return Verdict(Outcome.ERROR, trouble)
        faults = _faults(failed, packages)
        return Verdict(Outcome.FAIL, _summary(faults), (*faults, *findings))
    if blamed:
        return Verdict(Outcome.FAIL, _summary(blamed), findings)
    if code == 0 and any(record.level == "INFO" and record.text == PASSED for record in records):
        return Verdict(Outcome.PASS, findings=findings)
    return Verdict(Outcome.ERROR, f"piuparts exited with {code} and gave no verdict: {_last(text.splitlines())}")


def _records(text: str) -> list[_Record]:
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if match := RECORD.fullmatch(line):
            found.append((match[1], match[2], []))
        elif found:
            found[-1][2].append(line)
    return [_Record(level, text, tuple(more)) for level, text, more in found]


def _complaints(record: _Record, packages: str) -> list[Finding]:
    """Translate one of piuparts's own complaints: a finding for each file or line it names."""
    if record.text.startswith(("Could not install", "Installation of")):
        return [_error("install-fails", packages, record.text)]
    kind, _, title = record.text.partition(": ")
    if kind not in {"FAIL", "WARN"} or title == SUMMARY:
        return []
    severity = Severity.ERROR if kind == "FAIL" else Severity.WARNING
    tag = next((tag for start, tag in COMPLAINTS if title.startswith(start)), "piuparts-fails")
    lines = [line for line in record.more if line.strip()] or [title]
    if tag == "process-left-running":  # lsof's table has a line for each file that a process has open
        lines = list(dict.fromkeys(words[0] for line in lines[1:] if (words := line.split())))
    found = []
    for line in lines:
        owned = OWNED.fullmatch(line.rstrip())
        file, owner = (owned[1], owned[2]) if owned else (line, None)
        found.append(Finding(severity=severity, tag=tag, package=owner or packages, text=file.strip()))
    return found


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


def _faults(failed: _Failure, packages: str) -> list[Finding]:
    """Say what of the packages made a command fail: a maintainer script in its own words, or dependencies that are nowhere."""
    tag = next((OTHERS[word] for word in failed.argv if word in OTHERS), "install-fails")
    output = failed.output
    found = []
    for number, line in enumerate(output):
        if match := DPKG_ERROR.match(line):
            says = output[number + 1].strip() if number + 1 < len(output) else ""
            words = "; ".join(_script_words(output[:number]))
            found.append(_error(tag, match[1].partition(":")[0], says + (f": {words}" if words else "")))
    if not found:
        unmet = _unmet(output)
        if unmet:
            return [_error("uninstallable", packages, line) for line in unmet]
        found.append(_error(tag, packages, _first_error(output)))
    return found


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
