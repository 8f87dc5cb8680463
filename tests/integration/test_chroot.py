"""Chroots, layers and tool roots, with the real mmdebstrap, apt and sbuild."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess  # noqa: TID251  # a maker that is killed must be another process
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.backends import sbuild
from debkit.chroot import cache, layers, namespace, roots, store, upkeep
from debkit.config import ChrootConfig
from debkit.model import Chroot, ChrootKind, ChrootSpec, Source, Target
from debkit.run import Command, Completed, Processes
from debkit.run.tree import descendants
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = Path(__file__).parents[2]
CONFIG = ChrootConfig()
NATIVE = Processes()(Command(argv=("dpkg", "--print-architecture"))).stdout.strip()
CLEAN = ChrootSpec(kind=ChrootKind.CLEAN, target=Target("trixie", NATIVE))
MAKER = f"""
import sys
from debkit.chroot import store
from debkit.config import ChrootConfig
from debkit.errors import Interrupted
from debkit.model import ChrootKind, ChrootSpec, Target
from debkit.run import Processes

class Told:
    def phase(self, name): print(name, flush=True)
    def line(self, text): pass

run = Processes()
try:
    with run.interruptible():
        spec = ChrootSpec(kind=ChrootKind.CLEAN, target=Target("trixie", "{NATIVE}"))
        made = store.ensure(run, spec, config=ChrootConfig(), refresh="refresh" in sys.argv, progress=Told())
except Interrupted:
    sys.exit(130)
print(made.tarball)
"""


def passable(path: Path) -> Path:
    """Let a chroot's own root, who is another user, pass through a test's directories."""
    path.mkdir(exist_ok=True)
    for directory in (path, *path.parents):
        if directory.stat().st_uid == os.getuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o111)
    return path


class Elsewhere:
    """A cache and a scratch directory of its own, in which makers are started and killed."""

    def __init__(self, home: Path) -> None:
        self.cache = passable(home / "cache")
        self.scratch = passable(home / "scratch")
        self.shelf = self.cache / "debkit/chroots"
        self.name = store.name_of(CLEAN)

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", MAKER, *argv],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.fspath(CHECKOUT),
                "XDG_CACHE_HOME": os.fspath(self.cache),
                "TMPDIR": os.fspath(self.scratch),
            },
        )

    @property
    def tarball(self) -> Path:
        """The one that counts."""
        entry = cache.find(self.shelf, self.name)
        assert entry
        return entry.content

    @property
    def scratches(self) -> list[Path]:
        return list(self.scratch.iterdir())

    def assert_tidy(self) -> None:
        """One generation, and nothing beside it but its apt and its lock."""
        stem = self.tarball.name.removesuffix(".tar.zst")
        assert self.scratches == []
        assert sorted(path.name for path in self.shelf.iterdir() if not path.name.startswith(".")) == sorted(
            [f"{stem}.apt", f"{stem}.tar.zst", f"{self.name}.json", f"{self.name}.lock"]
        )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    return Elsewhere(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long this machine makes the chroot, in seconds, without the lists, the quicker of two: a kill comes in that time."""
    return min(time_maker(tmp_path_factory.mktemp("timed")) for _ in range(2))


def time_maker(home: Path) -> float:
    maker = Elsewhere(home).start()
    read_until(maker, "making the clean chroot")
    started = time.monotonic()
    read_until(maker, "fetching the package lists")
    seconds = time.monotonic() - started
    maker.communicate()
    assert maker.returncode == 0
    return seconds


def read_until(child: subprocess.Popen[str], text: str) -> None:
    assert child.stdout
    for line in child.stdout:
        if text in line:
            return
    pytest.fail(f"it ended before it printed {text}")


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def kill(child: subprocess.Popen[str], *, everyone: bool) -> None:
    """SIGKILL to the maker, or to it and all that it started, at once; then wait until all are gone."""
    known = descendants(child.pid)
    for pid in (child.pid, *(known if everyone else ())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.wait()
    deadline = time.monotonic() + 30
    while not all(is_gone(pid) for pid in known):
        assert time.monotonic() < deadline, "a process outlived its maker"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("everyone", [False, True])
def test_1_a_maker_killed_anywhere_leaves_nothing_that_counts(elsewhere: Elsewhere, making: float, *, everyone: bool) -> None:
    maker = elsewhere.start()
    read_until(maker, "making the clean chroot")
    time.sleep(random.uniform(0, 0.8 * making))  # noqa: S311
    kill(maker, everyone=everyone)
    assert not list(elsewhere.shelf.glob("*.json"))
    if everyone:
        assert elsewhere.scratches  # which the next one will sweep


@pytest.mark.slow
def test_2_of_two_at_once_one_makes_it_and_sweeps_what_the_killed_left(elsewhere: Elsewhere) -> None:
    makers = [elsewhere.start(), elsewhere.start()]
    printed = [maker.communicate(timeout=300)[0].splitlines() for maker in makers]
    assert [maker.returncode for maker in makers] == [0, 0]
    first, second = sorted(printed, key=len)
    if "fetching the package lists of " + str(CLEAN.target) in second:
        first, second = second, first
    assert f"making the clean chroot of {CLEAN.target}" in first
    assert len(second) == 2
    assert re.fullmatch(rf"waiting for process \d+, which makes {elsewhere.name}", second[0])
    assert first[-1] == second[-1]
    assert first[-1] == os.fspath(elsewhere.tarball)
    elsewhere.assert_tidy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "longest", "everyone"),
    [("making the clean chroot", None, True), ("fetching the package lists", 2, False)],
)
def test_3_a_killed_renewal_leaves_the_old_one(
    elsewhere: Elsewhere, making: float, phase: str, longest: float | None, *, everyone: bool
) -> None:
    tarball = elsewhere.tarball
    written = tarball.stat().st_mtime_ns
    maker = elsewhere.start("refresh")
    read_until(maker, phase)
    time.sleep(random.uniform(0, longest or 0.8 * making))  # noqa: S311
    kill(maker, everyone=everyone)
    served = elsewhere.start().communicate(timeout=60)[0].splitlines()
    assert served == [os.fspath(tarball)]
    assert tarball.stat().st_mtime_ns == written


