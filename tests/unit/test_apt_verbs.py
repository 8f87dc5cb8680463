"""What the child is asked, and what becomes of its answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from debkit import apt
from debkit.apt import AptRoot, Pin
from debkit.errors import DebkitError, DependencyError, DiskError, MissingTool, NetworkError, SourceError
from debkit.run import CommandFailed

if TYPE_CHECKING:
    from tests.recorder import Recorder

ROOT = AptRoot(Path("/cache/root"), "arm64", ("amd64",))
PIN = Pin(
    name="hello",
    version="1:2.0-1",
    arch="arm64",
    filename="pool/hello_2.0-1_arm64.deb",
    size=7,
    sha256="ab" * 32,
    uri="http://repo.example.org/debian/pool/hello_2.0-1_arm64.deb",
)
DATA = Path(__file__).parents[1] / "data/apt"


class Telling:
    """A Progress that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def phase(self, name: str) -> None:
        """Say nothing."""

    def line(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def child(recorder: Recorder) -> Recorder:
    recorder.reply("apt-config", stdout='Acquire::http::Proxy "http://proxy.example.org:3128";\n')
    return recorder


def requests(recorder: Recorder) -> list[Any]:
    return [json.loads(command.stdin) for command in recorder.commands if command.stdin]


def reply(recorder: Recorder, *replies: Any) -> None:
    """Lay down the child's answers in turn."""
    left = [json.dumps(answer) for answer in replies]

    def turn(_command: object) -> None:
        recorder.replies[-1].stdout = left.pop(0)

    recorder.reply("debkit.apt.child", action=turn)


def test_the_child_is_debians_python_away_from_the_working_directory(child: Recorder) -> None:
    reply(child, {"ok": ["2.0", "1.0"]})
    assert apt.seen(child, ROOT, "hello") == ("2.0", "1.0")
    (command,) = child.commands
    assert command.argv == (sys.executable, "-P", "-m", "debkit.apt.child")
    environment = dict(command.env)
    assert not Path(environment.pop("TMPDIR")).exists()  # what apt left there has gone with it
    assert environment == {"PYTHONPATH": str(Path(apt.__file__).parents[2])}
    assert command.separate
    assert requests(child) == [
        {
            "verb": "seen",
            "root": {"path": "/cache/root", "arch": "arm64", "foreign": ["amd64"], "empty": False},
            "settings": [],
            "package": "hello",
        }
    ]


def test_what_needs_the_network_is_told_of_the_machines_proxy(child: Recorder) -> None:
    reply(child, {"ok": {}})
    apt.update(child, ROOT)
    assert child.argvs[0] == ("apt-config", "dump")
    assert requests(child)[0]["settings"] == [["Acquire::http::Proxy", "http://proxy.example.org:3128"]]


def test_a_build_is_resolved_with_all_that_sbuild_goes_by(child: Recorder) -> None:
    pin = {slot: getattr(PIN, slot) for slot in PIN.__slots__}
    reply(child, {"ok": {"install": [pin], "remove": ["other:arm64"]}})
    found = apt.solve_build(
        child, ROOT, Path("/src/x_1.dsc"), host="amd64", profiles=("nocheck",), all=False, arch=True, debs=(Path("/d/y.deb"),)
    )
    assert found == apt.Solution(install=(PIN,), remove=("other:arm64",))
    request = requests(child)[0]
    assert {key: value for key, value in request.items() if key not in {"root", "settings", "wish"}} == {
        "verb": "solve",
        "dsc": "/src/x_1.dsc",
        "host": "amd64",
        "profiles": ["nocheck"],
        "all": False,
        "arch": True,
        "core": ["build-essential:native", "fakeroot:native"],
        "names": [],
        "debs": ["/d/y.deb"],
        "recommends": False,
        "upgrade": True,
    }


def test_a_cross_build_needs_the_lists_of_its_host(child: Recorder) -> None:
    with pytest.raises(DependencyError, match="the chroot for arm64 has no packages of riscv64"):
        apt.resolve_build(child, ROOT, Path("/src/x_1.dsc"), host="riscv64", all=True, arch=True)
    assert not child.commands


def test_nothing_to_download_starts_nothing(child: Recorder, tmp_path: Path) -> None:
    assert apt.download(child, ROOT, (), tmp_path) == ()
    assert not child.commands


def test_downloads_are_named_by_their_content(child: Recorder, tmp_path: Path) -> None:
    reply(child, {"ok": {}})
    assert apt.download(child, ROOT, (PIN,), tmp_path) == (tmp_path / f"{'ab' * 32}.deb",)
    assert PIN.deb == "hello_1%3a2.0-1_arm64.deb"


GONE = {"error": {"kind": "download", "failed": {PIN.uri: "404  Not Found [IP: 192.0.2.1 80]"}}}


def test_a_superseded_package_refreshes_the_lists_once(child: Recorder, tmp_path: Path) -> None:
    reply(child, GONE, {"ok": {}}, {"ok": [False]})
    with pytest.raises(apt.Superseded, match=r"no longer has hello 1:2\.0-1"):
        apt.download(child, ROOT, (PIN,), tmp_path)
    assert [request["verb"] for request in requests(child)] == ["download", "update", "offered"]


def test_a_file_that_the_mirror_lacks_is_not_superseded(child: Recorder, tmp_path: Path) -> None:
    reply(child, GONE, {"ok": {}}, {"ok": [True]})
    with pytest.raises(NetworkError, match=r"lacks hello_2\.0-1_arm64\.deb") as caught:
        apt.download(child, ROOT, (PIN,), tmp_path)
    assert not isinstance(caught.value, apt.Superseded)
    assert "404" in caught.value.cause


def test_an_unreachable_mirror_is_not_asked_for_its_lists(child: Recorder, tmp_path: Path) -> None:
    reply(child, {"error": {"kind": "download", "failed": {PIN.uri: "Could not resolve 'repo.example.org'"}}})
    with pytest.raises(NetworkError, match=r"hello_2.0-1_arm64.deb could not be downloaded"):
        apt.download(child, ROOT, (PIN,), tmp_path)
    assert [request["verb"] for request in requests(child)] == ["download"]


def test_progress_is_passed_on_without_the_answer(child: Recorder) -> None:
    progress = Telling()
    child.reply("debkit.apt.child", stdout='http://repo.example.org trixie InRelease\n{"ok": {}}\n')
    with pytest.raises(CommandFailed):  # the recorder gives both streams as one, which is no JSON
        apt.update(child, ROOT, progress=progress)
    assert progress.lines == ["http://repo.example.org trixie InRelease"]


@pytest.mark.parametrize(
    ("error", "kind", "what", "hint"),
    [
        (
            {"kind": "missing", "text": "No module named 'apt_pkg'", "python": "/usr/bin/python3"},
            MissingTool,
            "python-apt is not installed",
            "sudo apt-get install python3-apt",
        ),
        (
            {"kind": "missing", "text": "No module named 'apt_pkg'", "python": "/opt/py/bin/python3"},
            MissingTool,
            "python-apt cannot be loaded",
            "with /usr/bin/python3",
        ),
        (
            {"kind": "source", "name": "bzip", "source": "", "near": ["bzip2", "bzr"]},
            SourceError,
            "there is no source package bzip",
            "did you mean bzip2 or bzr?",
        ),
        ({"kind": "source", "name": "libbz2-1.0", "source": "bzip2", "near": []}, SourceError, "no source", "debkit build bzip2"),
        ({"kind": "unknown", "name": "crul", "near": ["curl"]}, DependencyError, "no package crul for arm64", "curl?"),
        (
            {"kind": "version", "name": "curl", "version": "9", "versions": ["8", "7"]},
            DependencyError,
            "no version 9 of curl",
            "build.repositories",
        ),
        (
            {"kind": "foreign", "deb": "/x.deb", "arch": "i386", "native": "arm64"},
            DependencyError,
            "/x.deb is for i386",
            "built for arm64",
        ),
        ({"kind": "unhashed", "name": "x", "version": "1"}, NetworkError, "x 1 has no SHA-256", "SHA-256"),
        ({"kind": "apt", "text": "E:Could not open file /x - open (28: No space left on device)"}, DiskError, "full", "df -h"),
        ({"kind": "apt", "text": "W:one, E:two"}, NetworkError, "apt failed", "again"),
        (
            {"kind": "download", "failed": {"http://repo.example.org/a.deb": "Hash Sum mismatch\nHashes of expected file:"}},
            NetworkError,
            "not a.deb as its signed list has it",
            "again",
        ),
    ],
)
def test_troubles_in_words(child: Recorder, error: Any, kind: type[DebkitError], what: str, hint: str) -> None:
    reply(child, {"error": error})
    with pytest.raises(kind) as caught:
        apt.seen(child, ROOT, "hello")
    assert what in caught.value.what
    assert caught.value.cause
    assert hint in caught.value.hint


def test_an_uninstallable_dependency_names_the_culprit_and_the_way_to_it(child: Recorder) -> None:
    error = {
        "kind": "dependency",
        "wish": "what hello needs to be built",
        "culprit": "libfoo1 (>= 9)",
        "case": "version",
        "lines": ["the source needs libfoo-dev", "libfoo-dev 1.2 needs libfoo1 (>= 9)", "there is no other libfoo1 than 1.2"],
        "near": [],
        "text": "E:Error, pkgProblemResolver::Resolve generated breaks",
    }
    reply(child, {"error": error})
    with pytest.raises(DependencyError) as caught:
        apt.resolve_build(child, ROOT, Path("/src/hello_1.dsc"), host="arm64", all=True, arch=True)
    assert caught.value.what == "what hello needs to be built cannot be installed on arm64: libfoo1 (>= 9)"
    assert caught.value.cause.splitlines() == error["lines"]
    assert "build.repositories" in caught.value.hint
    assert requests(child)[0]["wish"] == error["wish"]


# Recorded from libapt 2.6 (gpgv) and 3.0 (sqv) against a small repository.
UPDATES: dict[str, tuple[type[DebkitError], str]] = {
    "unsigned": (apt.Untrusted, "http://repo.example.org stable bears no signature that is accepted"),
    "wrong key": (apt.Untrusted, "http://repo.example.org stable is signed by a key that is not trusted here"),
    "no such suite": (apt.Untrusted, "http://repo.example.org nosuch is no repository"),
    "refused": (NetworkError, "http://closed.example.org cannot be reached"),
    "unresolvable": (NetworkError, "http://nohost.example.org cannot be reached"),
    "tampered InRelease": (apt.Untrusted, "http://repo.example.org stable was altered after it was signed"),
    "tampered Packages": (NetworkError, "the package lists at http://repo.example.org do not fit together"),
    "no Packages": (NetworkError, "the mirror lacks http://repo.example.org/dists/stable/main/binary-arm64/Packages"),
    "expired Release": (apt.Untrusted, "http://repo.example.org stable is out of date"),
    "Release from the future": (apt.Untrusted, "http://repo.example.org stable is not valid yet"),
    "login page": (apt.Untrusted, "http://repo.example.org stable did not give a signed file"),
    "sha1": (apt.Untrusted, "http://repo.example.org stable "),
    "expired key": (apt.Untrusted, "the key that signs http://repo.example.org stable has expired"),
}
RECORDED = [(path.stem, case) for path in sorted(DATA.glob("update-apt-*.json")) for case in json.loads(path.read_text())]


@pytest.mark.parametrize(("file", "case"), RECORDED)
def test_recorded_failures_of_an_update(child: Recorder, file: str, case: str) -> None:
    reply(child, {"error": json.loads((DATA / f"{file}.json").read_text())[case]})
    kind, what = UPDATES[case]
    with pytest.raises(NetworkError) as caught:
        apt.update(child, ROOT)
    assert type(caught.value) is kind
    assert caught.value.what.startswith(what)
    assert caught.value.cause
    assert caught.value.hint
    assert "E:" not in caught.value.cause


def test_both_generations_of_apt_are_recorded() -> None:
    assert {file for file, _ in RECORDED} == {"update-apt-2.6.2", "update-apt-3.0.4"}
    assert {case for _, case in RECORDED} == set(UPDATES)
