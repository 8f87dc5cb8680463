"""A fake runner: it records each command and answers with what the test laid down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debkit.run import Command, Completed, failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(slots=True)
class Reply:
    """What a command whose argv starts with (or, where `anywhere`, contains) `match` prints, exits with and writes."""

    match: tuple[str, ...]
    stdout: str = ""
    code: int = 0
    files: tuple[tuple[Path, bytes], ...] = ()
    action: Callable[[Command], None] | None = None


@dataclass(slots=True)
class Recorder:
    """A `Run` that starts nothing. A command with no reply laid down succeeds silently; the last matching reply wins."""

    commands: list[Command] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    answers: list[tuple[tuple[str, str], ...]] = field(default_factory=list)

    def reply(self, *match: str, stdout: str = "", code: int = 0, files: tuple[tuple[Path, bytes], ...] = (),
              action: Callable[[Command], None] | None = None) -> None:  # fmt: skip
        self.replies.append(Reply(match, stdout, code, files, action))

    def __call__(self, command: Command, on_line: Callable[[str], None] | None = None) -> Completed:
        self.commands.append(command)
        found = next((r for r in reversed(self.replies) if contains(command.argv, r.match)), Reply(()))
        for path, content in found.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if found.action:
            found.action(command)
        lines = tuple(found.stdout.splitlines())
        if command.log:
            command.log.parent.mkdir(parents=True, exist_ok=True)
            with command.log.open("a") as log:
                log.write(found.stdout)
        for line in lines:
            if on_line:
                on_line(line)
        done = Completed(command=command, code=found.code, seconds=0.0, stdout=found.stdout, tail=lines[-40:])
        if done.code not in command.ok:
            raise failure(done)
        return done

    def converse(self, command: Command, replies: tuple[tuple[str, str], ...]) -> Completed:
        self.answers.append(replies)
        return self(command)

    @property
    def argvs(self) -> list[tuple[str, ...]]:
        return [command.argv for command in self.commands]


def contains(argv: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether `part` stands in `argv` as consecutive words."""
    return any(argv[i : i + len(part)] == part for i in range(len(argv) - len(part) + 1))
