"""What a build emulated: counted from a trace, sampled from /proc, told, kept."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from debkit.accel import trace
from debkit.errors import ConfigError
from debkit.model import Programs, Twin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = "/scratch/debkit-sbuild.x/x"
ROOT = f"{PLACE}/roots/root.1"
MAPS = """\
5500000000-550038c000 r--p 00000000 fe:00 7226249                        {path}
550038c000-5500390000 ---p 00000000 00:00 0
5502baa000-5502bd2000 r--p 00000000 fe:00 7235062                        {root}/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1
7fb0e7d37000-7fb0e7f29000 r--p 00000000 fe:00 3                          {root}/.native/qemu
"""
QEMU_FIRST = "00400000-00f29000 r--p 00000000 fe:00 3                          {root}/.native/qemu\n" + MAPS


@dataclass(slots=True)
class Proc:
    """A /proc with the processes that a test lays into it; those of one parent are listed by its only thread."""

    path: Path
    children: dict[int, list[int]] = field(default_factory=dict)

    def add(
        self,
        pid: int,
        parent: int,
        argv: tuple[str, ...],
        *,
        root: str = ROOT,
        threads: tuple[float, ...] = (0.5,),
        age: float = 2.0,
        maps: str = MAPS,
        path: str = "/usr/bin/perl",
    ) -> None:
        home = self.path / f"{pid}"
        started = int((time.clock_gettime(time.CLOCK_BOOTTIME) - age) * os.sysconf("SC_CLK_TCK"))
        home.mkdir(parents=True)
        (home / "stat").write_text(f"{pid} (a ) R b) S {parent} {' '.join('0' * 17)} {started} 0 0\n")
        for number, seconds in enumerate(threads):
            task = home / f"task/{pid + number}"
            task.mkdir(parents=True)
            (task / "schedstat").write_text(f"{seconds * 1e9:.0f} 0 3\n")
            (task / "children").touch()
        (home / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in argv))
        (home / "maps").write_text(maps.format(root=root, path=root + path))
        (home / "root").symlink_to(root)
        if (self.path / f"{parent}").exists():
            self.children.setdefault(parent, []).append(pid)
            listed = " ".join(map(str, self.children[parent]))
            (self.path / f"{parent}/task/{parent}/children").write_text(f"{listed} ")

    def looks(self) -> list[trace.Look]:
        return list(trace.emulated(PLACE, 1, os.fspath(self.path)))

    def paths(self) -> list[str]:
        return [look.path for look in self.looks()]


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    made = Proc(tmp_path / "proc")
    made.add(1, 0, ("debkit",), root="/")
    made.add(10, 1, ("sbuild",), root="/")
    return made


def called(path: str, *args: str) -> tuple[str, ...]:
    return ("/.native/qemu", "-0", "name", path, *args)


def test_what_runs_in_the_emulator_is_named_by_its_canonical_path(proc: Proc) -> None:
    proc.add(20, 10, called("/bin/../bin/perl", "-e", "1"))
    proc.add(30, 20, ("perl", "/usr/bin/dh"))
    proc.add(40, 30, called("./check"), path="/build/reproducible-path/x-1/check", maps=QEMU_FIRST)
    proc.add(50, 10, called("./t"), path="/tmp/t (deleted)")
    assert proc.paths() == ["/usr/bin/perl -e", "/tmp/t", "/build/reproducible-path/x-1/check"]


def test_a_link_is_named_by_what_it_leads_to(tmp_path: Path) -> None:
    binaries = tmp_path / "root/usr/bin"
    binaries.mkdir(parents=True)
    (binaries / "python3").symlink_to("/etc/alternatives/python3")
    (tmp_path / "root/etc/alternatives").mkdir(parents=True)
    (tmp_path / "root/etc/alternatives/python3").symlink_to("../../usr/bin/python3.13")
    (tmp_path / "maps").write_text(
        f"1-2 r--p 0 fe:00 3 {ROOT}/usr/lib/libffi.so.8\n3-4 r--p 0 fe:00 4 {ROOT}/usr/bin/python3.13\n"
    )
    words = b"\0".join(map(os.fsencode, called("/usr/bin/python3", "-c", "1")))
    assert trace.program(os.fspath(tmp_path), ROOT, words) == "/usr/bin/python3.13"


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("/usr/bin/perl", "-w", "/usr/bin/dh", "build"), "/usr/bin/perl /usr/bin/dh"),
        (("/usr/bin/perl", "-wpe", "s/a/b/"), "/usr/bin/perl -wpe"),
        (("/usr/bin/perl", "-w"), "/usr/bin/perl"),
        (("/usr/bin/python3.13", "-I", "-m", "build"), "/usr/bin/python3.13 -m"),
        (("/usr/bin/python3.13", "./x\n"), "/usr/bin/python3.13 ./x?"),
        (("/usr/bin/ruby", "/usr/bin/gem"), "/usr/bin/ruby"),
    ],
)
def test_an_interpreter_is_named_with_what_it_runs(proc: Proc, argv: tuple[str, ...], name: str) -> None:
    proc.add(20, 10, called(*argv), path=argv[0])
    assert proc.paths() == [name]


def test_what_is_not_yet_mapped_is_named_as_it_was_called(proc: Proc) -> None:
    proc.add(20, 10, called("./check\n"), maps="")
    proc.add(30, 10, called("/sbin/runuser"), maps="")
    proc.add(40, 10, ("/.native/qemu", "-0", "name"), maps="")
    assert proc.paths() == ["./check?", "/usr/sbin/runuser", ""]


def test_its_age_and_the_time_of_all_its_threads_are_told(proc: Proc) -> None:
    proc.add(20, 10, called("/usr/bin/perl"), threads=(0.25, 1.5), age=3.0)
    proc.add(30, 10, called("/usr/bin/perl"), threads=(0.0,), age=-1.0)  # the clock of stat is not that exact
    one, other = proc.looks()
    assert one.spent == 1.75
    assert 2.98 < one.age < 3.5
    assert other.spent == 0
    assert other.age > 0


def test_programs_of_other_builds_are_not_looked_at(proc: Proc) -> None:
    proc.add(20, 10, called("/usr/bin/perl"), root="/scratch/debkit-sbuild.x/xy/roots/root.1")
    proc.add(30, 1, called("/usr/bin/perl"), root="/")
    assert proc.looks() == []


def test_what_ends_meanwhile_is_passed_over(proc: Proc) -> None:
    for pid, gone in ((20, "cmdline"), (30, "root"), (40, "maps"), (50, "stat")):
        proc.add(pid, 10, called("/usr/bin/perl"))
        (proc.path / f"{pid}/{gone}").unlink()
    proc.add(60, 10, called("/usr/bin/perl"))
    (proc.path / "60/stat").write_bytes(b"")
    proc.add(70, 10, called("/usr/bin/perl"))
    (proc.path / "70/task/70/schedstat").write_bytes(b"")
    proc.add(80, 10, called("/usr/bin/bash"), path="/usr/bin/bash")
    assert [(look.path, look.spent) for look in proc.looks()] == [("/usr/bin/perl", 0.0), ("/usr/bin/bash", 0.5)]


def look(pid: int, spent: float, *, age: float = 1.0, path: str = "/usr/bin/perl") -> trace.Look:
    return trace.Look((pid, 1.0), path, age, spent)


def test_what_lives_from_look_to_look_is_told_exactly(tmp_path: Path) -> None:
    sampler = trace.Sampler(tmp_path)
    sampler.note((look(1, 0.1, age=0.1),), 0.1)
    sampler.note((look(1, 0.15),), 0.1)
    sampler.note((look(1, 7.5), look(2, 0.0, path="/usr/bin/bash")), 0.1)
    assert sampler.seconds == pytest.approx({"/usr/bin/perl": 7.5, "/usr/bin/bash": 0.0})


@pytest.mark.parametrize("life", [0.003, 0.02, 0.1, 0.35, 2.0])
def test_short_programs_come_out_right_in_the_sum(tmp_path: Path, life: float) -> None:
    """A thousand programs, each of which has half a processor for `life` seconds, looked at ten times a second."""
    sampler, each = trace.Sampler(tmp_path), 0.5 * life
    for number in range(1000):
        age = (number + 0.5) / 10_000  # at the first look
        while age < life:
            sampler.note((look(number, age / 2, age=age),), 0.1)
            age += 0.1
    assert sampler.seconds["/usr/bin/perl"] == pytest.approx(1000 * each, rel=0.01)


def test_a_used_number_is_not_taken_for_the_old_program(tmp_path: Path) -> None:
    sampler = trace.Sampler(tmp_path)
    sampler.note((look(1, 5.0, age=5.0),), 0.1)
    sampler.note((trace.Look((1, 2.0), "/usr/bin/perl", 0.1, 0.05),), 0.1)
    assert sampler.seconds == pytest.approx({"/usr/bin/perl": 0.15})


def test_the_sampler_looks_while_its_context_lasts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    looked = threading.Event()

    def seen(place: str, pid: int) -> Iterator[trace.Look]:
        assert (place, pid) == (os.fspath(tmp_path), os.getpid())
        yield look(1, 1.0)
        looked.set()

    monkeypatch.setattr(trace, "emulated", seen)
    monkeypatch.setattr(trace, "PAUSE", 0.001)
    with trace.Sampler(tmp_path) as sampler:
        assert looked.wait(10)
    assert sampler.seconds["/usr/bin/perl"] > 0
    assert not [thread for thread in threading.enumerate() if thread.name == "trace sampler"]


def test_a_trace_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    file.write_text("native /usr/bin/sed\nemulated /usr/bin/python3\nnative /usr/bin/sed\nemulated ./t\nnative /usr/bin/ls\n")
    native, emulated = trace.read(file)
    assert native == {"/usr/bin/sed": 2, "/usr/bin/ls": 1}
    assert emulated == {"/usr/bin/python3": 1, "./t": 1}


HOSTILE = (
    b"\0" * 100_000,
    b"\nnative\nnative \n emulated /x\nemulated\0/x\nNATIVE /x\n\xff\xfe /x\n",
    b"native" * 100_000,
)


@pytest.mark.parametrize("content", HOSTILE)
def test_what_the_dispatcher_did_not_write_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trace").write_bytes(content + b"\nemulated /usr/bin/perl\n")
    assert trace.read(tmp_path / "trace") == ({}, {"/usr/bin/perl": 1})


def test_names_do_not_steer_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "trace").write_bytes(b"emulated /tmp/\x1b[2J\xff\r\x00x\n")
    assert trace.read(tmp_path / "trace")[1] == {"/tmp/?[2J\ufffd??x": 1}


def test_a_trace_takes_bounded_time_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST", 3)
    file = tmp_path / "trace"
    file.write_text("".join(f"emulated /{number}\n" for number in range(10)))
    assert trace.read(file)[1] == {"/0": 1, "/1": 1, "/2": 1, "(others)": 7}
    monkeypatch.setattr(trace, "LARGEST", 24)
    assert trace.read(file)[1] == {"/0": 1, "/1": 1}
    os.truncate(file, 2**40)  # sparse; read whole, it would take hours
    assert trace.read(file)[1] == {"/0": 1, "/1": 1}


def tallied() -> Programs:
    emulated = {"/usr/bin/perl": 5, "/usr/bin/python3.13": 2, "/build/reproducible-path/x/t": 1, "/usr/bin/nproc": 4}
    seconds = {"/usr/bin/python3.13": 20.06, "/build/reproducible-path/x/t": 12.0, "/usr/bin/perl": 1.5, "/usr/bin/gone": 0.5}
    return trace.tally(
        Counter({"/usr/bin/ls": 1, "/usr/bin/sed": 11999}), Counter(emulated), seconds, frozenset({"/usr/bin/perl"})
    )


def test_counts_and_seconds_are_put_together_the_costliest_first() -> None:
    programs = tallied()
    assert (programs.native, programs.count, programs.seconds) == (12000, 12, 34.06)
    assert list(programs.twins.items()) == [("/usr/bin/sed", 11999), ("/usr/bin/ls", 1)]
    assert [(one.path, one.count, one.seconds, one.twin) for one in programs.emulated] == [
        ("/usr/bin/python3.13", 2, 20.06, Twin.NONE),
        ("/build/reproducible-path/x/t", 1, 12.0, Twin.OWN),
        ("/usr/bin/perl", 5, 1.5, Twin.REFUSED),
        ("/usr/bin/gone", 0, 0.5, Twin.NONE),
        ("/usr/bin/nproc", 4, 0.0, Twin.NONE),
    ]


def test_what_an_interpreter_without_a_twin_runs_is_not_told_apart() -> None:
    counts = Counter({"/usr/bin/perl /usr/bin/dh_x": 1, "/usr/bin/python3.13": 2})
    seconds = {"/usr/bin/perl /usr/bin/dh_x": 2.0, "/usr/bin/python3.13 ./a": 1.0, "/usr/bin/python3.13 ./b": 3.0}
    programs = trace.tally(Counter(), counts, seconds, frozenset({"/usr/bin/perl"}))
    assert [(one.path, one.count, one.seconds, one.twin) for one in programs.emulated] == [
        ("/usr/bin/python3.13", 2, 4.0, Twin.NONE),
        ("/usr/bin/perl /usr/bin/dh_x", 1, 2.0, Twin.REFUSED),
    ]
    assert trace.sentence(programs).endswith("(python3.13 4.0 s, dh_x 2.0 s)")


def test_it_is_told_in_one_line() -> None:
    assert trace.sentence(tallied()) == (
        "accelerated: 12000 programs ran natively (sed 11999, ls 1), "
        "12 were emulated for 34.1 s (python3.13 20.1 s, t 12.0 s, perl 1.5 s, …)"
    )
    assert trace.sentence(Programs(native=3, twins={}, count=0, seconds=0.0, emulated=())) == (
        "accelerated: 3 programs ran natively, 0 were emulated for 0.0 s"
    )


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / f"x{trace.SUFFIX}"
    trace.save(tallied(), file)
    assert trace.load(file) == tallied()
    assert trace.latest(tmp_path) == file
    twins = {str(number): 1 for number in range(11)}
    most = trace.costliest(Programs(native=11, twins=twins, count=0, seconds=0, emulated=tallied().emulated * 3))
    assert (len(most.twins), len(most.emulated)) == (10, 10)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"emulated": [{}]}', '{"emulated": [], "native": 1}'])
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(ConfigError, match="is no trace of a build"):
        trace.load(tmp_path / "file")


def test_where_nothing_was_accelerated_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no accelerated build has left a trace"):
        trace.latest(tmp_path)
    with pytest.raises(ConfigError, match="is no trace of a build"):
        trace.load(tmp_path / "missing")
