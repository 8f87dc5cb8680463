"""Likewise every twin of a suite whose cross compiler is of another version than its own: the compiler is built first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.accel import stock
from tests.emulated.test_accel_twins import (
    outcomes,
    root,
    test_every_twin_and_script_was_run,
    test_every_twin_does_as_the_program_does,
    tools,
)

if TYPE_CHECKING:
    from debkit.model import Toolbox

__all__ = ["outcomes", "root", "test_every_twin_and_script_was_run", "test_every_twin_does_as_the_program_does", "tools"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def suite() -> str:
    return "bookworm"


def test_the_compiler_was_built(tools: Toolbox | None) -> None:
    if tools:
        assert "built from the suite's source" in stock.compiler(tools.path)
