"""What apt would install for a build, and by name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.errors import DependencyError
from debkit.run import Command
from tests.apt_world import dsc, names
from tests.archives import make_deb

if TYPE_CHECKING:
    from pathlib import Path

    from debkit.run import Processes
    from tests.apt_world import World


# What sbuild would install


def test_what_a_build_needs_after_the_upgrade(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(
        tmp_path, Build_Depends="greeter (>= 1.0) | nothing, libgreet [arm64] | editor-a, grumpy <cross>, editor-b:native"
    )
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True)
    assert names(found) == ["base", "base-data", "build-essential", "editor-a", "editor-b", "fakeroot", "greeter", "libgreet"]
    assert found.remove == ()
    (libgreet,) = (pin for pin in found.install if pin.name == "libgreet")
    assert (libgreet.version, libgreet.arch, libgreet.deb) == ("1:1.2", "amd64", "libgreet_1%3a1.2_amd64.deb")
    assert libgreet.filename == "pool/libgreet_1%3a1.2_amd64.deb"
    assert libgreet.uri.startswith("http://127.0.0.1:")
    assert len(libgreet.sha256) == 64


def test_the_upgrade_can_be_left_out(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(tmp_path, Build_Depends="greeter-doc")
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True, upgrade=False)
    assert names(found) == ["build-essential", "fakeroot", "greeter-doc"]


def test_dependencies_of_what_is_not_built_do_not_count(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(tmp_path, Build_Depends="greeter-doc", Build_Depends_Arch="editor-a", Build_Depends_Indep="editor-b")

    def needed(*, all: bool, arch: bool) -> set[str]:  # noqa: A002 (dpkg's word)
        return set(names(apt.solve_build(run, chroot, source, host="amd64", all=all, arch=arch))) & {"editor-a", "editor-b"}

    assert needed(all=True, arch=True) == {"editor-a", "editor-b"}
    assert needed(all=True, arch=False) == {"editor-b"}
    assert needed(all=False, arch=True) == {"editor-a"}


def test_only_the_first_alternative_is_tried(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="no-such-thing"):
        apt.resolve_build(run, chroot, dsc(tmp_path, Build_Depends="no-such-thing | editor-a"), host="amd64", all=True, arch=True)


def test_profiles_are_evaluated(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    source = dsc(tmp_path, Build_Depends="editor-a <!nocheck>, editor-b <nocheck !stage1>")
    with_tests = apt.resolve_build(run, chroot, source, host="amd64", all=True, arch=True)
    without = apt.resolve_build(run, chroot, source, host="amd64", all=True, arch=True, profiles=("nocheck",))
    assert {p.name for p in with_tests} ^ {p.name for p in without} == {"editor-a", "editor-b"}


def test_a_build_conflict_removes(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    found = apt.solve_build(run, chroot, dsc(tmp_path, Build_Conflicts="other, base (>= 9)"), host="amd64", all=True, arch=True)
    assert found.remove == ("other:amd64",)
    assert "base" in names(found)


def test_local_packages_serve_a_build(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    debs = (make_deb(tmp_path, "local-tool", "3~rc1", Depends="greeter-doc"), make_deb(tmp_path, "greeter-doc", "1.5"))
    source = dsc(tmp_path, Build_Depends="local-tool")
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True, debs=debs, upgrade=False)
    assert names(found) == ["build-essential", "fakeroot", "greeter-doc", "local-tool"]
    local = [pin for pin in found.install if pin.uri.startswith("copy:")]
    assert [(pin.name, pin.version, pin.uri) for pin in local] == [
        ("greeter-doc", "1.5", f"copy:{debs[1]}"),
        ("local-tool", "3~rc1", f"copy:{debs[0]}"),
    ]
    paths = apt.download(run, chroot, found.install, tmp_path / "debs")
    assert paths[3].read_bytes() == debs[0].read_bytes()


def test_a_cross_build_takes_libraries_of_the_host(run: Processes, chroot: apt.AptRoot, world: World, tmp_path: Path) -> None:
    for name in ("crossbuild-essential-arm64", "apt-utils"):
        make_deb(world.pool, name, "1")
    for name in ("libc-dev", "libstdc++-dev"):
        make_deb(world.pool, name, "1", arch="arm64", Multi_Arch="same")
    make_deb(world.pool, "native-tool", "1", arch="amd64", Multi_Arch="foreign")
    make_deb(world.pool, "native-tool", "1", arch="arm64", Multi_Arch="foreign")
    world.publish()
    apt.update(run, chroot)
    source = dsc(tmp_path, Build_Depends="libgreet, native-tool, greeter:native")
    found = apt.solve_build(run, chroot, source, host="arm64", profiles=("cross", "nocheck"), all=False, arch=True, upgrade=False)
    arches = {(pin.name, pin.arch) for pin in found.install}
    assert {("libgreet", "arm64"), ("libc-dev", "arm64"), ("greeter", "amd64"), ("libgreet", "amd64")} <= arches
    assert ("native-tool", "amd64") in arches
    assert ("native-tool", "arm64") not in arches


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("no-such-package", ("no-such-package", "there is no package no-such-package", "build.repositories")),
        ("gretter", ("gretter", "there is no package gretter", "did you mean greeter")),
        ("libgreet (>= 2:0)", ("libgreet (>= 2:0)", "there is no other libgreet than 1:1.2", "build.repositories")),
        ("deep", ("libgreet (>= 2:0)", "deeper 2 needs libgreet (>= 2:0)", "build.repositories")),
        ("grumpy, libgreet", ("grumpy", "grumpy 1 conflicts with libgreet, and libgreet 1:1.2 is wanted too", "chroot update")),
    ],
)
def test_the_culprit_is_named(run: Processes, chroot: apt.AptRoot, tmp_path: Path, wish: str, told: tuple[str, str, str]) -> None:
    culprit, cause, hint = told
    with pytest.raises(DependencyError) as caught:
        apt.resolve_build(run, chroot, dsc(tmp_path, Build_Depends=wish), host="amd64", all=True, arch=True)
    assert caught.value.what == f"what thing needs to be built cannot be installed on amd64: {culprit}"
    assert cause in caught.value.cause.splitlines()
    assert hint in caught.value.hint


def test_dependencies_are_read_as_dpkg_reads_them(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    """dpkg's own parser, which sbuild uses, reduces the same fields for the same architecture and profiles."""
    text = (
        "greeter (>= 1.0) | other, libgreet [!amd64] | editor-a [any-amd64], editor-b [kfreebsd-any arm64], base:any <!nocheck>, "
        "greeter-doc <nocheck> <cross>, base-data <!nocheck !cross>, mock-tool [arm64 i386] <nocheck>"
    )
    perl = (
        "use Dpkg::Deps; my $d = deps_parse($ARGV[0], reduce_arch=>1, host_arch => 'amd64', build_arch => 'amd64',"
        " build_dep => 1, reduce_profiles => 1, build_profiles => ['nocheck']);"
        " print join(',', map { ($_->get_deps())[0]->{package} } $d->get_deps());"
    )
    wanted = run(Command(argv=("perl", "-e", perl, text))).stdout.split(",")
    assert wanted == ["greeter", "editor-a", "greeter-doc"]
    source = dsc(tmp_path, Build_Depends=text)
    found = apt.solve_build(run, chroot, source, host="amd64", all=True, arch=True, profiles=("nocheck",), upgrade=False)
    assert set(names(found)) == {*wanted, "libgreet", "build-essential", "fakeroot"}


