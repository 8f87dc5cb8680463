"""dpkg-source's commands, and what is told of its errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.errors import SourceError
from debkit.source.packing import finish, finished, modified_files, pack, scratch, unpack, write_changes
from tests.unit.test_source_dsc import laid

if TYPE_CHECKING:
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data/dpkg-source"


def test_dpkg_source_is_told_the_time_and_where_to_scratch(recorder: Recorder, tmp_path: Path) -> None:
    pack(recorder, tmp_path / "hello-1.0", timestamp=1000, given="hello")
    (command,) = recorder.commands
    assert command.argv == ("dpkg-source", "--build", "hello-1.0")
    assert command.cwd == tmp_path
    assert command.env == (("SOURCE_DATE_EPOCH", "1000"), ("TMPDIR", f"{tmp_path}"))


def test_the_changes_name_the_source_only(recorder: Recorder, tmp_path: Path) -> None:
    write_changes(recorder, tmp_path / "hello-1.0", name="hello", version="2:1.0-1", timestamp=1000)
    (command,) = recorder.commands
    assert command.argv == ("dpkg-genchanges", "--build=source", "-sa", "-q", "-O../hello_1.0-1_source.changes")
    assert command.cwd == tmp_path / "hello-1.0"


def test_local_changes_are_listed_with_their_difference(recorder: Recorder, tmp_path: Path) -> None:
    log = (DATA / "local-changes.log").read_text().replace("/scratch/", f"{tmp_path}/")
    diff = next(word for word in log.split() if word.startswith(f"{tmp_path}/"))
    Path(diff).write_text("Description: x\n--- a\n+++ b\n" + "+line\n" * 50)
    recorder.reply("dpkg-source", stdout=log, code=2)
    with pytest.raises(SourceError, match=r"changes upstream files: NEW, hello-debkit\.c") as error:
        pack(recorder, tmp_path / "hello-debkit-1.0", timestamp=1000, given="here")
    assert "aborting due to unexpected upstream changes" in error.value.cause
    assert error.value.hint.startswith("cd here && dpkg-source --commit")
    assert error.value.excerpt[:2] == ("--- a", "+++ b")
    assert len(error.value.excerpt) == 15


def test_many_local_changes_are_counted() -> None:
    log = (
        "dpkg-source: info: local changes detected, the modified files are:\n"
        + "".join(f" a-1/{n}\n" for n in range(7))
        + "end\n"
    )
    assert modified_files(log, "a-1") == tuple("0123456")


def test_a_binary_change_is_told_with_its_remedy(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-source", stdout=(DATA / "binary-change.log").read_text(), code=2)
    with pytest.raises(SourceError, match="cannot make a source package of here") as error:
        pack(recorder, tmp_path / "hello-debkit-1.0", timestamp=1000, given="here")
    assert "cannot represent change to logo.png" in error.value.cause
    assert "include-binaries" in error.value.hint


def test_a_dsc_that_dpkg_source_refuses_is_told(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-source", stdout="dpkg-source: info: working\ndpkg-source: error: something is wrong\n", code=2)
    with pytest.raises(SourceError, match=r"cannot extract a\.dsc") as error:
        unpack(recorder, tmp_path / "a.dsc", tmp_path / "a")
    assert error.value.cause == "something is wrong"


def test_what_dpkg_genchanges_refuses_is_told(recorder: Recorder, tmp_path: Path) -> None:
    recorder.reply("dpkg-genchanges", stdout="dpkg-genchanges: error: something is wrong\n", code=2)
    with pytest.raises(SourceError, match="cannot describe a 1") as error:
        write_changes(recorder, tmp_path / "a", name="a", version="1", timestamp=0)
    assert error.value.cause == "something is wrong"


def test_a_source_is_put_in_place_whole(tmp_path: Path) -> None:
    final = tmp_path / "final"
    for work in (tmp_path / "one", tmp_path / "other"):  # a run beside this one may have been first
        work.mkdir()
        (laid(work).parent / "hello_1.0-1_source.changes").touch()
        finish(work, final)
    source = finished(final, suite="trixie", snapshot=True)
    assert source
    assert (source.name, source.version, source.suite, source.snapshot) == ("hello", "1:1.0-1", "trixie", True)
    assert source.dsc == final / "hello_1.0-1.dsc"
    assert source.changes == final / "hello_1.0-1_source.changes"
    assert [file.name for file in source.files] == ["hello_1.0.orig.tar.gz"]


def test_a_source_that_is_not_whole_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (laid(tmp_path / "final").parent / "hello_1.0-1_source.changes").touch()
    (tmp_path / "final/hello_1.0.orig.tar.gz").write_bytes(b"half")
    assert finished(tmp_path / "final", suite="trixie", snapshot=False) is None
    assert not (tmp_path / "final").exists()


def test_scratch_is_taken_away_and_so_is_what_a_killed_run_left(tmp_path: Path) -> None:
    dead = tmp_path / ".making-aaaaaaaa"
    dead.mkdir()
    dead.chmod(0o1700)
    with scratch(tmp_path) as alive, scratch(tmp_path) as work:
        assert sorted(tmp_path.iterdir()) == sorted((alive.parent, work.parent))
    assert list(tmp_path.iterdir()) == []
