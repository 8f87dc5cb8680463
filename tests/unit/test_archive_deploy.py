from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.archive.serving.deploy import obsolete, own
from debkit.archive.serving.directory import Directory
from debkit.archive.serving.rsync import Rsync, is_rsync
from debkit.errors import ArchiveError, ConfigError, NetworkError

if TYPE_CHECKING:
    from tests.recorder import Recorder

DEB = "pool/main/h/hello/hello_1.0_amd64.deb"
INDEX = "dists/trixie/main/binary-amd64/Packages"


@pytest.fixture
def copy(tmp_path: Path) -> Directory:
    base = tmp_path / "base"
    for name in (DEB, INDEX):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(name)
        (base / name).chmod(0o644)
    (base / "dists/stable").symlink_to("trixie")
    return Directory(base=base, root=tmp_path / "site")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("/srv/www", False), ("./a:b", False), ("site", False), ("host:", True), ("me@host:/srv", True),
        ("rsync://host/module", True), ("host::module/path", True),
    ],
)  # fmt: skip
def test_what_is_another_machines(where: str, *, expected: bool) -> None:
    assert is_rsync(where) is expected


def test_what_is_old_is_known_by_when_it_was_first_seen_to_be() -> None:
    files = frozenset({"pool/a", "pool/b", "pool/c d"})
    due, waiting = obsolete("# a note\n100 pool/a\n400 pool/b\n0 pool/gone\n", files, now=500, grace=200)
    assert due == ("pool/a",)
    assert waiting == {"pool/b": 400, "pool/c d": 500}
    assert obsolete("900 pool/a\n", frozenset({"pool/a"}), now=500, grace=200) == ((), {"pool/a": 500})
    assert obsolete("", files, now=500, grace=0) == (tuple(sorted(files)), {})


def test_of_what_a_copy_says_is_debkits_only_an_archives_names_are_believed() -> None:
    ours = ("debkit.sources", "a b-archive-keyring.pgp", "index.html")
    theirs = ("video", "../index.html", "..", ".", "pool", "dists", ".sources", "\0.sources", "dists/x.sources", "/etc/x.sources")
    mark = "# a note\n100 pool/a\n" + "".join(f"own {name}\n" for name in (*ours, *theirs))
    assert own(mark) == set(ours)
    assert own("") == set()


def test_only_what_differs_is_copied(copy: Directory) -> None:
    names = (DEB, INDEX, "dists/stable")
    assert copy.existing() == frozenset()
    assert copy.put(names) == 3
    assert copy.put(names) == 0
    assert copy.existing() == frozenset(names)
    assert (copy.root / "dists/stable").readlink().name == "trixie"
    (copy.root / INDEX).write_text("torn")
    (copy.root / DEB).unlink()
    assert copy.put(names) == 2
    assert (copy.root / INDEX).read_text() == INDEX


def test_what_never_changes_is_linked_and_all_is_readable(copy: Directory) -> None:
    before = os.umask(0o077)
    try:
        copy.put((DEB, INDEX))
        assert (copy.root / DEB).samefile(copy.base / DEB)
        assert not (copy.root / INDEX).samefile(copy.base / INDEX)
        (copy.base / DEB).chmod(0o600)
        copy.put((DEB,))
    finally:
        os.umask(before)
    assert not (copy.root / DEB).samefile(copy.base / DEB)
    assert {path.stat().st_mode & 0o777 for path in copy.root.rglob("*")} == {0o755, 0o644}


def test_where_no_directory_can_be(copy: Directory) -> None:
    file = copy.base / DEB
    for root, cause in ((file, "a file of that name"), (file / "below", "a file of that name"), (Path("/proc/x"), "file system")):
        with pytest.raises(ConfigError, match="cannot be a directory") as caught:
            replace(copy, root=root).write("mark", "")
        assert cause in caught.value.cause


def test_what_is_removed_leaves_no_empty_directories(copy: Directory) -> None:
    copy.put((DEB, INDEX))
    copy.remove((DEB, "pool/main/h/hello/gone", "dists/trixie/gone"))
    assert [path.name for path in copy.root.iterdir()] == ["dists"]
    assert copy.existing() == {INDEX}


def test_rsync_is_given_lists(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("rsync", stdout=f"dists/\n{INDEX}\n")
    target = Rsync(run=recorder, base=tmp_path, where="host:/srv/")
    assert target.put((INDEX,)) == 1
    (command,) = recorder.commands
    assert command.stdin == INDEX.encode()
    assert command.argv == (
        "rsync", "--timeout=600", "--files-from=-", "--from0", "--checksum", "--times", "--links", "--perms",
        "--chmod=D755,F644", "--out-format=%n", "--", f"{tmp_path}/", "host:/srv/",
    )  # fmt: skip
    target.put((DEB,))
    assert "--checksum" not in recorder.commands[1].argv
    assert target.put(()) == 0
    target.remove(())
    assert len(recorder.commands) == 2


@pytest.mark.parametrize(
    ("code", "error", "hint"),
    [
        (255, NetworkError, "run the same command again"),
        (10, NetworkError, "run the same command again"),
        (5, ArchiveError, "rsync --list-only host:/srv/"),
    ],
)
def test_what_rsyncs_end_means(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, code: int, error: type[Exception], hint: str
) -> None:
    monkeypatch.setenv("RSYNC_PASSWORD", "sesame")
    recorder.reply("rsync", stdout="rsync: [sender] it says why\n", code=code)
    target = Rsync(run=recorder, base=tmp_path, where="host:/srv")
    with pytest.raises(error, match="could not be copied to host:/srv") as caught:
        target.put((DEB,))
    assert getattr(caught.value, "cause", "") == "rsync: [sender] it says why"
    assert hint in getattr(caught.value, "hint", "")
    assert ("RSYNC_PASSWORD", "sesame") in recorder.commands[0].env
    assert recorder.commands[0].secrets == ("sesame",)
