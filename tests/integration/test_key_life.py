"""`debkit key` as it is typed, from the making of a key to its backup, with a passphrase and without."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from debkit.config import load
from debkit.keys import Passphrase, find_keys, prove
from debkit.run import Command
from tests.gnupg_homes import agents_of, end_agent, gnupg_home, gpg, make_key
from tests.key_desk import ALL, CHECKOUT, WORDS, Desk, key_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Processes


@pytest.fixture
def desk(run: Processes, tmp_path: Path) -> Iterator[Desk]:
    with key_desk(run, tmp_path) as made:
        yield made


def test_a_key_is_made_as_it_should_be(desk: Desk) -> None:
    said = desk.type("init", "--no-passphrase")
    fingerprint = said[:40]
    assert f'archive = "{fingerprint}"' in said
    assert f"allow * by key {fingerprint[-16:]}+" in said
    (listed,) = desk.listed()
    key = listed["key"]
    assert (key["uid"], listed["roles"], listed["development"]) == ("debkit archive", [], False)
    primary, (subkey,) = key["primary"], key["subkeys"]
    assert (primary["algorithm"], primary["signs"], primary["hashes"]) == ("ed25519", False, ["SHA512"])
    assert (subkey["algorithm"], subkey["signs"], subkey["hashes"]) == ("ed25519", True, ["SHA512"])
    assert all(730 * 86400 - part["expires"] + part["created"] < 2 * 86400 for part in (primary, subkey))
    assert (desk.home / f"openpgp-revocs.d/{fingerprint}.rev").exists()
    assert f'| archive = "{fingerprint}"' in desk.type("check", code=13)
    desk.configure(fingerprint)
    assert f"{fingerprint} is good (debkit archive)" in desk.type("check")
    row = desk.type("list").splitlines()[1].split()
    assert row[:4] == [fingerprint, "upload,", "archive", "ed25519"]
    assert "expires on" in desk.type("check", "--days", "740", code=13)


def test_a_key_of_another_kind(desk: Desk) -> None:
    (desk.home / "gpg.conf").write_text("cert-digest-algo SHA1\n")
    fingerprint = desk.made("--algorithm", "rsa4096", "--expire", "5y", "--uid", "Us <us@example.org>", "--no-passphrase")
    (listed,) = desk.listed()
    assert listed["key"]["uid"] == "Us <us@example.org>"
    for part in (listed["key"]["primary"], *listed["key"]["subkeys"]):
        assert part["algorithm"] == "rsa4096"
        assert part["hashes"] == ["SHA512"], "whatever gpg.conf says"
        assert part["expires"] - part["created"] > 1800 * 86400
    assert gpg(desk.home, "--local-user", fingerprint, "--clearsign", stdin="text\n")


def test_no_second_key_by_accident(desk: Desk) -> None:
    first = desk.made("--no-passphrase")
    said = desk.type("init", "--no-passphrase", code=13)
    assert f"there is a secret key of 'debkit archive' already: {first}" in said
    desk.configure(first)
    assert f"{first} is configured already" in desk.type("init", "--uid", "Another", "--no-passphrase", code=13)
    assert desk.made("--no-passphrase", "--another") != first


def test_a_passphrase_and_none(desk: Desk) -> None:
    assert "--no-passphrase excludes" in desk.type("init", "--no-passphrase", unlocked=True, code=2)
    assert not desk.listed()


def test_a_key_without_a_passphrase_is_asked_for(desk: Desk) -> None:
    assert "nobody to ask" in desk.type("init", code=13)
    assert not desk.listed()
    argv = (sys.executable, "-m", "debkit", "--project", os.fspath(desk.project), "key", "init")
    command = Command(argv=argv, env=(("PYTHONPATH", os.fspath(CHECKOUT)), ("GNUPGHOME", os.fspath(desk.home))), ok=ALL)
    first, again = r"Passphrase for the key of debkit archive: ", r"The same once more: "
    done = desk.run.converse(command, ((first, WORDS), (again, "another")))
    assert "was not the same twice" in done.stdout
    done = desk.run.converse(command, ((first, ""),))
    assert "what was typed is empty" in done.stdout
    done = desk.run.converse(command, ((first, WORDS), (again, WORDS)))
    assert "is made" in done.stdout
    end_agent(desk.home)
    (desk.project / "key").write_text(gpg(desk.home, "--armor", "--export-secret-keys", passphrase=WORDS))


def test_the_archives_key_is_changed(desk: Desk) -> None:
    old = desk.made()
    desk.configure(old)
    said = desk.type("rotate", code=13)
    assert "needs a passphrase" in said
    assert len(desk.listed()) == 1, "nothing is made before the old key is unlocked"
    said = desk.type("rotate", "--overlap", "30", unlocked=True)
    new = said[:40]
    assert f"{new} and {old} sign the archive until 20" in said
    keys = load(desk.project).keys
    assert (keys.archive, keys.also, keys.upload) == (new, (old,), "")
    assert desk.uploaders.read_text() == f"allow * by key {old[-16:]}+\nallow * by key {new[-16:]}+\n"
    assert [listed["roles"] for listed in desk.listed()] == [["upload", "archive"], ["retiring"]]
    assert "is being changed already" in desk.type("rotate", unlocked=True, code=13)
    assert f"is not to be retired before {keys.also_until}" in desk.type("rotate", "--finish", code=13)
    shown = gpg(desk.home, "--show-keys", "--with-colons", stdin=desk.type("export"))
    assert {line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr")} >= {new, old}
    in_ci(desk, desk.type("export", "--secret", unlocked=True), (new, old))
    desk.toml.write_text(desk.toml.read_text().replace(keys.also_until, "2026-01-01"))
    assert "nothing shows that the new key was handed out" in desk.type("rotate", "--finish", code=13)
    assert f"{old} is retired" in desk.type("rotate", "--finish", "--now")
    assert load(desk.project).keys == type(keys)(archive=new)
    assert desk.uploaders.read_text() == f"allow * by key {new[-16:]}+\n"
    in_ci(desk, desk.type("export", "--secret", unlocked=True), (new,))
    assert "is not being changed" in desk.type("rotate", "--finish", code=13)


@pytest.mark.parametrize("subkey", [False, True])
def test_a_key_that_ends_within_the_overlap(desk: Desk, subkey: bool) -> None:  # noqa: FBT001
    old = desk.made("--no-passphrase", "--expire", "20d")
    desk.configure(old)
    (part,) = (sub["fingerprint"] for sub in desk.listed()[0]["key"]["subkeys"])
    assert "in 19 days" in desk.type("check", code=13)
    said = desk.type("rotate", *(("--subkey",) if subkey else ()))
    keys, end = load(desk.project).keys, desk.listed()[-1]["key"]["primary"]["expires"]
    assert keys.also_until == time.strftime("%Y-%m-%d", time.gmtime(end - 86400)), "a whole day is left to finish"
    assert f"sign the archive until {keys.also_until}" in said
    told = next(line for line in said.splitlines() if line.startswith("no longer, since"))
    *extending, then = told.partition(": ")[2].split("; ")
    assert [line.split()[4:] for line in extending] == [[old, "2y"], [old, "2y", part]]
    if subkey:
        assert f"{old} expires on" in desk.type("check", code=13), "the primary stays"
    else:
        desk.type("check")
    until = then.removeprefix("then ").removesuffix(f" in {desk.toml}")
    desk.toml.write_text(desk.toml.read_text().replace(f'also-until = "{keys.also_until}"', until))
    assert load(desk.project).keys.also_until > keys.also_until
    assert f"{part if subkey else old} expires on" in desk.type("check", code=13)
    for line in extending:
        gpg(desk.home, *shlex.split(line)[1:])
    assert "may be retired" not in desk.type("check")
    desk.toml.write_text(desk.toml.read_text().replace(until, 'also-until = "2026-01-01"'))
    assert f"{keys.also[0]} may be retired since 2026-01-01: debkit key rotate --finish" in desk.type("check")


def in_ci(desk: Desk, material: str, fingerprints: tuple[str, ...]) -> None:
    """What is handed over signs, has no primary's secret, and leaves nothing."""
    config = load(desk.project).keys
    environ = {"DEBKIT_ARCHIVE_KEY": material}
    with find_keys(desk.run, config, environ=environ, state=desk.project, passphrase=Passphrase(file=desk.words)) as keys:
        prove(keys)
        assert tuple(dict.fromkeys(key.fingerprint for key in keys.signers)) == fingerprints
        home = keys.archive.home
        assert home.stat().st_mode & 0o777 == 0o700
        assert len(os.fspath(home / "S.gpg-agent.browser")) <= 107
        lines = gpg(home, "--list-secret-keys", "--with-colons").splitlines()
        assert {line.split(":")[14] for line in lines if line.startswith("sec")} == {"#"}, "the primary's secret stays at home"
        assert agents_of(home)
    assert not home.exists()
    assert not agents_of(home)


