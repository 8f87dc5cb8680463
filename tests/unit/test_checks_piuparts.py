from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import checks
from debkit.checks import _apt, _piuparts_log, piuparts
from debkit.config import ChecksConfig, Suppression
from debkit.model import CheckReport, Finding, Outcome, Severity
from tests.fake_bench import control, result
from tests.recorder import contains

if TYPE_CHECKING:
    from debkit.run import Command
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data" / "piuparts"


def recorded(name: str) -> str:
    return (DATA / f"{name}.log").read_text()


def read(name: str, code: int = 1, packages: str = "hello-debkit") -> _piuparts_log.Verdict:
    return _piuparts_log.read_log(recorded(name), code=code, packages=packages)


def error(tag: str, text: str, package: str = "hello-debkit") -> Finding:
    return Finding(severity=Severity.ERROR, tag=tag, package=package, text=text)


# What the log says


@pytest.mark.parametrize("name", ["pass", "pass-bookworm"])
def test_a_pass(name: str) -> None:
    verdict = read(name, code=0)
    assert (verdict.outcome, verdict.reason, verdict.findings) == (Outcome.PASS, "", ())
    assert [(step.name, step.outcome) for step in verdict.steps] == [("install-and-purge", Outcome.PASS)]


@pytest.mark.parametrize("name", ["pass", "pass-bookworm"])
def test_a_pass_needs_both_the_exit_code_and_the_word(name: str) -> None:
    assert read(name, code=1).outcome is Outcome.ERROR
    silent = recorded(name).replace("INFO: PASS: All tests.", "INFO: none")
    assert _piuparts_log.read_log(silent, code=0, packages="").outcome is Outcome.ERROR


def test_a_package_cannot_forge_a_pass() -> None:
    text = recorded("disk-full").replace("Setting up full", "0m1.0s INFO: PASS: All tests.\n  Setting up full")
    assert "\n  0m1.0s INFO: PASS: All tests.\n" in text
    assert _piuparts_log.read_log(text, code=0, packages="full").outcome is Outcome.ERROR


def test_nothing_at_all_is_no_pass() -> None:
    verdict = _piuparts_log.read_log("", code=0, packages="hello")
    assert (verdict.outcome, verdict.reason) == (
        Outcome.ERROR,
        "piuparts exited with 0 and gave no verdict: it printed nothing",
    )


def test_a_failing_postinst_is_told_in_its_own_words() -> None:
    verdict = read("postinst-fails", packages="talks")
    text = (
        "installed talks package post-installation script subprocess returned error exit status 3: "
        "talks: cannot find the frobnicator; second line"
    )
    assert verdict.outcome is Outcome.FAIL
    assert verdict.findings == (error("install-fails", text, "talks"),)
    assert verdict.reason == f"talks: install-fails: {text}"


def test_a_failing_purge() -> None:
    (finding,) = read("purge-fails").findings
    assert (finding.tag, finding.package) == ("purge-fails", "badpostrm")
    assert finding.text.endswith("post-removal script subprocess returned error exit status 1: no purge")


def test_each_file_left_after_the_purge_is_a_finding() -> None:
    verdict = read("left-after-purge")
    assert verdict.outcome is Outcome.FAIL
    assert verdict.only_leftovers
    assert verdict.findings == (
        error("left-after-purge", "/var/lib/hello-debkit/"),
        error("left-after-purge", "/var/lib/hello-debkit/left"),
    )
    assert verdict.reason == "2 findings, the first: hello-debkit: left-after-purge: /var/lib/hello-debkit/"


def test_a_file_that_a_package_owns_is_blamed_on_it() -> None:
    text = "0m9.0s ERROR: FAIL: After purging files have been modified:\n  /etc/x -> y\t owned by: base-files, other\n\n"
    assert _piuparts_log.read_log(text, code=1, packages="hello").findings == (
        error("changed-after-purge", "/etc/x -> y", "base-files, other"),
    )


def test_a_process_left_running_is_told_once() -> None:
    verdict = read("process-left-running", packages="daemonlike")
    assert verdict.findings == (error("process-left-running", "sleep", "daemonlike"),)
    assert not verdict.only_leftovers


