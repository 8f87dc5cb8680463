"""The real hardening-check, blhc and zstd on pairs of packages; a program of the tool root, its header forged, is in both."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.checks import _elf_facts
from debkit.config import ChecksConfig, ChrootConfig, EquivalenceConfig, Suppression
from debkit.console import Quiet
from debkit.model import ARCHES, CheckReport, Outcome, Severity
from debkit.run import Command, Processes
from tests.conftest import SUITE
from tests.twins import PEERS, File, build, twin, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit.model import BuildResult

LOGS = Path(__file__).parent.parent / "data/blhc"


@pytest.fixture
def bench(run: Processes, debkit_cache: Path, tmp_path: Path) -> checks.Bench:
    config = ChecksConfig(run=("equivalence",))
    return checks.Bench(run=run, config=config, chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist")


@pytest.fixture
def pack(bench: checks.Bench, tmp_path: Path) -> Callable[..., BuildResult]:
    """Make a build of the twin for an architecture, with a program of the tool root's and a real log, which may be spoilt."""

    def packed(arch: str, *, program: str = "dash", mode: int = 0o755, of: str = "", spoil: str = "no such word") -> BuildResult:
        with bench.tools(SUITE) as root:
            content = (root.path / "usr/bin" / program).read_bytes()
        machine = ARCHES[of or arch].elf_machine.to_bytes(2, "little")
        package = twin(arch).having("usr/bin/hello", File(content[:18] + machine + content[20:], mode))
        result = build(tmp_path / arch, arch, write(package, tmp_path / arch))
        result.log.write_text((LOGS / f"{arch}.build").read_text().replace(spoil, "", 1))
        return result

    return packed


def blamed(report: CheckReport) -> list[tuple[str, str]]:
    return [
        (f.tag, f.text.partition(", the first: ")[0]) for f in report.findings if f.severity is Severity.ERROR and not f.accepted
    ]


def test_a_good_pair_passes(bench: checks.Bench, pack: Callable[..., BuildResult]) -> None:
    ours, theirs = map(pack, PEERS)
    alone = checks.judge("equivalence", bench, ours)
    assert (alone.outcome, alone.findings) == (Outcome.PASS, ())
    report = checks.judge("equivalence", replace(bench, peer=theirs), ours)
    assert (report.outcome, report.reason, report.findings) == (Outcome.PASS, "", ())
    assert {step.outcome for step in report.steps} == {Outcome.PASS}
    assert report.log
    assert report.log.read_text().count(" Stack protected: yes") == len(PEERS)


def test_what_differs_is_told_and_may_be_accepted(bench: checks.Bench, pack: Callable[..., BuildResult]) -> None:
    ours, theirs = pack("arm64", mode=0o750, of="amd64", spoil=" -fstack-protector-strong"), pack("amd64", program="readelf")
    report = checks.judge("equivalence", replace(bench, peer=theirs), ours)
    assert report.outcome is Outcome.FAIL
    expected = [
        ("mode-differs", "usr/bin/hello: 0750 in trixie/arm64, 0755 in trixie/amd64"),
        ("wrong-architecture-elf", "usr/bin/hello: of amd64, in a package of trixie/arm64"),
        ("hardening-differs", "usr/bin/hello: stack protector: yes in trixie/arm64, no in trixie/amd64"),
        ("hardening-differs", "usr/bin/hello: fortified functions: yes in trixie/arm64, no in trixie/amd64"),
        ("hardening-differs", "usr/bin/hello: immediate binding: yes in trixie/arm64, no in trixie/amd64"),
        ("missing-hardening-flags", "CFLAGS -fstack-protector-strong: 1 in trixie/arm64, 0 in trixie/amd64"),
    ]
    assert blamed(report) == expected
    accept = tuple(Suppression(tag=tag, reason="a test") for tag, _ in expected)
    config = replace(bench.config, equivalence=EquivalenceConfig(accept=accept))
    report = checks.judge("equivalence", replace(bench, config=config, peer=theirs), ours)
    assert (report.outcome, blamed(report)) == (Outcome.PASS, [])


def test_a_log_that_is_not_there_is_an_environment_error(bench: checks.Bench, pack: Callable[..., BuildResult]) -> None:
    ours = pack("arm64")
    ours.log.unlink()
    report = checks.judge("equivalence", bench, ours)
    assert report.outcome is Outcome.ERROR
    assert report.reason.startswith("blhc exited with 2: No such file: /srv/equivalence/hello_1.0_arm64.build")


def test_packages_of_any_compression_are_read(
    run: Processes, bench: checks.Bench, pack: Callable[..., BuildResult], tmp_path: Path
) -> None:
    results = []
    for arch, how in zip(PEERS, ("zstd", "gzip"), strict=True):
        made = pack(arch)
        tree = tmp_path / arch / "tree"
        run(Command(argv=("dpkg-deb", "--raw-extract", os.fspath(made.debs[0]), os.fspath(tree))))
        run(Command(argv=("dpkg-deb", f"-Z{how}", "--root-owner-group", "--build", os.fspath(tree), os.fspath(made.debs[0]))))
        results.append(made)
    report = checks.judge("equivalence", replace(bench, peer=results[1]), results[0])
    assert (report.outcome, report.reason) == (Outcome.PASS, "")


def test_a_librarys_interface_is_read(bench: checks.Bench) -> None:
    with bench.tools(SUITE) as root:
        (library,) = root.path.glob("usr/lib/*/libz.so.1")
        found = _elf_facts.interface(library)
        assert _elf_facts.interface(root.path / "usr/bin/dash") is None
        assert _elf_facts.interface(root.path / "etc/passwd") is None
    assert found
    assert found.soname == "libz.so.1"
    assert {"inflate", "deflate"} <= found.symbols
    assert not {"malloc", "_init"} & found.symbols
