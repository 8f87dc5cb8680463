"""The first real error of a log: recorded logs of builds that were made to fail, and made-up ones for the finer points."""

from __future__ import annotations

from pathlib import Path

import pytest

from debkit.backends import pbuilder, sbuild
from debkit.backends._errors import first_error
from debkit.backends._logs import SIGNS, read
from debkit.backends._outcome import tail
from debkit.model import BuildState, Excerpt

DATA = Path(__file__).parents[1] / "data"

# For each recorded log of sbuild: its exit code, how the build ended, and the line to blame.
SBUILD: dict[str, tuple[int, BuildState, str]] = {
    "compile": (2, BuildState.FAILED, "sample.c:7:21: error: ‘UNDECLARED_VERSION’ undeclared (first use in this function)"),  # noqa: RUF001
    "header": (2, BuildState.FAILED, "sample.c:2:10: fatal error: nosuch/lib.h: No such file or directory"),
    "link": (2, BuildState.FAILED, "././sample.c:2:(.text.startup+0xa): undefined reference to `nowhere'"),
    "library": (2, BuildState.FAILED, "/usr/bin/ld: cannot find -lnosuchlib: No such file or directory"),
    "target": (2, BuildState.FAILED, "make[1]: *** No rule to make target 'sample.gen', needed by 'all'.  Stop."),
    "test": (2, BuildState.FAILED, "make[1]: *** [Makefile:7: test] Error 1"),
    "command": (2, BuildState.FAILED, "make[1]: frobnicate: No such file or directory"),
    "python": (2, BuildState.FAILED, "Traceback (most recent call last):"),
    "dhinstall": (
        2,
        BuildState.FAILED,
        'dh_install: warning: Cannot find (any matches for) "usr/bin/sample" (tried in ., debian/tmp)',
    ),
    "dhopts": (2, BuildState.FAILED, "dh: error: unable to load addon nosuchaddon: Can't locate "),
    "cmake": (2, BuildState.FAILED, "CMake Error at CMakeLists.txt:3 (find_package):"),
    "ctest": (2, BuildState.FAILED, "2/2 Test #2: returns ..........................***Failed    0.01 sec"),
    "meson": (
        2,
        BuildState.FAILED,
        "../meson.build:2:0: ERROR: Dependency lookup for nosuchthing with method 'pkgconfig' failed",
    ),
    "configure": (2, BuildState.FAILED, "configure: error: Package requirements (nosuch >= 2) were not met"),
    "automake": (2, BuildState.FAILED, "FAIL: bad.sh"),
    "pytest": (2, BuildState.FAILED, "=================================== FAILURES ==================================="),
    "missing": (2, BuildState.FAILED, "dh_missing: error: missing files, aborting"),
    "patch": (3, BuildState.FAILED, "Hunk #1 FAILED at 1."),
    "rules": (2, BuildState.FAILED, "debian/rules:4: *** missing separator.  Stop."),
    "segfault": (2, BuildState.FAILED, "make[1]: *** [Makefile:4: test] Segmentation fault"),
    "parallel": (2, BuildState.FAILED, "sample.c:3:2: error: #error seven is not a number of this house"),
    "full": (2, BuildState.ENVIRONMENT, "dd: error writing '/dev/full': No space left on device"),
    "unmet": (3, BuildState.UNINSTALLABLE, "The following packages have unmet dependencies:"),
}
PBUILDER: dict[str, tuple[int, BuildState, str]] = {
    "compile": (1, BuildState.FAILED, "sample.c:7:21: error: ‘UNDECLARED_VERSION’ undeclared (first use in this function)"),  # noqa: RUF001
    "test": (1, BuildState.FAILED, "make[1]: *** [Makefile:7: test] Error 1"),
    "cmake": (1, BuildState.FAILED, "CMake Error at CMakeLists.txt:3 (find_package):"),
    "dhinstall": (
        1,
        BuildState.FAILED,
        'dh_install: warning: Cannot find (any matches for) "usr/bin/sample" (tried in ., debian/tmp)',
    ),
    "patch": (1, BuildState.FAILED, "Hunk #1 FAILED at 1."),
    "full": (1, BuildState.ENVIRONMENT, "dd: error writing '/dev/full': No space left on device"),
    "unmet": (2, BuildState.UNINSTALLABLE, "The following packages have unmet dependencies:"),
}
EVERY = [
    *(("sbuild", name, *what) for name, what in SBUILD.items()),
    *(("pbuilder", name, *what) for name, what in PBUILDER.items()),
]


def excerpt_of(log: Path) -> Excerpt:
    found = first_error(log.read_text().splitlines())
    assert found
    return found


@pytest.mark.parametrize(("backend", "name", "code", "state", "blamed"), EVERY)
def test_a_recorded_log(backend: str, name: str, code: int, state: BuildState, blamed: str) -> None:
    log = DATA / backend / f"{name}.log"
    found = excerpt_of(log)
    lines = log.read_text().splitlines()
    assert lines[found.line - 1].startswith(blamed)
    assert lines[found.line - 1] in found.lines
    assert "\n".join(found.lines) in "\n".join(lines)
    assert 3 <= len(found.lines) <= 30
    judge, signs = (sbuild.judge, SIGNS) if backend == "sbuild" else (pbuilder.judge, pbuilder.SIGNS)
    assert judge(code, read(log, signs)) is state


