from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from debkit.archive import conf
from debkit.config import ArchiveConfig, Config
from debkit.errors import ConfigError
from debkit.keys import Keys
from debkit.model import SigningKey

CONF = Path(__file__).parents[2] / "repo/conf"
KEY = SigningKey(fingerprint="A" * 24 + "B" * 16, uid="Upload", home=Path("/upload"), development=True)


@pytest.fixture
def archive(tmp_path: Path) -> Config:
    shutil.copytree(CONF, tmp_path / "repo/conf")
    return Config(project=tmp_path)


def test_what_is_in_git(archive: Config) -> None:
    suites = conf.read_suites(archive)
    assert tuple(suites) == ("bookworm", "trixie", "sid")
    assert all(suite.arches == ("amd64", "arm64") for suite in suites.values())
    text = (CONF / "distributions").read_text()
    assert text.count("\nTracking: minimal includechanges includebuildinfos\n") == 3
    assert text.count("\nUploaders: uploaders\n") == 3
    assert "\nSignWith" not in text


def test_the_stanza_of_a_stream_takes_what_is_for_its_suite(archive: Config) -> None:
    with pytest.raises(ConfigError, match="has no suite trixie-unstable") as caught:
        conf.demand(archive, "trixie-unstable", ("amd64",))
    assert "Codename: trixie-unstable" in caught.value.excerpt
    assert "AlsoAcceptFor: UNRELEASED unstable trixie" in caught.value.excerpt
    with (archive.repo / "conf/distributions").open("a") as stream:
        stream.write("\n" + "\n".join(caught.value.excerpt) + "\n")
    conf.demand(archive, "trixie-unstable", ("amd64",))
    for distribution in ("trixie", "unstable", "UNRELEASED"):
        conf.demand_distribution(archive, "trixie-unstable", distribution)
    assert conf.choose_suite(archive, "", "trixie") == "trixie"


def test_the_index_is_signed_through_the_hook() -> None:
    text = "# comment\nCodename: a\nSignWith: yes\n  more\nDescription: x\n\n# between\nCodename: b\nComponents: main\n"
    assert conf.rendered(text, development=False) == (
        "Codename: a\nDescription: x\nSignWith: ! sign-release\n\nCodename: b\nComponents: main\nSignWith: ! sign-release\n"
    )
    assert "Description: x (signed with a development key)\n" in conf.rendered(text, development=True)


def test_indices_have_the_forms_that_debkit_reads() -> None:
    text = "Codename: a\nDebIndices: Packages\n Release .xz\nDscIndices: Sources Release . .gz\nContents: .gz\n"
    assert conf.rendered(text, development=False) == (
        "Codename: a\nDebIndices: Packages\n Release .xz .\nDscIndices: Sources Release . .gz\nContents: .gz\n"
        "SignWith: ! sign-release\n"
    )


def test_a_development_key_is_let_in_for_the_run_only(archive: Config) -> None:
    before = (archive.repo / "conf/uploaders").read_text()
    with conf.effective(archive, Keys(upload=KEY, archive=KEY)) as directory:
        assert (directory / "uploaders").read_text() == f"{before}\nallow * by key {'B' * 16}+\n"
        assert os.access(directory / "sign-release", os.X_OK)
        assert (directory / "distributions").read_text().count("SignWith: ! sign-release") == 3
    assert not directory.exists()
    assert (archive.repo / "conf/uploaders").read_text() == before


def test_a_real_key_is_not_let_in_by_itself(archive: Config) -> None:
    key = replace(KEY, development=False)
    with conf.effective(archive, Keys(upload=key, archive=key)) as directory:
        assert (directory / "uploaders").read_text() == (archive.repo / "conf/uploaders").read_text()
        assert "development" not in (directory / "distributions").read_text()


def test_what_the_archive_takes(archive: Config) -> None:
    conf.demand(archive, "trixie", ("amd64", "all"))
    with pytest.raises(ConfigError, match="no suite forky") as unknown:
        conf.demand(archive, "forky", ("amd64",))
    assert unknown.value.cause == "conf/distributions has bookworm, trixie, sid"
    assert "Codename: forky" in unknown.value.excerpt
    with pytest.raises(ConfigError, match="has no riscv64, s390x"):
        conf.demand(archive, "trixie", ("amd64", "riscv64", "s390x"))


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("DebIndices: Other Release . .gz", "DebIndices gives them another name than Packages"),
        ("dscindices:\n Other\n Release\n .gz", "DscIndices gives them another name than Sources"),
        ("UDebComponents: main\nUDebIndices: Other . .gz", "UDebIndices gives them another name than Packages"),
    ],
)
def test_indices_that_debkit_would_not_read(archive: Config, field: str, said: str) -> None:
    with (archive.repo / "conf/distributions").open("a") as stream:
        stream.write(f"\nCodename: odd\nArchitectures: amd64 source\nComponents: main\n{field}\n")
    with pytest.raises(ConfigError, match="does not read") as caught:
        conf.demand(archive, "trixie", ("amd64",))
    assert caught.value.cause == f"odd: {said}"
    assert "editor" in caught.value.hint


def test_other_forms_of_indices_than_debkit_reads(archive: Config) -> None:
    with (archive.repo / "conf/distributions").open("a") as stream:
        stream.write("\nCodename: more\nArchitectures: amd64 source\nComponents: main\n")
        stream.write("DebIndices: Packages Release .xz\ndscindices:\n Sources\n Release .\n")
        stream.write("UDebComponents: main\nUDebIndices: Packages .xz\n")
    conf.demand(archive, "more", ("amd64",))


