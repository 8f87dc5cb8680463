from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.checks import _piuparts_log, _upgrade, piuparts
from debkit.checks._debs import parse
from debkit.model import CheckReport, Finding, Outcome, Severity, Step
from tests.fake_bench import control, result

if TYPE_CHECKING:
    from collections.abc import Callable

    from debkit import checks
    from debkit.run import Command
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data" / "piuparts"
LISTING = """\
drwxr-xr-x root/root         0 2024-01-02 03:04 ./usr/share/hello/
-rw-r--r-- root/root         5 2024-01-02 03:04 ./usr/share/hello/a file
lrwxrwxrwx root/root         0 2024-01-02 03:04 ./usr/share/hello/link -> a file
hrw-r--r-- root/root         0 2024-01-02 03:04 ./usr/share/hello/hard link to ./usr/share/hello/a file
-rw-r--r-- root/root         5 2024-01-02 03:04 ./etc/hello.conf
"""


def recorded(name: str) -> str:
    return (DATA / f"upgrade-{name}.log").read_text()


def read(name: str, code: int = 1) -> _piuparts_log.Verdict:
    return _piuparts_log.read_log(recorded(name), code=code, packages="hello-debkit", upgrade=True)


def outcomes(steps: tuple[Step, ...]) -> list[tuple[str, Outcome]]:
    return [(step.name, step.outcome) for step in steps]


# What the log says


@pytest.mark.parametrize("name", ["pass", "pass-bookworm"])
def test_an_upgrade_passes(name: str) -> None:
    verdict = read(name, code=0)
    assert (verdict.outcome, verdict.reason, verdict.findings) == (Outcome.PASS, "", ())
    assert outcomes(verdict.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.PASS)]
    assert all(step.seconds > 0 for step in verdict.steps)


def test_an_upgrade_that_piuparts_leaves_out_is_no_pass() -> None:
    text = (DATA / "pass.log").read_text()
    verdict = _piuparts_log.read_log(text, code=0, packages="hello-debkit", upgrade=True)
    assert (verdict.outcome, verdict.reason) == (Outcome.ERROR, "piuparts exited with 0 and did not try the upgrade")
    assert outcomes(verdict.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.ERROR)]


def test_a_package_that_does_not_install_is_not_upgraded() -> None:
    text = (DATA / "postinst-fails.log").read_text()
    verdict = _piuparts_log.read_log(text, code=1, packages="talks", upgrade=True)
    assert outcomes(verdict.steps) == [("install-and-purge", Outcome.FAIL), ("upgrade", Outcome.SKIPPED)]


@pytest.mark.parametrize(
    ("name", "tag", "package", "text"),
    [
        (
            "file-conflict",
            "file-conflict",
            "hello-data",
            "/usr/share/hello-debkit/moved is also in hello-debkit (1.0), and no Replaces means it",
        ),
        ("conffile-gone", "conffile-lost", "hello-debkit", "/etc/hello-debkit.conf is gone after the upgrade"),
        (
            "conffile-prompt",
            "conffile-prompt",
            "hello-debkit",
            "/etc/x was changed by a maintainer script, so that dpkg asks what to do",
        ),
    ],
)
def test_what_goes_wrong_with_an_upgrade_is_told_clearly(name: str, tag: str, package: str, text: str) -> None:
    verdict = read(name)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.findings == (Finding(severity=Severity.ERROR, tag=tag, package=package, text=text),)
    assert outcomes(verdict.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.FAIL)]
    assert verdict.steps[1].text == verdict.reason == f"{package}: {tag}: {text}"


def test_a_conffile_that_stays_behind_is_a_warning() -> None:
    verdict = read("conffile-obsolete", code=0)
    assert verdict.outcome is Outcome.PASS
    ((severity, tag, text),) = [(f.severity, f.tag, f.text) for f in verdict.findings]
    assert (severity, tag) == (Severity.WARNING, "conffile-obsolete")
    assert text.startswith("/etc/hello-debkit.conf is no conffile any more and stays behind")


def test_the_old_packages_script_fails_the_upgrade() -> None:
    (finding,) = read("prerm-fails").findings
    assert (finding.tag, finding.package) == ("upgrade-fails", "hello-debkit")
    assert "old prerm fails" in finding.text


