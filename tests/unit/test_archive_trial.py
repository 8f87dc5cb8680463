from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debkit.archive import trial
from debkit.archive.index import Line
from debkit.console import Quiet
from debkit.errors import ArchiveError
from debkit.model import Target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder import Recorder

TARGET = Target("trixie", "arm64")
HELLO, EXTRA = Line("hello", "1.0", "hello", "1.0"), Line("hello-extra", "1.0", "hello", "1.0")
SHOW = ("dpkg-query", "--show")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for directory in ("usr/sbin", "usr/bin", "etc/apt/apt.conf.d"):
        (tmp_path / directory).mkdir(parents=True)
    return tmp_path


def inner(recorder: Recorder, program: str) -> list[tuple[str, ...]]:
    """The commands that were run in the root by a program, from its name on."""
    return [argv[argv.index(program) :] for argv in recorder.argvs if program in argv]


def program(root: Path, name: str) -> None:
    (root / "usr/bin" / name).touch()
    (root / "usr/bin" / name).chmod(0o755)


def test_what_is_typed_in_the_clean_system(recorder: Recorder, root: Path) -> None:
    recorder.reply(*SHOW, stdout="hello 1.0 installed\nhello-extra 1.0 installed\n")
    trial.install_and_run(recorder, trial.Root(path=root), (HELLO, EXTRA), target=TARGET, log=root / "log", progress=Quiet())
    assert inner(recorder, "apt-get") == [
        ("apt-get", "--quiet", "--yes", "update"),
        (
            "apt-get",
            "--quiet",
            "--yes",
            "install",
            "--reinstall",
            "--allow-downgrades",
            "--no-remove",
            "hello=1.0",
            "hello-extra=1.0",
        ),
    ]
    assert (root / "usr/sbin/policy-rc.d").stat().st_mode & 0o777 == 0o755


def test_apts_word_is_not_taken_for_it(recorder: Recorder, root: Path) -> None:
    recorder.reply(*SHOW, stdout="hello 1.0 half-configured\n")
    with pytest.raises(ArchiveError, match="hello did not end up installed"):
        trial.install_and_run(recorder, trial.Root(path=root), (HELLO,), target=TARGET, log=root / "log", progress=Quiet())


def test_packages_that_exclude_each_other_are_installed_in_turn(recorder: Recorder, root: Path) -> None:
    recorder.reply("--no-remove", stdout="E: Unable to correct problems\n", code=100)
    recorder.reply(*SHOW, stdout="hello 1.0 installed\nhello-extra 1.0 installed\n")
    trial.install_and_run(recorder, trial.Root(path=root), (HELLO, EXTRA), target=TARGET, log=root / "log", progress=Quiet())
    assert [argv[-1] for argv in inner(recorder, "apt-get")] == ["update", "hello-extra=1.0", "hello=1.0", "hello-extra=1.0"]


def test_what_does_not_install_is_told(recorder: Recorder, root: Path) -> None:
    recorder.reply("install", stdout="Reading package lists...\nE: Unable to locate package hello\n", code=100)
    with pytest.raises(ArchiveError, match="a clean trixie/arm64 cannot apt-get install") as caught:
        trial.install_and_run(recorder, trial.Root(path=root), (HELLO,), target=TARGET, log=root / "log", progress=Quiet())
    assert caught.value.cause == "E: Unable to locate package hello"
    assert caught.value.log == root / "log"


def test_programs_are_tried_until_one_is_content(recorder: Recorder, root: Path) -> None:
    for name in ("hello", "hello-admin"):
        program(root, name)
    recorder.reply("dpkg-query", "--listfiles", "hello", stdout="/usr/bin/hello\n/usr/bin/hello-admin\n/usr/share/doc/hello/x\n")
    recorder.reply("/usr/bin/hello", code=2)
    assert trial.try_programs(recorder, trial.Root(path=root), (HELLO,), target=TARGET, log=root / "log", progress=Quiet()) == (
        "/usr/bin/hello-admin --version",
    )
    assert [argv[3:] for argv in inner(recorder, "timeout")] == [
        ("/usr/bin/hello", "--version"),
        ("/usr/bin/hello", "--help"),
        ("/usr/bin/hello-admin", "--version"),
    ]


@pytest.mark.parametrize("code", [1, 124])
def test_one_that_starts_but_knows_neither_option_or_goes_on_for_ever(recorder: Recorder, root: Path, code: int) -> None:
    program(root, "hello")
    recorder.reply("dpkg-query", "--listfiles", "hello", stdout="/usr/bin/hello\n")
    recorder.reply("/usr/bin/hello", code=code)
    assert trial.try_programs(recorder, trial.Root(path=root), (HELLO,), target=TARGET, log=root / "log", progress=Quiet()) == (
        f"/usr/bin/hello --version (exit {code})",
    )


@pytest.mark.parametrize("code", [126, 127, 139, -11])
def test_one_that_does_not_start_is_no_proof(recorder: Recorder, root: Path, code: int) -> None:
    program(root, "hello")
    recorder.reply("dpkg-query", "--listfiles", "hello", stdout="/usr/bin/hello\n")
    recorder.reply("/usr/bin/hello", code=code)
    with pytest.raises(ArchiveError, match="no program of hello runs") as caught:
        trial.try_programs(recorder, trial.Root(path=root), (HELLO,), target=TARGET, log=root / "log", progress=Quiet())
    assert f"/usr/bin/hello --help: exit {code}" in caught.value.cause


def test_a_package_without_programs(recorder: Recorder, root: Path) -> None:
    recorder.reply("dpkg-query", "--listfiles", stdout="/usr/share/doc/hello\n/usr/bin\n")
    assert trial.try_programs(recorder, trial.Root(path=root), (HELLO,), target=TARGET, log=root / "log", progress=Quiet()) == ()
