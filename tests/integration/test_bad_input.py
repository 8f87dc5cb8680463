"""Everything that can be wrong with what debkit is given: one error of three parts, a fixed exit code, nothing half-written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command import Ended, Project, is_three_parts, make_project
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = '[build]\nsuites = ["trixie"]\narches = ["amd64"]\n'


@pytest.fixture
def project(tmp_path: Path, debkit_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path / "state"))
    return make_project(tmp_path / "project", CONFIG)


def refused(project: Project, code: int, text: str, *argv: str, env: dict[str, str] | None = None) -> Ended:
    """Run a build that must be refused, and hold the error and the disk to what is promised."""
    ended = project.debkit("build", *argv, env=env)
    assert ended.code == code, ended.err
    assert is_three_parts(ended), ended.err
    assert text in ended.err
    assert not list(project.path.glob("repo/pool/**/*.deb"))
    assert not list(project.path.glob("repo/dists/**/InRelease"))
    assert not list(project.path.glob("dist/*/upload*"))
    return ended


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


def test_namespaces_that_are_off_point_to_the_doctor(project: Project, tmp_path: Path) -> None:
    path = tools_without(tmp_path, "unshare")
    fake = Path(path) / "unshare"
    fake.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    refused(project, 4, "debkit doctor", os.fspath(make_tree(tmp_path / "hello")), env={"PATH": path})


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
    refused(project, 13, "signing key is not on this machine", os.fspath(make_tree(tmp_path / "hello")))
    assert not list((project.path / "dist").rglob("*.build"))


def test_a_release_refuses_the_development_key(project: Project, tmp_path: Path) -> None:
    refused(project, 13, "a release needs a real signing key", os.fspath(make_tree(tmp_path / "hello")), "--release")


# Run a command in a user namespace in which `dist` is another file system, and whose root has subordinate ids of its own.
ON_ANOTHER_DISK = """
mount -t tmpfs -o "$1" tmpfs "$0/dist"
echo root:1:65535 > "$0/ids"
mount --bind "$0/ids" /etc/subuid
mount --bind "$0/ids" /etc/subgid
shift
exec "$@"
"""


@pytest.mark.parametrize(("disk", "cause"), [("size=64k,mode=1777", "the disk is full"), ("ro", "the file system is read-only")])
def test_a_disk_that_cannot_be_written(project: Project, tmp_path: Path, disk: str, cause: str) -> None:
    tree = make_tree(tmp_path / "hello")
    (tree / "ballast").write_bytes(os.urandom(200_000))
    (project.path / "dist").mkdir()
    namespace = ("unshare", "--user", "--map-auto", "--map-root-user", "--mount")
    prefix = (*namespace, "sh", "-ec", ON_ANOTHER_DISK, os.fspath(project.path), disk)
    ended = project.debkit("build", os.fspath(tree), prefix=prefix)
    assert ended.code == 17, ended.err
    assert is_three_parts(ended)
    assert cause in ended.err
