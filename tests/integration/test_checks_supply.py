"""What the checks of a target install is resolved and downloaded once, and a second run downloads nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.checks import service
from debkit.checks._supply import Supplies
from debkit.chroot import cache
from debkit.config import ChecksConfig, ChrootConfig
from debkit.console import Quiet
from debkit.model import Outcome
from debkit.run import Processes
from tests.debs import make_package, make_result
from tests.relay import relay
from tests.services import POSTINST, PRERM, UNIT
from tests.sources import make_tested

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import CheckReport, Target
    from debkit.run import Completed

OWN = """\
#!/bin/sh
set -e
apt-get install --yes --no-install-recommends "$@"
less --version
apt install --yes tree
"""
UNBOOTED = "! [ -d /run/systemd/system ]"
TESTS = "Tests: plain\nDepends: @\n\nTests: filed\nDepends: @, file\nRestrictions: needs-root\n"


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left", "debkit_cache")
def test_each_package_is_downloaded_once_for_all_checks(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Completed] = []
    directory = tmp_path / "project/config/checks.d"
    directory.mkdir(parents=True)
    for name in ("first", "second"):
        (directory / name).write_text(OWN)
        (directory / name).chmod(0o755)
    bench = checks.Bench(
        run=Processes(ran.append),
        config=ChecksConfig(),
        chroot=ChrootConfig(),
        progress=Quiet(),
        work=tmp_path / "dist",
        dsc=make_tested(tmp_path / "source/tree", TESTS, {"plain": "less --version", "filed": "file --version"}),
        project=tmp_path / "project",
    )
    deb = make_package(
        tmp_path,
        scripts={"postinst": f"{UNBOOTED} || {{ {POSTINST}; }}", "prerm": f"{UNBOOTED} || {PRERM}"},
        files={"/usr/bin/hello-debkit": "#!/bin/sh\nexec sleep infinity\n", "/usr/lib/systemd/system/hello-debkit.service": UNIT},
        depends="less",
    )
    result = make_result(tmp_path, deb, target=target)

    def judged() -> dict[str, CheckReport]:
        fresh = replace(bench, supplies=Supplies())
        with ThreadPoolExecutor(len(fresh.config.run)) as pool:
            return {each.check: each for each in pool.map(lambda name: checks.judge(name, fresh, result), fresh.config.run)}

    with bench.tools(target.suite), bench.clean(target), bench.clean(target, *service.INIT):
        pass  # what is there before
    shelf = cache.shelf
    (tmp_path / "debs").mkdir()
    monkeypatch.setattr(cache, "shelf", lambda name: tmp_path / "debs" if name == "debs" else shelf(name))
    with relay() as (address, asked):
        monkeypatch.setenv("http_proxy", address)
        for least in (1, 0):
            asked.clear()
            ran.clear()
            reports = judged()
            wanted = dict.fromkeys(("piuparts", "service", "autopkgtest", "own"), Outcome.PASS)
            assert {name: reports[name].outcome for name in wanted} == wanted, {
                name: report.reason for name, report in reports.items()
            }
            counts = Counter(path for path in asked if not path.endswith("InRelease"))
            assert [path for path, count in counts.items() if count > least] == []
            for name in ("less", "file", "apt-utils", "tree"):
                assert sum(f"/{name}_" in path for path in counts) == least
            assert solved(ran) == 2  # the packages; and the tests, which want more
            assert any(path.endswith("InRelease") for path in asked)  # the proxy serves apt in the clean systems, too
            debs = list((tmp_path / "debs").glob("*.deb"))
            if not least:
                assert [path for path in debs if path.stat().st_mtime == 1] == []  # all of it counts as used, by whomever
            for path in debs:
                os.utime(path, (1, 1))


def solved(ran: list[Completed]) -> int:
    """Count what was resolved for packages of the build: a machine that service boots has its kernel resolved besides."""
    requests = [json.loads(done.command.stdin) for done in ran if done.command.stdin and "debkit.apt.child" in done.command.argv]
    return sum(request["verb"] == "solve" and bool(request["debs"]) for request in requests)
