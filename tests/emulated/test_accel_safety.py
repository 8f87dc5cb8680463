"""Accelerated builds of packages that mean harm, and builds that are killed: the toolbox and the machine stay as they are."""

from __future__ import annotations

import hashlib
import os
import random
import re
import select
import shutil
import stat
import subprocess  # noqa: TID251  # builds at once, and such as are killed, must be other processes
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import accel, checks
from debkit.backends import sbuild
from debkit.chroot import cache, layers, namespace, store
from debkit.config import ChecksConfig, ChrootConfig, Config
from debkit.console import Quiet
from debkit.model import ChrootKind
from debkit.run import Command, Processes
from debkit.source import open_source
from tests.accel_builds import TARGET, toolbox_for
from tests.accel_dispatch import SOURCES
from tests.command import CHECKOUT, Project, make_project
from tests.debs import make_package, make_result
from tests.integration.test_chroot import kill, passable
from tests.integration.test_interrupt import check_clean, lay_out_cache
from tests.sources import edit
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from debkit.model import Chroot

pytestmark = pytest.mark.slow

# In a HOME. Of the directory around it nothing can be changed either.
TOOLBOX = "shelf/toolbox"
HANDLERS = Path("/proc/sys/fs/binfmt_misc")
HOSTILE = (SOURCES / "hostile.pl").read_text()
# elf(5): e_machine, of whatever od is just now, by a path that qemu knows and the dispatcher does not; in a makefile.
OD = "exec od -An -tu2 -j18 -N2 /proc/$$$$/exe"
NATIVE_OD, EMULATED_OD = "62", "183"
NOBODY = "65534"
USER = 4242
# HOME COMMAND...: run it as an ordinary user; only this mount namespace knows him.
AS_USER = f"""
set -eu
home=$1
shift
mkdir "$home/etc"
for file in passwd group subuid subgid; do cp "/etc/$file" "$home/etc"; done
echo debkit-test:x:{USER}:{USER}::/nonexistent:/bin/sh >>"$home/etc/passwd"
echo debkit-test:x:{USER}: >>"$home/etc/group"
echo debkit-test:400000:65536 | tee "$home/etc/subuid" >"$home/etc/subgid"
for file in passwd group subuid subgid; do mount --bind "$home/etc/$file" "/etc/$file"; done
export HOME="$home" XDG_CACHE_HOME="$home/cache"
exec setpriv --reuid={USER} --regid={USER} --clear-groups -- "$@"
"""
CALLERS = ("self", "user") if os.geteuid() == 0 else ("self",)


@pytest.fixture(scope="module")
def chroot(tmp_path_factory: pytest.TempPathFactory, build_chroot: Callable[[str, str], Chroot], run: Processes) -> Chroot:
    """A chroot with a toolbox, and with debhelper, which an accelerated installation has brought."""
    base = build_chroot("trixie", "arm64")
    base = replace(base, toolbox=toolbox_for(run, base))
    home = tmp_path_factory.mktemp("layer")
    tree = make_tree(home / "hello", distribution="trixie")
    source = open_source(run, f"{tree}", suite="trixie", first_suite=True, config=Config(project=home), staging=home / "sources")
    return layers.layer(run, base, source, build_all=False, demands=sbuild.demands(), config=ChrootConfig())


@pytest.fixture
def home(run: Processes, chroot: Chroot) -> Iterator[Path]:
    """A directory that everybody may pass into, with a copy of the chroot's tarball, and of its toolbox."""
    path = Path(tempfile.mkdtemp(prefix="accel-safety.", dir="/var/tmp"))
    path.chmod(0o755)
    shutil.copy(chroot.tarball, path / "chroot.tar.zst")
    copy_toolbox(run, chroot, path / TOOLBOX)
    yield path
    namespace.remove_tree(run, path)


def copy_toolbox(run: Processes, chroot: Chroot, into: Path) -> Path:
    assert chroot.toolbox
    into.parent.mkdir()
    run(Command(argv=("cp", "--archive", f"{chroot.toolbox.path}", f"{into}")))
    return into


