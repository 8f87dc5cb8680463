"""One run at a time in a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.errors import LockedError
from debkit.pipeline.execute import alone

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_run_in_the_same_project_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with alone(tmp_path / "dist"):
        with pytest.raises(LockedError) as caught, alone(tmp_path / "dist"):
            pass
        assert caught.value.cause.startswith("process ")
        (tmp_path / "dist/report.json").touch()
    with alone(tmp_path / "dist"):
        pass
    assert (tmp_path / "dist/report.json").exists()


def test_a_run_that_leaves_nothing_leaves_no_directory(tmp_path: Path) -> None:
    with alone(tmp_path / "dist"):
        pass
    assert not (tmp_path / "dist").exists()
