"""What accelerates the foreign chroots of these tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from debkit import host
from debkit.accel import Accelerator

if TYPE_CHECKING:
    from debkit.run import Processes


@pytest.fixture(scope="session")
def accelerator(run: Processes) -> Accelerator | None:
    """One that insists; before Linux 6.7 none, for the reason that the plan gives, and then all must be the same emulated."""
    machine = host.facts(run, arches=("arm64",))
    if [int(number) for number in re.findall(r"\d+", machine.kernel)[:2]] < [6, 7]:
        assert "binfmt_misc" in machine.unaccelerated
        return None
    assert not machine.unaccelerated
    return Accelerator(native=machine.arch, insists=True, tell=print, warn=pytest.fail)
