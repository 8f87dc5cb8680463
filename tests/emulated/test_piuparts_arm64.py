"""piuparts on a clean arm64 system; on amd64 its programs run emulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.model import Outcome, Target
from tests.conftest import SUITE
from tests.debs import make_package, make_result

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes

pytestmark = pytest.mark.slow  # local-rag takes the same way

# e_machine, two bytes at offset 18 of an ELF file: 183 is AArch64.
POSTINST = """\
test "$(dpkg --print-architecture) $(uname -m)" = "arm64 aarch64"
test "$(od -An -tu2 -j18 -N2 /bin/sh)" -eq 183
mkdir -p /var/lib/hello-debkit && touch /var/lib/hello-debkit/left
"""


def test_a_leftover_is_found_on_arm64(run: Processes, debkit_cache: Path, tmp_path: Path) -> None:
    bench = checks.Bench(run=run, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist")
    deb = make_package(tmp_path, arch="arm64", scripts={"postinst": POSTINST})
    report = checks.judge("piuparts", bench, make_result(tmp_path, deb, target=Target(SUITE, "arm64")))
    assert (report.outcome, report.target) == (Outcome.FAIL, Target("trixie", "arm64"))
    assert {finding.text for finding in report.findings} == {"/var/lib/hello-debkit/", "/var/lib/hello-debkit/left"}