def test_a_dependency_that_is_nowhere_is_the_packages_fault() -> None:
    verdict = read("uninstallable", packages="unmet")
    assert verdict.findings == (
        error("uninstallable", "unmet : Depends: nosuch-package (>= 3) but it is not installable", "unmet"),
    )


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("/usr/share/brokenlink/l -> /nowhere (brokenlink)", Severity.ERROR),
        ("/usr/share/brokenlink/l -> /nowhere (brokenlink, other)", Severity.ERROR),
        ("/usr/share/brokenlink/l -> /nowhere (other)", Severity.WARNING),
        ("/usr/share/brokenlink/l -> /nowhere", Severity.WARNING),
        ("/usr/share/brokenlink/l -> /run/l (brokenlink)", Severity.WARNING),
    ],
)
def test_a_symbolic_link_of_its_own_that_leads_nowhere_fails(line: str, severity: Severity) -> None:
    text = recorded("broken-symlink").replace("/usr/share/brokenlink/l -> /nowhere", line)
    verdict = _piuparts_log.read_log(text, code=0, packages="brokenlink")
    (finding,) = verdict.findings
    assert (finding.severity, finding.tag, finding.package) == (severity, "broken-symlink", "brokenlink")
    target = line.split()[2]
    assert finding.text == f"/usr/share/brokenlink/l: it leads to {target}, which is not there"
    expected = Outcome.FAIL if severity is Severity.ERROR else Outcome.PASS
    assert [verdict.outcome, *(step.outcome for step in verdict.steps)] == [expected, expected]


def test_a_symbolic_link_that_leads_nowhere_may_be_accepted() -> None:
    text = recorded("broken-symlink").replace("-> /nowhere", "-> /nowhere (brokenlink)")
    for what, outcome in (("/usr/share/brokenlink/*", Outcome.PASS), ("/usr/share/other/*", Outcome.FAIL)):
        accepted = (Suppression(tag="broken-symlink", reason="a test", what=what),)
        assert _piuparts_log.read_log(text, code=0, packages="brokenlink", accepted=accepted).outcome is outcome


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "unknown-mirror",
            (
                "apt-get update failed on the clean system: E: Failed to fetch "
                "http://mirror.example.org/debian/dists/trixie/InRelease  Could not resolve 'mirror.example.org'"
            ),
        ),
        ("mount-refused", "piuparts broke off: PermissionError: [Errno 1] Operation not permitted"),
        ("disk-full", "the disk is full or read-only: dd: error writing /x: No space left on device"),
    ],
)
def test_trouble_with_the_environment_is_told_apart(name: str, reason: str) -> None:
    verdict = read(name)
    assert (verdict.outcome, verdict.reason, verdict.findings) == (Outcome.ERROR, reason, ())


@pytest.mark.parametrize(
    ("argv", "output", "reason"),
    [
        (
            "['mount', '-t', 'proc', 'proc', '/srv/piuparts/tmp/x/proc']",
            "mount: /srv/piuparts/tmp/x/proc: permission denied.",
            "mount failed: mount: /srv/piuparts/tmp/x/proc: permission denied.",
        ),
        (
            "['chroot', '/x', 'apt-get', '-y', 'install', './tmp/hello_1.0_all.deb']",
            "Err:1 http://mirror.example.org/debian trixie/main amd64 tree amd64 2.2.1-1\n    404  Not Found [IP: 192.0.2.1 80]",
            "the mirror cannot be reached, or lacks the file: 404  Not Found [IP: 192.0.2.1 80]",
        ),
        (
            "['chroot', '/x', 'apt-get', '-yf', 'dist-upgrade']",
            "E: Sub-process /usr/bin/dpkg returned an error code (1)",
            "apt-get dist-upgrade failed on the clean system: E: Sub-process /usr/bin/dpkg returned an error code (1)",
        ),
    ],
)
def test_a_command_that_fails_for_the_machines_sake(argv: str, output: str, reason: str) -> None:
    text = f"0m2.0s ERROR: Command failed (status=100): {argv}\n  {output}\n0m2.1s ERROR: piuparts run ends.\n"
    verdict = _piuparts_log.read_log(text, code=1, packages="hello")
    assert (verdict.outcome, verdict.reason) == (Outcome.ERROR, reason)


def test_a_script_that_cannot_reach_the_network_is_the_packages_fault() -> None:
    text = recorded("postinst-fails").replace("second line", "Could not resolve 'example.org'")
    assert _piuparts_log.read_log(text, code=1, packages="talks").outcome is Outcome.FAIL


# What is run


@pytest.fixture
def bench(clean_bench: checks.Bench, recorder: Recorder) -> checks.Bench:
    """A bench whose piuparts passes unless a test says otherwise."""
    recorder.reply("piuparts", stdout=recorded("pass"))
    return clean_bench


def piuparts_runs(recorder: Recorder) -> list[Command]:
    return [command for command in recorder.commands if "piuparts" in command.argv]