def test_a_published_version_that_cannot_be_installed_is_not_this_ones_fault() -> None:
    verdict = read("published-broken")
    assert verdict.outcome is Outcome.SKIPPED
    assert verdict.reason.startswith("the published version cannot be installed any more: hello-debkit: uninstallable: ")
    assert outcomes(verdict.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.SKIPPED)]


def test_what_a_dependency_leaves_is_not_blamed_on_the_upgrade() -> None:
    verdict = read("left-by-dependency")
    assert (verdict.outcome, verdict.findings) == (Outcome.PASS, ())
    own = recorded("left-by-dependency")
    at = own.rindex("  /var/lib/hello-dep/x")
    verdict = _piuparts_log.read_log(f"{own[:at]}  /var/lib/own\t not owned\n{own[at:]}", code=1, packages="x", upgrade=True)
    assert (verdict.outcome, [finding.text for finding in verdict.findings]) == (Outcome.FAIL, ["/var/lib/own"])


# What the packages ship


def shipping(recorder: Recorder, name: str, listing: str, *, version: str = "1.0", conffiles: str = "") -> Path:
    path = Path(f"/debs/{name}_{version}_all.deb")
    recorder.reply("dpkg-deb", "--contents", str(path), stdout=listing)
    recorder.reply("dpkg-deb", "--info", str(path), stdout=conffiles)
    return path


def compare(recorder: Recorder, *, old: str = "1.0", conffiles: str = "", **fields: str) -> list[tuple[Severity, str, str]]:
    """Give what is found where hello's file moves to hello-data."""
    before = shipping(recorder, "hello", LISTING, version=old, conffiles="/etc/hello.conf\n")
    same = shipping(recorder, "hello", "", version="1.1")
    after = shipping(recorder, "hello-data", LISTING, version="1.1", conffiles=conffiles)
    previous = (parse(before, control("hello", version=old)),)
    debs = (parse(same, control("hello", version="1.1")), parse(after, control("hello-data", version="1.1", **fields)))
    return [(f.severity, f.tag, f.text.partition(" ")[0]) for f in _upgrade.findings(recorder, previous, debs)]


def test_the_contents_of_a_package(recorder: Recorder) -> None:
    path = shipping(recorder, "hello", LISTING, conffiles="/etc/hello.conf\nremove-on-upgrade /etc/old.conf\n")
    found = _upgrade.contents(recorder, parse(path, control("hello")))
    files = {"/usr/share/hello/a file", "/usr/share/hello/link", "/usr/share/hello/hard", "/etc/hello.conf"}
    assert found == _upgrade.Contents(frozenset(files), frozenset({"/etc/hello.conf"}))


@pytest.mark.parametrize("fields", [{}, {"breaks": "hello (<< 1.1)"}, {"replaces": "hello (<< 1.0)"}, {"replaces": "hello-doc"}])
def test_a_file_that_moves_without_replaces(recorder: Recorder, fields: dict[str, str]) -> None:
    found = compare(recorder, conffiles="/etc/hello.conf\n", **fields)
    assert {(severity, tag) for severity, tag, _ in found} == {(Severity.ERROR, "moved-without-replaces")}
    assert len(found) == 4


def test_a_file_that_moves_with_replaces_and_no_breaks_is_a_warning(recorder: Recorder) -> None:
    found = compare(recorder, conffiles="/etc/hello.conf\n", replaces="hello (<< 1.1)")
    assert {(severity, tag) for severity, tag, _ in found} == {(Severity.WARNING, "moved-without-breaks")}


@pytest.mark.parametrize(
    "fields",
    [{"replaces": "hello (<< 1.1)", "breaks": "hello (<< 1.1)"}, {"conflicts": "hello (<< 1.1)"}, {"conflicts": "hello"}],
)
def test_a_file_that_moves_rightly(recorder: Recorder, fields: dict[str, str]) -> None:
    assert compare(recorder, conffiles="/etc/hello.conf\n", **fields) == []


def test_a_conffile_that_becomes_an_ordinary_file(recorder: Recorder) -> None:
    assert compare(recorder, conflicts="hello") == [(Severity.ERROR, "conffile-lost", "/etc/hello.conf")]


# What is run