@pytest.mark.slow
def test_4_an_interrupted_renewal_tidies_up_at_once(elsewhere: Elsewhere, run: Processes) -> None:
    maker = elsewhere.start("refresh")
    read_until(maker, "making the clean chroot")
    time.sleep(4)
    known = descendants(maker.pid)
    maker.send_signal(signal.SIGINT)
    assert maker.wait(60) == 130
    assert all(is_gone(pid) for pid in known)
    elsewhere.assert_tidy()
    namespace.remove_tree(run, elsewhere.cache)


@pytest.fixture(scope="module")
def clean_root(debkit_cache: Path, run: Processes) -> Chroot:
    return store.ensure(run, CLEAN, config=CONFIG)


def test_an_opened_root_can_be_written_to_and_goes(clean_root: Chroot, run: Processes) -> None:
    with roots.opened(run, clean_root) as root:
        argv = (
            "sh",
            "-euc",
            "id -u; echo new >/etc/new; chown 33:33 /etc/new; stat -c %u /etc/new; ls /dev/null",
        )
        done = run(Command(argv=namespace.inside(root, argv, network=False)))
        assert done.stdout.split() == ["0", "33", "/dev/null"]
        assert (root / "etc/new").exists()
    assert not root.exists()


def test_a_service_is_not_reached_without_the_network(clean_root: Chroot, run: Processes) -> None:
    with roots.opened(run, clean_root) as root:
        done = run(Command(argv=namespace.inside(root, ("cat", "/proc/net/dev"), network=False)))
    assert re.findall(r"^ *(\w+):", done.stdout, re.MULTILINE) == ["lo"]


@pytest.fixture(scope="module")
def tool_root(debkit_cache: Path, run: Processes) -> Iterator[roots.ToolRoot]:
    with roots.tools(run, "trixie", ("lintian", "piuparts"), config=CONFIG) as found:  # which the checks use too
        yield found


def test_a_tool_root_is_shared_and_cannot_be_written_to(tool_root: roots.ToolRoot, run: Processes, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in/text").write_text("words\n")
    script = """
        lintian --version | cut -d. -f1; piuparts --version | cut -d. -f1; cat /mnt/in/text; echo $HOME; pwd
        for path in /etc/x /usr/bin/x /var/lib/x /mnt/in/x; do touch $path 2>/dev/null && echo "wrote $path"; done
        for path in /tmp/x /var/tmp/x /root/x /run/x /mnt/out/x; do touch $path || echo "did not write $path"; done
    """
    argv = tool_root.argv(
        ("sh", "-c", script), binds=((tmp_path / "out", "/mnt/out"),), read_only=((tmp_path / "in", "/mnt/in"),)
    )
    assert run(Command(argv=argv)).stdout.splitlines() == ["Lintian v2", "piuparts 1", "words", "/root", "/"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]
    assert run(Command(argv=tool_root.argv(("ls", "/tmp", "/mnt")))).stdout.split() == ["/mnt:", "/tmp:"]


def test_a_tool_root_in_use_is_not_removed(tool_root: roots.ToolRoot, run: Processes) -> None:
    (name,) = (item.name for item in upkeep.listing(CONFIG) if item.path == tool_root.path)
    assert upkeep.remove(run, [name]).kept == (name,)
    assert tool_root.path.is_dir()


def test_a_shell_is_roots_on_the_callers_terminal(clean_root: Chroot) -> None:
    name = store.name_of(clean_root.spec)
    command = Command(
        argv=(sys.executable, "-m", "debkit", "chroot", "shell", "--name", name),
        env=(("PYTHONPATH", os.fspath(CHECKOUT)),),
        ok=frozenset({7}),
    )
    done = Processes().converse(
        command, ((r"root@\S+# ", "test -t 0 && test $(id -u) = 0 && apt-get update >/dev/null && exit 7; exit 8"),)
    )
    assert f"({clean_root.spec.target})" in done.stdout


def test_a_command_in_a_shell_gives_its_exit_code(clean_root: Chroot, run: Processes) -> None:
    argv = (
        sys.executable,
        "-m",
        "debkit",
        "chroot",
        "shell",
        "--name",
        store.name_of(clean_root.spec),
        "--",
        "sh",
        "-c",
        "exit 5",
    )
    assert run(Command(argv=argv, env=(("PYTHONPATH", os.fspath(CHECKOUT)),), ok=frozenset({5}))).code == 5


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, run: Processes) -> Source:
    home = tmp_path_factory.mktemp("source")
    tree = make_tree(home / "hello", kind="both", distribution="trixie")
    run(Command(argv=("dpkg-source", "--build", os.fspath(tree)), cwd=home))
    dsc = home / "hello-debkit_1.0.dsc"
    return Source(
        name="hello-debkit", version="1.0", suite="trixie", dsc=dsc, changes=dsc, format="3.0 (native)",
        architectures=("any", "all"), binaries=(), files=(), snapshot=False,
    )  # fmt: skip


