"""Who types `debkit key …`: a project, a GnuPG home and a passphrase."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debkit.run import Command
from tests.gnupg_homes import end_agent, gnupg_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from debkit.run import Completed, Processes

CHECKOUT = Path(__file__).parents[1]
WORDS = "Sesam, öffne dich"
ALL = frozenset(range(256))


@dataclass(frozen=True)
class Desk:
    """A project, and the GnuPG home of who types; each call has an agent that remembers nothing."""

    run: Processes
    project: Path
    home: Path
    words: Path

    def type(self, *words: str, unlocked: bool = False, code: int = 0, **env: str) -> str:
        """Type `debkit key …` and give what it prints, errors too; `unlocked`: with the passphrase's file."""
        given = ("--passphrase-file", os.fspath(self.words)) if unlocked else ()
        done = self._call(*words, *given, **env)
        assert done.code == code, done.stdout
        assert WORDS not in done.stdout
        end_agent(self.home)
        return done.stdout

    def _call(self, *words: str, **env: str) -> Completed:
        argv = (sys.executable, "-m", "debkit", "--project", os.fspath(self.project), "key", *words)
        own = {"GNUPGHOME": os.fspath(self.home), "XDG_STATE_HOME": os.fspath(self.project / "state")}
        added = {"PYTHONPATH": os.fspath(CHECKOUT), **own, **env}
        return self.run(Command(argv=argv, env=tuple(added.items()), ok=ALL))

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.type("list", "--json"))
        return found

    @property
    def toml(self) -> Path:
        return self.project / "config/debkit.toml"

    @property
    def uploaders(self) -> Path:
        return self.project / "repo/conf/uploaders"

    def configure(self, fingerprint: str) -> None:
        self.toml.parent.mkdir()
        self.toml.write_text(f'[keys]\narchive = "{fingerprint}"\n')
        self.uploaders.write_text(f"allow * by key {fingerprint[-16:]}+\n")

    def made(self, *words: str) -> str:
        said = self.type("init", *words, unlocked="--no-passphrase" not in words)
        return re.match(r"[0-9A-F]{40}", said)[0]  # type: ignore[index]  # it must match


@contextlib.contextmanager
def key_desk(run: Processes, project: Path) -> Iterator[Desk]:
    (project / "words").write_text(WORDS)
    (project / "repo/conf").mkdir(parents=True)
    with gnupg_home() as home:
        yield Desk(run, project, home, project / "words")
