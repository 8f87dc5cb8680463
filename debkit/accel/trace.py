"""Which programs of an accelerated build ran as native twins, which were emulated, and what that cost.

How many is counted: the dispatcher writes a line for each. How long is sampled, since nothing that an ordinary user may have
accounts for single processes: some ten times a second we look at what runs in the emulator. Programs that live from one look to
the next are told exactly; those that are shorter are mostly missed, and the few that are met stand for the others, so that their
sum comes out right: S seconds of them, looked at every P seconds, with a standard error of at most sqrt(S * P), 1 s of 10.

The build can write what it likes into the trace, and does no more harm with it than a wrong table.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

from debkit.accel.assemble import canonical
from debkit.chroot.namespace import NATIVE
from debkit.errors import ConfigError
from debkit.model import Emulated, Programs, Twin
from debkit.run import descendants, peek

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EMULATOR = f"{NATIVE}/qemu"
EMULATED = f"{EMULATOR}\0-0\0".encode()  # how the dispatcher calls it: … ARGV0 PATH ARGUMENTS
PAUSE = 0.1  # seconds between two looks, more where they cost more than this share of one processor
SHARE = 0.01
INSTALLED = ("/usr/", "/bin/", "/sbin/", "/lib")
SUFFIX = ".trace.json"
COSTLIEST = 10  # of either kind, where not all are told
NAMED, LOGGED = 3, 200  # of them in a sentence, and in one for a log
# Of what a build may write. A million programs take forty megabytes.
LARGEST, LONGEST, MOST = 256 * 10**6, 4200, 20_000
TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
GONE = (OSError, ValueError, IndexError)  # a process may end while it is looked at, and its files then be missing or empty
OTHERS = "(others)"
LINKS = 40  # path_resolution(7)
DELETED = " (deleted)"  # how the kernel tells of a program that is no more
# Interpreters, and their flags that tell nothing of what they run, as the dispatcher has them (interpreters.h).
INTERPRETERS = (
    (re.compile(r"/usr/bin/perl[0-9.]*"), re.compile(rb"-[wWTtX]+")),
    (re.compile(r"/usr/bin/python3[0-9.]*"), re.compile(rb"-[IsSEBuO]+")),
)


@dataclass(frozen=True, slots=True)
class Look:
    """An emulated program as it is seen: a key that no other process has, its path, its age and its CPU time in seconds."""

    key: tuple[int, float]
    path: str
    age: float
    spent: float


class Sampler:
    """Looks at emulated programs from a thread of its own while the context lasts: those of debkit's own descendants whose root
    lies in `place`. `seconds` is the CPU time of each by its path.
    """

    def __init__(self, place: Path) -> None:
        self._place = os.path.realpath(place)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="trace sampler", daemon=True)
        self._spent: dict[tuple[int, float], float] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def note(self, looks: Iterable[Look], passed: float) -> None:
        """Take account of a look, `passed` seconds after the last one.

        A program that is new stands for those that no look has met, and for what it is yet to spend after the last: it counts
        as if it had run in this way since the last look, all the time.
        """
        before, self._spent = self._spent, {}
        for look in looks:
            self._spent[look.key] = look.spent
            seconds = look.spent - before[look.key] if look.key in before else passed * look.spent / look.age
            if look.path in self.seconds or len(self.seconds) < MOST:
                self.seconds[look.path] += seconds

    def _watch(self) -> None:
        last, pause = time.monotonic(), PAUSE
        while not self._ended.wait(pause):
            begun, now = time.thread_time(), time.monotonic()
            self.note(emulated(self._place, os.getpid()), now - last)
            last = now
            pause = max(PAUSE, (time.thread_time() - begun) / SHARE)


def emulated(place: str, pid: int, proc: str = "/proc") -> Iterator[Look]:
    """Look at the descendants of `pid` that run in the emulator."""
    for child in descendants(pid, proc):
        with contextlib.suppress(*GONE):
            home = f"{proc}/{child}"
            words = peek(f"{home}/cmdline", LONGEST)
            if not words.startswith(EMULATED):
                continue
            root = os.fspath(Path(home, "root").readlink())
            if root == place or root.startswith(f"{place}/"):
                started = int(peek(f"{home}/stat").rpartition(b") ")[2].split()[19]) * TICK
                age = max(time.clock_gettime(time.CLOCK_BOOTTIME) - started - TICK / 2, TICK / 2)  # it is rounded down
                name = program(home, root, words)
                yield Look((child, started), " ".join((name, *script(name, words))), age, sum(spent(home)))


def spent(home: str) -> Iterator[float]:
    """Give each thread's time on a processor, in seconds: to the nanosecond, where the times in stat are hundredths."""
    for task in Path(home, "task").iterdir():
        with contextlib.suppress(*GONE):
            yield int((task / "schedstat").read_bytes().split()[0]) / 1e9


def program(home: str, root: str, words: bytes) -> str:
    """Name an emulated program by its canonical path, as the dispatcher does: of the mapped files the first that is called so, or
    as what a link of that name leads to. Where none is, by what it was called.
    """
    called = printable(b"".join(words.split(b"\0")[3:4]))
    names = {Path(path).name for path in (called, followed(f"{home}/root", called))}
    mapped = [
        printable(b"/" + path).removeprefix(root)
        for _, slash, path in (line.partition(b"/") for line in peek(f"{home}/maps").splitlines())
        if slash and not path.endswith(EMULATOR.encode()) and not path.startswith(b"memfd:")
    ]
    same = [path for path in mapped if Path(path).name in names]
    return next(iter((*same, *canonical((called,)))), called)


