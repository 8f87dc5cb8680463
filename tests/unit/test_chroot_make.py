"""What mmdebstrap is asked for, and what its failures mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.chroot import make
from debkit.chroot.namespace import as_root
from debkit.console import Quiet
from debkit.errors import ChrootError, DebkitError, DiskError, HostError, NetworkError
from debkit.model import ChrootKind, ChrootSpec, Target, Toolbox

if TYPE_CHECKING:
    from tests.recorder import Recorder

AMD64, ARM64 = Target("trixie", "amd64"), Target("trixie", "arm64")


def test_a_build_chroot_comes_from_debians_own_mirror(tmp_path: Path) -> None:
    spec = ChrootSpec(kind=ChrootKind.BUILD, target=AMD64)
    assert make.bootstrap_argv(spec, tmp_path / "x.tar.zst") == (
        "mmdebstrap",
        "--mode=root",
        "--variant=buildd",
        "--architectures=amd64",
        "--components=main",
        "--include=fakeroot",
        "--dpkgopt=force-unsafe-io",
        "trixie",
        f"{tmp_path}/x.tar.zst",
    )


def test_mirror_components_and_packages_are_passed_on(tmp_path: Path) -> None:
    spec = ChrootSpec(
        kind=ChrootKind.CLEAN,
        target=ARM64,
        mirror="http://mirror.example.org/debian",
        components=("main", "contrib"),
        packages=("curl", "dbus"),
    )
    assert make.bootstrap_argv(spec, tmp_path / "x.tar.zst") == (
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--architectures=arm64",
        "--components=main,contrib",
        "--include=curl,dbus",
        "--dpkgopt=force-unsafe-io",
        "trixie",
        f"{tmp_path}/x.tar.zst",
        "http://mirror.example.org/debian",
    )


def test_a_suite_whose_base_files_has_no_links_is_merged_from_the_start(tmp_path: Path) -> None:
    merged = {
        suite
        for suite in ("bullseye", "bookworm", "trixie", "sid", "noble")
        if "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr"
        in make.bootstrap_argv(ChrootSpec(kind=ChrootKind.CLEAN, target=Target(suite, "amd64")), tmp_path / "x")
    }
    assert merged == {"bullseye", "bookworm"}


def test_a_clean_chroot_holds_nothing_extra(tmp_path: Path) -> None:
    argv = make.bootstrap_argv(ChrootSpec(kind=ChrootKind.CLEAN, target=AMD64), tmp_path / "x")
    assert not [word for word in argv if word.startswith("--include")]


def test_a_tool_root_has_apt_and_the_tools(tmp_path: Path) -> None:
    argv = make.bootstrap_argv(ChrootSpec(kind=ChrootKind.TOOLS, target=AMD64, packages=("lintian",)), tmp_path / "x")
    assert "--variant=apt" in argv
    assert "--include=lintian" in argv


def test_a_toolbox_is_there_while_the_root_is_made_and_not_when_it_is_packed(tmp_path: Path) -> None:
    toolbox = Toolbox(path=Path("/cache/a box"), arch="arm64")
    spec = ChrootSpec(kind=ChrootKind.CLEAN, target=ARM64)
    plain, argv = (make.bootstrap_argv(spec, tmp_path / "x", box) for box in (None, toolbox))
    at = next(place for place, word in enumerate(argv) if "hook" in word)
    assert argv[:at] + argv[at + 2 :] == plain
    assert argv[at : at + 2] == (
        '--setup-hook=mkdir -m 755 "$1/.native" && mount --bind \'/cache/a box\' "$1/.native"',
        '--customize-hook=umount "$1/.native" && rmdir "$1/.native"',
    )


def test_the_toolbox_is_bound_in_a_namespace_around_that_in_which_the_root_is_made(recorder: Recorder, tmp_path: Path) -> None:
    toolbox = Toolbox(path=Path("/cache/box"), arch="arm64")
    spec = ChrootSpec(kind=ChrootKind.CLEAN, target=ARM64)
    make.bootstrap(recorder, spec, tmp_path / "x", work=tmp_path, log=tmp_path / "log", progress=Quiet(), toolbox=toolbox)
    assert recorder.argvs == [as_root(as_root(make.bootstrap_argv(spec, tmp_path / "x", toolbox)), toolbox=toolbox)]


def bootstrap(run: Recorder, tmp_path: Path, target: Target = AMD64) -> None:
    spec = ChrootSpec(kind=ChrootKind.BUILD, target=target)
    make.bootstrap(run, spec, tmp_path / "x.tar.zst", work=tmp_path, log=tmp_path / "log", progress=Quiet())


def test_it_works_in_the_given_directory_and_logs_anew(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old")
    bootstrap(recorder, tmp_path, ARM64)
    (command,) = recorder.commands
    assert dict(command.env) == {"TMPDIR": str(tmp_path), "QEMU_CPU": "max,pauth=off"}
    assert "old" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("printed", "error", "cause"),
    [
        ("W: GPG error: http://x trixie InRelease: NO_PUBKEY 6ED0E7B82643E131", ChrootError, "the key that the mirror's suite"),
        ("E: The repository 'http://x trixi Release' does not have a Release file.", ChrootError, "no such suite"),
        ("E: Unable to locate package no-such-thing", ChrootError, "does not exist in the suite"),
        (
            "E: arm64 can neither be executed natively nor via qemu user emulation with binfmt_misc",
            HostError,
            "do not run on this",
        ),
        ("newuidmap: write to uid_map failed: Operation not permitted", HostError, "user namespaces or subordinate ids"),
        ('unshare: no line matching user "nobody" in /etc/subuid: Success', HostError, "subordinate ids"),
        ("E: Failed to fetch http://x/y.deb  404  Not Found", NetworkError, "mirror"),
        ("tar: ./usr/bin/perl: Cannot write: No space left on device", DiskError, "disk is full"),
        ("E: something new", ChrootError, "E: something new"),
        ("", ChrootError, "mmdebstrap exited with 25"),
    ],
)
def test_a_failure_is_explained(recorder: Recorder, tmp_path: Path, printed: str, error: type[DebkitError], cause: str) -> None:
    recorder.reply("mmdebstrap", stdout=f"I: running\n{printed}\nI: removing tempdir\n" if printed else "", code=25)
    with pytest.raises(DebkitError) as caught:
        bootstrap(recorder, tmp_path)
    assert type(caught.value) is error
    assert cause in caught.value.cause
    assert caught.value.hint
    assert caught.value.log == tmp_path / "log"
