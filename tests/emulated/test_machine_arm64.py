"""A service in a whole arm64 machine, where seccomp and namespaces are in force as they are on arm64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.config import ChecksConfig, ChrootConfig, ServiceConfig
from debkit.console import Quiet
from debkit.model import Outcome, Target
from tests.conftest import SUITE
from tests.debs import make_result
from tests.services import make_confined

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes

pytestmark = pytest.mark.slow


def test_strict_looks_at_a_confined_service_in_a_machine(run: Processes, debkit_cache: Path, tmp_path: Path) -> None:
    config = ChecksConfig(service=ServiceConfig(strict=True, require_systemd=True))
    bench = checks.Bench(
        run=run, config=config, chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist"
    )  # fmt: skip
    report = checks.judge("service", bench, make_result(tmp_path, make_confined(tmp_path), target=Target(SUITE, "arm64")))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    texts = {step.name: step.text for step in report.steps}
    assert texts["boot"] == "systemd 257 on aarch64"
    assert {"health", "stable", "reboot", "purge"} <= {step.name for step in report.steps if step.outcome is Outcome.PASS}