def judge(
    bench: checks.Bench,
    recorder: Recorder,
    tmp_path: Path,
    *debs: str,
    published: str,
    look: Callable[[Path], None] | None = None,
) -> CheckReport:
    """Judge packages of version 1.1; one is published as 1.0. Piuparts passes: `look` is shown its directory."""

    def run(command: Command) -> None:
        if look:
            look(Path(command.argv[command.argv.index("/srv/piuparts") - 1]))

    (tmp_path / "pool").mkdir()
    old = tmp_path / f"pool/{published}_1.0_all.deb"
    old.write_bytes(b"an old deb")
    recorder.reply("dpkg-deb", "--field", str(old), stdout=control(published))
    for deb in debs:
        recorder.reply("dpkg-deb", "--field", str(tmp_path / f"{deb}_1.1_all.deb"), stdout=control(deb, version="1.1"))
    recorder.reply("piuparts", stdout=recorded("pass"), action=run)
    recorder.reply("--no-upgrade-test", stdout=(DATA / "pass.log").read_text())
    return piuparts.judge(replace(bench, previous=(old,)), result(tmp_path, *(f"{deb}_1.1_all.deb" for deb in debs)))


def test_apt_knows_the_published_version_and_no_other(clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    def look(work: Path) -> None:
        published = work / "root/srv/debkit-published"
        seen.update({path.name: path.read_text() for path in published.iterdir()})
        seen.update({path.parent.name: path.read_text() for path in (work / "root/etc/apt").glob("*.d/debkit-published*")})
        seen.update({path.name: path.read_text() for path in (work / "scripts").iterdir()})

    recorder.reply("dpkg-scanpackages", stdout="Package: hello\n")
    report = judge(clean_bench, recorder, tmp_path, "hello", "hello-extra", published="hello", look=look)
    assert report.outcome is Outcome.PASS
    assert "for package in hello hello-extra; do" in seen.pop("post_install_debkit")
    assert seen == {
        "hello_1.0_all.deb": "an old deb",
        "Packages": "Package: hello\n",
        "sources.list.d": "Types: deb\nURIs: file:/srv/debkit-published\nSuites: ./\nTrusted: yes\n",
        "preferences.d": 'Package: hello\nPin: origin ""\nPin-Priority: 990\n\n'
        "Package: hello-extra\nPin: release *\nPin-Priority: -1\n",
    }
    (command,) = [command for command in recorder.commands if "piuparts" in command.argv]
    assert "--no-upgrade-test" not in command.argv
    assert "--scriptsdir=/srv/piuparts/scripts" in command.argv


def test_a_package_that_is_new_is_told(clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    report = judge(clean_bench, recorder, tmp_path, "hello", "hello-extra", published="hello")
    assert outcomes(report.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.PASS)]
    assert [(f.severity, f.tag, f.package) for f in report.findings] == [(Severity.INFO, "new-package", "hello-extra")]


def test_without_a_published_version_the_upgrade_is_not_run(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.reply("dpkg-deb", stdout=control("hello"))
    recorder.reply("piuparts", stdout=(DATA / "pass.log").read_text())
    report = piuparts.judge(clean_bench, result(tmp_path, "hello_1.0_all.deb"))
    assert report.outcome is Outcome.PASS
    assert outcomes(report.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.NOT_RUN)]
    assert report.steps[1].text == "no previous version is published"


def test_when_all_packages_are_new_the_upgrade_is_not_run(clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    report = judge(clean_bench, recorder, tmp_path, "hello", published="goodbye")
    assert report.outcome is Outcome.PASS
    assert outcomes(report.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.NOT_RUN)]
    assert report.steps[1].text == "every package is new in this version"


def test_what_every_clean_system_has_cannot_be_upgraded(clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path) -> None:
    report = judge(clean_bench, recorder, tmp_path, "libbz2-1.0", "bzip2", published="libbz2-1.0")
    assert outcomes(report.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.SKIPPED)]
    assert report.outcome is Outcome.SKIPPED
    assert report.reason == "libbz2-1.0: part of every clean system, so the upgrade is not tried"


def test_a_file_that_moves_fails_the_upgrade_though_apt_unpacked_in_a_lucky_order(
    clean_bench: checks.Bench, recorder: Recorder, tmp_path: Path
) -> None:
    recorder.reply("dpkg-deb", "--contents", stdout=LISTING)
    report = judge(clean_bench, recorder, tmp_path, "hello-data", "hello", published="hello")
    assert outcomes(report.steps) == [("install-and-purge", Outcome.PASS), ("upgrade", Outcome.FAIL)]
    assert report.reason.startswith("hello-data: moved-without-replaces: /etc/hello.conf is also in hello 1.0")
    assert report.outcome is Outcome.FAIL
