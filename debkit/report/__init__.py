"""`report.json`: the record of a run, to which every step adds what it returned.

`report.schema.json` beside this file documents the fields; `schema` grows by one whenever a reader must change.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import debkit
from debkit.errors import DebkitError, defect, disk_error
from debkit.paths import put
from debkit.report import summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from debkit.run import Completed

SCHEMA_VERSION = 1
REPORT = "report.json"  # in dist/
LONGEST_WORD = 500
NOWHERE: Mapping[str, str] = MappingProxyType({})
SCHEMA = Path(__file__).with_name("report.schema.json")


class Ledger:
    """Collects a run's values and keeps `path` up to date, whole at any moment. Usable from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._started = time.time()
        self._lock = threading.Lock()
        self._sparing = False
        self._data: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "debkit": debkit.__version__,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._started)),
            "seconds": 0.0,
            "outcome": "running",
            "error": None,
            "tools": {},
            "plan": None,
            "sources": [],
            "builds": [],
            "checks": [],
            "uploads": [],
            "published": [],
            "sightings": [],
            "files": [],
            "commands": [],
        }

    def put(self, name: str, value: object) -> None:
        """Set a field that a run has once."""
        with self._lock:
            self._data[name] = plain(value)
            self._save()

    def add(self, name: str, *values: object) -> None:
        """Append to a field that a run has many of."""
        with self._lock:
            self._data[name] += [plain(value) for value in values]
            self._save()

    def tool(self, name: str, version: str) -> None:
        """Take note of a tool that is used besides those of this machine."""
        with self._lock:
            self._data["tools"][name] = version

    def command(self, done: Completed) -> None:
        """Take note of a process that ran. Written with the next step: commands come by the hundred."""
        with self._lock:
            argv = [cut(part) for part in done.command.argv]
            self._data["commands"].append({"argv": argv, "code": done.code, "seconds": round(done.seconds, 3)})

    def begin(self) -> None:
        """Have the report of an earlier run, which was spared so far, replaced from now on."""
        with self._lock:
            self._sparing = False
            self._save()

    @contextlib.contextmanager
    def recording(self, environ: Mapping[str, str] = NOWHERE, *, sparing: bool = False) -> Iterator[None]:
        """Write how the run ended, whichever way it ends, and append a summary where `environ` names a file for it.

        What fails before anything was recorded changes a report that is there, which would tell of another run, and makes none.
        Where the caller is `sparing`, one that is there stays until `begin`, or until the run has succeeded.
        """
        self._sparing = sparing and self.path.exists()
        try:
            yield
        except BaseException as problem:
            with contextlib.suppress(OSError):  # the disk is full, say: that is the error which the caller is to see
                self.finish(as_failure(problem), write=bool(self._data["plan"]) or self.path.exists())
            raise
        else:
            self.finish(None)
        finally:
            with contextlib.suppress(OSError):
                summary.append(self._data, environ)

    def finish(self, failure: DebkitError | None, *, write: bool = True) -> None:
        """Take note of how the run ended, and write it."""
        with self._lock:
            self._data["seconds"] = round(time.time() - self._started, 3)
            self._data["outcome"] = "failed" if failure else "succeeded"
            self._sparing = self._sparing and failure is not None
            if failure:
                self._data["error"] = {
                    "exit_code": failure.exit_code,
                    "what": failure.what,
                    "cause": failure.cause,
                    "hint": failure.hint,
                    "log": plain(failure.log),
                }
            if write:
                self._save()

    def _save(self) -> None:
        if self._sparing:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        put(self.path, (json.dumps(self._data, indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))


def as_failure(problem: BaseException) -> DebkitError:
    """Give any exception as the error that the command line makes of it."""
    if isinstance(problem, DebkitError):
        return problem
    return (disk_error(problem) if isinstance(problem, OSError) else None) or defect(problem)


def cut(word: str) -> str:
    """Shorten a word of a command, such as a script, to what is worth keeping."""
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"


def plain(value: object) -> Any:
    """Turn debkit's frozen values into what JSON has."""
    match value:
        case Enum():
            return value.value
        case Path():
            return os.fspath(value)
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list() | frozenset():
            return [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        case _:
            return value