def test_only_the_signing_subkey_is_changed(desk: Desk) -> None:
    key = desk.made("--no-passphrase")
    desk.configure(key)
    (old,) = (sub["fingerprint"] for sub in desk.listed()[0]["key"]["subkeys"])
    said = desk.type("rotate", "--subkey")
    assert f"{key} and {old} sign the archive" in said
    new = desk.listed()[0]["key"]["subkeys"][1]["fingerprint"]
    keys = load(desk.project).keys
    assert (keys.archive, keys.also) == (key, (old,))
    material = desk.type("export", "--secret")
    in_ci(desk, material, (key,))
    with find_keys(desk.run, keys, environ={"DEBKIT_ARCHIVE_KEY": material}, state=desk.project) as found:
        users = [word for signer in found.signers for word in ("--local-user", signer.local_user)]
        signed = gpg(found.archive.home, *users, "--clearsign", stdin="text\n")
        said = gpg(found.archive.home, "--status-fd", "1", "--verify", stdin=signed)
    assert set(re.findall(r"VALIDSIG (\w+)", said)) == {old, new}
    assert desk.uploaders.read_text() == f"allow * by key {key[-16:]}+\n"
    desk.type("rotate", "--finish", "--now")
    assert load(desk.project).keys.also == ()
    assert desk.uploaders.read_text() == f"allow * by key {key[-16:]}+\n"
    desk.type("check")
    gone = gpg(desk.home, "--show-keys", "--with-colons", stdin=desk.type("export"))
    assert new in gone
    assert old not in gone


