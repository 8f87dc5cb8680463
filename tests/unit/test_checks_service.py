"""What is read of unit files, what the booted system is told to do, and what its answers come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.checks import _debs, _units, service
from debkit.config import Probe, ServiceConfig, Suppression
from debkit.model import Outcome, Severity, Step
from debkit.run import Command, Processes
from tests.fake_bench import control, result

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = """\
[Unit]
Description=it serves
[Service]
ExecStart=/usr/sbin/thing \\
    --serve
User=thing
StateDirectory=thing thing/cache:link
; a comment
[Install]
WantedBy=multi-user.target
"""


def units(tmp_path: Path, text: str = SERVICE, *, postinst: str = "", name: str = "thing.service") -> tuple[_units.Unit, ...]:
    for file, content in ((f"usr/lib/systemd/system/{name}", text), ("DEBIAN/postinst", postinst)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    return _units.read("thing", tmp_path)


def test_a_unit_tells_its_user_and_where_its_state_is(tmp_path: Path) -> None:
    (unit,) = units(tmp_path)
    assert unit == _units.Unit(
        name="thing.service", package="thing", enabled=True, user="thing", state=("/var/lib/thing", "/var/lib/thing/cache")
    )


def test_a_user_counts_in_whatever_section_and_a_drop_in_counts(tmp_path: Path) -> None:
    drop_in = tmp_path / "usr/lib/systemd/system/thing.service.d/user.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Unit]\nUser=other\n")
    (unit,) = units(tmp_path, "[Service]\nExecStart=+/usr/sbin/thing\n")
    assert (unit.user, unit.privileged, unit.enabled) == ("other", True, False)


def test_what_debhelper_was_told_not_to_enable_is_not_demanded(tmp_path: Path) -> None:
    (unit,) = units(tmp_path, postinst="if deb-systemd-helper debian-installed 'thing.service'; then\n")
    assert not unit.enabled


@pytest.mark.parametrize("name", ["thing@.service", "thing.mount"])
def test_templates_and_other_kinds_are_left_alone(tmp_path: Path, name: str) -> None:
    assert units(tmp_path, name=name) == ()


def deb(tmp_path: Path, version: str) -> _debs.Deb:
    return _debs.parse(tmp_path / f"thing_{version}_all.deb", control("thing", version=version))


def told(text: str) -> dict[str, list[str]]:
    """What bash makes of settings."""
    names = (
        "PHASE",
        "NOTE",
        "PACKAGES",
        "OLD",
        "NEW",
        "UNITS",
        "BEFORE",
        "USERS",
        "CONFFILES",
        "STATE",
        "PROBES",
        "STABLE",
        "LIMIT",
    )
    shown = "".join(f'printf "%s\\n" {name} "${{{name}[@]}}" --; ' for name in names)
    done = Processes()(Command(argv=("/bin/bash", "-euc", f"{text}\n{shown}")))
    rows = (row.splitlines() for row in done.stdout.split("--\n")[:-1])
    return {row[0]: row[1:] for row in rows}


def test_the_system_is_told_what_there_is_and_what_was_published(tmp_path: Path) -> None:
    subject = service.Subject(
        debs=(deb(tmp_path, "2.0"),),
        previous=(deb(tmp_path, "1.0"),),
        units=units(tmp_path),
        conffiles=("/etc/it's one",),
        before=("thing.service", "gone.service"),
    )
    config = ServiceConfig(
        health=(Probe(http="http://127.0.0.1:80/", status=204, body="a \"b\" 'c'"),), stable=2.5, install_time=60
    )
    found = told(service.settings("first", subject, config))
    assert found == {
        "PHASE": ["first"],
        "NOTE": [service.UNCONFINED],
        "PACKAGES": ["thing"],
        "OLD": ["thing=1.0"],
        "NEW": ["thing=2.0"],
        "UNITS": ["thing.service"],
        "BEFORE": ["thing.service"],
        "USERS": ["thing.service=thing"],
        "CONFFILES": ["/etc/it's one"],
        "STATE": ["/var/lib/thing", "/var/lib/thing/cache"],
        "PROBES": ["http\x1fhttp://127.0.0.1:80/\x1f204\x1fa \"b\" 'c'"],
        "STABLE": ["2.5"],
        "LIMIT": ["60"],
    }


def test_a_service_that_is_new_in_this_version_is_not_upgraded(tmp_path: Path) -> None:
    subject = service.Subject(debs=(deb(tmp_path, "2.0"),), previous=(deb(tmp_path, "1.0"),), units=units(tmp_path), conffiles=())
    assert told(service.settings("first", subject, ServiceConfig()))["OLD"] == []


def test_without_a_previous_version_there_is_none_to_upgrade(tmp_path: Path) -> None:
    subject = service.Subject(debs=(deb(tmp_path, "2.0"),), previous=(), units=units(tmp_path), conffiles=())
    found = told(service.settings("first", subject, ServiceConfig()))
    assert (found["OLD"], found["PROBES"]) == ([], [])


def test_results_are_read_whether_or_not_the_script_came_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "results"
    assert service.read_results(file) == ((), False)
    file.write_text("install\tpass\t1.500\tthing=2.0\njournal\tfail\t0.010\tone error\n")
    steps = (
        Step(name="install", outcome=Outcome.PASS, seconds=1.5, text="thing=2.0"),
        Step(name="journal", outcome=Outcome.FAIL, seconds=0.01, text="one error"),
    )
    assert service.read_results(file) == (steps, False)
    with file.open("a") as results:
        results.write("done\n")
    assert service.read_results(file) == (steps, True)


FAILED = Step(name="upgrade keeps the state", outcome=Outcome.FAIL, text="gone: /var/lib/thing/db")
PASSED = Step(name="install", outcome=Outcome.PASS)


def test_a_step_that_fails_is_a_finding_and_may_be_accepted(tmp_path: Path) -> None:
    built = result(tmp_path)
    report = service.report(built, [service.Seen((PASSED, FAILED), "it said")], ServiceConfig(), tmp_path / "log")
    assert (report.outcome, report.reason) == (Outcome.FAIL, "upgrade-keeps-the-state: gone: /var/lib/thing/db")
    assert [(f.severity, f.tag, f.text) for f in report.findings[1:]] == [(Severity.INFO, "journal-of-the-units", "it said")]
    accept = (Suppression(tag="upgrade-keeps-the-state", reason="it is a cache"),)
    report = service.report(built, [service.Seen((PASSED, FAILED), "it said")], ServiceConfig(accept=accept), tmp_path / "log")
    assert (report.outcome, report.reason, report.findings[0].accepted) == (Outcome.PASS, "", "it is a cache")


def test_a_trial_without_systemd_is_no_pass(tmp_path: Path) -> None:
    degraded = Step(name="boot", outcome=Outcome.SKIPPED, text="degraded, without systemd: no way")
    report = service.report(result(tmp_path), [service.Seen((degraded, PASSED))], ServiceConfig(), tmp_path / "log")
    assert (report.outcome, report.reason) == (Outcome.SKIPPED, "degraded, without systemd: no way")
