"""debkit doctor on this machine, and on ones that namespaces of our own make worse."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import pytest

from tests.command import Ended, Project, is_three_parts, make_project

CONFIG = '[build]\narches = ["amd64", "arm64"]\n'
HANDLERS = Path("/proc/sys/fs/binfmt_misc")
OWN_BINFMT_MISC_SINCE = (6, 7)  # from then on each user namespace can have handlers of its own


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", CONFIG)


@pytest.fixture
def elsewhere(tmp_path: Path) -> tuple[str, ...]:
    """Run what follows as root of a machine that has ids to give, but no binfmt_misc."""
    ids = tmp_path / "subids"
    ids.write_text("root:1:65535\n")
    enter = f'mount --bind {ids} /etc/subuid && mount --bind {ids} /etc/subgid && exec "$@"'
    namespace = ("--user", "--map-auto", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    return ("unshare", *namespace, "--", "sh", "-c", enter, "sh")


def state() -> tuple[object, ...]:
    """What doctor could change of this machine."""
    handlers = {path.name: path.read_text() for path in sorted(HANDLERS.glob("qemu-*"))}
    return handlers, Path("/etc/subuid").read_text(), Path("/etc/subgid").read_text()


def has_own_binfmt_misc() -> bool:
    return tuple(map(int, platform.release().split(".")[:2])) >= OWN_BINFMT_MISC_SINCE


def bad(ended: Ended) -> set[str]:
    return {line[5:29].strip() for line in ended.out.splitlines() if line.startswith("bad")}


def test_this_machine_is_ready_and_stays_as_it_is(project: Project) -> None:
    before = state()
    ended = project.debkit("doctor")
    assert ended.code == 0, ended.out + ended.err
    assert not bad(ended)
    assert "arm64 programs" in ended.out
    assert state() == before


def test_the_same_as_json(project: Project) -> None:
    ended = project.debkit("doctor", "--json", "--arch", "amd64")
    told = json.loads(ended.out)
    assert (ended.code, told["schema"], told["ready"]) == (0, 1, True)
    assert {"machine", "sbuild", "user namespaces", "amd64 programs"} <= {fact["name"] for fact in told["facts"]}
    assert "arm64 programs" not in {fact["name"] for fact in told["facts"]}


def test_quiet_tells_nothing_of_what_is_well(project: Project) -> None:
    ended = project.debkit("doctor", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_an_unknown_architecture(project: Project) -> None:
    ended = project.debkit("doctor", "--arch", "arm46")
    assert ended.code == 3
    assert "did you mean arm64?" in ended.err


def test_a_missing_tool(project: Project, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in Path("/usr/bin").iterdir():
        if tool.name != "sbuild":
            (tools / tool.name).symlink_to(tool)
    ended = project.debkit("doctor", env={"PATH": os.fspath(tools)})
    assert ended.code == 4
    assert is_three_parts(ended)
    assert bad(ended) == {"sbuild"}
    assert "apt-get satisfy --yes --no-install-recommends 'sbuild (>= 0.85)'" in ended.out


def test_namespaces_that_are_off(project: Project, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "unshare"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    ended = project.debkit("doctor", env={"PATH": f"{fake.parent}:{os.environ['PATH']}"})
    assert ended.code == 4
    assert is_three_parts(ended)
    assert "user namespaces" in bad(ended)
    assert "unshare failed: Operation not permitted" in ended.err


def test_binfmt_misc_that_is_off(project: Project, elsewhere: tuple[str, ...]) -> None:
    ended = project.debkit("doctor", prefix=elsewhere)
    assert ended.code == 4, ended.err
    assert is_three_parts(ended)
    assert bad(ended) == {"binfmt_misc", "arm64 programs"}
    assert "to mend it: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc" in ended.out
    assert f"next: {sys.executable} -m debkit doctor --fix" in ended.err


def test_binfmt_misc_is_mended_there_and_nowhere_else(project: Project, elsewhere: tuple[str, ...]) -> None:
    before = state()
    ended = project.debkit("doctor", "--fix", prefix=elsewhere)
    assert "$ mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc" in ended.err
    if has_own_binfmt_misc():
        assert "$ tee /proc/sys/fs/binfmt_misc/register < /usr/lib/binfmt.d/qemu-aarch64.conf" in ended.err
        assert ended.code == 0, ended.out + ended.err
        assert "arm64 programs          run through" in ended.out
    else:
        assert ended.code == 4, "the kernel refuses the mount, and that is told"
        assert "mount exited with" in ended.err
    assert state() == before


def test_a_handler_that_cannot_serve_chroots_is_registered_anew(project: Project, elsewhere: tuple[str, ...]) -> None:
    *enter, _ = elsewhere
    conf = "/usr/lib/binfmt.d/qemu-aarch64.conf"
    enter[-1] = enter[-1].replace(
        "exec", f"mount -t binfmt_misc x {HANDLERS} && sed 's/F$//; s/OPF/OP/; s/POF/PO/' {conf} >{HANDLERS}/register && exec"
    )
    ended = project.debkit("doctor", "--fix", prefix=(*enter, "sh"))
    if has_own_binfmt_misc():
        assert f"$ echo -1 | tee {HANDLERS}/qemu-aarch64" in ended.err
        assert ended.code == 0, ended.out + ended.err
    else:
        assert ended.code == 32, "the kernel refuses the mount that this needs, so that the machine comes to no harm"


def test_a_disk_that_is_full(project: Project, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    enter = f'mount -t tmpfs -o size=64m small {small} && exec "$@"'
    namespace = ("unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", enter, "sh")
    ended = project.debkit("doctor", "--arch", "amd64", prefix=namespace, env={"XDG_CACHE_HOME": os.fspath(small)})
    assert ended.code == 4
    assert "cache room" in bad(ended)
    assert "export XDG_CACHE_HOME=" in ended.out