# Installing by name


def test_installing_with_and_without_recommendations(run: Processes, chroot: apt.AptRoot) -> None:
    assert names(apt.solve_install(run, chroot, ("greeter",))) == ["greeter", "libgreet"]
    assert names(apt.solve_install(run, chroot, ("greeter=1.0",), recommends=True)) == ["greeter", "greeter-doc", "libgreet"]


def test_installing_a_local_package_takes_that_very_one(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "greeter-doc", "0.1", Depends="editor-a")
    found = apt.solve_install(run, chroot, debs=(deb,))
    assert [(pin.name, pin.version) for pin in found.install] == [("editor-a", "1"), ("greeter-doc", "0.1")]


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("greter", "there is no package greter for amd64", "did you mean greeter?"),
        ("editor", "there is no package editor for amd64", "did you mean editor-a or editor-b?"),
        ("greeter=7", "there is no version 7 of greeter", "name a repository that has it in build.repositories"),
        ("only-i386-tool", "there is no package only-i386-tool for amd64", "name a repository that has it"),
    ],
)
def test_a_name_that_is_not_there(run: Processes, chroot: apt.AptRoot, name: str, what: str, hint: str) -> None:
    with pytest.raises(DependencyError) as caught:
        apt.resolve_install(run, chroot, (name,))
    assert caught.value.what == what
    assert caught.value.hint.startswith(hint)


def test_a_package_of_another_architecture(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    deb = make_deb(tmp_path, "alien", "1", arch="riscv64")
    with pytest.raises(DependencyError, match="is for riscv64"):
        apt.resolve_install(run, chroot, debs=(deb,))


# What packages need


def test_the_closure_of_local_packages_has_what_they_need_and_nothing_else(
    run: Processes, chroot: apt.AptRoot, tmp_path: Path
) -> None:
    tool = make_deb(tmp_path, "tool", "2-1+b1", Source="things (2-1)", Depends="tool-data (= 2-1), editor-a | editor-b, base")
    data = make_deb(tmp_path, "tool-data", "2-1", Source="things", Recommends="greeter")
    found = {member.name: member for member in apt.closure(run, chroot, (tool, data))}
    # `other` is installed and needed by none; base is installed at 1 and upgraded to 2, which brings base-data along.
    assert {name: member.depends for name, member in found.items()} == {
        "base": ("base-data",),
        "base-data": (),
        "editor-a": (),
        "tool": ("base", "editor-a", "tool-data"),
        "tool-data": (),
    }
    assert (found["base"].version, len(found["base"].sha256)) == ("2", 64)
    assert (found["tool"].source, found["tool"].version, found["tool"].source_version) == ("things", "2-1+b1", "2-1")
    assert (found["tool-data"].source, found["tool-data"].source_version) == ("things", "2-1")
    assert (found["base"].source, found["base"].source_version) == ("base", "2")
    assert found["tool"].sha256 == hashlib.sha256(tool.read_bytes()).hexdigest()
    assert found["tool"].maintainer == "Test Writer <test@example.org>"


def test_a_closure_that_cannot_be_had_names_the_culprit(run: Processes, chroot: apt.AptRoot, tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="no-such-thing"):
        apt.closure(run, chroot, (make_deb(tmp_path, "tool", "1", Depends="no-such-thing"),))