def followed(root: str, path: str) -> str:
    """Follow the links that a path leads to in a root, as far as they can be read."""
    with contextlib.suppress(OSError):
        for _ in range(LINKS):
            path = os.path.normpath(Path(path).parent / Path(f"{root}{path}").readlink())
    return path


def script(path: str, words: bytes) -> tuple[str, ...]:
    """Name what an interpreter runs, as the dispatcher does: its first argument that is not flags."""
    for interpreter, flags in INTERPRETERS:
        if interpreter.fullmatch(path):
            arguments = words.removesuffix(b"\0").split(b"\0")[4:]
            return tuple(map(printable, islice((word for word in arguments if not flags.fullmatch(word)), 1)))
    return ()


def read(file: Path) -> tuple[Counter[str], Counter[str]]:
    """Count the programs of a trace, the native and the emulated ones. What is no line of the dispatcher's is passed over."""
    found: dict[bytes, Counter[bytes]] = {b"native": Counter(), b"emulated": Counter()}
    left = LARGEST
    with file.open("rb") as lines:
        while line := lines.readline(min(LONGEST, left)):
            left -= len(line)
            how, _, path = line.rstrip(b"\n").partition(b" ")
            if path and (count := found.get(how)) is not None:
                count[path if path in count or len(count) < MOST else OTHERS.encode()] += 1
    return _readable(found[b"native"]), _readable(found[b"emulated"])


def tally(native: Counter[str], emulated: Counter[str], seconds: Mapping[str, float], known: frozenset[str]) -> Programs:
    """Put the counts and the seconds together; `known` are the programs that have a twin."""
    spent: defaultdict[str, float] = defaultdict(float)
    for name, taken in seconds.items():  # the dispatcher does not say what an interpreter without a twin runs
        spent[name if name in emulated else name.partition(" ")[0]] += taken
    programs = [
        Emulated(path=path, count=emulated[path], seconds=round(spent[path], 3), twin=twin_of(path, known))
        for path in {*emulated, *spent}
    ]
    return Programs(
        native=native.total(),
        twins=dict(native.most_common()),
        count=emulated.total(),
        seconds=round(sum(seconds.values()), 3),
        emulated=tuple(sorted(programs, key=lambda one: (-one.seconds, -one.count, one.path))),
    )


def twin_of(path: str, known: frozenset[str]) -> Twin:
    """Say why a program was emulated."""
    if path in known or path.partition(" ")[0] in known:
        return Twin.REFUSED
    return Twin.NONE if path.startswith(INSTALLED) else Twin.OWN


def sentence(programs: Programs, named: int = NAMED) -> str:
    """Tell it in one line, `named` programs of either kind by their names."""
    twins = [f"{_name(path)} {count}" for path, count in programs.twins.items()]
    emulated = [f"{_name(one.path)} {one.seconds:.1f} s" for one in programs.emulated if one.seconds]
    return (
        f"accelerated: {programs.native} programs ran natively{_in_brackets(twins, named)}, "
        f"{programs.count} were emulated for {programs.seconds:.1f} s{_in_brackets(emulated, named)}"
    )


def _name(path: str) -> str:
    program, _, script = path.partition(" ")
    return Path(program).name + f" {script}" if script.startswith("-") else Path(script or program).name


def _in_brackets(names: Sequence[str], named: int) -> str:
    some = [*names[:named], *(("…",) if len(names) > named else ())]
    return f" ({', '.join(some)})" if some else ""


def costliest(programs: Programs) -> Programs:
    """Leave out all programs but the commonest twins and the costliest emulated ones."""
    return replace(programs, twins=dict(islice(programs.twins.items(), COSTLIEST)), emulated=programs.emulated[:COSTLIEST])


def save(programs: Programs, file: Path) -> None:
    file.write_text(json.dumps(asdict(programs), indent=1) + "\n", encoding="utf-8")


def latest(dist: Path) -> Path:
    """Find the newest trace of a project's builds. Raises ConfigError."""
    found = [path for path in dist.rglob(f"*{SUFFIX}") if path.is_file()]
    if not found:
        raise ConfigError(
            f"no accelerated build has left a trace in {dist}",
            cause="nothing was built here yet, or all of it natively or emulated",
            hint="debkit build --arch arm64",
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def load(file: Path) -> Programs:
    """Read what `save` has written. Raises ConfigError."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        emulated = tuple(Emulated(**{**one, "twin": Twin(one["twin"])}) for one in data.pop("emulated"))
        return Programs(**data, emulated=emulated)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ConfigError(
            f"{file} is no trace of a build",
            cause=f"{problem}",
            hint=f"name a file that ends in {SUFFIX}: it is beside the packages of an accelerated build",
        ) from problem


def _readable(counts: Counter[bytes]) -> Counter[str]:
    readable: Counter[str] = Counter()
    for path, count in counts.items():
        readable[printable(path)] += count
    return readable


def printable(path: bytes) -> str:
    """Give a path as it may be shown: what would steer a terminal is not in it."""
    text = path.decode(errors="replace").removesuffix(DELETED)
    return "".join(letter if letter.isprintable() else "?" for letter in text)
