"""What a builder is told so that a failed build opens a shell on a terminal that is lent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from debkit.backends import pbuilder, sbuild
from debkit.backends._outcome import Site
from debkit.console import Console
from debkit.run.lending import Lent
from tests.jobs import make_job

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LENT = Lent(terminal=11, bell=14)
SCRIPT = (
    "cd /build/reproducible-path/*/debian/.. || cd /build/reproducible-path; printf o >&14; "
    "env TERM=xterm 'debian_chroot=trixie/amd64 failed' setsid --ctty --wait bash -i <&11 >&11 2>&11; printf c >&14; exit 0"
)


def test_both_builders_open_a_shell_where_the_build_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    job = replace(make_job(), shell=LENT)
    assert job.failure_script == SCRIPT
    site = Site(work=tmp_path, into=tmp_path, log=tmp_path / "log")
    (option,) = (word for word in sbuild.argv(job, site, "unstable") if "failed-commands" in word)
    quoted = SCRIPT.replace("'", "'\"'\"'")
    assert option == f"--build-failed-commands=bash -c '{quoted}'"
    assert pbuilder.hooks(job)["C95shell"] == f"#!/bin/bash\n{SCRIPT}\n"
    assert (job.timeout, job.fds) == (None, (11, 14))


def test_a_build_without_a_lent_terminal_has_its_limit_and_no_shell(tmp_path: Path) -> None:
    job = make_job()
    site = Site(work=tmp_path, into=tmp_path, log=tmp_path / "log")
    assert not [word for word in sbuild.argv(job, site, "unstable") if "failed-commands" in word]
    assert "C95shell" not in pbuilder.hooks(job)
    assert (job.timeout, job.fds) == (job.config.timeout, ())


def test_a_percent_sign_reaches_the_shell_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "100%s")
    site = Site(work=tmp_path, into=tmp_path, log=tmp_path / "log")
    (option,) = (word for word in sbuild.argv(replace(make_job(), shell=LENT), site, "unstable") if "failed-commands" in word)
    assert "TERM=100%%s" in option


def test_what_is_said_while_a_shell_has_the_terminal_comes_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.paused():
        console.info("one")
        console.good("two")
        assert capsys.readouterr().err == ""
    assert capsys.readouterr().err == "one\ntwo\n"
    console.info("three")
    assert capsys.readouterr().err == "three\n"
