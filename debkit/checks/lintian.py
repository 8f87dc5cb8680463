"""lintian, of the target's own suite: an older one calls a newer suite an error. It needs no emulation for foreign packages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit.checks._findings import accept, line, summary, unused
from debkit.errors import EnvironmentFailure
from debkit.model import CheckReport, Finding, Outcome, Severity
from debkit.run import Command
from debkit.run.command import explain_code

if TYPE_CHECKING:
    from debkit.checks import Bench
    from debkit.chroot.roots import ToolRoot
    from debkit.model import BuildResult

PACKAGES = ("lintian",)
SHELVES = "/srv"  # where the tool root has an empty place for what is bound

# What `--display-info` shows; pedantic and classification tags are left out.
SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO}
FAILING = {"error": {Severity.ERROR}, "warning": {Severity.ERROR, Severity.WARNING}}
# What gives rights away is to be meant, and an override in the package says that it is: lintian's warnings of it are errors here.
PRIVILEGED = "elevated-privileges"
ANYBODY_WRITES = re.compile(r"0\d\d[2367] != ")  # a mode, of non-standard-file-perm and its like; with a sticky bit it is no 0
WORKED_OR_NOT = frozenset(range(-64, 256))
OVERRIDDEN = "overridden by the package"
UNUSED = "is suppressed in the configuration, but lintian does not report it"


@dataclass(frozen=True, slots=True)
class Answer:
    """What lintian said: the base names of the files it looked at, and its findings on them."""

    files: frozenset[str]
    findings: tuple[Finding, ...]


def judge(bench: Bench, result: BuildResult) -> CheckReport:
    """Run lintian on the build's .changes, and on the .dsc where the bench has it. The log holds its whole answer.

    Not on the source's .changes: of two .changes of one version lintian looks at one.
    """
    given = tuple(path for path in (result.changes, bench.source) if path)
    if not result.changes:
        return CheckReport(
            check="lintian", target=result.target, outcome=Outcome.SKIPPED, seconds=0.0, reason="the build left no .changes"
        )
    log = bench.fresh_log("lintian.log")
    with bench.tools(result.target.suite) as root:
        bench.progress.phase("lintian")
        done = bench.run(
            Command(
                argv=command(root, given, profile=bench.config.lintian.profile),
                timeout=bench.config.timeout,
                ok=WORKED_OR_NOT,
                log=log,
                separate=True,
            )
        )
    if done.code != 0:
        raise EnvironmentFailure(
            f"lintian broke off: {done.tail[0] if done.tail else 'it printed nothing'}",
            cause=f"it {explain_code(done.code)}: the profile is none of its own, or it has a defect",
            hint=f"less {log}",
            log=log,
        )
    answer = parse(done.stdout)
    unseen = sorted({path.name for path in (*given, *result.debs)} - answer.files)
    if unseen:
        raise EnvironmentFailure(
            f"lintian did not look at {', '.join(unseen)}",
            cause="\n".join(done.tail[-3:]) or "it does not say why",
            hint=f"less {log}",
            log=log,
        )
    suppress = bench.config.lintian.suppress
    looked_at = {name.partition("_")[0] for name in answer.files}
    findings = (*accept(answer.findings, suppress), *unused(suppress, answer.findings, packages=looked_at, text=UNUSED))
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"{line(finding)}\n" for finding in findings)
    blamed = [f for f in findings if not f.accepted and f.severity in FAILING[bench.config.lintian.fail_on]]
    return CheckReport(
        check="lintian",
        target=result.target,
        outcome=Outcome.FAIL if blamed else Outcome.PASS,
        seconds=0.0,
        reason=summary(blamed),
        findings=findings,
        log=log,
    )


def command(root: ToolRoot, given: tuple[Path, ...], *, profile: str) -> tuple[str, ...]:
    """Build the argv. Exit code 0 then means that lintian worked, whatever it found: what fails is decided here.

    Overridden tags are shown, so that a report tells them; `--allow-root` since it runs as the root of its own namespace.
    """
    shelves = tuple((path.parent.resolve(), f"{SHELVES}/{number}") for number, path in enumerate(given))
    return root.argv(
        (
            "lintian", "--allow-root", "--exp-output", "format=json", "--fail-on", "none", "--display-info", "--show-overrides",
            *(("--profile", profile) if profile else ()),
            *(f"{shelf}/{path.name}" for path, (_, shelf) in zip(given, shelves, strict=True)),
        ),
        read_only=shelves,
    )  # fmt: skip


def parse(text: str) -> Answer:
    """Read the answer of `--exp-output format=json`. Raises EnvironmentFailure where it is none."""
    try:
        data: dict[str, Any] = json.loads(text)
        files = [file for group in data["groups"] for file in group["input_files"]]
        return Answer(
            files=frozenset(Path(file["path"]).name for file in files),
            findings=tuple(finding for file in files for hint in file["hints"] if (finding := _finding(file["path"], hint))),
        )
    except (ValueError, KeyError, TypeError) as problem:
        raise EnvironmentFailure(
            "lintian gave an answer that debkit cannot read", cause=str(problem), hint="less dist/*/*/lintian.log"
        ) from problem


def _finding(path: str, hint: dict[str, Any]) -> Finding | None:
    """Translate one hint. Experimental tags are lintian's own trials: they never fail a package."""
    severity = SEVERITIES.get(hint["visibility"])
    if severity is None or hint.get("masks"):
        return None
    override = hint.get("override")
    item = hint.get("pointer", {}).get("item", {})
    position = hint.get("pointer", {}).get("line_position", 0)
    if hint["tag"] == PRIVILEGED or ANYBODY_WRITES.match(hint.get("note", "")):
        severity = Severity.ERROR
    where = f"[{item['name']}{f':{position}' if position else ''}]" if item.get("name") else ""
    return Finding(
        severity=Severity.INFO if hint.get("experimental") else severity,
        tag=hint["tag"],
        package=_package(Path(path).name),
        text=" ".join(word for word in (hint.get("note", ""), where) if word),
        accepted="" if override is None else f"{OVERRIDDEN}: {override.get('justification') or 'it says no reason'}",
    )


def _package(file: str) -> str:
    """Name what a file belongs to as lintian does: a binary by its name, others with what they are."""
    name = file.partition("_")[0]
    kind = {".deb": "", ".udeb": " udeb", ".dsc": " source"}.get(Path(file).suffix, f" {Path(file).suffix[1:]}")
    return name + kind
