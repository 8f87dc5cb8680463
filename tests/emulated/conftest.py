"""What accelerates the foreign chroots of these tests; none where the kernel is too old, and then they must have said so."""

from __future__ import annotations

import pytest

from debkit import host
from debkit.accel import Accelerator
from debkit.run import Processes


@pytest.fixture(scope="session")
def accelerator(run: Processes) -> Accelerator:
    """One that insists. Where the kernel does not let it, what is asked of it fails with the reason."""
    machine = host.facts(run, arches=("arm64",))
    assert not machine.unaccelerated, machine.unaccelerated
    return Accelerator(native=machine.arch, insists=True, tell=print, warn=pytest.fail)
