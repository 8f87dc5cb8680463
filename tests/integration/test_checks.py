"""The real lintian and piuparts, on real roots of this machine's own architecture."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.chroot import cache
from debkit.config import ChecksConfig, LintianConfig, Suppression
from debkit.errors import Interrupted
from debkit.model import CheckReport, Outcome, Severity
from debkit.run import Command, Processes
from tests.debs import make_package, make_result
from tests.trees import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.model import Target


def tags(report: CheckReport, severity: Severity = Severity.ERROR) -> set[tuple[str, str]]:
    return {(f.tag, f.text) for f in report.findings if f.severity is severity and not f.accepted}


@pytest.mark.usefixtures("nothing_left")
def test_a_good_package_passes(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    deb = make_package(tmp_path, depends="less")  # piuparts must fetch it
    result = make_result(tmp_path, deb, target=target)
    steps = {}
    for name in ("lintian", "piuparts"):
        report = checks.judge(name, bench, result)
        steps[name] = [(step.name, step.outcome, step.text) for step in report.steps]
        assert (report.outcome, report.reason) == (Outcome.PASS, "")
        assert tags(report) == set()
        assert report.log == tmp_path / "dist" / f"{name}.log"
        assert report.seconds > 0
    log = (tmp_path / "dist/piuparts.log").read_text()
    assert "PASS: Installation and purging test." in log
    assert "Setting up less" in log
    assert steps["piuparts"] == [
        ("install-and-purge", Outcome.PASS, ""),
        ("upgrade", Outcome.NOT_RUN, "no previous version is published"),
    ]


def test_a_lintian_error_fails_unless_it_is_accepted(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    result = make_result(tmp_path, make_package(tmp_path, copyright=False), target=target)
    report = checks.judge("lintian", bench, result)
    assert (report.outcome, tags(report)) == (Outcome.FAIL, {("no-copyright-file", "")})
    accept = LintianConfig(suppress=(Suppression(tag="no-copyright-file", reason="a test"),))
    report = checks.judge("lintian", replace(bench, config=ChecksConfig(lintian=accept)), result)
    assert (report.outcome, tags(report)) == (Outcome.PASS, set())
    assert [finding.accepted for finding in report.findings if finding.accepted] == ["a test"]


def test_lintian_looks_at_the_source_too(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    result = make_result(tmp_path, make_package(tmp_path), target=target)
    tree = make_tree(tmp_path / "source/tree", kind="all", lintian_error=True)
    bench.run(Command(argv=("dpkg-source", "--build", "tree"), cwd=tree.parent))
    report = checks.judge("lintian", replace(bench, source=tree.parent / "hello-debkit_1.0.dsc"), result)
    assert report.outcome is not Outcome.ERROR, report.reason
    assert ("hello-debkit source", "no-debian-copyright-in-source") in {(f.package, f.tag) for f in report.findings}


def test_lintian_without_a_verdict_is_an_environment_error(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    result = make_result(tmp_path, make_package(tmp_path), target=target)
    wrong = replace(bench, config=ChecksConfig(lintian=LintianConfig(profile="no/such")))
    report = checks.judge("lintian", wrong, result)
    assert report.outcome is Outcome.ERROR
    assert "profile matching: no/such" in report.reason


def test_what_is_no_package_is_the_packages_fault(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    deb = make_package(tmp_path)
    result = make_result(tmp_path, deb, target=target)
    deb.write_bytes(b"no .deb at all\n" * 100)
    report = checks.judge("lintian", bench, result)
    assert (report.outcome, [finding.tag for finding in report.findings]) == (Outcome.FAIL, ["damaged-package"])
    assert "is not a Debian format archive" in report.reason


@pytest.mark.usefixtures("nothing_left")
def test_a_failing_postinst_fails(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    deb = make_package(tmp_path, scripts={"postinst": "echo 'cannot find the frobnicator' >&2; exit 3"})
    report = checks.judge("piuparts", bench, make_result(tmp_path, deb, target=target))
    assert report.outcome is Outcome.FAIL
    ((tag, text),) = tags(report)
    assert tag == "install-fails"
    assert text.endswith("post-installation script subprocess returned error exit status 3: cannot find the frobnicator")


def test_a_file_left_after_the_purge_fails(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    left = "mkdir -p /var/lib/hello-debkit; echo left > /var/lib/hello-debkit/left"
    # A device and a shell's process substitution are there for maintainer scripts.
    devices = "test -c /dev/null; head -c 4 /dev/urandom > /dev/null; bash -c 'cat < <(echo x)'"
    deb = make_package(tmp_path, scripts={"postinst": f"{devices}\n{left}"})
    report = checks.judge("piuparts", bench, make_result(tmp_path, deb, target=target))
    assert report.outcome is Outcome.FAIL
    assert tags(report) == {
        ("left-after-purge", "/var/lib/hello-debkit/"),
        ("left-after-purge", "/var/lib/hello-debkit/left"),
    }


@pytest.mark.usefixtures("nothing_left")
def test_a_mirror_out_of_reach_is_an_environment_error(
    bench: checks.Bench, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "debs").mkdir()
    shelf = cache.shelf
    with bench.tools(target.suite):  # what is cached already needs no mirror
        result = make_result(tmp_path, make_package(tmp_path, Depends="libjansson4"), target=target)
        monkeypatch.setattr(cache, "shelf", lambda name: tmp_path / name if name == "debs" else shelf(name))
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        report = checks.judge("piuparts", bench, result)
    assert report.outcome is Outcome.ERROR
    assert report.reason.startswith("libjansson4_")
    assert "Connection refused" in report.reason
    assert report.findings == ()


@pytest.mark.usefixtures("nothing_left")
def test_a_timeout_is_an_environment_error(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    result = make_result(tmp_path, make_package(tmp_path, scripts={"postinst": "sleep 3600"}), target=target)
    report = checks.judge("piuparts", replace(bench, config=ChecksConfig(timeout=5)), result)
    assert report.outcome is Outcome.ERROR
    assert report.reason.startswith("piuparts was ended after 5 s, the [checks] timeout")


@pytest.mark.usefixtures("nothing_left")
def test_an_interrupt_leaves_nothing(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    run = Processes()
    result = make_result(tmp_path, make_package(tmp_path, scripts={"postinst": "sleep 3600"}), target=target)
    log = tmp_path / "dist/piuparts.log"

    def stop() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not (log.exists() and "'install', './tmp/hello-debkit" in log.read_text()):
            time.sleep(0.1)
        time.sleep(0.5)
        run.stop(2)

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Interrupted):
        checks.judge("piuparts", replace(bench, run=run), result)
    thread.join()


MOVED = {"/usr/share/hello-debkit/moved": "a file\n"}


@pytest.mark.usefixtures("nothing_left")
def test_an_upgrade_passes(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    # The suite has a bzip2 too, which is not what is published.
    (tmp_path / "pool").mkdir()
    previous = (make_package(tmp_path / "pool", files=MOVED), make_package(tmp_path / "pool", "bzip2", version="0.1"))
    debs = (
        make_package(tmp_path, version="1.1", depends="less"),
        make_package(tmp_path, "hello-data", version="1.1", files=MOVED, replaces="hello-debkit (<< 1.1)",
                     breaks="hello-debkit (<< 1.1)"),
        make_package(tmp_path, "bzip2", version="0.2"),
        make_package(tmp_path, "tree", version="0.2"),
    )  # fmt: skip
    report = checks.judge("piuparts", replace(bench, previous=previous), make_result(tmp_path, *debs, target=target))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert [(step.name, step.outcome) for step in report.steps] == [
        ("install-and-purge", Outcome.PASS),
        ("upgrade", Outcome.PASS),
    ]
    assert [f.package for f in report.findings if f.tag == "new-package"] == ["hello-data", "tree"]
    assert report.log
    log = report.log.read_text()
    assert "Unpacking hello-debkit (1.1) over (1.0)" in log
    assert "Unpacking bzip2 (0.2) over (0.1)" in log
    assert "PASS: Installation, upgrade and purging tests." in log


def test_a_file_that_moves_without_replaces_fails(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    previous = (make_package(tmp_path / "pool", files=MOVED),)
    debs = (make_package(tmp_path, version="1.1"), make_package(tmp_path, "hello-data", version="1.1", files=MOVED))
    report = checks.judge("piuparts", replace(bench, previous=previous), make_result(tmp_path, *debs, target=target))
    assert [(step.name, step.outcome) for step in report.steps] == [
        ("install-and-purge", Outcome.PASS),
        ("upgrade", Outcome.FAIL),
    ]
    assert report.outcome is Outcome.FAIL
    assert report.reason.startswith(
        "hello-data: moved-without-replaces: /usr/share/hello-debkit/moved is also in hello-debkit 1.0"
    )
    assert {tag for tag, _ in tags(report)} == {"moved-without-replaces", "file-conflict"}


def test_a_conffile_that_an_upgrade_takes_away_fails(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    conf = "/etc/hello-debkit.conf"
    previous = (make_package(tmp_path / "pool", files={conf: "x\n"}, conffiles=(conf,)),)
    upgraded = f'if [ -n "$2" ]; then rm {conf}; fi'
    deb = make_package(tmp_path, version="1.1", files={conf: "x\n"}, conffiles=(conf,), scripts={"postinst": upgraded})
    report = checks.judge("piuparts", replace(bench, previous=previous), make_result(tmp_path, deb, target=target))
    assert (report.outcome, tags(report)) == (Outcome.FAIL, {("conffile-lost", f"{conf} is gone after the upgrade")})


@pytest.mark.slow
def test_packages_that_conflict_take_turns(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    debs = (
        make_package(tmp_path, "hello-one", conflicts="hello-two"),
        make_package(tmp_path, "hello-two", depends="hello-common (= 1.0)"),
        make_package(tmp_path, "hello-common"),
    )
    report = checks.judge("piuparts", bench, make_result(tmp_path, *debs, target=target))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert report.log
    assert report.log.read_text().count("PASS: All tests.") == 2


@pytest.mark.slow
def test_what_a_clean_system_has_is_installed_over_it(bench: checks.Bench, target: Target, tmp_path: Path) -> None:
    debs = (
        make_package(tmp_path, "tzdata", version="9999"),
        make_package(tmp_path, "hello-debkit", depends="tzdata (= 9999)"),
    )
    report = checks.judge("piuparts", bench, make_result(tmp_path, *debs, target=target))
    assert (report.outcome, report.reason) == (Outcome.PASS, "")
    assert ("part-of-clean-system", "tzdata") in {(finding.tag, finding.package) for finding in report.findings}
    assert report.log
    assert "Setting up tzdata (9999)" in report.log.read_text()
