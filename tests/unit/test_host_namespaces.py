from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.chroot.namespace import as_root
from debkit.host import namespaces
from debkit.host.fact import State
from debkit.host.namespaces import (
    PROFILE,
    PROFILE_SOURCES,
    Range,
    find_trouble,
    free_ids,
    ids_fact,
    ladder,
    namespaces_fact,
    read_ranges,
)

if TYPE_CHECKING:
    from tests.recorder import Recorder

REFUSED = "unshare: unshare failed: Operation not permitted\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A Debian machine of dev, uid 1000, on which nothing is forbidden."""
    put(tmp_path, "proc/sys/user/max_user_namespaces", "96365\n")
    put(tmp_path, "proc/self/status", "Name:\tcat\nNoNewPrivs:\t0\nSeccomp:\t0\n")
    put(tmp_path, "proc/self/uid_map", "         0          0 4294967295\n")
    put(tmp_path, "etc/subuid", "dev:100000:65536\n")
    put(tmp_path, "etc/subgid", "dev:100000:65536\n")
    return tmp_path


@pytest.fixture(autouse=True)
def _as_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, "dev", 1000)


def become(monkeypatch: pytest.MonkeyPatch, name: str, uid: int) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    entry = pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def fail_from(recorder: Recorder, rung: int, said: str) -> Recorder:
    """From this rung of the ladder on, unshare fails."""
    for argv in ladder()[rung:]:
        recorder.reply(*argv, code=1, stdout=said)
    return recorder


def test_the_last_rung_is_what_builds_use() -> None:
    whole = ladder()[-1]
    assert as_root(("true",))[-len(whole) :] == whole


def test_one_process_proves_it(recorder: Recorder, machine: Path) -> None:
    assert find_trouble(recorder, machine) is None
    assert recorder.argvs == [ladder()[-1]]
    assert namespaces_fact(None).state is State.OK


@pytest.mark.parametrize(
    ("switch", "value", "mend"),
    [
        ("proc/sys/kernel/unprivileged_userns_clone", "0", "echo 1 | sudo tee {}"),
        ("proc/sys/user/max_user_namespaces", "0", "echo 10000 | sudo tee {}"),
    ],
)
def test_a_switch_of_the_kernels(recorder: Recorder, machine: Path, switch: str, value: str, mend: str) -> None:
    put(machine, switch, f"{value}\n")
    fact = namespaces_fact(find_trouble(fail_from(recorder, 0, REFUSED), machine))
    assert fact.state is State.BAD
    assert f"{Path(switch).name} is 0" in fact.text
    assert fact.remedy(root=False) == mend.format(machine / switch)


