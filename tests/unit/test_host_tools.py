from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from debian.deb822 import Deb822, PkgRelation

from debkit.host import tools
from debkit.host.binfmt import QEMU
from debkit.host.fact import Fact, State
from debkit.host.tools import KEYRING_PACKAGE, MODULES, TOOLS, keyring_fact, python_fact, tool_facts

if TYPE_CHECKING:
    from tests.recorder import Recorder

ROOT = Path(__file__).parents[2]
BOOKWORM = "".join(
    f"installed {package} {version}\n"
    for package, version in {
        "sbuild": "0.85.0", "mmdebstrap": "1.3.5-7", "util-linux": "2.38.1-5+deb12u3", "reprepro": "5.3.1-1+deb12u2",
        "uidmap": "1:4.13+dfsg1-1+deb12u2",
    }.items()
)  # fmt: skip


@pytest.fixture(autouse=True)
def _all_in_usr_bin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda name: Path("/usr/bin") / name)


def told(recorder: Recorder, versions: str = BOOKWORM, backend: str = "sbuild") -> dict[str, Fact]:
    recorder.reply("dpkg-query", stdout=versions)
    return {fact.name: fact for fact in tool_facts(recorder, backend)}


def test_another_backend_is_a_tool_too(recorder: Recorder) -> None:
    assert "pbuilder" not in told(recorder)
    assert told(recorder, backend="pbuilder")["pbuilder"].text == "(no Debian package) in /usr/bin/pbuilder"


def test_debian_12_has_all_that_is_needed(recorder: Recorder) -> None:
    facts = told(recorder)
    assert {fact.state for fact in facts.values()} == {State.OK}
    assert facts["sbuild"].text == "0.85.0 in /usr/bin/sbuild"
    assert len(recorder.commands) == 1, "one call of dpkg-query tells all versions"


def test_a_missing_tool_names_the_command_that_installs_it(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda name: None if name == "sbuild" else Path("/usr/bin") / name)
    fact = told(recorder)["sbuild"]
    assert (fact.state, fact.text) == (State.BAD, "is not installed")
    assert fact.remedy(root=False) == (
        "sudo env DEBIAN_FRONTEND=noninteractive apt-get update && "
        "sudo env DEBIAN_FRONTEND=noninteractive apt-get satisfy --yes --no-install-recommends 'sbuild (>= 0.85)'"
    )


def test_an_old_tool_is_bad(recorder: Recorder) -> None:
    fact = told(recorder, BOOKWORM.replace("sbuild 0.85.0", "sbuild 0.81.2+deb11u1"))["sbuild"]
    assert (fact.state, fact.text) == (State.BAD, "0.81.2+deb11u1 is too old: 0.85 is needed")


def test_a_tool_that_hides_debians_is_told(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda name: Path("/usr/local/bin") / name)
    fact = told(recorder)["sbuild"]
    assert fact.state is State.WARN
    assert "/usr/local/bin/sbuild stands before Debian's" in fact.text


def test_packages_that_are_only_known_are_not_installed(recorder: Recorder) -> None:
    assert (
        told(recorder, "not-installed sbuild \nconfig-files zstd 1.5\n")["sbuild"].text
        == "(no Debian package) in /usr/bin/sbuild"
    )


def test_all_modules_import(recorder: Recorder) -> None:
    assert python_fact(recorder).state is State.OK
    assert recorder.argvs[0][0] == sys.executable
    assert recorder.argvs[0][3:] == tuple(MODULES)


def test_a_module_that_does_not_import(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    recorder.reply("/usr/bin/python3", stdout="gnupg No module named 'gnupg'\n")
    fact = python_fact(recorder)
    assert fact.state is State.BAD
    assert "gnupg does not import (No module named 'gnupg')" in fact.text
    assert fact.mend[-1].argv[-1] == "python3-gnupg"


def test_another_python_than_debians_is_told_to_be_left(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "python3"
    monkeypatch.setattr(sys, "executable", str(own))
    recorder.reply(str(own), stdout="apt_pkg No module named 'apt_pkg'\n")
    fact = python_fact(recorder)
    assert not fact.mend
    assert fact.by_hand.startswith("/usr/bin/python3 -m debkit")


@pytest.mark.parametrize("name", ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"])
def test_debians_keys_under_either_name(tmp_path: Path, name: str) -> None:
    assert keyring_fact(tmp_path).mend[-1].argv[-1] == "debian-archive-keyring"
    keyring = tmp_path / "usr/share/keyrings" / name
    keyring.parent.mkdir(parents=True)
    keyring.touch()
    assert keyring_fact(tmp_path).state is State.OK


def test_what_doctor_demands_is_what_the_package_depends_on() -> None:
    packaging = next(path for path in (ROOT / "packaging/debian", ROOT / "debian") if path.is_dir())  # as debkit stages it
    text = (packaging / "control").read_text()
    binary = next(paragraph for paragraph in Deb822.iter_paragraphs(text) if paragraph.get("Package") == "debkit")
    depends = {
        " | ".join(f"{a['name']} ({a['version'][0]} {a['version'][1]})" if a["version"] else str(a["name"]) for a in group)
        for group in PkgRelation.parse_relations(re.sub(r"\$\{[^}]*\},?", "", binary["Depends"]))
    }
    demanded = {tool.dependency for tool in TOOLS} | set(MODULES.values()) | {KEYRING_PACKAGE, QEMU}
    assert demanded <= depends
    assert {d for d in depends if d.startswith("python3-")} == set(MODULES.values())
