"""The isolated apt of a chroot: its configuration, keys and pins, and nothing of this machine's."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.apt.ask import CHECKOUT
from debkit.model import Repository
from debkit.run import Command
from tests.apt_world import names
from tests.archives import index, make_deb, serve, sign, throwaway_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.run import Completed, Processes
    from tests.apt_world import World


def test_the_chroots_configuration_is_read_but_runs_nothing(chroot: apt.AptRoot, run: Processes, tmp_path: Path) -> None:
    assert apt.seen(run, chroot, "greeter") == ("1.0",)
    assert not (tmp_path / "harm").exists()
    assert not (chroot.path / "etc/passwd").exists()
    assert list((chroot.path / "var/lib/apt/lists").glob("*_Packages"))


def test_pins_of_the_chroot_count(run: Processes, chroot: apt.AptRoot) -> None:
    (chroot.path / "etc/apt/preferences.d/no-upgrade").write_text("Package: base\nPin: version 2\nPin-Priority: -1\n")
    assert names(apt.solve_install(run, chroot, ("greeter-doc",), upgrade=True)) == ["greeter-doc"]


def test_a_path_with_blanks_works_where_no_keyring_is_named(world: World, run: Processes, tmp_path: Path, tarball: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "etc/apt/sources.list").write_text(f"deb {world.site.url} stable main\n")
    (tree / "etc/apt/trusted.gpg.d").mkdir()
    shutil.copy(world.keyring, tree / "etc/apt/trusted.gpg.d/repo.gpg")
    with tarfile.open(tarball, "w") as tar:
        tar.add(tree, ".")
    root = apt.prepare(run, tarball, tmp_path / "my own cache" / "root", "amd64")
    apt.update(run, root)
    assert apt.seen(run, root, "greeter") == ("1.0",)


def test_an_extra_repository_with_its_own_key(world: World, run: Processes, tmp_path: Path, tarball: Path) -> None:
    extra = tmp_path / "extra"
    (extra / "pool").mkdir(parents=True)
    (tmp_path / "key").mkdir()
    make_deb(extra / "pool", "addition", "1.0")
    index(extra)
    with serve(extra) as site, throwaway_key(tmp_path / "key") as (home, keyring):
        sign(extra, home)
        line = f"deb {site.url} stable main"
        root = apt.prepare(run, tarball, tmp_path / "r", "amd64", repositories=(Repository(line=line, key=keyring),))
        apt.update(run, root)
        assert apt.seen(run, root, "addition") == ("1.0",)
        assert apt.seen(run, root, "greeter") == ("1.0",)
        wrong = apt.prepare(run, tarball, tmp_path / "r", "amd64", repositories=(Repository(line=line, key=world.keyring),))
        with pytest.raises(apt.Untrusted):
            apt.update(run, wrong)


def test_an_ordinary_user_can_do_it_all(world: World, tmp_path: Path, tarball: Path, run: Processes) -> None:
    """As nobody, in a directory of its own; a root-only _apt sandbox would fail or warn."""
    home = tmp_path / "home"
    home.mkdir()
    who = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    as_root = os.geteuid() == 0
    if as_root:
        for name in ("debkit", "packaging/debian"):  # the checkout may be in root's own home
            shutil.copytree(CHECKOUT / name, tmp_path / "code" / name)
        os.chown(home, 65534, 65534)
        for path in (tarball, *tmp_path.parents[:2], tmp_path):
            path.chmod(0o755)

    def dropped(command: Command, on_line: Callable[[str], None] | None = None) -> Completed:
        if as_root:
            code = ("PYTHONPATH", os.fspath(tmp_path / "code"))
            command = dataclasses.replace(command, argv=(*who, *command.argv), env=(*command.env, code))
        return run(command, on_line)

    root = apt.prepare(run, tarball, home / "root", "amd64")
    if as_root:
        run(Command(argv=("chown", "-R", "65534:65534", os.fspath(home))))
    apt.update(dropped, root)
    pins = apt.resolve_install(dropped, root, ("greeter",))
    assert [pin.name for pin in pins] == ["greeter", "libgreet"]
    (deb, _) = apt.download(dropped, root, pins, home / "debs")
    assert deb.is_file()
