from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.archive.reprepro import BUILDINFO, FEW, FORMAT, MANY, Entry, Filing, Reprepro, argv, parse_checksums, parse_listing
from debkit.errors import ArchiveConflict, ArchiveError, ConfigError, DebkitError, LockedError, SigningError
from debkit.keys import Keys, Secret
from debkit.model import SigningKey

if TYPE_CHECKING:
    from tests.recorder import Recorder

DATA = Path(__file__).parent.parent / "data/reprepro"
UPLOAD = SigningKey(fingerprint="A" * 40, uid="Upload", home=Path("/upload"), development=False)
ARCHIVE = SigningKey(fingerprint="B" * 40, uid="Archive", home=Path("/archive"), development=False)
COMMON = ("reprepro", "--basedir", "/project/repo", "--confdir", "/conf", "--gnupghome", "/upload", "--waitforlock", "6")
UNSEEN = ("--export", "silent-never", "--keepunreferencedfiles")


def archive(run: Recorder, secret: Secret | None = None) -> Reprepro:
    keys = Keys(upload=UPLOAD, archive=ARCHIVE, secrets={ARCHIVE.fingerprint: secret} if secret else {})
    return Reprepro(run=run, base=Path("/project/repo"), conf=Path("/conf"), keys=keys)


def test_the_command_lines(recorder: Recorder) -> None:
    reprepro = archive(recorder)
    changes = Path("/dist/hello_1.0_multi.changes")
    reprepro.include("trixie", changes, ())
    reprepro.include("trixie", changes, ("arm64", "amd64"))
    reprepro.include("trixie", changes, (), export=False)
    reprepro.export("trixie")
    reprepro.restore("trixie", "20260101T000000.000000Z", ("hello",))
    reprepro.remove("trixie", "deb", "arm64", ("hello",))
    reprepro.copy("trixie-unstable", "trixie", ("hello", "g++-14"))
    reprepro.listing("trixie")
    reprepro.checksums()
    assert recorder.argvs == [
        (*COMMON, "--keepunreferencedfiles", BUILDINFO, "include", "trixie", "/dist/hello_1.0_multi.changes"),
        (
            *COMMON,
            "--keepunreferencedfiles",
            BUILDINFO,
            "--architecture",
            "arm64|amd64",
            "include",
            "trixie",
            "/dist/hello_1.0_multi.changes",
        ),
        (
            *COMMON,
            "--keepunreferencedfiles",
            BUILDINFO,
            "--export",
            "silent-never",
            "include",
            "trixie",
            "/dist/hello_1.0_multi.changes",
        ),
        (*COMMON, "export", "trixie"),
        (*COMMON, *UNSEEN, "restore", "trixie", "20260101T000000.000000Z", "hello"),
        (*COMMON, *UNSEEN, "--type", "deb", "--architecture", "arm64", "remove", "trixie", "hello"),
        (*COMMON, *UNSEEN, "copyfilter", "trixie", "trixie-unstable", "$Source (== hello) | $Source (== g++-14)"),
        (*COMMON, "--list-format", FORMAT, "list", "trixie"),
        (*COMMON, "_listchecksums"),
    ]
    assert argv(Path("/project/repo"), Path("/conf"), Path("/upload"), "x") == (*COMMON, "x")


def test_a_command_line_never_holds_more_than_it_can(recorder: Recorder) -> None:
    """Linux takes 2 MiB of it (execve(2))."""
    many = tuple(f"pool/main/p/package-{number}/package-{number}_1.0_amd64.deb" for number in range(40_000))
    reprepro = archive(recorder)
    reprepro.forget(many)
    reprepro.remove("trixie", "deb", "amd64", many)
    reprepro.restore("trixie", "20260101T000000.000000Z", many)
    assert max(sum(map(len, words)) for words in recorder.argvs) < 100_000
    for verb in ("remove", "restore"):
        assert tuple(word for words in recorder.argvs if verb in words for word in words if word.startswith("pool/")) == many


def test_many_uploads_are_taken_from_a_directory_of_links(recorder: Recorder, tmp_path: Path) -> None:
    conf = tmp_path / ".conf"
    conf.mkdir()
    (tmp_path / "incoming").write_text("Name: mine\n")
    (conf / "incoming").symlink_to(tmp_path / "incoming")
    reprepro = replace(archive(recorder), base=tmp_path, conf=conf)
    files = tuple(tmp_path / "elsewhere" / name for name in ("a.changes", "a.deb", "b.changes", "b.deb"))
    files[0].parent.mkdir()
    for file in files[:2]:
        file.write_text(file.name)
    files[2].symlink_to(files[0])  # the link that stands for another file is not linked to by its own inode
    reprepro.include_all("trixie", files)
    links = [conf / "uploads" / file.name for file in files]
    assert sorted((conf / "uploads").iterdir()) == links
    assert [link.samefile(file) and not link.is_symlink() for link, file in zip(links[:2], files, strict=False)] == [True, True]
    assert [link.readlink() for link in links[2:]] == list(
        files[2:]
    )  # what cannot be linked hard, which the last is not there for
    assert (conf / "uploads.new").is_dir()
    assert "\nIncomingDir: .conf/uploads\n" in (conf / "incoming").read_text()  # of the base, whose name may hold blanks
    assert "\nDefault: trixie\n" in (conf / "incoming").read_text()
    assert (tmp_path / "incoming").read_text() == "Name: mine\n"
    assert recorder.argvs[0][-5:] == ("--export", "silent-never", "--keepunreferencedfiles", "processincoming", "debkit")