def start(what: str, home: Path, *packages: Path, caller: str = "self") -> subprocess.Popen[str]:
    words = (sys.executable, "-m", "tests.accel_builds", what, home, home / "chroot.tar.zst", home / TOOLBOX, *packages)
    prefix = ("unshare", "--mount", "sh", "-c", AS_USER, "sh", home) if caller == "user" else ()
    return subprocess.Popen(
        [os.fspath(word) for word in (*prefix, *words)],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def log_of(child: subprocess.Popen[str]) -> str:
    log, _ = child.communicate()
    assert log.splitlines()[-1] == "succeeded", log[-5000:]
    return log


def fingerprint(tree: Path) -> dict[str, tuple[object, ...]]:
    """All that can be told of a tree, the time of the last change of anything included."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (tree, *tree.rglob("*")):
        about = path.lstat()
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(content).hexdigest()
        times = (about.st_mtime_ns, about.st_ctime_ns)
        found[f"{path.relative_to(tree)}"] = (about.st_mode, about.st_uid, about.st_gid, about.st_nlink, *times, digest)
    return found


def changes(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, object]]:
    paths = before.keys() | after.keys()
    return {path: (before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)}


def machine() -> dict[str, str]:
    """The machine's handlers of foreign programs, and what is mounted on it."""
    handlers = {path.name: path.read_text() for path in HANDLERS.iterdir() if path.name != "register"}
    return handlers | {"mounts": Path("/proc/self/mountinfo").read_text()}


def judge(log: str, *who: str) -> None:
    """Hold the hostile script to having tried it all, as each of these."""
    lines = [line.strip() for line in log.splitlines()]
    for name in who:
        assert len([line for line in lines if line.startswith(f"held: {name}: ")]) > 60, name
        assert len([line for line in lines if line.startswith(f"done: {name}: ")]) == 1, name


def attack(script: str, who: str, toolbox: Path) -> str:
    """Run the hostile script by the chroot's perl, and by the toolbox's own."""
    return f"for perl in /usr/bin/perl /.native/root/usr/bin/perl; do $perl {script} {who} {toolbox} || exit 1; done"


def make_hostile(home: Path, who: str, *, toolbox: Path | None = None) -> Path:
    """Make a package whose postinst attacks a toolbox, by default that in HOME."""
    script = f"cat >/tmp/hostile.pl <<'EOF'\n{HOSTILE}EOF\n{attack('/tmp/hostile.pl', who, toolbox or home / TOOLBOX)}"
    return make_package(home, "hostile", scripts={"postinst": script})


def attacked(run: Processes, home: Path, what: str, deb: Path, *, caller: str) -> str:
    """Give the log of a build or an installation, the toolbox and the machine being as they were."""
    if caller == "user":
        run(Command(argv=("chown", "--recursive", "--no-dereference", f"{USER}:{USER}", f"{home}")))
    shelf = (home / TOOLBOX).parent
    before = fingerprint(shelf), machine()
    log = log_of(start(what, home, deb, caller=caller))
    assert re.findall(r"BROKEN: .*", log) == []
    assert changes(before[0], fingerprint(shelf)) == {}
    assert machine() == before[1]
    return log


def hostile_build(run: Processes, home: Path, backend: str, *, caller: str) -> tuple[str, set[str]]:
    """Build a hostile package that depends on another; give the log, and to whom the toolbox belongs in there."""
    tree = make_tree(home / "tree", distribution="trixie")
    (tree / "debian/hostile.pl").write_text(HOSTILE)
    attacks = attack("debian/hostile.pl", "rules", home / TOOLBOX).replace("$", "$$")
    edit(tree / "debian/rules", f"\noverride_dh_auto_build:\n\t{attacks}\n\t{OD}\n\tdh_auto_build\n")
    control = (tree / "debian/control").read_text()
    (tree / "debian/control").write_text(control.replace("Build-Depends: ", "Build-Depends: hostile, "))
    log = attacked(run, home, backend, make_hostile(home, "postinst"), caller=caller)
    judge(log, "postinst emulated", "postinst native", "rules emulated", "rules native")
    assert re.findall(r"^ +(\d+)$", log, re.MULTILINE) == [NATIVE_OD]
    return log, set(re.findall(r"^owner: \w+ \w+: (\d+)$", log, re.MULTILINE))


@pytest.mark.parametrize("caller", CALLERS)
def test_a_hostile_build_and_its_dependency_change_nothing(run: Processes, home: Path, caller: str) -> None:
    _, owners = hostile_build(run, home, "sbuild", caller=caller)
    assert owners == {NOBODY}


@pytest.mark.parametrize("caller", CALLERS)
def test_nor_do_they_with_pbuilder_where_root_owns_the_toolbox_and_leaves_the_chroot(
    run: Processes, home: Path, caller: str
) -> None:
    log, owners = hostile_build(run, home, "pbuilder", caller=caller)
    assert owners == {"0"}
    assert {"did: postinst emulated: leave the chroot", "did: postinst native: leave the chroot"} <= set(log.splitlines())


@pytest.mark.parametrize("caller", CALLERS)
def test_a_hostile_dependency_in_a_layer_changes_nothing(run: Processes, home: Path, caller: str) -> None:
    log = attacked(run, home, "install", make_hostile(home, "layer"), caller=caller)
    judge(log, "layer emulated", "layer native")


def test_a_hostile_package_on_trial_changes_nothing(run: Processes, chroot: Chroot, debkit_cache: Path, tmp_path: Path) -> None:
    assert chroot.toolbox
    native = run(Command(argv=("dpkg", "--print-architecture"))).stdout.strip()
    by = accel.Accelerator(native=native, insists=True, tell=print, warn=print)
    bench = checks.Bench(
        run=run, config=ChecksConfig(), chroot=ChrootConfig(), progress=Quiet(), work=tmp_path / "dist", accelerator=by
    )
    with accel.opened(run, store.wanted(ChrootKind.CLEAN, TARGET, ChrootConfig()), by=by, config=ChrootConfig()) as clean:
        assert clean.toolbox
        deb = make_hostile(tmp_path, "trial", toolbox=clean.toolbox.path)
        before = fingerprint(clean.toolbox.path), machine()
        report = checks.judge("piuparts", bench, make_result(tmp_path, deb, target=TARGET))
        assert changes(before[0], fingerprint(clean.toolbox.path)) == {}
        assert machine() == before[1]
    assert report.log  # what it has done to its own trial is its own affair
    log = report.log.read_text()
    assert re.findall(r"BROKEN: .*", log) == []
    judge(log, "trial emulated", "trial native")


# The test is told by one FIFO that the build has come so far, and lets it go on by the other.
MEETING = f"""
override_dh_auto_build:
	echo began >/.native/began && read -r go </.native/go
	{OD}
	dh_auto_build
"""
MEETING_SECONDS = 900


class Meeting:
    """Builds with toolboxes of their own that come to the same point before any goes on."""

    def __init__(self, *toolboxes: Path) -> None:
        self._began: list[int] = []
        self._go: list[int] = []
        for toolbox in toolboxes:
            for name, ends in (("began", self._began), ("go", self._go)):
                os.mkfifo(toolbox / name)
                (toolbox / name).chmod(0o666)
                ends.append(os.open(toolbox / name, os.O_RDWR))

    def wait(self) -> None:
        for end in self._began:
            assert select.select([end], [], [], MEETING_SECONDS)[0], "a build did not come so far"
        for end in self._go:
            os.write(end, b"go\n")


def debs(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "dist").glob("*.deb")}


