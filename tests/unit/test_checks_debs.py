from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.checks import _debs
from debkit.checks._debs import Relation

if TYPE_CHECKING:
    from tests.recorder import Recorder

CONTROL = """\
Package: hello
Version: 1:1.0-2
Architecture: arm64
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: libc6 (>= 2.34), , hello-data (= 1:1.0-2), mail-transport-agent | sendmail:any
Conflicts: goodbye
Breaks: hello-data (<< 1.0)
Provides: greeter (= 1.0)
Description: greets
 at length
"""


def deb(name: str, **fields: str) -> _debs.Deb:
    control = {"Package": name, "Version": "1.0", "Architecture": "all"} | {
        key.replace("_", "-").title(): value for key, value in fields.items()
    }
    return _debs.parse(Path(f"{name}_1.0_all.deb"), "".join(f"{key}: {value}\n" for key, value in control.items()))


def names(rounds: tuple[tuple[_debs.Deb, ...], ...]) -> list[list[str]]:
    return [[each.name for each in debs] for debs in rounds]


def test_a_control_file_is_read(recorder: Recorder) -> None:
    recorder.reply("dpkg-deb", stdout=CONTROL)
    (found,) = _debs.read(recorder, (Path("/dist/hello_1.0-2_arm64.deb"), Path("/elsewhere/hello_1.0-2_arm64.deb")))
    assert recorder.argvs[0] == ("dpkg-deb", "--field", "/dist/hello_1.0-2_arm64.deb")
    assert (found.name, found.version, found.arch, found.debug) == ("hello", "1:1.0-2", "arm64", False)
    assert found.depends == (
        (Relation("init-system-helpers", ">=", "1.54~"),),
        (Relation("libc6", ">=", "2.34"),),
        (Relation("hello-data", "=", "1:1.0-2"),),
        (Relation("mail-transport-agent"), Relation("sendmail")),
    )
    assert found.refuses == (Relation("goodbye"), Relation("hello-data", "<<", "1.0"))
    assert found.provides == ("greeter",)


def test_debug_symbols_are_known_by_their_field_not_their_name() -> None:
    assert deb("hello-dbgsym", auto_built_package="debug-symbols").debug
    assert not deb("hello-dbgsym").debug


def test_of_packages_that_exclude_each_other_the_first_that_will_do_is_brought_along() -> None:
    debs = (
        deb("server", depends="base (= 1.0) | base-lua"),
        deb("base"),
        deb("base-lua", provides="base", conflicts="base"),
        deb("client", depends="base"),
    )
    assert names(_debs.rounds(debs)) == [["server", "base", "client"], ["base-lua"]]


def test_packages_that_agree_are_tested_together() -> None:
    debs = (deb("a"), deb("b", depends="a (= 1.0)"), deb("c", breaks="a (<< 0.9)", replaces="a (<< 0.9)"))
    assert names(_debs.rounds(debs)) == [["a", "b", "c"]]


@pytest.mark.parametrize(
    "second",
    [
        deb("b", conflicts="a"),
        deb("b", breaks="a (<= 1.0)"),
        deb("b", conflicts="greeter"),
        deb("b", provides="greeter", conflicts="greeter"),
    ],
)
def test_packages_that_conflict_are_tested_one_after_the_other(second: _debs.Deb) -> None:
    debs = (deb("a", provides="greeter"), second, deb("c"))
    assert names(_debs.rounds(debs)) == [["a", "c"], ["b"]]


def test_a_versioned_conflict_does_not_mean_a_virtual_package() -> None:
    debs = (deb("a", provides="greeter"), deb("b", conflicts="greeter (<< 2)"))
    assert names(_debs.rounds(debs)) == [["a", "b"]]


def test_each_round_has_the_dependencies_that_only_the_source_makes() -> None:
    debs = (deb("lib"), deb("one", depends="lib", conflicts="two"), deb("two", depends="virtual"), deb("x", provides="virtual"),
            deb("y", depends="two"))  # fmt: skip
    assert names(_debs.rounds(debs)) == [["lib", "one", "x"], ["two", "x", "y"]]


def test_a_package_that_conflicts_with_its_own_dependency_is_left_to_apt() -> None:
    assert names(_debs.rounds((deb("a", depends="b", conflicts="b"), deb("b")))) == [["b"], ["a", "b"]]