def test_of_few_names_only_what_concerns_them_is_listed(recorder: Recorder) -> None:
    archive(recorder).listing_of("trixie", frozenset({"hello", "lib+x"}))
    archive(recorder).listing_of("trixie", frozenset(map(str, range(FEW + 1))))
    archive(recorder).listing_of("trixie", frozenset({"a) | $Source (== b"}))
    condition = "$Source (== hello) | Package (== hello) | $Source (== lib+x) | Package (== lib+x)"
    assert [words[-2:] for words in recorder.argvs] == [("trixie", condition), ("list", "trixie"), ("list", "trixie")]


def test_nothing_but_the_name_of_a_buildinfo_is_ever_ignored(recorder: Recorder) -> None:
    archive(recorder).include("trixie", Path("/x.changes"), ())
    assert [word for command in recorder.argvs for word in command if "--ignore" in word] == ["--ignore=surprisingarch"]
    conf = Path(__file__).parents[2] / "repo/conf"
    assert not [file for file in conf.iterdir() if "ignore" in file.read_text()]


def test_the_passphrase_goes_through_standard_input(recorder: Recorder) -> None:
    archive(recorder, Secret("open sesame")).export("trixie")
    archive(recorder).export("trixie")
    first, second = recorder.commands
    assert first.stdin == b"open sesame\n"
    assert first.secrets == ("open sesame",)
    assert "sesame" not in " ".join((*first.argv, *(value for _, value in first.env)))
    given = dict(first.env)
    assert given["DEBKIT_RELEASE_HOME"] == "/archive"
    assert given["DEBKIT_RELEASE_KEYS"] == "B" * 40
    assert given["DEBKIT_RELEASE_KEYRING"] == "/conf/trusted.pgp"
    assert second.stdin == b""


def test_what_reprepro_lists() -> None:
    entries = parse_listing((DATA / "list.txt").read_text())
    assert [(entry.type, entry.arch, entry.package) for entry in entries] == [
        ("deb", "amd64", "hello-debkit"),
        ("deb", "amd64", "hello-debkit-data"),
        ("deb", "arm64", "hello-debkit"),
        ("deb", "arm64", "hello-debkit-data"),
        ("dsc", "source", "hello-debkit"),
    ]
    assert entries[0] == Entry(
        type="deb",
        arch="amd64",
        package="hello-debkit",
        version="1.0",
        source="hello-debkit",
        source_version="1.0",
        file="pool/main/h/hello-debkit/hello-debkit_1.0_amd64.deb",
    )


def test_what_the_pool_holds() -> None:
    pool = parse_checksums((DATA / "checksums.txt").read_text())
    assert len(pool) == 9
    assert all(len(sha256) == 64 for sha256 in pool.values())
    assert "pool/main/h/hello-debkit/hello-debkit_1.0_all+amd64+arm64+source.changes" in pool
    assert parse_checksums("") == {}


def test_a_database_beside_is_filled_from_a_snapshot_or_file_by_file(recorder: Recorder) -> None:
    beside = replace(archive(recorder, Secret("secret")), db=Path("/project/repo/.db-rebuilt"))
    beside.detect(("pool/main/a/a/a_1_all.deb", "pool/main/a/a/a_1.dsc"))
    beside.restore_all("trixie", "20260101T000000.000000Z")
    beside.include_debs("trixie", ("pool/main/a/a/a_1_all.deb",), ("amd64", "arm64"), Filing("main", "misc", "optional"))
    beside.include_debs("trixie", ("pool/main/a/a/a_1_all.deb",) * (MANY + 1), ("amd64",), Filing("contrib"))
    beside.include_debs("trixie", ("pool/main/a/a/a-udeb_1_all.udeb",), ("amd64",), Filing("contrib"))
    beside.include_dsc("trixie", "pool/main/a/a/a_1.dsc", Filing("main", "misc", "optional"))
    beside.forget(("pool/main/b", "pool/main/c"))
    beside.forget(())
    there = (*COMMON, "--dbdir", "/project/repo/.db-rebuilt")
    filed = ("--component", "main", "--section", "misc", "--priority", "optional")
    deb, dsc = (f"/project/repo/pool/main/a/a/a_1{end}" for end in ("_all.deb", ".dsc"))
    contrib = (*there, *UNSEEN, "--component", "contrib", "--architecture", "amd64", "includedeb", "trixie")
    assert recorder.argvs == [
        (*there, "--keepunreferencedfiles", "_detect"),
        (*there, *UNSEEN, "restorefilter", "trixie", "20260101T000000.000000Z", "Package"),
        (*there, *UNSEEN, *filed, "--architecture", "amd64|arm64", "includedeb", "trixie", deb),
        (*contrib, *(deb,) * MANY),
        (*contrib, deb),
        (*contrib[:-2], "includeudeb", "trixie", "/project/repo/pool/main/a/a/a-udeb_1_all.udeb"),
        (*there, *UNSEEN, *filed, "includedsc", "trixie", dsc),
        (*there, "_forget"),
    ]
    assert recorder.commands[0].stdin == b"pool/main/a/a/a_1_all.deb\npool/main/a/a/a_1.dsc\n"
    assert recorder.commands[1].stdin == b"secret\n"
    assert recorder.commands[-1].stdin == b"pool/main/b\npool/main/c\n"  # there may be more than a command line takes


