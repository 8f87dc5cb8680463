"""What stands before gpg while reprepro takes in many uploads: it answers as gpg does, and verifies nothing itself."""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from debkit.archive import reprepro
from debkit.archive.reprepro import asking_once
from debkit.errors import DebkitError
from debkit.run import Command
from tests.bulk import make_uploads, package_names
from tests.gnupg_homes import gnupg_home, gpg, make_key, revoke
from tests.publishing import sound, state, versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from debkit.run import Processes
    from tests.publisher import Desk

NAMES = package_names(4)
NEVER = re.compile(r"(?!)")
# As gpgme 1.18 and 1.24 ask.
OPTIONS = (
    "--batch", "--no-sk-comments", "--status-fd", "7", "--no-tty", "--charset", "utf8", "--enable-progress-filter",
    "--exit-on-status-write-error", "--logger-fd", "8",
)  # fmt: skip
NEWER = (
    "--batch", "--status-fd", "7", "--logger-fd", "8", "--no-tty", "--charset=utf8", "--enable-progress-filter",
    "--exit-on-status-write-error",
)  # fmt: skip
LIST = (*OPTIONS, "--with-colons", "--list-keys", "--")
NEWER_LIST = (*NEWER, "--with-colons", "--list-keys", "--")
# A gpg, or gpgconf, that notes how it is called.
NOTED = '#!/bin/sh\nprintf "%s\\n" "${{0##*/}} $*" >>{log}\nexec {real} "$@"\n'
ASKED = {
    "directories": r"gpgconf --list-dirs",
    "version": r"gpg --version",
    "key": r"gpg .* --list-keys -- \w+",
    "verify": r"gpg --no-random-seed-file .* (--output - -- .*|--verify .*)",
    "sign": r"gpg --homedir .* --(clearsign|detach-sign) .*",  # of the hook
}


def answer(run: Processes, program: str, home: Path, *words: str, env: tuple[tuple[str, str], ...] = ()) -> tuple[int, str, str]:
    """Give what a program ends with, says, and says of its status."""
    said = home / "status"
    script = 'status=$1 && shift && exec "$@" 7>"$status" 8>/dev/null'
    done = run(
        Command(
            argv=("sh", "-c", script, "sh", os.fspath(said), program, *words),
            env=(*env, ("GNUPGHOME", os.fspath(home))),
            ok=frozenset(range(256)),
            separate=True,
        )
    )
    return done.code, done.stdout, said.read_text()


def test_it_answers_to_the_letter_as_gpg_does(run: Processes, tmp_path: Path) -> None:
    with gnupg_home() as home, gnupg_home() as empty:
        keys = [
            make_key(home, uid="Con O'Brien $(id) \\ <con@example.org>"),
            make_key(home, uid="Old", expires="20200101T000000"),
        ]
        keys.append(make_key(home, uid="Lost <lost@example.org>"))
        revoke(home, keys[-1])
        gpg(home, "--check-trustdb")
        asked = [
            ("--version",),
            *((*words, key) for words in (LIST, NEWER_LIST) for key in keys),
            (*LIST, "0" * 40),
            (*LIST, "O'Brien"),
            (*LIST, keys[0], keys[1]),
        ]
        env = asking_once(tmp_path / "gpgme")
        for words in (*asked, *asked):
            assert answer(run, f"{tmp_path}/gpgme/gpg", home, *words, env=env) == answer(run, "gpg", home, *words)
        for words in (LIST, NEWER_LIST):
            code, _, status = answer(run, f"{tmp_path}/gpgme/gpg", home, *words, keys[0], env=env)
            assert (code, len(re.findall("KEY_CONSIDERED", status))) == (0, 1)
        kept = [file.name.rpartition(" ")[2] for file in (tmp_path / "gpgme").iterdir() if file.name.startswith("--")]
        assert sorted(kept) == sorted(("--version", *keys, *keys))  # neither an error nor what is not known is kept
        for word in ("--list-dirs", "--version", "--list-dirs", "--version", "--check-programs"):
            assert answer(run, "gpgconf", home, word, env=env) == answer(run, "/usr/bin/gpgconf", home, word)
        assert {file.name for file in (tmp_path / "gpgme/bin").iterdir()} == {"gpgconf", "--list-dirs", "--version"}
        env = asking_once(tmp_path / "other")  # another run, with another home
        assert answer(run, f"{tmp_path}/other/gpg", empty, *LIST, keys[0], env=env)[0] != 0