def test_builds_at_once_with_other_toolboxes_do_not_disturb_each_other(run: Processes, chroot: Chroot, home: Path) -> None:
    edit(make_tree(home / "tree", distribution="trixie") / "debian/rules", MEETING)
    first, second = home / "first", home / "second"
    for other in (first, second):
        other.mkdir()
        shutil.copytree(home / "tree", other / "tree")
        (other / "chroot.tar.zst").symlink_to(home / "chroot.tar.zst")
        copy_toolbox(run, chroot, other / TOOLBOX)
    (entry,) = (second / TOOLBOX / "map/usr/bin").glob("od.*")
    entry.unlink()
    before = machine()
    logs = []
    for homes in ((home,), (first, second)):
        meeting = Meeting(*(place / TOOLBOX for place in homes))
        builds = [start("sbuild", place) for place in homes]
        meeting.wait()
        logs += [log_of(build) for build in builds]
    assert [re.findall(r"^ +(\d+)$", log, re.MULTILINE) for log in logs] == [[NATIVE_OD], [NATIVE_OD], [EMULATED_OD]]
    assert len(debs(home)) == 2
    assert debs(home) == debs(first) == debs(second)
    assert machine() == before


@pytest.fixture
def project(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(tmp_path / "runtime"))
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    return make_project(tmp_path / "project", '[build]\nsuites = ["trixie"]\narches = ["arm64"]\n[checks]\nrun = []\n')


