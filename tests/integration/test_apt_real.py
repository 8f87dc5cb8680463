"""Isolated apt against the distribution's own mirror, and against what sbuild does with the same source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.errors import DependencyError, SourceError
from debkit.run import Command, Processes
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUITE = "trixie"
# Alternatives, a virtual package with several providers, qualifiers, restrictions: all that a resolver could see differently.
BUILD_DEPENDS = """\
Build-Depends: debhelper-compat (= 13), libcurl-dev, mawk | gawk, not-in-any-suite [hurd-any] | libbz2-dev, python3:any,
 pkgconf <!nocheck>, xsltproc <nocheck>, libpng-dev (>= 1.6~) | libpng12-dev
Build-Depends-Arch: libexpat1-dev
Build-Depends-Indep: m4
Build-Conflicts: libtool-bin
"""


@pytest.fixture(scope="module")
def roots(
    buildd_tarball: Callable[[str, str], Path], run: Processes, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], apt.AptRoot]:
    """The isolated apt of a real chroot, its lists fetched once."""
    made: dict[str, apt.AptRoot] = {}

    def make(arch: str) -> apt.AptRoot:
        if arch not in made:
            made[arch] = apt.prepare(run, buildd_tarball(SUITE, arch), tmp_path_factory.mktemp("apt") / arch, arch)
            apt.update(run, made[arch])
        return made[arch]

    return make


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_a_source_is_fetched_and_its_dependencies_resolved(
    roots: Callable[[str], apt.AptRoot], run: Processes, tmp_path: Path, arch: str
) -> None:
    root = roots(arch)
    assert len(apt.seen(run, root, "bash")) == 1
    dsc = apt.source(run, root, "bzip2", tmp_path / "sources")
    found = apt.solve_build(run, root, dsc, host=arch, all=True, arch=True)
    assert {"debhelper", "docbook2x", "texinfo"} <= {pin.name for pin in found.install}
    assert {pin.arch for pin in found.install} == {arch, "all"}
    assert found.remove == ()
    smallest = sorted(found.install, key=lambda pin: pin.size)[:3]
    paths = apt.download(run, root, tuple(smallest), tmp_path / "debs")
    for pin, deb in zip(smallest, paths, strict=True):
        fields = run(Command(argv=("dpkg-deb", "--field", str(deb), "Package", "Version", "Architecture"))).stdout
        assert fields == f"Package: {pin.name}\nVersion: {pin.version}\nArchitecture: {pin.arch}\n"


def test_a_misspelt_source_and_a_misspelt_dependency(roots: Callable[[str], apt.AptRoot], run: Processes, tmp_path: Path) -> None:
    root = roots("amd64")
    with pytest.raises(SourceError, match="there is no source package tinyxml22") as unknown:
        apt.source(run, root, "tinyxml22", tmp_path)
    assert "tinyxml2" in unknown.value.hint
    with pytest.raises(DependencyError, match="libmicrohttp-dev") as absent:
        apt.resolve_build(run, root, _dsc(run, tmp_path, "Build-Depends: libmicrohttp-dev\n"), host="amd64", all=True, arch=True)
    assert "did you mean libmicrohttpd-dev" in absent.value.hint


def test_sbuild_installs_just_what_was_resolved(
    roots: Callable[[str], apt.AptRoot], buildd_tarball: Callable[[str, str], Path], run: Processes, tmp_path: Path
) -> None:
    arch = run(Command(argv=("dpkg", "--print-architecture"))).stdout.strip()
    dsc = _dsc(run, tmp_path, BUILD_DEPENDS)
    pins = apt.resolve_build(run, roots(arch), dsc, host=arch, all=True, arch=True)
    log = _sbuild(run, tmp_path, dsc, arch, buildd_tarball(SUITE, arch))
    installed = dict(re.findall(r"^Setting up ([^\s:]+)(?::\w+)? \((\S+)\) \.\.\.", log, re.MULTILINE))
    resolved = {pin.name: pin.version for pin in pins}
    # sbuild's own dummy; fakeroot, which newer ones install only for sources that need it; dumb-init, which one of them needs.
    for name in ("sbuild-build-depends-main-dummy", "fakeroot", "libfakeroot", "dumb-init"):
        installed.pop(name, None)
        resolved.pop(name, None)
    assert installed == resolved
    assert {"libbz2-dev", "libexpat1-dev", "m4", "pkgconf"} <= installed.keys()


def _dsc(run: Processes, tmp_path: Path, build_depends: str) -> Path:
    tree = make_tree(tmp_path / "tree" / "hello-debkit")
    control = tree / "debian/control"
    control.write_text(re.sub(r"^Build-Depends: .*\n", build_depends, control.read_text(), flags=re.MULTILINE))
    run(Command(argv=("dpkg-source", "--build", tree.name), cwd=tree.parent))
    (dsc,) = tree.parent.glob("*.dsc")
    return dsc


def _sbuild(run: Processes, tmp_path: Path, dsc: Path, arch: str, tarball: Path) -> str:
    """Run sbuild up to where the build would start, and give its log."""
    work = tmp_path / "sbuild"
    work.mkdir()
    argv = (
        "sbuild", "--chroot-mode=unshare", f"--chroot={tarball}", f"--dist={SUITE}", f"--arch={arch}", "--arch-all",
        "--no-run-lintian", "--starting-build-commands=exit 1", str(dsc),
    )  # fmt: skip
    run(Command(argv=argv, cwd=work, ok=frozenset(range(1, 4))))
    (log,) = (path for path in work.glob("*.build") if not path.is_symlink())
    return log.read_text(errors="replace")