def test_no_archive_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no archive") as caught:
        conf.read_suites(Config(project=tmp_path, archive=ArchiveConfig(name="tools")))
    assert "Origin: tools" in caught.value.excerpt
    assert "Codename: trixie" in caught.value.excerpt


def test_the_suite_that_an_upload_is_for(archive: Config) -> None:
    assert conf.choose_suite(archive, "", "trixie") == "trixie"
    assert conf.choose_suite(archive, "", "trixie-backports") == "trixie"
    assert conf.choose_suite(archive, "sid", "trixie") == "sid"  # whether it fits is another question
    with pytest.raises(ConfigError, match="for unstable does not say which suite") as several:
        conf.choose_suite(archive, "", "unstable")
    assert "for bookworm, trixie, sid" in several.value.cause
    assert several.value.hint == "debkit repo add --suite bookworm UPLOAD.changes"
    with pytest.raises(ConfigError, match="for noble does not say"):
        conf.choose_suite(archive, "", "noble")


def test_uploads_go_into_the_stream(archive: Config) -> None:
    streaming = replace(archive, archive=replace(archive.archive, stream="unstable"))
    assert conf.choose_suite(streaming, "", "trixie") == "trixie-unstable"
    assert conf.choose_suite(streaming, "", "trixie-backports") == "trixie-unstable"
    assert conf.choose_suite(streaming, "trixie", "trixie") == "trixie"
    with pytest.raises(ConfigError, match="for unstable does not say which suite"):
        conf.choose_suite(streaming, "", "unstable")
    with pytest.raises(ConfigError, match="has no suite trixie-unstable") as caught:
        conf.demand(streaming, "trixie-unstable", ())
    with (archive.repo / "conf/distributions").open("a") as stream:
        stream.write("\n" + "\n".join(caught.value.excerpt) + "\n")
    assert conf.choose_suite(streaming, "", "unstable") == "trixie-unstable"
    assert conf.choose_suite(archive, "", "trixie-unstable") == "trixie-unstable"


@pytest.mark.parametrize(
    "lines",
    [
        "Log: log\n evil",
        "log:\n\t--type=dsc evil",
        "Log: log # told\n# between\n  --via=include evil",
        "Log: log evil",
        "DebIndices: Packages Release . .gz evil",
        "DscIndices: Sources .gz\n +c/evil",
        "UDEBINDICES: Packages Release . ./evil",
        "ByHandHooks: * * * evil",
        "ExportHook: evil",
        "!include: +b/evil",
        "SignWith : ! evil",
        "Contents: .gz\x0cLog: log\n\x0b evil",
    ],
)
def test_a_program_that_the_project_names_is_not_run_beside_the_key(archive: Config, lines: str) -> None:
    with (archive.repo / "conf/distributions").open("a") as stream:
        stream.write(f"{lines}\n")
    for read in (lambda: conf.read_suites(archive), lambda: conf.effective(archive, Keys(upload=KEY, archive=KEY)).__enter__()):
        with pytest.raises(ConfigError, match="run a program") as caught:
            read()
        assert f"{archive.repo}/conf/distributions: " in caught.value.cause


@pytest.mark.parametrize("line", ["endhook evil", "  outhook\tevil", "verbose\nbunzip2 evil", "methoddir +b/evil"])
def test_an_option_that_names_a_program_is_refused(archive: Config, line: str) -> None:
    with (archive.repo / "conf/options").open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(ConfigError, match="run a program") as caught:
        conf.read_suites(archive)
    assert f"{archive.repo}/conf/options: the option {line.split()[-2]}" in caught.value.cause


def test_what_runs_nothing_is_taken_as_it_is(archive: Config) -> None:
    with (archive.repo / "conf/distributions").open("a") as stream:
        stream.write("Log: log\nDebIndices: Packages Release . .gz .xz\nDscIndices: Sources\nsuite: unstable # Log:\n  # evil\n")
    with (archive.repo / "conf/options").open("a") as stream:
        stream.write("# endhook evil\nverbose\nspacecheck none\n")
    assert tuple(conf.read_suites(archive)) == ("bookworm", "trixie", "sid")


def test_a_file_system_without_symbolic_links(archive: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path, __: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    with (
        pytest.raises(ConfigError, match="there can be no archive in") as caught,
        conf.effective(archive, Keys(upload=KEY, archive=KEY)),
    ):
        pass
    assert "no symbolic links" in caught.value.cause
    assert not (archive.repo / conf.EFFECTIVE).exists()


def test_reprepro_is_given_the_files_that_are_named(archive: Config) -> None:
    there = archive.repo / "conf"
    for name in ("updates", "pulls", "incoming", "evil", "overrides/trixie", "over", "more", "trusted.pgp", "Makefile"):
        (there / name).parent.mkdir(exist_ok=True)
        (there / name).write_text("x\n")
    with (there / "uploaders").open("a") as stream:
        stream.write("include more\n")
    with (there / "distributions").open("a") as stream:
        stream.write("DebOverride: overrides/trixie\nDscOverride: +c/over\nUDebOverride: ../over\nUpdate: x\n")
    with conf.effective(archive, Keys(upload=KEY, archive=KEY)) as directory:
        assert {path.name for path in directory.iterdir()} == {
            "distributions", "uploaders", "sign-release", "options", "overrides", "over", "more",
        }  # fmt: skip
        assert (directory / "overrides/trixie").read_text() == "x\n"
