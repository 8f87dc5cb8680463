"""Many publishers at once: everything of everybody gets in, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.archive.index import read_index
from debkit.archive.verify import verify
from tests.bulk import package_names
from tests.publishing import sound

if TYPE_CHECKING:
    from debkit.run import Processes
    from tests.publisher import Desk


@pytest.mark.parametrize(("publishers", "each"), [(4, 3), pytest.param(8, 25, marks=pytest.mark.slow)])
def test_a_crowd_of_publishers(run: Processes, desk: Desk, publishers: int, each: int) -> None:
    names = package_names(publishers * each)
    made = desk.make(*names)
    crowd = [desk.start(*made[number::publishers]) for number in range(publishers)]
    for number, child in enumerate(crowd):
        out, err = child.communicate()
        assert child.returncode == 0, err
        assert out.split() == ["ready", *names[number::publishers]]
    for arch in ("amd64", "source"):
        listed = sorted((line.package, line.version) for line in read_index(desk.config.repo, "trixie", arch))
        assert listed == [(name, "1.0") for name in names]
    sound(run, desk.config)
    verify(run, desk.config, desk.config.repo)