def test_every_recorded_log_is_told_of_here() -> None:
    assert {(path.parent.name, path.stem) for backend in ("sbuild", "pbuilder") for path in (DATA / backend).glob("*.log")} == {
        (backend, name) for backend, name, *_ in EVERY
    }


def test_a_traceback_is_shown_to_its_end() -> None:
    assert excerpt_of(DATA / "sbuild/python.log").lines[-1] == (
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    )


def test_unmet_dependencies_are_all_shown() -> None:
    lines = excerpt_of(DATA / "sbuild/unmet.log").lines
    assert any("libnosuch-dev (>= 2) but it is not installable" in line for line in lines)
    assert any("debhelper-nosuch but it is not installable" in line for line in lines)
    assert lines[-1] == "E: Unable to correct problems, you have held broken packages."


def test_apts_errors_may_come_before_what_it_printed() -> None:
    log = """\
Some packages could not be installed. This may mean that you have
E: Unable to correct problems, you have held broken packages.
{solver}requested an impossible situation or if you are using the unstable
The following information may help to resolve the situation:

The following packages have unmet dependencies:
 sbuild-build-depends-main-dummy : Depends: libnosuch-dev but it is not installable
apt-get failed.
E: Package installation failed
"""
    solver = """\
E: The following information from --solver 3.0 may provide additional context:
   Unable to satisfy dependencies. Reached two conflicting decisions:
   1. sbuild-build-depends-main-dummy:amd64=0.invalid.0 is selected for install
   2. sbuild-build-depends-main-dummy:amd64 Depends libnosuch-dev
      but none of the choices are installable:
"""
    for text, line in (
        (log.format(solver=""), "Depends: libnosuch-dev but"),
        (log.format(solver=solver), "Depends libnosuch-dev"),
    ):
        found = first_error(text.splitlines())
        assert found
        assert any(line in shown for shown in found.lines), found


def test_without_a_clue_the_verdict_is_shown_with_what_stands_above_it() -> None:
    lines = excerpt_of(DATA / "sbuild/test.log").lines
    assert "./sample | grep -qx 'goodbye'" in lines
    assert "   dh_auto_test" in lines


def test_what_make_ignores_is_no_error() -> None:
    found = first_error(
        ["rm: error: gone", "make[1]: [Makefile:3: clean] Error 1 (ignored)", "x.c:1:1: error: here", "make: *** [x] Error 1"]
    )
    assert found == Excerpt(
        3,
        ("rm: error: gone", "make[1]: [Makefile:3: clean] Error 1 (ignored)", "x.c:1:1: error: here", "make: *** [x] Error 1"),
    )


def test_what_is_printed_long_before_is_not_blamed() -> None:
    found = first_error(
        [
            "test: error: this is expected",
            *["fine"] * 500,
            "y.c:1:1: error: first",
            "y.c:2:1: error: second",
            "make: *** [y] Error 1",
        ]
    )
    assert found
    assert found.line == 502


def test_what_comes_after_the_verdict_is_not_blamed() -> None:
    found = first_error(["cc z.c", "make[1]: *** [z] Error 1", "z.c:9:9: error: of another job", "make: *** [all] Error 2"])
    assert found == Excerpt(2, ("cc z.c", "make[1]: *** [z] Error 1", "z.c:9:9: error: of another job"))


@pytest.mark.parametrize(
    "line",
    [
        "src/lib.rs:3:5: error: cannot find value",
        "error[E0425]: cannot find value `x` in this scope",
        "./main.go:7:2: undefined: frob",
        "--- FAIL: TestFrob (0.00s)",
        "not ok 3 - frobs",
        "FAILED tests/test_x.py::test_y - AssertionError",
        "FAIL: test_y (tests.test_x.TestX.test_y)",
        "ERROR: test_y (tests.test_x.TestX.test_y)",
        "Can't locate Frob.pm in @INC (you may need to install the Frob module)",
        "/bin/sh: 1: frob: not found",
        "bash: line 3: frob: command not found",
        "a.out: a.c:3: main: Assertion `x' failed.",
        "terminate called after throwing an instance of 'std::runtime_error'",
        "cc1plus: fatal error: Killed signal terminated program cc1plus",
        "dpkg-shlibdeps: error: no dependency information found for /usr/lib/libfrob.so.1",
        "npm ERR! missing script: build",
        "E: Unable to locate package frob",
        "E: Failed to fetch http://mirror.example.org/pool/f/frob.deb  404  Not Found",
        "ImportError: /usr/lib/libfrob.so: undefined symbol: frob",
        "tar: /x: Cannot write: No space left on device",
        "fatal: not a git repository",
    ],
)
def test_how_other_tools_say_it(line: str) -> None:
    assert first_error(["before", line, "after"]) == Excerpt(2, ("before", line, "after"))


@pytest.mark.parametrize(
    "line",
    [
        "checking for error in -lerror... no",
        "gcc -Werror=format-security -c error.c -o error.o",
        "PASS: error.sh",
        "ok 3 - reports an error",
        "0 failed, 12 passed",
        "make[1]: Leaving directory '/build'",
        "# FAIL:  0",
        "install -m 644 errors.h /usr/include",
        "Setting up liberror-perl (0.17029-2) ...",
        "  tests/error.test ........ ok",
        "W: some warning",
    ],
)
def test_what_is_no_error(line: str) -> None:
    assert first_error([line]) is None


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo \xff\n")
    assert tail(log) == Excerpt(1, ("one", "two \ufffd"))
