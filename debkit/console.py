"""What a person or a CI log sees: steps, the live progress of jobs that run beside each other, folds and annotations.

On a terminal jobs share a live table (phase, elapsed, last line). Elsewhere each phase is a plain line, and in GitHub Actions
each step is folded, a failed job's log too, and errors are annotated. Everything goes to standard error but what was asked for.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console as Rich
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from debkit.errors import DebkitError

DEVELOPMENT_KEY_NOTICE = "signed with a development key made on this machine: good for trying, not for publishing"


class Progress(Protocol):
    """What a stage tells of its work. Safe to call from any thread."""

    def phase(self, name: str) -> None: ...

    def line(self, text: str) -> None: ...


class Quiet:
    """A Progress that says nothing."""

    def phase(self, name: str) -> None:
        """Say nothing."""

    def line(self, text: str) -> None:
        """Say nothing."""


def as_typed(hint: str) -> str:
    """Give debkit's commands in a hint as debkit itself was called: in a checkout there is no `debkit` to type."""
    if Path(sys.argv[0]).name != "__main__.py":
        return hint
    return re.sub(
        r"(?<![\w./-])debkit (?=(accel|build|chroot|ci|doctor|init|key|publish|release|repo)\b)",
        f"{sys.executable} -m debkit ",
        hint,
    )


@dataclass(slots=True)
class JobProgress:
    """One job's row."""

    name: str
    console: Console
    current: str = "waiting"
    last: str = ""
    since: float = field(default_factory=time.monotonic)
    outcome: str = ""
    seconds: float = 0.0

    def phase(self, name: str) -> None:
        if name != self.current:
            self.current, self.last = name, ""
            if not self.console.live:
                self.console.info(f"[{self.name}] {name}")

    def line(self, text: str) -> None:
        if text.strip():
            self.last = text.strip()

    def done(self, outcome: str) -> None:
        self.seconds = time.monotonic() - self.since
        self.outcome, self.last = outcome, ""
        if not self.console.live:
            self.console.info(f"[{self.name}] {outcome} ({duration(self.seconds)})")


class Console:
    """Prints. `live` is whether standard error is a terminal that can be redrawn, `ci` whether GitHub Actions reads along."""

    def __init__(self, *, verbose: bool = False) -> None:
        # A compiler's "x.c:100:5" is no emoji.
        self._err = Rich(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._out = Rich(highlight=False, soft_wrap=True, emoji=False)
        self._lock = threading.Lock()
        self._rows: Live | None = None
        self._unsaid: list[str] | None = None
        self.ci = os.environ.get("GITHUB_ACTIONS") == "true"
        self.live = self._err.is_terminal and not self._err.is_dumb_terminal and not self.ci
        self.verbose = verbose

    def info(self, text: str) -> None:
        self._say(escape(text))

    def detail(self, text: str) -> None:
        """Say what only --verbose wants to hear."""
        if self.verbose:
            self._say(f"[dim]{escape(text)}[/dim]")

    def good(self, text: str) -> None:
        self._say(f"[green]{escape(text)}[/green]")

    def warn(self, text: str) -> None:
        self._say(f"::warning::{_annotation(text)}" if self.ci else f"[yellow]warning: {escape(text)}[/yellow]")

    def result(self, text: str) -> None:
        """Print what was asked for, on standard output and with no decoration."""
        self._out.print(text, markup=False)

    def table(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Print rows, the first of which is the headings, in columns."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.result("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def error(self, failure: DebkitError) -> None:
        """Show a failure's three parts, the lines of the log that matter, and where the log is."""
        if self.ci:
            self._say(f"::error::{_annotation(failure.what)}")
        self._say(f"[bold red]error:[/bold red] {escape(failure.what)}")
        hint = as_typed(failure.hint)
        for label, text in (("likely cause", failure.cause), ("next", hint), ("log", str(failure.log or ""))):
            if text:
                first, *rest = text.splitlines()
                self._say(f"  [bold]{label}:[/bold] {escape(first)}")
                for line in rest:
                    self._say(f"    {escape(line)}")
        if failure.excerpt:
            self._say("")
            for line in failure.excerpt:
                self._say(f"  [dim]|[/dim] {escape(line)}")

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a named step, timed; in CI a fold."""
        started = time.monotonic()
        self._say(f"::group::{escape(title)}" if self.ci else f"[bold]{escape(title)}[/bold]")
        try:
            yield
        finally:
            if self.ci:
                self._say("::endgroup::")
            self.detail(f"{title}: {duration(time.monotonic() - started)}")

    @contextlib.contextmanager
    def jobs(self, names: tuple[str, ...]) -> Iterator[dict[str, JobProgress]]:
        """Rows for jobs that run beside each other."""
        rows = {name: JobProgress(name, self) for name in names}
        if not self.live:
            yield rows
            return
        with Live(console=self._err, refresh_per_second=4, get_renderable=lambda: _table(tuple(rows.values()))) as self._rows:
            yield rows

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Draw nothing, and keep what is said until afterwards: the terminal is somebody else's."""
        rows = self._rows
        if rows:
            rows.stop()
        with self._lock:
            self._unsaid = []
        try:
            yield
        finally:
            with self._lock:
                unsaid, self._unsaid = self._unsaid, None
            for markup in unsaid:
                self._say(markup)
            if rows:
                rows.start()

    def fold(self, title: str, lines: tuple[str, ...]) -> None:
        """In CI, fold a log's tail under a title; elsewhere the log's path says enough."""
        if self.ci and lines:
            self._say("\n".join((f"::group::{escape(title)}", *map(escape, lines), "::endgroup::")))

    def _say(self, markup: str) -> None:
        with self._lock:
            if self._unsaid is None:
                self._err.print(markup)
            else:
                self._unsaid.append(markup)


def counted(number: int, noun: str) -> str:
    """Write how many there are: 1 file, 2 files."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write seconds as people read them: 8.2 s, 4 min 31 s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def age(seconds: float) -> str:
    """Write how long ago something was: 3 d."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return "now"


def megabytes(size: float) -> str:
    """Write a size that is in bytes: 1,234 MB."""
    return f"{size / 10**6:,.0f} MB"


def _annotation(text: str) -> str:
    """Escape a workflow command's data as GitHub's runner reads it, and then for rich."""
    return escape(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _table(rows: tuple[JobProgress, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True, justify="right")
    table.add_column(ratio=1)
    for row in rows:
        elapsed = row.seconds or time.monotonic() - row.since
        table.add_row(
            Text(row.name, style="bold"), _cut(row.outcome or row.current), duration(elapsed), _cut(row.last, style="dim")
        )
    return table


def _cut(text: str, *, style: str = "") -> Text:
    """Give text that is cut where the room ends: rich takes room from columns that may wrap first, and this does not wrap."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
