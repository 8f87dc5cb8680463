"""The exact call of sbuild, its settings, and how its end is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from debkit.backends import sbuild
from debkit.backends._logs import Reading
from debkit.backends._outcome import Site
from debkit.config import BuildConfig
from debkit.model import BuildState, Repository, Via
from tests.jobs import make_job

SITE = Site(work=Path("/scratch/work"), into=Path("/dist/trixie/amd64"), log=Path("/dist/trixie/amd64/log"))


def test_a_native_build_of_everything() -> None:
    assert sbuild.argv(make_job(), SITE, "unstable") == (
        "sbuild",
        "--chroot-mode=unshare",
        "--chroot=/cache/base.tar.zst",
        "--arch=amd64",
        "--dist=unstable",
        "--arch-all",
        "--no-source",
        "--build-dir=/scratch/work/results",
        "--build-path=/build/reproducible-path",
        "--build-dep-resolver=apt",
        "--bd-uninstallable-explainer=none",
        "--apt-update",
        "--no-apt-upgrade",
        "--apt-distupgrade",
        "--no-run-lintian",
        "--no-run-piuparts",
        "--no-run-autopkgtest",
        "--purge=always",
        "--verbose",
        "--nolog",
        "/src/sample_1.0-1.dsc",
    )


def difference(**changes: object) -> tuple[set[str], set[str]]:
    """What a changed job's call has more, and less, than the plain one."""
    plain, changed = sbuild.argv(make_job(), SITE, "unstable"), sbuild.argv(make_job(**changes), SITE, "unstable")  # type: ignore[arg-type]
    return set(changed) - set(plain), set(plain) - set(changed)


def test_an_emulated_build_is_native_to_sbuild() -> None:
    assert difference(arch="arm64", via=Via.EMULATED) == ({"--arch=arm64"}, {"--arch=amd64"})


def test_a_cross_build_names_both_machines_and_the_profiles() -> None:
    more, less = difference(arch="arm64", via=Via.CROSS)
    assert more == {
        "--host=arm64",
        "--build=amd64",
        "--chroot-setup-commands=apt-get --quiet update && apt-get --quiet --yes install apt-utils",
        "--profiles=cross,nocheck",
    }
    assert less == {"--arch=amd64"}


def test_only_one_architecture_makes_the_all_packages() -> None:
    assert difference(build_all=False) == ({"--no-arch-all"}, {"--arch-all"})


@pytest.mark.parametrize("architectures", [("all",), ("i386", "all")])
def test_where_there_are_only_all_packages_nothing_else_is_claimed(architectures: tuple[str, ...]) -> None:
    assert difference(architectures=architectures) == ({"--no-arch-any"}, set())
    assert difference(architectures=(*architectures, "linux-any")) == (set(), set())


def test_a_layer_has_all_it_needs() -> None:
    assert difference(layer="0123") == (
        {"--no-apt-update", "--no-apt-distupgrade"},
        {"--apt-update", "--apt-distupgrade"},
    )