def test_on_ubuntu_a_profile_is_offered_before_the_switch_for_the_whole_machine(
    recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "find_tool", lambda name: Path("/usr/sbin") / name)
    put(machine, "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    said = "unshare: write failed /proc/self/uid_map: Operation not permitted\n"
    fact = namespaces_fact(find_trouble(fail_from(recorder, 1, said), machine))
    installed, switch = (
        machine / "etc/apparmor.d/debkit-unshare",
        machine / "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    )
    shipped = shlex.quote(os.fspath(PROFILE_SOURCES[0] / PROFILE))
    assert fact.remedy(root=False) == (
        f"sudo install -m 644 {shipped} {installed} && sudo apparmor_parser --replace {installed}; "
        f"if that does not help: echo 0 | sudo tee {switch} (for every program of the machine)"
    )


def test_the_profile_is_only_loaded_where_it_is_installed(
    recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "find_tool", lambda name: Path("/usr/sbin") / name)
    put(machine, "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    put(machine, "etc/apparmor.d/debkit-unshare", (PROFILE_SOURCES[0] / PROFILE).read_text())
    trouble = find_trouble(fail_from(recorder, 1, REFUSED), machine)
    assert trouble
    assert [step.argv[0] for step in trouble.mend] == ["apparmor_parser"]


def test_apparmors_own_tool_is_installed_first(recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "find_tool", lambda _: None)
    put(machine, "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    trouble = find_trouble(fail_from(recorder, 1, REFUSED), machine)
    assert trouble
    assert [step.argv[-1] for step in trouble.mend[:2]] == ["update", "apparmor"]


def test_root_is_above_the_switches_for_the_unprivileged(
    recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, "root", 0)
    put(machine, "proc/sys/kernel/unprivileged_userns_clone", "0\n")
    put(machine, "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    trouble = find_trouble(fail_from(recorder, 3, "unshare: mount /proc failed: Operation not permitted\n"), machine)
    assert trouble
    assert "proc cannot be mounted in one" in trouble.reason
    assert "systempaths=unconfined" in trouble.by_hand


def test_a_containers_seccomp_filter(recorder: Recorder, machine: Path) -> None:
    put(machine, "proc/self/status", "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n")
    trouble = find_trouble(fail_from(recorder, 0, REFUSED), machine)
    assert trouble
    assert "a seccomp filter forbids them" in trouble.reason
    assert "seccomp=unconfined" in trouble.by_hand


def test_a_refusal_that_nothing_explains_is_told_as_it_is(recorder: Recorder, machine: Path) -> None:
    trouble = find_trouble(fail_from(recorder, 0, REFUSED), machine)
    assert trouble
    assert "unshare failed: Operation not permitted" in trouble.reason


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ('unshare: no line matching user "dev" in /etc/subuid: Success', "0", "no subordinate ids to map"),
        ("newuidmap: write to uid_map failed: Operation not permitted", "1", "no_new_privs is set"),
    ],
)
def test_ids_that_are_not_mapped(
    recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch, *, said: str, status: str, reason: str
) -> None:
    monkeypatch.setattr(namespaces, "find_tool", lambda _: Path("/bin/sh"))
    put(machine, "proc/self/status", f"NoNewPrivs:\t{status}\n")
    trouble = find_trouble(fail_from(recorder, 2, f"{said}\n"), machine)
    assert trouble
    assert reason in trouble.reason


def test_a_newuidmap_where_setuid_does_not_count(recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "find_tool", lambda _: machine / "newuidmap")
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((*(0,) * 8, os.ST_NOSUID, 0)))
    trouble = find_trouble(fail_from(recorder, 2, "newuidmap: write to uid_map failed: Operation not permitted\n"), machine)
    assert trouble
    assert trouble.by_hand.startswith("sudo mount -o remount,suid /")


def test_a_newuidmap_without_power_gets_it_back(recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = machine / "newuidmap"
    tool.touch(mode=0o755)
    monkeypatch.setattr(namespaces, "find_tool", lambda _: tool)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((0,) * 10))
    trouble = find_trouble(fail_from(recorder, 2, "newuidmap: write to uid_map failed: Operation not permitted\n"), machine)
    assert trouble
    assert [step.argv for step in trouble.mend] == [("chmod", "u+s", os.fspath(tool))]


def test_no_newuidmap(recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "find_tool", lambda _: None)
    trouble = find_trouble(fail_from(recorder, 2, "unshare: failed to execute newuidmap: No such file or directory\n"), machine)
    assert trouble
    assert trouble.mend[-1].argv[-1] == "uidmap"


def test_roots_line_is_put_first_where_unshare_takes_the_first_one(
    recorder: Recorder, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, "root", 0)
    monkeypatch.setattr(namespaces, "find_tool", lambda name: Path("/usr/bin") / name)
    put(machine, "etc/subuid", "dev:100000:65536\nroot:165536:65536\n")
    put(machine, "etc/subgid", "root:165536:65536\ndev:100000:65536\n")
    said = "newuidmap: uid range [1-65536) -> [100000-165535) not allowed\n"
    trouble = find_trouble(fail_from(recorder, 2, said), machine)
    assert trouble
    assert [step.argv for step in trouble.mend] == [
        ("sed", "-i", "-e", "/^root:165536:65536$/d", "-e", "1i root:165536:65536", os.fspath(machine / "etc/subuid"))
    ]


def test_ids_enough(machine: Path) -> None:
    assert (ids_fact(machine).state, ids_fact(machine).text) == (State.OK, "dev has 100000-165535")


def test_ids_by_number(machine: Path) -> None:
    put(machine, "etc/subuid", "1000:200000:65536\n")
    assert ids_fact(machine).text == "dev has 200000-265535 and 100000-165535"


def test_root_needs_ids_too_and_gets_free_ones(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, "root", 0)
    fact = ids_fact(machine)
    assert fact.text == "root has none in /etc/subuid and none in /etc/subgid; 65535 are needed"
    assert fact.remedy(root=True) == "usermod --add-subuids 165536-231071 --add-subgids 165536-231071 root"


def test_too_few_are_replaced_since_the_first_line_counts(machine: Path) -> None:
    put(machine, "etc/subuid", "dev:100000:1000\ndev:200000:65536\n")
    fact = ids_fact(machine)
    assert fact.text == "dev has 1000 in /etc/subuid; 65535 are needed"
    assert fact.remedy(root=True) == "usermod --del-subuids 100000-100999 dev && usermod --add-subuids 265536-331071 dev"


def test_missing_files_are_made_first(machine: Path) -> None:
    (machine / "etc/subuid").unlink()
    assert ids_fact(machine).remedy(root=True) == f"touch {machine}/etc/subuid && usermod --add-subuids 165536-231071 dev"


def test_a_containers_root_passes_on_its_own(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, "root", 0)
    put(machine, "proc/self/uid_map", "         0     100000      65536\n")
    assert ids_fact(machine).remedy(root=True) == "usermod --add-subuids 1-65535 --add-subgids 1-65535 root"
    for name in ("subuid", "subgid"):
        put(machine, f"etc/{name}", "root:1:65535\n")
    assert (ids_fact(machine).state, ids_fact(machine).text) == (State.OK, "root has 1-65535")


def test_a_containers_user_has_none_to_be_given(machine: Path) -> None:
    put(machine, "proc/self/uid_map", "         0     100000      65536\n")
    put(machine, "etc/subuid", "")
    fact = ids_fact(machine)
    assert not fact.mend
    assert "too few ids" in fact.text


def test_a_user_without_a_name(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert "uid 1000 has no name" in ids_fact(machine).text


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "subuid", "dev:100000:65536\n\n# a comment\nbroken\nx:y:z\nroot:1:65536\n")
    assert read_ranges(tmp_path / "subuid") == (Range("dev", 100000, 65536), Range("root", 1, 65536))
    assert read_ranges(tmp_path / "nothing") == ()


def test_free_ids_start_where_nobody_has_any() -> None:
    assert free_ids(()) == 100000
    assert free_ids((Range("a", 500000, 10), Range("b", 100000, 65536))) == 500010
    assert free_ids((Range("nis", 4000000000, 10),)) == 100000
