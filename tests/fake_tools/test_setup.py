"""packaging/setup on machines that are made up: only the tools it may rely on, with apt-get, id and sudo played by scripts."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.keys.find import VARIABLES
from debkit.run import Command, Completed, Processes

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).parents[2]
# What a minimal Debian has; dpkg-dev and python3 are not among it.
MINIMAL = ("awk", "cat", "dirname", "env", "grep", "mktemp", "rm", "sed", "setpriv", "sh", "tail", "tr", "true")
MISSING = "Inst sbuild (0.85.0 Debian)\nConf sbuild (0.85.0 Debian)\n"
FAKES = {
    # The first line says who is asked what; a dry run tells what stands in `plan`, until something was installed.
    "apt-get": """#!/bin/sh
        echo "$(id -u) apt-get $*" >>"$HOME/calls"
        env >>"$HOME/seen"
        case "$*" in
          *--dry-run*) [ -e "$HOME/installed" ] || cat "$HOME/plan" ;;
          *satisfy*) cat "$HOME/said"; exit "$(cat "$HOME/code")" ;;
        esac
        """,
    "apt-cache": """#!/bin/sh
        echo "$2:"; [ "$2" = reprepro ] && echo "  Candidate: (none)" || echo "  Candidate: 1.0"
        """,
    "id": """#!/bin/sh
        [ "$1" = -un ] && echo dev || cat "$HOME/uid"
        """,
    "sudo": """#!/bin/sh
        echo "sudo $*" >>"$HOME/calls"; exec "$@"
        """,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that is not this one: `home` holds what the played tools say, and what they were asked."""

    home: Path
    run: Processes

    def setup(self, *argv: str, env: tuple[tuple[str, str], ...] = ()) -> Completed:
        own = (("PATH", os.fspath(self.home / "bin")), ("HOME", os.fspath(self.home)), ("TMPDIR", os.fspath(self.home)))
        script = os.fspath(self.home / "src/packaging/setup")
        return self.run(Command(argv=("sh", script, *argv), env=(*own, *env), ok=frozenset(range(256))))

    def says(self, **words: str) -> None:
        for name, text in words.items():
            (self.home / name).write_text(text)

    @property
    def calls(self) -> list[str]:
        calls = self.home / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path, run: Processes) -> Callable[..., Machine]:
    def make(uid: int, *, sudo: bool = True, plan: str = MISSING) -> Machine:
        made = Machine(tmp_path, run)
        tools = tmp_path / "bin"
        tools.mkdir()
        for tool in MINIMAL:
            (tools / tool).symlink_to(shutil.which(tool) or tool)
        for name, text in FAKES.items():
            if name != "sudo" or sudo:
                (tools / name).write_text(text.replace("\n        ", "\n"))
                (tools / name).chmod(0o755)
        shutil.copytree(CHECKOUT / "packaging", tmp_path / "src/packaging")
        (tmp_path / "src/debkit").mkdir()
        (tmp_path / "src/debkit/__main__.py").write_text("import sys; print('debkit', *sys.argv[1:])\n")
        made.says(uid=f"{uid}\n", plan=plan, said="", code="0")
        return made

    return make


def test_nothing_is_touched_where_all_is_there(machine: Callable[..., Machine]) -> None:
    here = machine(1000, plan="")
    done = here.setup()
    assert (done.code, done.stdout) == (0, "debkit doctor --fix --quiet\n")
    (call,) = here.calls
    assert call.startswith("1000 apt-get satisfy --dry-run --no-install-recommends apt-utils, ")


def test_architectures_are_handed_on(machine: Callable[..., Machine]) -> None:
    done = machine(0, plan="").setup("arm64", "riscv64")
    assert done.stdout == "debkit doctor --fix --quiet --arch arm64 --arch riscv64\n"