def raw_sbuild(run: Processes, chroot: Chroot, source: Source, into: Path) -> tuple[str, str]:
    """Build with nothing of debkit's; give the log and the .buildinfo's Installed-Build-Depends."""
    into.mkdir()
    run(
        Command(
            argv=(
                "sbuild", "--chroot-mode=unshare", f"--chroot={chroot.tarball}", f"--arch={chroot.spec.target.arch}",
                f"--dist={chroot.spec.target.suite}", "--arch-all", "--no-run-lintian", os.fspath(source.dsc),
            ),
            cwd=into,
            env=(("HOME", os.fspath(into)),),
        )
    )  # fmt: skip
    (buildinfo,) = into.glob("*.buildinfo")
    (log,) = (path for path in into.glob("*.build") if not path.is_symlink())
    installed = re.search(r"^Installed-Build-Depends:\n((?: .*\n)+)", buildinfo.read_text(), re.MULTILINE)
    assert installed
    return log.read_text(), installed[1]


@pytest.mark.slow
def test_a_layer_saves_the_installing_and_changes_nothing(
    build_chroot: Callable[[str, str], Chroot], source: Source, tmp_path: Path
) -> None:
    ran: list[Completed] = []
    run = Processes(ran.append)
    base = build_chroot("trixie", NATIVE)
    first = layers.layer(run, base, source, build_all=True, demands=sbuild.demands(), config=CONFIG)
    ran.clear()
    second = layers.layer(run, base, source, build_all=True, demands=sbuild.demands(), config=CONFIG)
    assert first == second
    assert first.layer
    assert not [done for done in ran if {"tar", "mmdebstrap"} & set(done.command.argv)]
    names = {item.name: item for item in upkeep.listing(CONFIG)}
    assert names[f"trixie-{NATIVE}-layer-{first.layer}"].base == store.generation(base)
    plain_log, plain = raw_sbuild(run, base, source, tmp_path / "plain")
    layered_log, layered = raw_sbuild(run, first, source, tmp_path / "layered")
    assert layered == plain
    installed = r"^0 upgraded, (\d+) newly installed"
    assert max(map(int, re.findall(installed, plain_log, re.MULTILINE))) > 20
    assert set(re.findall(installed, layered_log, re.MULTILINE)) == {"0", "1"}  # sbuild's own dummy


@pytest.mark.slow
def test_a_source_that_needs_nothing_more_gets_the_base(
    source: Source, tmp_path: Path, run: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "cache"))  # an older base may want upgrades
    dsc = tmp_path / "bare.dsc"
    dsc.write_text(re.sub(r"^Build-Depends: .*\n", "", source.dsc.read_text(), flags=re.MULTILINE))
    base = store.ensure(run, store.wanted(ChrootKind.BUILD, Target("trixie", NATIVE), CONFIG), config=CONFIG)
    bare = Source(
        name="bare", version="1.0", suite="trixie", dsc=dsc, changes=dsc, format="3.0 (native)", architectures=("any",),
        binaries=(), files=(), snapshot=False,
    )  # fmt: skip
    assert layers.layer(run, base, bare, build_all=False, config=CONFIG) == base


def test_the_command_lists_what_is_cached(clean_root: Chroot, run: Processes) -> None:
    debkit = (sys.executable, "-m", "debkit", "chroot")
    env = (("PYTHONPATH", os.fspath(CHECKOUT)),)
    table = run(Command(argv=(*debkit, "list"), env=env, separate=True)).stdout.splitlines()
    assert table[0].split() == ["NAME", "AGE", "USED", "SIZE", "PACKAGES", "NOTE"]
    assert [line for line in table if line.startswith(store.name_of(clean_root.spec))]
    assert f'"path": "{clean_root.tarball}"' in run(Command(argv=(*debkit, "list", "--json"), env=env, separate=True)).stdout
    assert cache.shelf("chroots") == clean_root.tarball.parent
