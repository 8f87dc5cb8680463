"""Own checks, on real clean systems of this machine's own architecture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.chroot import cache
from debkit.chroot.roots import RESOLVER
from debkit.config import ChecksConfig
from debkit.model import CheckReport, Outcome
from tests.debs import make_package, make_result

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import Target

INSTALLS = """\
set -e
test "$(id -u) $(pwd) $#" = "0 / 2"
test "$DEBKIT_SUITE $DEBKIT_ARCH $DEBKIT_SOURCE $DEBKIT_VERSION" = "trixie $(dpkg --print-architecture) hello-debkit 1.0"
. /srv/debkit/checks.d/data/lib.sh
apt-get install --yes "$@"
test "$(hello-debkit)" = "$greeting"
less --version >/dev/null
"""
# What a maintainer script could do as well.
WRITES = """\
again() { mount -o remount,bind,rw "$1" || { mount --bind "$1" "$2" && mount -o remount,bind,rw "$2"; }; }
touch /tmp/file
for place in /srv/debkit-cache /srv/debkit/checks.d; do
  if again $place /mnt || touch $place/written /mnt/written; then echo "$place can be written to"; exit 1; fi
  mountpoint -q /mnt && umount /mnt
done
for file in "$1" /etc/resolv.conf; do
  if again "$file" /tmp/file || echo written >>"$file"; then echo "$file can be written to"; exit 1; fi
done
exit 0
"""


def judge(bench: checks.Bench, target: Target, tmp_path: Path, **executables: str) -> CheckReport:
    directory = tmp_path / "project/config/checks.d"
    (directory / "data").mkdir(parents=True)
    (directory / "data/lib.sh").write_text("greeting=hello\n")
    for name, text in executables.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    debs = (
        make_package(tmp_path, files={"/usr/bin/hello-debkit": "#!/bin/sh\necho hello\n"}, depends="less"),
        make_package(tmp_path, "hello-data"),
    )
    return checks.judge("own", replace(bench, project=tmp_path / "project"), make_result(tmp_path, *debs, target=target))


@pytest.mark.usefixtures("nothing_left")
def test_a_check_installs_the_packages_and_runs_them(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    report = judge(bench, target, tmp_path, installs=INSTALLS)
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert report.log == tmp_path / "dist/own-installs.log"
    assert "Setting up hello-debkit (1.0)" in report.log.read_text()


@pytest.mark.usefixtures("nothing_left")
def test_not_even_root_there_writes_to_what_is_lent(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    before = RESOLVER.read_bytes()
    report = judge(bench, target, tmp_path, writes=WRITES)
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert not (cache.shelf("debs") / "written").exists()
    assert RESOLVER.read_bytes() == before


@pytest.mark.slow
def test_checks_fail_and_are_skipped_each_in_a_system_of_its_own(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    report = judge(
        bench,
        target,
        tmp_path,
        a_fails="touch /a; echo 'the frobnicator is missing' >&2; exit 1",
        b_skips="test -e /a || echo 'not here'; exit 77",
        c_passes="exit 0",
    )
    assert [(step.name, step.outcome, step.text) for step in report.steps] == [
        ("a_fails", Outcome.FAIL, "the frobnicator is missing"),
        ("b_skips", Outcome.SKIPPED, "not here"),
        ("c_passes", Outcome.PASS, ""),
    ]
    assert (report.outcome, report.reason) == (Outcome.FAIL, "a_fails: the frobnicator is missing")
    assert report.log == tmp_path / "dist/own-a_fails.log"


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_one_that_hangs_is_ended(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    bench = replace(bench, config=ChecksConfig(timeout=30))
    report = judge(bench, target, tmp_path, hangs="sleep 3600 & sleep 3600", works="exit 0")
    assert [(step.name, step.outcome) for step in report.steps] == [("hangs", Outcome.ERROR), ("works", Outcome.PASS)]
    assert report.reason == "hangs: it was ended after 30 s, the [checks] timeout"