def test_what_the_configuration_adds_is_passed_on(tmp_path: Path) -> None:
    key = tmp_path / "100% mine.key"
    key.write_bytes(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    config = BuildConfig(
        profiles=("nodoc", "pkg.sample.small"),
        packages=(Path("/debs/lib_1_amd64.deb"),),
        repositories=(
            Repository(line="deb http://packages.example.org/debian trixie main", key=key),
            Repository(line="deb http://other.example.org/debian trixie main"),
        ),
    )
    place = "/etc/apt/trusted.gpg.d/debkit-extra-0.asc"
    argv = sbuild.argv(make_job(config=config), SITE, "unstable")
    assert argv[argv.index("--nolog") + 1 :] == (
        "--profiles=nodoc,pkg.sample.small",
        "--extra-package=/debs/lib_1_amd64.deb",
        "--extra-repository=deb http://packages.example.org/debian trixie main",
        "--extra-repository=deb http://other.example.org/debian trixie main",
        f"--pre-build-commands=%SBUILD_CHROOT_EXEC sh -c 'cat >{place} && chmod 644 {place}' <'{tmp_path}/100%% mine.key'",
        "/src/sample_1.0-1.dsc",
    )


def test_the_callers_own_configuration_is_not_read() -> None:
    assert sbuild.environment(make_job("arm64", Via.EMULATED, config=BuildConfig(options=("noopt",))), SITE) == (
        ("HOME", "/scratch/work"),
        ("XDG_CONFIG_HOME", "/scratch/work"),
        ("SBUILD_CONFIG", "/scratch/work/sbuildrc"),
        ("DEB_BUILD_OPTIONS", "noopt parallel=4"),
        ("QEMU_CPU", "max,pauth=off"),
    )


def test_the_settings_of_an_ordinary_user() -> None:
    assert sbuild.settings(make_job(), SITE, {}, root=False) == (
        "$chroot_mode = 'unshare';\n"
        "$unshare_tmpdir_template = '/scratch/work/roots/root.XXXXXXXXXX';\n"
        "$unshare_bind_mounts = [];\n"
        "$mailto = '';\n"
        "$stalled_pkg_timeout = 240;\n"
        "$environment_filter = ['^PATH$', '^DEB_BUILD_OPTIONS$'];\n"
        "$build_environment = {};\n"
        "eval '$unshare_mmdebstrap_auto_create = 0;';\n"
        "eval '$enable_network = 0;';\n"
        "1;\n"
    )


def test_root_does_not_build_as_the_chroots_root() -> None:
    assert "$build_user = 'sbuild';\n" in sbuild.settings(make_job(), SITE, {}, root=True)


def test_a_proxy_is_for_apt_and_not_for_the_build() -> None:
    settings = sbuild.settings(
        make_job("arm64", Via.EMULATED), SITE, {"http_proxy": "http://proxy.example.org", "no_proxy": ""}, root=False
    )
    assert "'^DEB_BUILD_OPTIONS$', '^QEMU_CPU$', '^http_proxy$'];" in settings
    assert "$build_environment = {'http_proxy' => ''};" in settings
    assert "proxy.example.org" not in settings


def test_a_path_is_quoted_for_perl() -> None:
    site = Site(work=Path("/tmp/it's"), into=SITE.into, log=SITE.log)
    assert r"$unshare_tmpdir_template = '/tmp/it\'s/roots/root.XXXXXXXXXX';" in sbuild.settings(make_job(), site, {}, root=False)


@pytest.mark.parametrize(
    ("code", "status", "stage", "signs", "expected"),
    [
        (0, "successful", "", (), BuildState.SUCCEEDED),
        (0, "successful", "", ("disk", "fetch"), BuildState.SUCCEEDED),
        (0, "skipped", "arch-check", (), BuildState.FAILED),
        (0, "skipped", "", (), BuildState.FAILED),
        (0, "", "", (), BuildState.ENVIRONMENT),
        (1, "successful", "", (), BuildState.ENVIRONMENT),
        (2, "attempted", "build", (), BuildState.FAILED),
        (2, "attempted", "build", ("disk",), BuildState.ENVIRONMENT),
        (2, "attempted", "build", ("memory",), BuildState.ENVIRONMENT),
        (2, "attempted", "build", ("stalled",), BuildState.TIMED_OUT),
        (2, "attempted", "build", ("fetch",), BuildState.FAILED),
        (3, "given-back", "unpack", (), BuildState.FAILED),
        (3, "given-back", "install-deps", (), BuildState.UNINSTALLABLE),
        (3, "given-back", "install-deps", ("fetch",), BuildState.GIVEN_BACK),
        (3, "given-back", "fetch-src", (), BuildState.GIVEN_BACK),
        (1, "failed", "apt-get-dist-upgrade", (), BuildState.GIVEN_BACK),
        (3, "given-back", "check-space", ("disk",), BuildState.ENVIRONMENT),
        (1, "failed", "create-session", (), BuildState.ENVIRONMENT),
        (1, "failed", "chroot-arch", (), BuildState.ENVIRONMENT),
        (-9, "", "", (), BuildState.ENVIRONMENT),
    ],
)
def test_how_a_build_ended(code: int, status: str, stage: str, signs: tuple[str, ...], expected: BuildState) -> None:
    assert sbuild.judge(code, Reading(status=status, stage=stage, disk_bytes=0, signs=frozenset(signs))) is expected


RULE = "+" + "-" * 78 + "+"


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("| Update chroot                                                                |", "update chroot"),
        ("| Install package build dependencies           Tue, 24 Nov 2026 13:39:04 +0000 |", "install dependencies"),
        ("| Build                                                                        |", "build"),
        ("| Build environment                            Tue, 24 Nov 2026 13:39:04 +0000 |", None),
        ("| Summary                                                                      |", None),
        ("Build", None),
    ],
)
def test_a_box_begins_a_phase(line: str, phase: str | None) -> None:
    boxes = sbuild._Boxes()
    assert [boxes(text) for text in (RULE, line, RULE)] == [None, phase, None]


def test_what_a_build_prints_is_no_box() -> None:
    boxes = sbuild._Boxes()
    assert [boxes(text) for text in ("some output", "| Build |", "+---+", "| Build |")] == [None] * 4


@pytest.mark.parametrize(
    ("code", "demanded"),
    [("push(@coredeps, 'dumb-init:native');", ("dumb-init",)), ("my @coredeps = @{$self->get_conf('CORE_DEPENDS')};", ())],
)
def test_what_this_machines_sbuild_runs_builds_under_is_demanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, demanded: tuple[str, ...]
) -> None:
    module = tmp_path / "Build.pm"
    module.write_text(code)
    monkeypatch.setattr(sbuild, "BUILD_MODULE", module)
    assert sbuild.demands() == demanded
