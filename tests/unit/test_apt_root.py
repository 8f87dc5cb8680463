"""The directories that isolated apt works in."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit import apt
from debkit.apt.root import extract_argv
from debkit.errors import ChrootError, ConfigError
from debkit.model import Repository
from debkit.run import Command, CommandFailed, Processes

if TYPE_CHECKING:
    from tests.recorder import Recorder

FILES = {
    "etc/apt/sources.list": "deb http://repo.example.org/debian trixie main\n",
    "etc/apt/sources.list.d/extra.list": "deb [signed-by=/usr/share/keyrings/x.gpg] http://repo.example.org/extra stable main\n",
    "etc/apt/apt.conf.d/99proxy": "",
    "usr/share/keyrings/x.gpg": "key",
    "var/lib/dpkg/status": "Package: base\nStatus: install ok installed\n",
    "var/lib/dpkg/arch": "amd64\ni386\n",
}


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    path = tmp_path / "chroot.tar.zst"
    path.write_bytes(b"a tarball")
    return path


def unpacks(
    recorder: Recorder, files: dict[str, str], *, links: dict[str, str] | None = None, code: int = 0, said: str = ""
) -> None:
    """Have tar lay these files down."""

    def lay_down(command: Command) -> None:
        into = Path(command.argv[command.argv.index("--directory") + 1])
        for name, text in files.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_text(text)
        for name, target in (links or {}).items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).symlink_to(target)

    recorder.reply("tar", "--extract", action=lay_down, code=code, stdout=said)


def test_one_pass_of_tar_takes_what_apt_needs(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    lacks = "/usr/bin/tar: ./usr/local/share/keyrings: Not found in archive\ntar: Exiting with failure status due to previous"
    unpacks(recorder, FILES, code=2, said=f"{lacks} errors\n")
    root = apt.prepare(recorder, tarball, tmp_path / "root", "amd64")
    (argv,) = recorder.argvs
    assert argv[:5] == ("tar", "--extract", "--auto-compress", "--file", str(tarball))
    assert {"./etc/apt", "./usr/share/keyrings", "./var/lib/dpkg/status"} <= set(argv)
    assert root == apt.AptRoot(tmp_path / "root", "amd64", ("i386",))
    assert apt.updated(root) is None


def test_the_sources_are_written_for_packages_and_for_sources(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    unpacks(recorder, FILES)
    path = apt.prepare(recorder, tarball, tmp_path / "root", "amd64").path
    packages = (path / "etc/apt/sources.list.d/debkit.sources").read_text()
    assert packages == (path / "etc/apt/deb-src.list.d/debkit.sources").read_text().replace("deb-src", "deb")
    assert f"Signed-By: {path}/usr/share/keyrings/x.gpg\n" in packages
    assert sorted(p.name for p in (path / "etc/apt/sources.list.d").iterdir()) == ["debkit.sources"]
    assert not (path / "etc/apt/sources.list").exists()


def test_absolute_links_stay_inside(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    unpacks(recorder, FILES, links={"etc/apt/trusted.gpg.d/x.gpg": "/usr/share/keyrings/x.gpg"})
    path = apt.prepare(recorder, tarball, tmp_path / "root", "amd64").path
    assert (path / "etc/apt/trusted.gpg.d/x.gpg").read_text() == "key"
    assert (path / "etc/apt/trusted.gpg.d/x.gpg").resolve() == path / "usr/share/keyrings/x.gpg"


def test_the_same_tarball_keeps_its_root_and_another_replaces_it(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    unpacks(recorder, FILES)
    path = apt.prepare(recorder, tarball, tmp_path / "root", "amd64").path
    (path / "var/lib/apt/lists/repo_Packages").touch()
    apt.prepare(recorder, tarball, path, "amd64")
    assert len(recorder.commands) == 1
    tarball.write_bytes(b"another tarball")
    apt.prepare(recorder, tarball, path, "amd64")
    assert len(recorder.commands) == 2
    assert not (path / "var/lib/apt/lists/repo_Packages").exists()
    assert not [p for p in tmp_path.iterdir() if p.is_dir() and p != path], "nothing half-made may stay"


def test_an_extra_repository_is_trusted_by_its_own_key(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    unpacks(recorder, FILES)
    key = tmp_path / "key.asc"
    key.write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    extra = Repository(line="deb http://more.example.org/debian trixie main", key=key)
    path = apt.prepare(recorder, tarball, tmp_path / "root", "amd64", foreign=("arm64",), repositories=(extra,)).path
    sources = (path / "etc/apt/sources.list.d/debkit.sources").read_text()
    assert sources.endswith(
        f"URIs: http://more.example.org/debian\nSuites: trixie\nComponents: main\n"
        f"Signed-By: {path}/usr/share/keyrings/debkit-0.asc\nTypes: deb\n"
    )
    assert (path / "usr/share/keyrings/debkit-0.asc").exists()


def test_a_tarball_that_is_no_chroot(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    unpacks(recorder, {"hello": ""})
    with pytest.raises(ChrootError, match="is no chroot"):
        apt.prepare(recorder, tarball, tmp_path / "root", "amd64")
    assert not (tmp_path / "root").exists()


def test_a_broken_tarball_is_not_taken_for_one_with_members_missing(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    unpacks(
        recorder, FILES, code=2, said="/usr/bin/zstd: premature end\ntar: Exiting with failure status due to previous errors\n"
    )
    with pytest.raises(CommandFailed, match="tar exited with 2"):
        apt.prepare(recorder, tarball, tmp_path / "root", "amd64")


def test_a_missing_tarball(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(ChrootError, match="No such file"):
        apt.prepare(recorder, tmp_path / "none.tar", tmp_path / "root", "amd64")


def test_sources_that_apt_would_not_read(recorder: Recorder, tarball: Path, tmp_path: Path) -> None:
    unpacks(recorder, {**FILES, "etc/apt/sources.list": "debian http://repo.example.org\n"})
    with pytest.raises(ChrootError, match=r"/etc/apt/sources.list of the chroot is not understood"):
        apt.prepare(recorder, tarball, tmp_path / "root", "amd64")


@pytest.mark.parametrize(("version", "same"), [("2.6.2", True), ("3.0.4", True), ("3.1.10", False), ("3.3.5ubuntu1", False)])
def test_a_newer_apt_in_the_chroot_may_choose_otherwise(tmp_path: Path, version: str, *, same: bool) -> None:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(
        f"Package: adduser\nVersion: 3.152\n\nPackage: apt\nStatus: install ok installed\nSection: x\n y\nVersion: {version}\n"
    )
    assert apt.exact(apt.AptRoot(tmp_path, "amd64")) is same


CLIENT = """\
Types: deb
URIs: http://repo.example.org/debkit
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/other.gpg
Trusted: yes
Allow-Insecure: yes
"""


def test_a_client_trusts_one_key_and_nothing_else(tmp_path: Path) -> None:
    keyring = tmp_path / "archive.gpg"
    keyring.write_bytes(b"\x99\x02")
    root = apt.make(tmp_path / "client", arch="arm64", sources=CLIENT, keyring=keyring)
    assert (root.path / "etc/apt/sources.list.d/debkit.sources").read_text() == (
        f"URIs: http://repo.example.org/debkit\nSuites: trixie\nComponents: main\n"
        f"Signed-By: {root.path}/usr/share/keyrings/archive.gpg\nTypes: deb\n"
    )
    assert (root.path / "var/lib/dpkg/status").read_bytes() == b""


def test_a_client_is_made_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / "key.gpg").touch()
    for _ in range(2):
        root = apt.make(tmp_path / "client", arch="amd64", sources=CLIENT, keyring=tmp_path / "key.gpg")
        assert not (root.path / "left").exists()
        (root.path / "left").touch()


def test_client_sources_that_are_not_deb822(tmp_path: Path) -> None:
    (tmp_path / "key.gpg").touch()
    with pytest.raises(ConfigError, match="not deb822") as caught:
        apt.make(tmp_path / "client", arch="amd64", sources="deb http://repo.example.org x main", keyring=tmp_path / "key.gpg")
    assert caught.value.cause == "deb http://repo.example.org x main"


def test_a_keyring_that_apt_could_not_name(tmp_path: Path) -> None:
    (tmp_path / "key.gpg").touch()
    with pytest.raises(ConfigError, match="apt cannot work in") as caught:
        apt.make(tmp_path / "my cache" / "client", arch="amd64", sources=CLIENT, keyring=tmp_path / "key.gpg")
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_a_real_tar_lays_down_nothing_else(tmp_path: Path) -> None:
    tarball, into = tmp_path / "c.tar", tmp_path / "into"
    into.mkdir()
    with tarfile.open(tarball, "w") as tar:
        for name in ("./etc/apt/sources.list", "./etc/passwd", "./var/lib/dpkg/status"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    Processes()(Command(argv=extract_argv(tarball, into), ok=frozenset({2})))
    assert sorted(str(p.relative_to(into)) for p in into.rglob("*") if p.is_file()) == [
        "etc/apt/sources.list",
        "var/lib/dpkg/status",
    ]
