"""Entering namespaces, and taking away what was unpacked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.chroot import namespace
from debkit.errors import HostError, Interrupted
from debkit.model import ARCHES, Toolbox
from debkit.run import CommandFailed
from tests.recorder import contains

if TYPE_CHECKING:
    from debkit.run import Command
    from tests.recorder import Recorder

LEFT = {"debkit-left.aaaaaaaa": 0o1711, "debkit-apt.bbbbbbbb": 0o1700}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def removing(command: Command) -> None:
    shutil.rmtree(command.argv[-1])


def test_mounts_come_before_the_command(tmp_path: Path) -> None:
    argv = namespace.inside(
        tmp_path, ("ls", "/"), binds=((Path("/a"), "/mnt/a"),), read_only=((Path("/b"), "/mnt/b"),), network=False
    )
    assert "--net" in argv
    assert argv[argv.index(str(namespace.ENTER)) + 1 :] == (
        str(tmp_path), "--bind", "/a", "/mnt/a", "--ro-bind", "/b", "/mnt/b", "--", "ls", "/",
    )  # fmt: skip


def test_what_is_read_only_is_bound_in_a_namespace_around_the_command(tmp_path: Path) -> None:
    read_only = ((Path("/b"), "/mnt/b"), (Path("/c"), "/srv/c"))
    argv = namespace.inside(tmp_path, ("ls", "/"), read_only=read_only)
    around, within = [number for number, word in enumerate(argv) if word == "unshare"]
    assert around < argv.index(str(namespace.NEST)) < within < argv.index(str(namespace.ENTER))
    assert argv[argv.index(str(namespace.NEST)) :][1:4] == ("/b", "/c", "--")
    sealed = namespace.inside(tmp_path, ("ls", "/"), read_only=read_only, sealed=True)
    assert sealed.count("unshare") == 1


def test_a_toolbox_is_bound_in_a_namespace_around_the_command() -> None:
    toolbox = Toolbox(path=Path("/toolbox"), arch="arm64")
    argv = namespace.as_root(("ls", "/"), toolbox=toolbox, at=Path("/work/native"), trace=Path("/work/trace"))
    registered = (str(namespace.REGISTER), "/toolbox", "/work/native", "/work/trace", *namespace.binfmt_entry(ARCHES["arm64"]))
    assert argv[argv.index(registered[0]) :] == (*registered, "--", str(namespace.NEST), "--", "ls", "/")
    plain = namespace.as_root(("ls", "/"), toolbox=toolbox)
    assert plain[plain.index(registered[0]) :][1:4] == ("/toolbox", "/toolbox", "")


AUTO = ("--map-auto",)
ITSELF = ("--map-users=1,1,65535", "--map-groups=1,1,65535")


@pytest.mark.parametrize(
    ("uid", "subuid", "subgid", "mapped"),
    [
        (0, "root:165536:65536\n", "root:165536:65536\n", AUTO),
        (0, "dev:1:65535\nroot:1:65535\n", "0:1:65536\n", ITSELF),
        (0, "root:1:65535\n", "root:165536:65536\nroot:1:65535\n", AUTO),
        (0, "root:1:65535\n", None, AUTO),
        (1000, "root:1:65535\n", "root:1:65535\n", AUTO),
    ],
)
def test_a_containers_root_loses_no_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, uid: int, subuid: str, subgid: str | None, mapped: tuple[str, ...]
) -> None:
    files = (tmp_path / "subuid", tmp_path / "subgid")
    for file, text in zip(files, (subuid, subgid), strict=True):
        if text is not None:
            file.write_text(text)
    monkeypatch.setattr(namespace, "SUBORDINATE", files)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert namespace.mapping() == mapped


def test_a_scratch_directory_can_be_passed_through_and_goes(home: Path, recorder: Recorder) -> None:
    recorder.reply("rm", action=removing)
    with namespace.scratch(recorder, "test") as path:
        assert path.parent.name == f"debkit-test.{path.name}"
        assert [place.stat().st_mode & 0o777 for place in (path, path.parent)] == [0o711, 0o711]
    assert list(home.iterdir()) == []


def test_it_goes_although_the_run_was_asked_to_stop(home: Path, recorder: Recorder) -> None:
    with pytest.raises(KeyError), namespace.scratch(recorder, "test"):
        raise KeyError
    (command,) = recorder.commands
    assert contains(command.argv, ("rm", "--recursive", "--force", "--one-file-system", "--"))
    assert command.cleanup


def test_ctrl_c_while_it_goes_does_not_keep_it(home: Path, recorder: Recorder) -> None:
    tries: list[int] = []

    def interrupted_once(command: Command) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise Interrupted(2)
        removing(command)

    recorder.reply("rm", action=interrupted_once)
    with pytest.raises(Interrupted), namespace.scratch(recorder, "test"):
        pass
    assert list(home.iterdir()) == []


def test_without_namespaces_the_first_error_is_the_one_that_is_told(home: Path, recorder: Recorder) -> None:
    recorder.reply("unshare", stdout="unshare: unshare failed: Operation not permitted\n", code=1)
    with pytest.raises(KeyError), namespace.scratch(recorder, "test"):
        raise KeyError
    assert list(home.iterdir()) == []


def test_what_a_killed_run_left_is_swept_but_not_what_is_in_use(home: Path, recorder: Recorder) -> None:
    recorder.reply("rm", action=removing)
    for name, mode in LEFT.items():
        (home / name).mkdir()
        (home / name).chmod(mode)
    with namespace.scratch(recorder, "used") as used:
        with namespace.scratch(recorder, "test") as room:
            assert sorted(home.iterdir()) == sorted((room.parent, used.parent))
        assert list(home.iterdir()) == [used.parent]


def test_a_leftover_that_cannot_be_removed_is_no_obstacle(
    home: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = home / "debkit-left.aaaaaaaa"
    left.mkdir()
    left.chmod(0o1711)
    recorder.reply("rm", code=1)
    recorder.reply("rm", action=removing)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    with namespace.scratch(recorder, "test"):
        assert left.exists()
    recorder.reply("rm", code=1)
    with pytest.raises(CommandFailed):
        namespace.remove_tree(recorder, left)


def test_unpacking_without_namespaces_says_how_to_mend_it(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("unshare", stdout='unshare: no line matching user "dev" in /etc/subuid\n', code=1)
    with pytest.raises(HostError) as caught:
        namespace.unpack(recorder, tmp_path / "x.tar.zst", tmp_path)
    assert caught.value.what.startswith("tar failed: unshare: no line")
    assert caught.value.hint == "debkit doctor --fix"
