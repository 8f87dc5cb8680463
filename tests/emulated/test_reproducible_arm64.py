"""Building arm64 packages twice: accelerated both times where that can be, emulated where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.model import Via
from tests.leaks import GOOD, LEAKS, judged

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.accel import Accelerator
    from debkit.run import Processes

pytestmark = pytest.mark.slow  # each source is built twice


@pytest.mark.parametrize("backend", ["sbuild", "pbuilder"])
def test_leaks_are_found_on_arm64_as_on_amd64(
    run: Processes, accelerator: Accelerator | None, debkit_cache: Path, tmp_path: Path, backend: str
) -> None:
    via = Via.ACCELERATED if accelerator else Via.EMULATED
    leaks = {**LEAKS, "date": "date +%F"}  # not in UTC: by the time zone it is another day, whatever the clock is
    found = judged(run, tmp_path, leaks, backend=backend, arch="arm64", via=via)
    assert {f"leak-{name}" for name in leaks} - set(found.tags) == {*GOOD}
    assert found.tags["leak-date"] == found.tags["leak-seconds"] == found.tags["leak-zipped"] == "timestamp-in-package"
    assert ("not varied: clock" in found.report.steps[0].text) == (via is Via.ACCELERATED)