def await_text(stream: IO[str] | None, text: str) -> None:
    assert stream
    assert any(text in line for line in stream), f"{text} never came"


# The time after which a build, or the making of a toolbox, is killed, counted from the text that shows what it is about.
@pytest.mark.parametrize("moment", [("installing build dependencies", 5), ("] build", 1), ("] build", 20)])
@pytest.mark.parametrize("everyone", [False, True])
def test_a_killed_build_leaves_nothing_mounted_nor_registered(
    project: Project, tmp_path: Path, debkit_cache: Path, chroot: Chroot, moment: tuple[str, float], *, everyone: bool
) -> None:
    stage, longest = moment
    assert chroot.toolbox
    lay_out_cache(tmp_path / "cache/debkit", debkit_cache, ("layers",) if stage.startswith("installing") else ())
    tree = make_tree(tmp_path / "hello", distribution="trixie")
    env = {"XDG_CACHE_HOME": os.fspath(tmp_path / "cache")}
    before = fingerprint(chroot.toolbox.path), machine()
    child = project.start("build", os.fspath(tree), "--no-publish", env=env)
    await_text(child.stderr, stage)
    time.sleep(random.uniform(0, longest))  # noqa: S311
    kill(child, everyone=everyone)
    assert changes(before[0], fingerprint(chroot.toolbox.path)) == {}
    assert machine() == before[1]
    ended = project.debkit("build", os.fspath(tree), "--no-publish", env=env)
    assert ended.code == 0, ended.err
    assert "accelerated with sbuild" in ended.err
    shutil.rmtree(tmp_path / "cache")  # where there may be a whole layer now
    check_clean(project, tmp_path, ())
    assert changes(before[0], fingerprint(chroot.toolbox.path)) == {}
    assert machine() == before[1]


def modes(tree: Path) -> dict[str, int]:
    """Each file and its mode, which everybody can read."""
    found = {f"{path.relative_to(tree)}": stat.S_IMODE(path.lstat().st_mode) for path in (tree, *tree.rglob("*"))}
    assert not [path for path, mode in found.items() if not mode & stat.S_IROTH]
    return found


# The time of a phase after which the maker is killed: less than each takes on any machine.
@pytest.mark.parametrize(
    ("phase", "longest", "everyone"), [("making the toolbox", 5, False), ("compiling the dispatcher", 0, True)]
)
def test_a_killed_maker_of_a_toolbox_leaves_what_the_next_sweeps(
    run: Processes,
    tmp_path: Path,
    debkit_cache: Path,
    chroot: Chroot,
    scratch: Path,
    *,
    phase: str,
    longest: float,
    everyone: bool,
) -> None:
    assert chroot.toolbox
    lay_out_cache(tmp_path / "cache/debkit", debkit_cache, ("toolboxes",))
    passable(tmp_path / "cache")
    shelf = tmp_path / "cache/debkit/toolboxes"
    env = {**os.environ, "XDG_CACHE_HOME": os.fspath(tmp_path / "cache")}
    before = machine()

    def make(umask: int) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "tests.accel_builds", "toolbox"]
        return subprocess.Popen(
            argv, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True, umask=umask
        )

    maker = make(0o022)
    await_text(maker.stdout, phase)
    time.sleep(random.uniform(0, longest))  # noqa: S311
    assert maker.poll() is None
    kill(maker, everyone=everyone)
    assert not list(shelf.glob("*.json"))
    assert machine() == before
    maker = make(0o077)
    made = Path(maker.communicate()[0].splitlines()[-1])
    assert maker.returncode == 0
    (entry,) = cache.entries(shelf)
    assert made == entry.content
    locks = {f"{entry.name}.lock", f"{TARGET.suite}-{TARGET.arch}-packages.lock"}
    assert {path.name for path in shelf.iterdir()} == {made.name, f"{entry.name}.json", *locks}
    assert list(scratch.iterdir()) == []
    assert modes(made) == modes(chroot.toolbox.path)
    namespace.remove_tree(run, tmp_path / "cache")
