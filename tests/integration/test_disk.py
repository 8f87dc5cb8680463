"""The disk gauge, with the real du in a user namespace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from debkit.backends._disk import Gauge
from debkit.run import Completed, Processes

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_there_for_a_while_counts_when_it_is_gone(tmp_path: Path) -> None:
    recorded: list[Completed] = []
    tree = tmp_path / "roots/root.a/build"
    tree.mkdir(parents=True)
    (tmp_path / "roots/root.a/chroot").write_bytes(b"x" * 3_000_000)
    with Gauge(Processes(recorded.append), tmp_path) as gauge:
        (tree / "big").write_bytes(b"x" * 3_000_000)
        deadline = time.monotonic() + 30
        while not gauge.peak:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (tree / "big").unlink()
    assert 3_000_000 <= gauge.peak < 3_500_000
    assert not recorded


def test_a_run_that_was_stopped_ends_it(tmp_path: Path) -> None:
    run = Processes()
    run.stop(2)
    with Gauge(run, tmp_path) as gauge:
        time.sleep(1.2)
    assert gauge.peak == 0