@pytest.mark.parametrize(
    ("recorded", "error", "what", "hint"),
    [
        ("locked.txt", LockedError, "another reprepro works on /project/repo", "wait"),
        ("newer-database.txt", ArchiveError, "newer reprepro", "Debian release"),
        (
            "not-in-uploaders.txt",
            ArchiveError,
            "may not upload",
            "echo 'allow * by key AAAAAAAAAAAAAAAA+' >> /project/repo/conf/uploaders",
        ),
        ("wrong-distribution.txt", ConfigError, "changelog's distribution", "editor /project/repo/conf/distributions"),
        ("architecture-gone.txt", ConfigError, "architectures do not fit", "clearvanished"),
        ("conflict.txt", ArchiveConflict, "other content", "dch --increment"),
        ("damaged-database.txt", ArchiveError, "the database of /project/repo is damaged", "debkit repo rebuild"),
        ("missing-reference.txt", ArchiveError, "the database of /project/repo is damaged", "debkit repo rebuild"),
        ("two-stanzas-in-one.txt", ConfigError, "/project/repo/conf/distributions is not", "an empty line parts"),
        ("changed-after-signing.txt", ArchiveError, "was changed after it was signed", "debsign"),
        ("hook-failed.txt", SigningError, f"signed with {'B' * 40}", "gpg --homedir /archive"),
        ("unknown-distribution.txt", ArchiveError, "reprepro failed", "reprepro --basedir /project/repo check"),
    ],
)
def test_what_a_complaint_means(recorder: Recorder, recorded: str, error: type[DebkitError], what: str, hint: str) -> None:
    recorder.reply("reprepro", stdout=(DATA / recorded).read_text(), code=255)
    with pytest.raises(error) as caught:
        archive(recorder).include("trixie", Path("/x.changes"), ())
    assert type(caught.value) is error
    assert what in caught.value.what
    assert caught.value.cause
    assert hint in caught.value.hint


def test_that_it_had_to_wait_is_no_cause(recorder: Recorder) -> None:
    waited = "Could not acquire lock: /r/db/lockfile already exists!\nWaiting 10 seconds before trying again.\n"
    recorder.reply("reprepro", stdout=waited + "x.deb is already registered with different checksums!\n", code=255)
    with pytest.raises(ArchiveConflict) as caught:
        archive(recorder).include("trixie", Path("/x.changes"), ())
    assert caught.value.cause == "x.deb is already registered with different checksums!"


def test_what_gpg_said_in_the_hook_is_told(recorder: Recorder) -> None:
    waited = "gpg: waiting for lock (held by 15640) ...\ngpg: removing stale lockfile (created by 15640)\n"
    printed = waited + "gpg: signing failed: No such device\n" + (DATA / "hook-failed.txt").read_text()
    recorder.reply("reprepro", stdout=printed, code=255)
    with pytest.raises(SigningError) as caught:
        archive(recorder).export("trixie")
    assert caught.value.cause == "signing failed: No such device"


def test_that_gpg_had_to_wait_is_no_cause(recorder: Recorder) -> None:
    """It does when the two of a hook start one agent on a busy machine; what has failed came after it."""
    printed = "gpg: waiting for lock (held by 15640) ...\nSigning-hook: Packages is missing\n"
    recorder.reply("reprepro", stdout=printed, code=255)
    with pytest.raises(SigningError) as caught:
        archive(recorder).export("trixie")
    assert caught.value.cause == "Signing-hook: Packages is missing"


@pytest.mark.parametrize(
    ("said", "secret", "what"),
    [
        ("signing failed: Bad passphrase", Secret("open barley"), f"the passphrase does not unlock the key {'B' * 40}"),
        ("Sorry, we are in batchmode - can't get input", None, f"the key {'B' * 40} needs a passphrase"),
    ],
)
def test_a_key_that_is_not_unlocked(recorder: Recorder, said: str, secret: Secret | None, what: str) -> None:
    recorder.reply("reprepro", stdout=f"gpg: {said}\n" + (DATA / "hook-failed.txt").read_text(), code=255)
    with pytest.raises(SigningError) as caught:
        archive(recorder, secret).export("trixie")
    assert caught.value.what == what
    assert "--passphrase-file FILE" in caught.value.hint
