"""`debkit chroot`, with nothing started."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner, Result

from debkit import cli
from debkit.chroot import cache, outdated, roots, store, upkeep
from debkit.errors import ConfigError, LockedError, NetworkError
from debkit.model import Chroot, ChrootKind, ChrootSpec, Target
from tests.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Stoppable(Recorder):
    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        yield


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = Stoppable()
    monkeypatch.setattr(cli.Session, "run", run)
    return run


@pytest.fixture
def debkit(machine: Recorder, tmp_path: Path) -> Callable[..., Result]:
    def call(*argv: str) -> Result:
        return CliRunner().invoke(cli.debkit_command, ["-C", str(tmp_path), "chroot", *argv], standalone_mode=False)

    return call


def put(run: Recorder, shelf: str, kind: str, *, arch: str = "amd64", days: float = 1, base: str = "") -> str:
    """Lay something in the cache and give its name."""
    where, name = cache.shelf(shelf), f"trixie-{arch}-{kind}-0123abcd"
    created = int(time.time() - days * 86400)
    content = where / f"{cache.generation(name, created)}.tar.zst"
    content.touch()
    record = cache.Record(
        content=content.name, created=created, kind=kind, suite="trixie", arch=arch, size=150_000_000, package_count=133,
        made_with="mmdebstrap 1", base=base, source="bzip2" if base else "",
    )  # fmt: skip
    cache.commit(run, where, name, record)
    return name


def test_the_list_is_a_table_on_standard_output(machine: Recorder, debkit: Callable[..., Result]) -> None:
    base = put(machine, "chroots", "build", days=2)
    put(machine, "layers", "layer", base=cache.entries(cache.shelf("chroots"))[0].generation)
    put(machine, "chroots", "build", arch="arm64", days=8)
    lines = debkit("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "AGE", "USED", "SIZE", "PACKAGES", "NOTE"]
    assert lines[1].split() == [base, "2", "d", "now", "150", "MB", "133"]
    assert lines[2].endswith("made anew at its next use")
    assert lines[3].endswith("for bzip2")


def test_the_list_for_programs_is_json(machine: Recorder, debkit: Callable[..., Result]) -> None:
    name = put(machine, "chroots", "build")
    (item,) = json.loads(debkit("list", "--json").stdout)
    assert (item["name"], item["kind"], item["size"], item["fresh"]) == (name, "build", 150_000_000, True)
    assert item["path"].endswith(".tar.zst")


def test_of_what_is_outdated_the_list_tells_what_is_newer(
    machine: Recorder, debkit: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(machine, "chroots", "build")
    put(machine, "chroots", "build", arch="arm64")
    monkeypatch.setattr(outdated, "newer", lambda run, item: ("libc6 3", "zlib1g 2") if item.name == old else ())
    (row,) = debkit("list", "--outdated").stdout.splitlines()[1:]
    assert row.startswith(old)
    assert row.endswith("newer: libc6 3, zlib1g 2")
    (item,) = json.loads(debkit("list", "--outdated", "--json").stdout)
    assert (item["name"], item["newer"]) == (old, ["libc6 3", "zlib1g 2"])


def test_what_is_no_system_is_never_outdated(machine: Recorder, debkit: Callable[..., Result]) -> None:
    put(machine, "tools", "tools")
    machine.commands.clear()
    assert json.loads(debkit("list", "--outdated", "--json").stdout) == []
    assert machine.commands == []


def test_an_empty_cache_is_an_empty_list(debkit: Callable[..., Result]) -> None:
    assert json.loads(debkit("list", "--json").stdout) == []


def names() -> set[str]:
    return {entry.name for shelf in upkeep.SHELVES for entry in cache.entries(cache.shelf(shelf))}


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (("trixie-amd64-build-0123abcd",), {"trixie-arm64-build-0123abcd"}),
        (("--arch", "arm64"), {"trixie-amd64-build-0123abcd", "trixie-amd64-layer-0123abcd"}),
        (("--suite", "bookworm"), {"trixie-amd64-build-0123abcd", "trixie-amd64-layer-0123abcd", "trixie-arm64-build-0123abcd"}),
        (("--suite", "trixie"), set()),
        (("--all",), set()),
    ],
)
def test_remove_takes_what_is_meant(
    machine: Recorder, debkit: Callable[..., Result], argv: tuple[str, ...], left: set[str]
) -> None:
    put(machine, "chroots", "build")
    put(machine, "layers", "layer", base=cache.entries(cache.shelf("chroots"))[0].generation)
    put(machine, "chroots", "build", arch="arm64")
    (cache.shelf("debs") / "x.deb").touch()
    assert debkit("remove", *argv).exception is None
    assert names() == left
    assert list(cache.shelf("debs").iterdir()) == [] or "--all" not in argv


def test_remove_wants_to_be_told_what(debkit: Callable[..., Result]) -> None:
    assert isinstance(debkit("remove").exception, click.UsageError)


def test_a_wrong_name_gets_the_nearest(machine: Recorder, debkit: Callable[..., Result]) -> None:
    put(machine, "chroots", "build")
    problem = debkit("remove", "trixie-amd64-built-0123abcd").exception
    assert isinstance(problem, ConfigError)
    assert problem.cause == "did you mean trixie-amd64-build-0123abcd?"


def test_what_is_in_use_stays_and_is_told(machine: Recorder, debkit: Callable[..., Result]) -> None:
    name = put(machine, "chroots", "build")
    with cache.held(cache.entries(cache.shelf("chroots"))[0].content):
        problem = debkit("remove", "--all").exception
    assert isinstance(problem, LockedError)
    assert name in problem.what
    assert names() == {name}


def test_create_makes_every_suite_and_architecture(
    machine: Recorder, debkit: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[ChrootSpec, bool]] = []

    def ensure(_run: object, spec: ChrootSpec, *, refresh: bool, **_: object) -> Chroot:
        asked.append((spec, refresh))
        return Chroot(spec=spec, tarball=tmp_path / "x.tar.zst", created=1)

    monkeypatch.setattr(store, "ensure", ensure)
    done = debkit("create", "-d", "trixie", "-d", "bookworm", "-a", "amd64,arm64", "--kind", "clean", "--refresh")
    assert done.exception is None
    assert done.stdout.splitlines().count(f"{tmp_path}/x.tar.zst") == 4
    assert [(spec.kind, spec.target, refresh) for spec, refresh in asked] == [
        (ChrootKind.CLEAN, Target(suite, arch), True) for suite in ("trixie", "bookworm") for arch in ("amd64", "arm64")
    ]


@pytest.fixture
def foreign(machine: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorder:
    """An amd64 machine on which nothing is accelerated, and chroots that are made by nobody, each as if it were new."""

    def make(_run: object, spec: ChrootSpec, *, toolboxes: store.Toolboxes, **_: object) -> Chroot:
        with toolboxes() as toolbox:
            assert toolbox is None
        return Chroot(spec=spec, tarball=tmp_path / "x.tar.zst", created=1)

    def renew(
        run: object, name: str, *, toolboxes: Callable[[Target], contextlib.AbstractContextManager[None]], **_: object
    ) -> bool:
        with toolboxes(Target("trixie", name.split("-")[1])):
            return True

    monkeypatch.setattr(store, "ensure", make)
    monkeypatch.setattr(upkeep, "renew", renew)
    monkeypatch.setattr("debkit.chroot.shell.shell", lambda *_: 0)
    monkeypatch.setenv("DEBKIT_ACCEL", "off")
    machine.reply("dpkg", "--print-architecture", stdout="amd64\n")
    return machine


@pytest.mark.parametrize(
    "argv", [("create", "-d", "trixie,bookworm"), ("update",), ("shell", "-d", "trixie")], ids=["create", "update", "shell"]
)
@pytest.mark.parametrize(("arch", "times"), [("arm64", 1), ("amd64", 0)])
def test_why_a_foreign_chroot_is_emulated_is_told_once(
    foreign: Recorder, debkit: Callable[..., Result], argv: tuple[str, ...], arch: str, times: int
) -> None:
    for kind in ("build", "clean"):
        put(foreign, "chroots", kind, arch=arch)
    done = debkit(*argv, "-a", arch)
    assert done.exit_code == 0, done.output
    assert done.output.count("foreign chroots are emulated, not accelerated: DEBKIT_ACCEL is off") == times


def test_update_tells_what_could_not_be_renewed(
    machine: Recorder, debkit: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = put(machine, "chroots", "build")
    put(machine, "layers", "layer", base=cache.entries(cache.shelf("chroots"))[0].generation)
    tools = put(machine, "tools", "tools")
    asked: list[str] = []

    def renew(_run: object, name: str, *, warn: Callable[[str], None], **_: object) -> bool:
        asked.append(name)
        warn(f"{name} stays")
        return False

    monkeypatch.setattr(upkeep, "renew", renew)
    problem = debkit("update").exception
    assert asked == [base, tools]
    assert isinstance(problem, NetworkError)
    assert problem.cause.splitlines() == [f"{base} stays", f"{tools} stays"]


def test_a_command_for_the_shell_keeps_its_options(
    machine: Recorder, debkit: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = put(machine, "chroots", "build")
    called: list[tuple[Chroot, tuple[str, ...]]] = []

    def shell(_run: object, chroot: Chroot, argv: tuple[str, ...]) -> int:
        called.append((chroot, argv))
        return -9

    monkeypatch.setattr("debkit.chroot.shell.shell", shell)
    assert debkit("shell", "--name", name, "--", "ls", "-la", "--all").exit_code == 137
    ((chroot, argv),) = called
    assert argv == ("ls", "-la", "--all")
    assert chroot.spec.target == Target("trixie", "amd64")


def test_a_name_in_the_place_of_a_command_is_told(machine: Recorder, debkit: Callable[..., Result]) -> None:
    name = put(machine, "chroots", "build")
    assert f"--name {name}" in str(debkit("shell", name).exception)


def test_a_tool_root_is_no_chroot_for_a_shell(machine: Recorder, debkit: Callable[..., Result]) -> None:
    assert isinstance(debkit("shell", "--name", put(machine, "tools", "tools")).exception, click.UsageError)


def test_a_tool_root_is_read_only_with_the_machines_resolver(tmp_path: Path) -> None:
    argv = roots.ToolRoot(tmp_path).argv(("ls",), binds=((tmp_path, "/mnt/x"),), network=True)
    assert argv[argv.index("--sealed") :] == (
        "--sealed", str(tmp_path), "--bind", str(tmp_path), "/mnt/x",
        "--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf", "--", "ls",
    )  # fmt: skip
    assert "--net" not in argv
    assert "--net" in roots.ToolRoot(tmp_path).argv(("ls",))