def test_all_packages_are_tested_together_but_for_debug_symbols(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    files = ("hello_1.0_arm64.deb", "hello-data_1.0_all.deb", "hello-dbgsym_1.0_arm64.deb", "hello_1.0_amd64.deb")
    for file, text in zip(
        files,
        (
            control("hello", "arm64"),
            control("hello-data"),
            control("hello-dbgsym", "arm64", auto_built_package="debug-symbols"),
            control("hello-foreign", "amd64"),
        ),
        strict=True,
    ):
        recorder.reply("dpkg-deb", "--field", str(tmp_path / file), stdout=text)
    report = piuparts.judge(bench, result(tmp_path, *files))
    assert report.outcome is Outcome.PASS
    (command,) = piuparts_runs(recorder)
    start = command.argv.index("env")
    assert command.argv[start:] == (
        "env", "PATH=/srv/piuparts/bin:/usr/sbin:/usr/bin:/sbin:/bin", "piuparts", "--existing-chroot=/srv/piuparts/root",
        "--hard-link", "--tmpdir=/srv/piuparts/room", "--keep-sources-list", "--distribution=trixie", "--no-upgrade-test",
        "/srv/piuparts/debs/hello_1.0_arm64.deb", "/srv/piuparts/debs/hello-data_1.0_all.deb",
    )  # fmt: skip
    assert "--net" not in command.argv
    assert contains(command.argv, ("--ro-bind", os.path.realpath("/etc/resolv.conf"), "/etc/resolv.conf"))
    assert command.env == (("QEMU_CPU", "max,pauth=off"),)
    assert command.timeout
    assert command.timeout <= ChecksConfig().timeout


def test_the_other_jobs_packages_are_tested_along(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    sibling = tmp_path / "hello-data_1.0_all.deb"
    sibling.touch()
    recorder.reply("dpkg-deb", stdout=control("hello", "arm64"))
    recorder.reply("dpkg-deb", "--field", str(sibling), stdout=control("hello-data"))
    with_siblings = checks.Bench(
        run=recorder, config=bench.config, chroot=bench.chroot, progress=bench.progress, work=bench.work, siblings=(sibling,)
    )
    piuparts.judge(with_siblings, result(tmp_path, "hello_1.0_arm64.deb"))
    assert piuparts_runs(recorder)[0].argv[-2:] == (
        "/srv/piuparts/debs/hello_1.0_arm64.deb",
        "/srv/piuparts/debs/hello-data_1.0_all.deb",
    )


def test_with_nothing_to_install_it_is_not_run(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-deb", stdout=control("hello-dbgsym", "arm64", auto_built_package="debug-symbols"))
    report = piuparts.judge(bench, result(tmp_path, "hello-dbgsym_1.0_arm64.deb"))
    assert report.outcome is Outcome.NOT_RUN
    assert report.reason.startswith("the build made nothing to install")
    assert not piuparts_runs(recorder)


def test_the_clean_system_is_made_ready(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    def look(command: Command) -> None:
        work = Path(command.argv[command.argv.index("/srv/piuparts") - 1])
        seen["chroot"] = os.access(work / "bin/chroot", os.X_OK)
        seen["null"] = (work / "root/dev/null").is_file()
        seen["ptmx"] = (work / "root/dev/ptmx").readlink()
        seen["apt"] = (work / "root/etc/apt/apt.conf.d/50debkit").read_text().splitlines()
        seen["deb"] = (work / "debs/hello_1.0_arm64.deb").read_bytes()

    recorder.reply("dpkg-deb", stdout=control("hello", "arm64"))
    recorder.reply("piuparts", stdout=recorded("pass"), action=look)
    piuparts.judge(bench, result(tmp_path, "hello_1.0_arm64.deb"))
    assert seen == {
        "chroot": True,
        "null": True,
        "ptmx": Path("pts/ptmx"),
        "apt": [*_apt.SETTINGS, 'Acquire::http::Proxy "http://proxy.example.org:3142";'],
        "deb": b"a deb",
    }


def test_what_a_clean_system_has_is_brought_up_first_and_not_purged(
    bench: checks.Bench, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.reply("dpkg-deb", stdout=control("bzip2", "arm64", depends="libbz2-1.0 (= 1.0)"))
    recorder.reply("dpkg-deb", "--field", str(tmp_path / "libbz2-1.0_1.0_arm64.deb"), stdout=control("libbz2-1.0", "arm64"))
    seen = []

    def look(command: Command) -> None:
        work = Path(command.argv[command.argv.index("/srv/piuparts") - 1])
        seen.extend(sorted(path.name for path in (work / "root/srv/debkit").iterdir()))
        seen.append((work / "scripts/post_setup_debkit").read_text().splitlines()[-1])

    recorder.reply("piuparts", stdout=recorded("pass"), action=look)
    report = piuparts.judge(bench, result(tmp_path, "bzip2_1.0_arm64.deb", "libbz2-1.0_1.0_arm64.deb"))
    assert piuparts_runs(recorder)[0].argv[-2:] == (
        "--scriptsdir=/srv/piuparts/scripts",
        "/srv/piuparts/debs/bzip2_1.0_arm64.deb",
    )
    assert seen == [
        "libbz2-1.0_1.0_arm64.deb",
        "exec apt-get --yes --allow-downgrades --reinstall --no-install-recommends install /srv/debkit/*.deb",
    ]
    assert report.outcome is Outcome.PASS
    assert [(f.severity, f.tag, f.package) for f in report.findings] == [(Severity.INFO, "part-of-clean-system", "libbz2-1.0")]


def test_what_only_a_clean_system_has_cannot_be_tested(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-deb", stdout=control("libbz2-1.0", "arm64"))
    report = piuparts.judge(bench, result(tmp_path, "libbz2-1.0_1.0_arm64.deb"))
    assert (report.outcome, report.reason) == (
        Outcome.SKIPPED,
        "libbz2-1.0: part of every clean system, so not to be purged",
    )
    assert not piuparts_runs(recorder)


def leftovers(bench: checks.Bench, recorder: Recorder, tmp_path: Path, depends: str) -> CheckReport:
    recorder.reply("dpkg-deb", stdout=control("hello-debkit", "arm64", depends=depends))
    recorder.reply("piuparts", stdout=recorded("left-after-purge"), code=1)
    recorder.reply("--warn-on-others", stdout=recorded("pass"))
    return piuparts.judge(bench, result(tmp_path, "hello-debkit_1.0_arm64.deb"))


def test_leftovers_of_a_dependency_are_not_the_packages_fault(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    assert leftovers(bench, recorder, tmp_path, "adduser").outcome is Outcome.PASS
    assert ["--warn-on-others" in command.argv for command in piuparts_runs(recorder)] == [False, True]


def test_leftovers_without_dependencies_need_no_second_look(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    report = leftovers(bench, recorder, tmp_path, "libbz2-1.0")
    assert report.outcome is Outcome.FAIL
    assert [finding.text for finding in report.findings] == ["/var/lib/hello-debkit/", "/var/lib/hello-debkit/left"]
    assert len(piuparts_runs(recorder)) == 1


def test_conflicting_packages_take_turns_and_the_worst_counts(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-deb", stdout=control("a", conflicts="b"))
    recorder.reply("dpkg-deb", "--field", str(tmp_path / "b_1.0_all.deb"), stdout=control("b"))
    recorder.reply("/srv/piuparts/debs/a_1.0_all.deb", stdout=recorded("unknown-mirror"), code=1)
    recorder.reply("/srv/piuparts/debs/b_1.0_all.deb", stdout=recorded("left-after-purge"), code=1)
    report = piuparts.judge(bench, result(tmp_path, "a_1.0_all.deb", "b_1.0_all.deb"))
    assert [command.argv[-1][-13:] for command in piuparts_runs(recorder)] == ["a_1.0_all.deb", "b_1.0_all.deb"]
    assert report.outcome is Outcome.FAIL


@pytest.mark.parametrize("name", ["unknown-mirror", "mount-refused", "disk-full"])
def test_an_environment_error_is_reported_as_one(bench: checks.Bench, recorder: Recorder, tmp_path: Path, name: str) -> None:
    recorder.reply("dpkg-deb", stdout=control("hello", "arm64"))
    recorder.reply("piuparts", stdout=recorded(name), code=1)
    report = checks.judge("piuparts", bench, result(tmp_path, "hello_1.0_arm64.deb"))
    assert report.outcome is Outcome.ERROR
    assert report.reason
    assert report.log == tmp_path / "dist" / "piuparts.log"


def test_a_full_disk_of_ours_is_an_environment_error(
    bench: checks.Bench, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    recorder.reply("dpkg-deb", stdout=control("hello", "arm64"))
    monkeypatch.setattr("shutil.copyfile", full)
    report = checks.judge("piuparts", bench, result(tmp_path, "hello_1.0_arm64.deb"))
    assert (report.outcome, report.reason) == (Outcome.ERROR, "[Errno 28] No space left on device")


def test_nothing_stays_in_the_scratch_directory(bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-deb", stdout=control("hello", "arm64"))
    piuparts.judge(bench, result(tmp_path, "hello_1.0_arm64.deb"))
    (work,) = tmp_path.glob("debkit-piuparts.*")  # the fake runner removes nothing, so it is told to
    removal = recorder.argvs[-1]
    assert removal[-6:] == ("rm", "--recursive", "--force", "--one-file-system", "--", str(work))
