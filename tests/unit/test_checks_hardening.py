"""What hardening-check and blhc said of a real package, its log shortened and spoilt, and what follows from it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.checks import _hardening
from debkit.checks._compare import Pair
from debkit.checks._contents import read
from debkit.checks._hardening import SHELF, Tools
from debkit.chroot.roots import ToolRoot
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.errors import EnvironmentFailure
from debkit.model import Severity, Target
from tests.recorder import contains
from tests.twins import PEERS, build, twin, write

if TYPE_CHECKING:
    from debkit.checks._hardening import BuildLog
    from debkit.model import Finding
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data"
ANSWER = (DATA / "hardening-check/local-rag.txt").read_text()
MISSING = {arch: (DATA / f"blhc/missing-{arch}.txt").read_text() for arch in PEERS}
SILENT = "No compiler commands!\n"
HIDDEN = "NONVERBOSE BUILD:   CC       src/split.o\n"
GOOD = {
    "position independent executable": "yes",
    "stack protector": "yes",
    "fortified functions": "yes",
    "read-only relocations": "yes",
    "immediate binding": "yes",
}


@pytest.fixture
def tools(recorder: Recorder, tmp_path: Path) -> Tools:
    bench = checks.Bench(run=recorder, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist")
    return Tools(bench, ToolRoot(Path("/cache/tools")), tmp_path / "equivalence.log", time.monotonic() + bench.config.timeout)


@pytest.fixture
def pair(recorder: Recorder, tmp_path: Path) -> Pair:
    ours, theirs = (read(recorder, build(tmp_path, arch, write(twin(arch), tmp_path)), tmp_path / arch)[0] for arch in PEERS)
    return Pair(ours, theirs)


def log(arch: str, text: str, code: int) -> BuildLog:
    return _hardening.parse_log(Target("trixie", arch), text, code)


def told(findings: list[Finding]) -> list[tuple[Severity, str, str]]:
    return [(finding.severity, finding.tag, finding.text.partition(", the first: ")[0]) for finding in findings]


def test_features_are_read_by_file() -> None:
    found = _hardening.parse_features(ANSWER)
    assert list(found.values())[:2] == [GOOD, GOOD]
    assert found["/usr/bin/readelf"] == {
        **GOOD, "stack protector": "no", "fortified functions": "no", "immediate binding": "no",
    }  # fmt: skip


def test_a_shared_library_and_what_is_not_known_are_no_yes_and_no_no() -> None:
    answer = (
        f"{SHELF}/ours/x/0001:\n Position Independent Executable: no, regular shared library (ignored)\n"
        " Stack protected: unknown, no symbols found\n"
    )
    assert _hardening.parse_features(answer) == {
        f"{SHELF}/ours/x/0001": {"position independent executable": "of a library", "stack protector": "unknown"}
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [
        (GOOD, GOOD, ""),
        (GOOD, {**GOOD, "fortified functions": "unknown"}, ""),
        (
            {**GOOD, "immediate binding": "no"}, GOOD,
            "usr/bin/x: immediate binding: no in trixie/arm64, yes in trixie/amd64",
        ),
        (
            GOOD, {**GOOD, "position independent executable": "of a library"},
            "usr/bin/x: position independent executable: yes in trixie/arm64, of a library in trixie/amd64",
        ),
        ({}, GOOD, "usr/bin/x: by hardening-check it is not readable in trixie/arm64, readable in trixie/amd64"),
        ({}, {}, ""),
    ],
)  # fmt: skip
def test_features_are_to_be_those_of_the_peer(pair: Pair, ours: dict[str, str], theirs: dict[str, str], text: str) -> None:
    findings = list(_hardening.differences(pair, "usr/bin/x", ours, theirs))
    assert told(findings) == ([(Severity.ERROR, "hardening-differs", text)] if text else [])


def test_hardening_check_runs_in_the_tool_root_and_reads_only(tools: Tools, recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("hardening-check", stdout=ANSWER.replace("local-rag_0.1.0~20261124135945.g4bef241", "hello_1.0"), code=1)
    copies = (tmp_path / "ours/hello_1.0_arm64/0000", tmp_path / "theirs/hello_1.0_amd64/0000")
    assert _hardening.features(tools, tmp_path, copies) == dict.fromkeys(copies, GOOD)
    (command,) = recorder.commands
    assert contains(command.argv, ("--ro-bind", str(tmp_path), SHELF))
    assert "--net" in command.argv
    assert command.argv[command.argv.index("hardening-check") :] == (
        "hardening-check", f"{SHELF}/ours/hello_1.0_arm64/0000", f"{SHELF}/theirs/hello_1.0_amd64/0000", "/usr/bin/readelf",
    )  # fmt: skip
    assert command.timeout is not None
    assert ChecksConfig().timeout - 60 < command.timeout < ChecksConfig().timeout
    assert contains(command.argv, ("env", f"PATH={SHELF}/bin:/usr/bin:/bin", "hardening-check"))
    assert (tmp_path / "bin/objdump").readlink() == Path("/usr/bin/true")


@pytest.mark.parametrize("answer", ["", "Cannot exec readelf\n", ANSWER.partition("/usr/bin/readelf:")[0]])
def test_a_hardening_check_that_does_not_work_is_no_pass(tools: Tools, recorder: Recorder, tmp_path: Path, answer: str) -> None:
    recorder.reply("hardening-check", stdout=answer, code=1)
    with pytest.raises(EnvironmentFailure, match="hardening-check has no answer for /usr/bin/readelf"):
        _hardening.features(tools, tmp_path, (tmp_path / "0000",))


def test_blhc_reads_the_builds_log_by_the_rules_of_its_architecture(tools: Tools, recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("blhc", stdout=MISSING["arm64"], code=8)
    said = _hardening.read_log(tools, build(tmp_path, "arm64"))
    assert said.missing == {
        "CFLAGS -fstack-protector-strong": 1,
        "CFLAGS -fcf-protection or -mbranch-protection": 2,
        "LDFLAGS -Wl,-z,relro": 1,
    }
    (command,) = recorder.commands
    assert contains(command.argv, ("--ro-bind", str(tmp_path), SHELF))
    assert command.argv[-4:] == ("blhc", "--debian", "--arch=arm64", f"{SHELF}/hello_1.0_arm64.build")


def test_what_both_builds_go_without_is_the_packages_choice() -> None:
    findings = list(_hardening.log_findings("hello", log("arm64", MISSING["arm64"], 8), log("amd64", MISSING["amd64"], 8)))
    assert told(findings) == [
        (Severity.WARNING, "missing-hardening-flags", f"{flag}: {count} in trixie/arm64, {count} in trixie/amd64")
        for flag, count in (
            ("CFLAGS -fcf-protection or -mbranch-protection", 2),
            ("CFLAGS -fstack-protector-strong", 1),
            ("LDFLAGS -Wl,-z,relro", 1),
        )
    ]
    assert findings[2].text.partition(", the first: ")[2].startswith("“cc -g -O2 -Werror=implicit-function-declaration")
    alone = told(list(_hardening.log_findings("hello", log("arm64", MISSING["arm64"], 8), None)))
    assert alone[2] == (Severity.WARNING, "missing-hardening-flags", "LDFLAGS -Wl,-z,relro: 1 in trixie/arm64")


@pytest.mark.parametrize("spoilt", PEERS)
def test_what_one_build_goes_without_fails(spoilt: str) -> None:
    ours, theirs = (log(arch, *((MISSING[arch], 8) if arch == spoilt else ("", 0))) for arch in PEERS)
    findings = told(list(_hardening.log_findings("hello", ours, theirs)))
    assert {severity for severity, *_ in findings} == {Severity.ERROR}
    counts = "1 in trixie/arm64, 0 in trixie/amd64" if spoilt == "arm64" else "0 in trixie/arm64, 1 in trixie/amd64"
    assert findings[2][1:] == ("missing-hardening-flags", f"LDFLAGS -Wl,-z,relro: {counts}")


def test_a_log_that_hides_its_commands_or_has_none_is_told_where_the_other_is_better() -> None:
    good, hidden, silent = log("amd64", "", 0), log("arm64", HIDDEN, 4), log("arm64", SILENT, 1)
    assert told(list(_hardening.log_findings("hello", hidden, good))) == [
        (Severity.ERROR, "compiler-flags-hidden", "hidden commands: 1 in trixie/arm64, 0 in trixie/amd64")
    ]
    assert told(list(_hardening.log_findings("hello", silent, good))) == [
        (
            Severity.ERROR,
            "compiler-commands-in-one-log-only",
            "build log: trixie/amd64's has compiler commands, trixie/arm64's has none",
        )
    ]
    assert list(_hardening.log_findings("hello", silent, log("amd64", SILENT, 1))) == []
    assert not silent.commands


@pytest.mark.parametrize(("text", "code"), [("", 1), ("", 8), ("", 4), (SILENT, 0), (HIDDEN, 0), (MISSING["arm64"], 1)])
def test_an_answer_that_does_not_fit_the_exit_code_is_no_pass(text: str, code: int) -> None:
    with pytest.raises(EnvironmentFailure, match=f"blhc exited with {code}, but"):
        log("arm64", text, code)