def test_root_installs_exactly_what_the_package_depends_on(machine: Callable[..., Machine]) -> None:
    here = machine(0)
    assert here.setup().code == 0
    update, satisfy = (call for call in here.calls if "--dry-run" not in call)
    assert update == "0 apt-get update -q -o DPkg::Lock::Timeout=300"
    assert satisfy.startswith("0 apt-get satisfy -q --yes --no-install-recommends -o DPkg::Lock::Timeout=300 apt-utils, ")
    assert "qemu-user-binfmt (>= 1:9.1) | qemu-user-static, " in satisfy
    assert "$" not in satisfy
    assert "pytest" not in satisfy


def test_the_tests_need_more(machine: Callable[..., Machine]) -> None:
    here = machine(0)
    here.setup("--test")
    assert "python3-pytest" in here.calls[-1]
    assert "@" not in here.calls[-1]


@pytest.mark.parametrize("uid", [0, 1000])
def test_no_package_that_is_installed_sees_a_secret_key(machine: Callable[..., Machine], uid: int) -> None:
    here = machine(uid)
    done = here.setup(env=(*((name, "-----BEGIN SECRET-----") for name in VARIABLES.values()), ("VISIBLE", "this is")))
    assert done.code == 0
    seen = (here.home / "seen").read_text()
    assert "VISIBLE=this is" in seen
    assert "SECRET" not in seen


def test_a_user_goes_through_sudo(machine: Callable[..., Machine]) -> None:
    here = machine(1000)
    assert here.setup().code == 0
    prefix = "sudo env DEBIAN_FRONTEND=noninteractive "
    through_sudo = [call.removeprefix(prefix).split(" -")[0] for call in here.calls if call.startswith("sudo")]
    assert through_sudo == ["true", "apt-get update", "apt-get satisfy"]


def three_parts(done: Completed) -> bool:
    return all(f"\n{part}" in f"\n{done.stdout}" for part in ("error: ", "  likely cause: ", "  next: "))


def test_a_user_without_sudo_is_told_what_root_should_type(machine: Callable[..., Machine]) -> None:
    done = machine(1000, sudo=False).setup()
    assert done.code == 4
    assert three_parts(done)
    assert "there is no sudo for dev" in done.stdout
    assert "next: as root: apt-get update && apt-get satisfy --no-install-recommends 'apt-utils, " in done.stdout


def test_sudo_that_refuses(machine: Callable[..., Machine]) -> None:
    here = machine(1000)
    (here.home / "bin/sudo").write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    done = here.setup()
    assert done.code == 4
    assert three_parts(done)
    assert "sudo refuses dev" in done.stdout


def test_a_mirror_that_cannot_be_reached(machine: Callable[..., Machine]) -> None:
    here = machine(0)
    lost = "E: Failed to fetch http://deb.example.org/sbuild.deb  Could not resolve 'deb.example.org'"
    here.says(code="100", said=f"{lost}\n")
    done = here.setup()
    assert done.code == 4
    assert three_parts(done)
    assert f"likely cause: {lost}" in done.stdout


def test_a_component_that_is_not_enabled(machine: Callable[..., Machine]) -> None:
    here = machine(0)
    here.says(code="100", said=" satisfy:command-line : Depends: reprepro (>= 5.3) but it is not installable\n")
    done = here.setup()
    assert done.code == 4
    assert three_parts(done)
    assert "error: apt knows no package for: reprepro\n" in done.stdout
    assert "universe" in done.stdout


def test_the_command_of_a_checkout_runs_no_module_of_the_project_that_it_is_called_in(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('the key is mine')\n")
    done = Processes()(Command(argv=(os.fspath(CHECKOUT / "packaging/bin/debkit"), "--version"), cwd=tmp_path))
    assert done.stdout.startswith("debkit")


def test_the_command_of_a_checkout_is_what_its_hints_name(tmp_path: Path) -> None:
    command = Command(argv=(os.fspath(CHECKOUT / "packaging/bin/debkit"), "repo", "verify"), cwd=tmp_path, ok=frozenset({3, 14}))
    assert "  next: debkit init" in Processes()(command).stdout
