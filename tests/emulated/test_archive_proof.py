from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.archive.proof import prove
from debkit.model import Target
from tests.integration.test_archive_proof import published

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes


@pytest.mark.slow
def test_a_clean_foreign_system_installs_it_from_the_archive_and_runs_it(
    run: Processes, debkit_cache: Path, tmp_path: Path
) -> None:
    config, done = published(run, tmp_path)
    sighting = prove(run, config, done, target=Target("trixie", "arm64"))
    assert sighting.installed
    assert sighting.ran == ("/usr/bin/hello-debkit --help",)
    assert "\narm64\n" in (config.dist / "trixie/arm64/install.log").read_text()
