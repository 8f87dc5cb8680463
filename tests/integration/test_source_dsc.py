"""Finished source packages: taken as they are, fetched by name, and checked against a keyring."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import gnupg
import pytest

from debkit.config import SourceConfig
from debkit.errors import SourceError
from tests.sources import Opener, edit, make_old_format, sums
from tests.trees import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from debkit.config import Config
    from debkit.model import Source


@pytest.mark.parametrize("make", [make_tree, lambda path: make_tree(path, native=False), make_old_format])
def test_a_dsc_is_taken_as_it_is(
    tmp_path: Path, project: Config, extracted: Callable[[Source], Path], make: Callable[[Path], Path]
) -> None:
    made = Opener(project)(make(tmp_path / "in/tree"))
    opened = Opener(replace(project, project=tmp_path / "elsewhere"))
    source = opened(made.dsc)
    assert sums(source) == sums(made)
    assert opened.packed() == 0
    second = opened(made.dsc, suite="bookworm", first=False)
    assert second.version == f"{made.version}~bookworm1"
    assert (extracted(second) / "debian/changelog").read_text().count("\nhello-debkit (") == 1
    shared = {file for file in sums(made).items() if ".orig" in file[0]}
    assert shared <= set(sums(second).items())
    again = Opener(replace(project, project=tmp_path / "third"))(made.dsc, suite="bookworm", first=False)
    assert sums(again) == sums(second)


def test_a_package_is_fetched_by_name(tmp_path: Path, opened: Opener) -> None:
    made = opened(make_tree(tmp_path / "tree"))
    asked: list[str] = []

    def fetch(name: str) -> Path:
        asked.append(name)
        return made.dsc

    assert sums(opened("hello-debkit", fetch=fetch)) == sums(made)
    assert asked == ["hello-debkit"]
    with pytest.raises(SourceError, match="no source tree hello-debkit"):
        opened("hello-debkit")


def test_a_changed_tarball_is_refused(tmp_path: Path, opened: Opener) -> None:
    made = opened(make_tree(tmp_path / "tree"))
    copy = shutil.copytree(made.dsc.parent, tmp_path / "copy")
    edit(copy / made.files[0].name)
    with pytest.raises(SourceError, match="is not the file that"):
        opened(copy / made.dsc.name)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> gnupg.GPG:
    """A keyring with two keys, Alice's and Mallory's."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    gpg = gnupg.GPG(gnupghome=f"{home}")
    for name in ("Alice", "Mallory"):
        gpg.gen_key(f"Key-Type: eddsa\nKey-Curve: ed25519\nName-Real: {name}\nExpire-Date: 0\n%no-protection\n%commit\n")
    return gpg


def signed(gpg: gnupg.GPG, source: Source, name: str, into: Path) -> Path:
    copy = shutil.copytree(source.dsc.parent, into)
    key = next(key["fingerprint"] for key in gpg.list_keys() if name in key["uids"][0])
    (copy / source.dsc.name).write_text(f"{gpg.sign(source.dsc.read_text(), keyid=key, clearsign=True)}")
    return copy / source.dsc.name


@pytest.mark.parametrize("armour", [False, True])
def test_a_signature_is_demanded_when_a_keyring_is_given(
    tmp_path: Path, project: Config, signer: gnupg.GPG, *, armour: bool
) -> None:
    alice = next(key["fingerprint"] for key in signer.list_keys() if "Alice" in key["uids"][0])
    exported = signer.export_keys(alice, armor=armour)
    keyring = tmp_path / "keyring"
    keyring.write_bytes(exported.encode() if isinstance(exported, str) else exported)
    made = Opener(project)(make_tree(tmp_path / "tree"))
    opened = Opener(replace(project, project=tmp_path / "other", source=SourceConfig(keyring=keyring)))
    good = signed(signer, made, "Alice", tmp_path / "good")
    assert opened(good).version == made.version
    with pytest.raises(SourceError, match="not accepted") as error:
        opened(signed(signer, made, "Mallory", tmp_path / "bad"))
    assert "not in the keyring" in error.value.cause
    with pytest.raises(SourceError, match="not accepted") as error:
        opened(made.dsc)
    assert "not signed" in error.value.cause
    good.write_text(good.read_text().replace("Test Writer", "Mallory"))
    with pytest.raises(SourceError, match="not accepted") as error:
        opened(good)
    assert "changed after it was signed" in error.value.cause