def test_a_key_that_is_there_takes_over(desk: Desk) -> None:
    old, other = desk.made("--no-passphrase"), make_key(desk.home, uid="Other", passphrase=WORDS)
    desk.configure(old)
    said = desk.type("rotate", "--to", other, code=13)
    assert f"{other} and {old} cannot sign together" in said
    assert load(desk.project).keys.archive == old
    new = make_key(desk.home, uid="New")
    desk.toml.write_text(f'[keys]\nupload = "{old}" # for both\n')
    desk.type("rotate", "--to", new.lower())
    keys = load(desk.project).keys
    assert (keys.archive, keys.also, keys.upload) == (new, (old,), new)
    material = desk.type("export", "--secret")
    with find_keys(desk.run, keys, environ={"DEBKIT_ARCHIVE_KEY": material}, state=desk.project) as found:
        prove(found)  # the new one's primary signs, so that it is in what CI is given


def test_a_configuration_that_is_not_understood_is_left_alone(desk: Desk) -> None:
    old = desk.made("--no-passphrase")
    desk.configure(old)
    text = f'keys.archive = "{old}"\n'
    desk.toml.write_text(text)
    said = desk.type("rotate", code=3)
    assert f'also = ["{old}"]' in said
    assert desk.toml.read_text() == text
    assert len(desk.listed()) == 1


def test_a_key_that_is_named_and_not_there(desk: Desk) -> None:
    desk.configure(desk.made("--no-passphrase"))
    for words in (("backup", "ABCD"), ("rotate", "--to", "ABCD")):
        said = desk.type(*words, code=13)
        assert "you have no key ABCD" in said
        assert "[keys]" not in said


def test_what_gpg_would_refuse_or_take_for_a_name(desk: Desk) -> None:
    for words, wrong in ((("--expire", "3q"), "'3q' is no time"), (("--uid", "a"), "'a' is no name")):
        assert wrong in desk.type("init", "--no-passphrase", *words, code=2)
    assert not desk.listed()


def test_a_secret_that_git_could_take_is_warned_of(desk: Desk) -> None:
    key = desk.made("--no-passphrase")
    desk.configure(key)
    assert "is in a git repository" not in desk.type("backup", "--output", os.fspath(desk.project / "outside"))
    (desk.project / ".git").mkdir()
    for words in (("backup",), ("export", "--secret")):
        assert "is in a git repository" in desk.type(*words, "--output", os.fspath(desk.project / words[0]))
    assert "is in a git repository" not in desk.type("export", "--output", os.fspath(desk.project / "public"))


def test_where_nothing_can_be_written_is_told_first(desk: Desk) -> None:
    for words in (("backup",), ("export",), ("export", "--secret")):
        assert "is a directory" in desk.type(*words, "--output", os.fspath(desk.project), code=3)
        assert "there is no directory" in desk.type(*words, "--output", os.fspath(desk.project / "none/x"), code=3)


def test_no_agent_is_left_by_keys_that_are_handed_over(desk: Desk) -> None:
    key = desk.made("--no-passphrase")
    handed = gpg(desk.home, "--armor", "--export-secret-keys", key)
    with gnupg_home() as empty, tempfile.TemporaryDirectory(prefix="d.", dir="/tmp") as directory:
        there = Desk(desk.run, desk.project, empty, desk.words)
        for words in (("list",), ("check",), ("export",), ("export", "--secret")):
            said = there.type(*words, DEBKIT_ARCHIVE_KEY=handed, TMPDIR=directory, XDG_RUNTIME_DIR="")
            assert key in said or "PGP" in said
            assert not agents_of(Path(directory))
            assert not list(Path(directory).iterdir())
        assert not agents_of(empty)
