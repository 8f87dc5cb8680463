"""autopkgtest and own checks on clean arm64 systems; on amd64 their programs run accelerated, or emulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.model import Outcome, Target
from tests.conftest import SUITE
from tests.debs import make_package, make_result
from tests.sources import make_tested

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.accel import Accelerator
    from debkit.run import Processes

pytestmark = pytest.mark.slow

# e_machine, two bytes at offset 18 of an ELF file: 183 is AArch64.
IS_ARM64 = """\
set -e
test "$(dpkg --print-architecture) $(uname -m)" = "arm64 aarch64"
test "$(od -An -tu2 -j18 -N2 /bin/sh)" -eq 183
"""


def test_tests_and_own_checks_run_as_arm64_programs(
    run: Processes, debkit_cache: Path, tmp_path: Path, accelerator: Accelerator | None
) -> None:
    own = tmp_path / "project/config/checks.d/installs"
    own.parent.mkdir(parents=True)
    own.write_text(f'#!/bin/sh\n{IS_ARM64}apt-get install --yes "$@"\ntest "$DEBKIT_ARCH" = arm64\n')
    own.chmod(0o755)
    bench = checks.Bench(
        run=run,
        config=ChecksConfig(run=("autopkgtest",)),
        chroot=ChrootConfig(),
        progress=Quiet(),
        work=tmp_path / "dist",
        dsc=make_tested(tmp_path / "source/tree", "Tests: good, bad\nDepends: @\n", {"good": IS_ARM64, "bad": "exit 3"}),
        project=tmp_path / "project",
        accelerator=accelerator,
    )
    result = make_result(tmp_path, make_package(tmp_path, arch="arm64"), target=Target(SUITE, "arm64"))
    report = checks.judge("own", bench, result)
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    report = checks.judge("autopkgtest", bench, result)
    assert {step.name: step.outcome for step in report.steps} == {"good": Outcome.PASS, "bad": Outcome.FAIL}
    assert (report.outcome, report.reason) == (Outcome.FAIL, "bad: non-zero exit status 3")
