"""Everything that can be wrong with what debkit is given: one error of three parts, a fixed exit code, nothing half-written."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.run import Command, Processes
from tests.command import CHECKOUT, Project, is_three_parts, make_project, refused
from tests.disks import AS_ROOT, IDS, on_another_disk
from tests.gnupg_homes import gnupg_home, make_key, secret_key
from tests.parts import make_part
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64"]\n'
UNCHECKED = f"{CONFIG}[checks]\nrun = []\n"


@pytest.fixture
def project(tmp_path: Path, debkit_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    return make_project(tmp_path / "project", CONFIG)


def spoil(path: Path, text: str) -> None:
    path.write_text(text)


SOURCES: dict[str, tuple[Callable[[Path], object], str]] = {
    "not a source tree": (lambda tree: shutil.rmtree(tree / "debian"), "debian"),
    "no changelog": (lambda tree: (tree / "debian/changelog").unlink(), "changelog"),
    "broken changelog": (lambda tree: spoil(tree / "debian/changelog", "hello 1.0\n\n * what\n"), "changelog"),
    "no control": (lambda tree: (tree / "debian/control").unlink(), "control"),
    "broken control": (lambda tree: spoil(tree / "debian/control", "Source hello\n"), "control"),
}


@pytest.mark.parametrize("what", SOURCES)
def test_a_bad_tree(project: Project, tmp_path: Path, what: str) -> None:
    tree = make_tree(tmp_path / "hello")
    harm, text = SOURCES[what]
    harm(tree)
    refused(project, 5, text, os.fspath(tree))


def test_a_tree_that_is_not_there(project: Project) -> None:
    refused(project, 5, "/nowhere/at/all", "/nowhere/at/all")


def made_dsc(project: Project, tmp_path: Path) -> Path:
    """Have debkit itself make a source package, by a build that cannot go on."""
    tree = make_tree(tmp_path / "hello", distribution="trixie", failing_build=True)
    assert project.debkit("build", os.fspath(tree), "--no-publish").code == 8
    found = next((project.path / "dist/source").rglob("*.dsc"))
    shutil.copytree(found.parent, tmp_path / "dsc")
    return tmp_path / "dsc" / found.name


def test_a_bad_dsc(project: Project, tmp_path: Path) -> None:
    dsc = made_dsc(project, tmp_path)
    tarball = next(dsc.parent.glob("*.tar.*"))
    tarball.write_bytes(tarball.read_bytes() + b"x")
    refused(project, 5, tarball.name, os.fspath(dsc))
    tarball.unlink()
    refused(project, 5, tarball.name, os.fspath(dsc))
    spoil(dsc, "Source: hello\n")
    refused(project, 5, dsc.name, os.fspath(dsc))


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("--arch", "arm46"), "did you mean arm64?"),
        (("--suite", "trixe"), "did you mean trixie?"),
    ],
)
def test_an_unknown_name(project: Project, tmp_path: Path, argv: tuple[str, ...], text: str) -> None:
    refused(project, 3, text, os.fspath(make_tree(tmp_path / "hello")), *argv)


def test_a_wrong_configuration_tells_every_problem(project: Project, tmp_path: Path) -> None:
    spoil(project.path / "config/debkit.toml", '[build]\nsuits = ["trixie"]\n[chekcs]\nrun = []\n')
    ended = refused(project, 3, "has 2 problems", os.fspath(make_tree(tmp_path / "hello")))
    assert "suits in [build]" in ended.err or "suits (did you mean suites?)" in ended.err
    assert "chekcs (did you mean checks?)" in ended.err


@pytest.mark.parametrize(
    ("argv", "config"),
    [
        (("nosuch/",), ""),
        (("nosuch.dsc",), ""),
        (("--arch", "arm46"), ""),
        (("--backend", "sbiuld"), ""),
        (("--via", "cross"), ""),
        ((), "[chekcs]\nrun = []\n"),
        (("--suite", "trixie"), "[archive]\nname = 1\n"),
    ],
)
def test_a_build_that_is_refused_leaves_an_earlier_one_as_it_was(project: Project, argv: tuple[str, ...], config: str) -> None:
    dist = make_part(project.path / "dist", "amd64")
    before = {path: path.read_bytes() for path in dist.rglob("*") if path.is_file()}
    spoil(project.path / "config/debkit.toml", f"{CONFIG}{config}")
    make_tree(project.path, distribution="trixie")
    ended = project.debkit("build", "--no-publish", *argv)
    assert ended.code in {3, 4, 5}, ended.err
    assert is_three_parts(ended), ended.err
    assert {path: path.read_bytes() for path in dist.rglob("*") if path.is_file() and path.name != ".lock"} == before
    Processes()(Command(argv=("sha256sum", "--check", "--quiet", "SHA256SUMS"), cwd=dist))


def tools_without(tmp_path: Path, *names: str) -> str:
    """A PATH with everything the machine has, less some tools."""
    farm = tmp_path / "bin"
    farm.mkdir()
    for directory in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for tool in Path(directory).iterdir():
            if tool.name not in names and not (farm / tool.name).exists():
                (farm / tool.name).symlink_to(tool)
    return os.fspath(farm)


def test_a_missing_tool_names_its_package(project: Project, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "hello")
    path = tools_without(tmp_path, "sbuild")
    refused(project, 18, "sudo apt-get install sbuild", os.fspath(tree), env={"PATH": path})


def test_no_network(project: Project, tmp_path: Path) -> None:
    with (project.path / "config/debkit.toml").open("a") as config:
        config.write('[chroot]\nmirror = "http://127.0.0.1:9/debian"\n')
    env = {"XDG_CACHE_HOME": os.fspath(tmp_path / "cache")}
    refused(project, 16, "127.0.0.1", os.fspath(make_tree(tmp_path / "hello")), env=env)
    assert not list((tmp_path / "cache").rglob("*.tar.zst"))


def test_build_dependencies_that_do_not_exist(project: Project, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "hello")
    control = tree / "debian/control"
    spoil(control, control.read_text().replace("debhelper-compat (= 13)", "debhelper-compat (= 13), libnowhere-dev"))
    refused(project, 7, "libnowhere-dev", os.fspath(tree))


@pytest.mark.parametrize("fault", ["failing_build", pytest.param("failing_tests", marks=pytest.mark.slow)])
def test_a_build_that_fails_shows_the_first_real_error(project: Project, tmp_path: Path, fault: str) -> None:
    ended = refused(project, 8, "package failed", os.fspath(make_tree(tmp_path / "hello", **{fault: True})))  # type: ignore[arg-type]
    assert "  | " in ended.err
    assert project.report["builds"][0]["state"] == "package failed"
    assert project.report["builds"][0]["error"]["lines"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("lintian_error", "lintian failed on"),
        pytest.param("bad_postinst", "piuparts failed on", marks=pytest.mark.slow),
        pytest.param("leaves_file", "piuparts failed on", marks=pytest.mark.slow),
    ],
)
def test_a_package_that_a_check_refuses(project: Project, tmp_path: Path, fault: str, text: str) -> None:
    refused(project, 11, text, os.fspath(make_tree(tmp_path / "hello", kind="all", **{fault: True})))  # type: ignore[arg-type]


def test_a_key_that_is_not_there_is_told_before_anything_is_built(project: Project, tmp_path: Path) -> None:
    with (project.path / "config/debkit.toml").open("a") as config:
        config.write(f'[keys]\nupload = "{"0123456789" * 4}"\n')
    nowhere = {"GNUPGHOME": os.fspath(tmp_path / "nowhere")}
    refused(project, 13, "signing key is not on this machine", os.fspath(make_tree(tmp_path / "hello")), env=nowhere)
    assert not list((project.path / "dist").rglob("*.build"))


def test_a_release_refuses_the_development_key(project: Project, tmp_path: Path) -> None:
    refused(project, 13, "a release needs a real signing key", os.fspath(make_tree(tmp_path / "hello")), "--release")


def shut_out(project: Project, tmp_path: Path, text: str, key: Path, *argv: str, prefix: tuple[str, ...] = ()) -> None:
    """Have a key that cannot sign refused before anything is built."""
    tree = make_tree(tmp_path / "hello")
    refused(project, 13, text, os.fspath(tree), *argv, env={"DEBKIT_SIGNING_KEY_FILE": os.fspath(key)}, prefix=prefix)
    assert not list((project.path / "dist").rglob("*.build"))


def test_an_expired_key(project: Project, tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    with gnupg_home() as home:
        key.write_text(secret_key(home, make_key(home, expires="20200101T000000")))
    shut_out(project, tmp_path, "has expired", key)


@pytest.mark.parametrize("way", ["file", "fd"])
def test_a_wrong_passphrase(project: Project, tmp_path: Path, way: str) -> None:
    key, words = tmp_path / "key.asc", tmp_path / "words"
    with gnupg_home() as home:
        key.write_text(secret_key(home, make_key(home, passphrase="right"), passphrase="right"))  # noqa: S106
    words.write_text("wrong\n")
    given = {"file": ("--passphrase-file", os.fspath(words)), "fd": ("--passphrase-fd", "7")}[way]
    seventh = ("sh", "-c", 'exec "$@" 7<"$0"', os.fspath(words))
    shut_out(project, tmp_path, "the passphrase does not unlock the key", key, *given, prefix=seventh)


def test_a_build_that_takes_too_long_is_ended_with_all_it_has_begun(project: Project, tmp_path: Path, scratch: Path) -> None:
    spoil(project.path / "config/debkit.toml", f'{CONFIG}timeout = "8s"\n')
    tree = make_tree(tmp_path / "hello", kind="all")
    with (tree / "debian/rules").open("a") as rules:
        rules.write("override_dh_auto_build:\n\tsleep 3600\n")
    refused(project, 10, "raise timeout in config/debkit.toml", os.fspath(tree))
    assert project.report["builds"][0]["state"] == "timed out"
    assert not list(scratch.iterdir())


@pytest.mark.slow
def test_checks_that_come_to_no_verdict(project: Project, tmp_path: Path) -> None:
    # lintian is ended at once, and what every clean system has cannot be purged, so that piuparts has nothing to judge.
    spoil(project.path / "config/debkit.toml", f'{CONFIG}[checks]\nrun = ["lintian", "piuparts"]\ntimeout = "0s"\n')
    tree = os.fspath(make_tree(tmp_path / "tzdata", name="tzdata", version="2099.1", distribution="trixie", kind="all"))
    ended = refused(project, 12, "publish all the same with --accept-incomplete-checks", tree)
    outcomes = {"lintian": "environment-error", "piuparts": "skipped"}
    assert {check["check"]: check["outcome"] for check in project.report["checks"]} == outcomes
    assert all(f"{check} on trixie/amd64: {outcome}" in ended.err for check, outcome in outcomes.items())
    ended = project.debkit("build", tree, "--accept-incomplete-checks")
    assert ended.code == 0, ended.err
    assert {check["check"]: check["outcome"] for check in project.report["checks"]} == outcomes
    assert project.report["sightings"][0]["version"] == "2099.1"


def standing(archive: Path) -> dict[str, bytes]:
    """All that an archive has, but for what its lock says."""
    files = (file for file in archive.rglob("*") if file.is_file())
    return {os.fspath(file.relative_to(archive)): file.read_bytes() for file in files} | {".lock": b""}


# Hold an archive as a reprepro that was started by hand does while it signs, for as long as the file `busy` is there.
BUSY = """\
#!/bin/sh
while [ -e {busy} ]; do sleep 0.1; done
exit 1
"""
# The command itself, which would wait for five minutes.
IMPATIENT = """
import sys
from debkit.archive import publish
from debkit.cli import main
publish.__kwdefaults__["wait"] = 1.0
del sys.argv[1:4]
main()
"""


@contextlib.contextmanager
def reprepro_at_work(project: Project, work: Path) -> Iterator[None]:
    """Have a real reprepro in the middle of an export."""
    conf, busy = work / "conf", work / "busy"
    shutil.copytree(CHECKOUT / "repo/conf", conf)
    (conf / "hook").write_text(BUSY.format(busy=busy))
    (conf / "hook").chmod(0o755)
    stanzas = (conf / "distributions").read_text()
    (conf / "distributions").write_text(stanzas.replace("Components: main", "Components: main\nSignWith: ! hook"))
    busy.touch()
    export = Command(
        argv=("reprepro", "--basedir", os.fspath(project.archive), "--confdir", os.fspath(conf), "export", "trixie"),
        ok=frozenset(range(256)),
    )
    with ThreadPoolExecutor() as pool:
        exporting = pool.submit(Processes(), export)
        try:
            while not (project.archive / "dists/trixie/Release.new").exists():
                assert not exporting.done(), exporting.result()
                time.sleep(0.05)
            yield
        finally:
            busy.unlink()


@pytest.mark.slow
def test_an_archive_that_somebody_else_works_on(project: Project, tmp_path: Path) -> None:
    spoil(project.path / "config/debkit.toml", UNCHECKED)
    tree = make_tree(tmp_path / "hello", kind="all")
    with reprepro_at_work(project, tmp_path):
        before = standing(project.archive)
        ended = project.debkit("build", os.fspath(tree), prefix=(sys.executable, "-c", IMPATIENT))
        assert standing(project.archive) == before
    assert ended.code == 19, ended.err
    assert is_three_parts(ended)
    assert re.search(r"reprepro \(process \d+\) holds .*/db/lockfile", ended.err)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, debkit_cache: Path) -> Iterator[Project]:
    """A project that has published the tree `hello` beside it."""
    home = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", os.fspath(home / "state"))
        project = make_project(home / "project", UNCHECKED)
        ended = project.debkit("build", os.fspath(make_tree(home / "hello", kind="all", distribution="trixie")))
        assert ended.code == 0, ended.err
        yield project


def test_the_same_version_with_other_content(published: Project, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "hello", kind="all", distribution="trixie")
    program = tree / "hello-debkit.in"
    program.write_text(f"{program.read_text()}# an edit\n")
    before = standing(published.archive)
    ended = published.debkit("build", os.fspath(tree))
    assert ended.code == 15, ended.err
    assert is_three_parts(ended)
    assert "hello-debkit 1.0 is in the archive with other content" in ended.err
    assert published.report["error"]["exit_code"] == 15
    assert standing(published.archive) == before


# Run a command in a user namespace whose root has subordinate ids of its own.
def test_no_network_at_all(project: Project, tmp_path: Path, buildd_tarball: Callable[[str, str], Path]) -> None:
    assert buildd_tarball("trixie", "amd64").exists()
    prefix = (*AS_ROOT, "--net", "sh", "-ec", f'{IDS}exec "$@"', os.fspath(project.path))
    refused(project, 16, "bzip2", "bzip2", prefix=prefix)
    assert not list((project.path / "dist").rglob("*.dsc"))


FULL, READ_ONLY = "the disk is full", "the file system is read-only"
PAGE = os.sysconf("SC_PAGE_SIZE")  # what a tmpfs counts in


def pages_of(directory: Path) -> int:
    """What a tmpfs takes for a directory: a file is there once, however many names it has."""
    sizes = {status.st_ino: status.st_size for status in (path.stat() for path in directory.rglob("*") if path.is_file())}
    return sum(-(-size // PAGE) for size in sizes.values())


@pytest.mark.parametrize(("disk", "cause"), [("64k", FULL), ("ro64k", READ_ONLY)])
def test_no_room_for_what_is_built(project: Project, tmp_path: Path, disk: str, cause: str) -> None:
    tree = make_tree(tmp_path / "hello")
    (tree / "ballast").write_bytes(os.urandom(200_000))
    dist = project.path / "dist"
    dist.mkdir()
    refused(project, 17, cause, os.fspath(tree), prefix=on_another_disk(project, dist, disk))
    assert not list((project.path / "after").rglob("*.tar.*"))


@pytest.mark.parametrize(
    ("disk", "cause"), [("4k", FULL), pytest.param("20M", FULL, marks=pytest.mark.slow), ("ro4k", "Read-only file system")]
)
def test_no_room_for_the_cache(project: Project, tmp_path: Path, disk: str, cause: str) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    tree = make_tree(tmp_path / "hello")
    env = {"XDG_CACHE_HOME": os.fspath(cache)}
    refused(project, 17, cause, os.fspath(tree), env=env, prefix=on_another_disk(project, cache, disk))
    left = {path.name.rpartition(".")[2] for path in (project.path / "after").rglob("*") if path.is_file()}
    assert left <= {"lock", "log", "valid-configurations"}


# With room for half of the database's copy, for that and half of the new packages, and for all but their indices.
@pytest.mark.parametrize(
    ("pages", "cause"),
    [*(pytest.param(pages, FULL, marks=pytest.mark.slow) for pages in (-20, 10, 15)), (None, READ_ONLY)],
)
def test_no_room_for_the_archive(published: Project, tmp_path: Path, pages: int | None, cause: str) -> None:
    tree = make_tree(tmp_path / "hello", version="2.0", kind="all", distribution="trixie")
    before, told = standing(published.archive), published.report
    taken, database = pages_of(published.archive), pages_of(published.archive / "db")
    disk = "ro100M" if pages is None else str((taken + database + pages) * PAGE)
    ended = published.debkit("build", os.fspath(tree), prefix=on_another_disk(published, published.archive, disk))
    after = published.path / "after"
    assert ended.code == 17, ended.err
    assert is_three_parts(ended)
    assert cause in ended.err
    if pages is None:  # it is refused before anything is built, so what is told of the run before stays
        assert published.report == told
    else:
        assert published.report["error"]["exit_code"] == 17
    assert standing(after) == before
    shutil.rmtree(after)
    shutil.rmtree(published.path / "before")
