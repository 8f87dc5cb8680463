"""Services that Debian itself has, from its sources, unmodified and with nothing configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.command import make_project

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
[build]
suites = ["trixie"]
options = ["nocheck"]
[checks]
run = ["service"]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("source", "user"), [("memcached", "memcache"), ("dnsmasq", "dnsmasq"), ("mosquitto", "mosquitto")])
def test_a_service_of_debians_passes(tmp_path: Path, debkit_cache: Path, source: str, user: str) -> None:
    project = make_project(tmp_path / "project", CONFIG)
    ended = project.debkit("build", source, "--arch", "amd64", "--no-publish")
    assert ended.code == 0, ended.err
    (report,) = project.report["checks"]
    assert (report["check"], report["outcome"]) == ("service", "pass")
    steps = {step["name"]: step for step in report["steps"]}
    assert {step["outcome"] for name, step in steps.items() if name != "upgrade"} == {"pass"}
    assert f"{source}.service: {user}" in steps["user"]["text"]
    assert {"restart", "reboot", "purge again"} <= steps.keys()