def test_it_answers_where_nothing_can_be_kept(run: Processes, tmp_path: Path) -> None:
    with gnupg_home() as home:
        key = make_key(home)
        env = asking_once(tmp_path / "gpgme")
        for place in ("gpgme/new", "gpgme/bin/new"):
            (tmp_path / place).mkdir()
        for program, words in (("gpg", ("--version",)), ("gpg", (*LIST, key)), ("bin/gpgconf", ("--list-dirs",))):
            real = program.removeprefix("bin/")
            assert answer(run, f"{tmp_path}/gpgme/{program}", home, *words, env=env) == answer(run, real, home, *words)


@contextlib.contextmanager
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Note each call of gpg and gpgconf in a file."""
    tools, log = tmp_path / "tools", tmp_path / "asked"
    tools.mkdir()
    log.write_text("")
    for name in ("gpg", "gpgconf"):
        (tools / name).write_text(NOTED.format(log=log, real=f"/usr/bin/{name}"))
        (tools / name).chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        yield log


def count(log: Path) -> dict[str, int]:
    lines = log.read_text().splitlines()
    return {what: sum(bool(re.fullmatch(pattern, line)) for line in lines) for what, pattern in ASKED.items()}


@pytest.mark.parametrize("number", [1, len(NAMES)])
def test_each_upload_is_verified_and_the_rest_asked_once(
    run: Processes, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with noted(tmp_path, monkeypatch) as log:
        desk.publish(*desk.make(*NAMES[:number]))
    assert count(log) == {"directories": 1, "version": 1, "key": 1, "verify": number, "sign": 2}
    sound(run, desk.config)


def test_what_signs_is_called_as_it_is(run: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with noted(tmp_path, monkeypatch) as log, gnupg_home() as home:
        env = asking_once(tmp_path / "gpgme")
        asked = [
            (*options, *what, "--output", "-", "--", "-&5")
            for options in (OPTIONS, NEWER)
            for what in (("--clearsign",), ("--detach", "--sign"))
        ]
        asked += [(*OPTIONS, "--output", "-", "--", "-&5"), (*NEWER, "--verify", "--output", "-&1", "--", "-&5")]
        for words in asked:
            answer(run, f"{tmp_path}/gpgme/gpg", home, *words, env=env)
    told = ["--no-random-seed-file" in line for line in log.read_text().splitlines() if "-&5" in line]
    assert told == [False, False, False, False, True, True]


@pytest.mark.parametrize("why", ["a path that is not plain", "another gpgconf"])
def test_where_gpg_cannot_be_named_nothing_stands_before_it(
    run: Processes, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    with noted(tmp_path, monkeypatch) as log:
        if why == "another gpgconf":
            (tmp_path / "tools/gpgconf").unlink()
        else:
            monkeypatch.setattr(reprepro, "PLAIN", NEVER)
        desk.publish(*desk.make(*NAMES))
    asked = count(log)
    assert (asked["version"], asked["key"], asked["verify"]) == (0, 0, 0)  # the real gpgconf names the real gpg
    assert versions(desk.config, "amd64") == dict.fromkeys(NAMES, "1.0")
    sound(run, desk.config)


@pytest.mark.parametrize("how", ["good", "not allowed", "revoked", "expired", "altered"])
def test_who_may_upload_is_decided_as_without_it(
    run: Processes, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    ours = desk.make(*NAMES[2:])
    with gnupg_home() as home:
        key = make_key(home, uid="Uploader <uploader@example.org>")
        theirs = make_uploads(tmp_path / "theirs", NAMES[:2], home=home, key=key)
        if how == "revoked":
            revoke(home, key)
        if how == "expired":
            gpg(home, "--quick-set-expire", key, "seconds=1")
            time.sleep(2)
        gpg(desk.keys.upload.home, "--import", stdin=gpg(home, "--armor", "--export", key))
    if how == "altered":
        theirs[1].write_text(theirs[1].read_text().replace("Be small", "Be big"))
    if how != "not allowed":
        with (desk.config.repo / "conf/uploaders").open("a") as uploaders:
            uploaders.write(f"\nallow * by key {key[-16:]}+\n")
    if how == "good":
        desk.publish(*ours, *theirs)
        assert versions(desk.config, "amd64") == dict.fromkeys(NAMES, "1.0")
        sound(run, desk.config)
        return
    before = state(desk.config)
    told = []
    for plain in (reprepro.PLAIN, NEVER):
        monkeypatch.setattr(reprepro, "PLAIN", plain)
        with pytest.raises(DebkitError) as caught:
            desk.publish(*ours, *theirs)
        told.append((type(caught.value), str(caught.value), caught.value.cause))
        assert not list(desk.config.repo.glob("pool/**/*.deb"))
    assert told[0] == told[1]
    assert "may not be uploaded" in told[0][1]
    assert state(desk.config) == before
